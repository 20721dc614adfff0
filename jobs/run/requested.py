"""erasure.requests and erasure.grant: people who asked a source to be forgotten are, when an officer approved in Airflow.

What is approved is a list, by a keyed digest of who is on it: who asks later is on the next one. The ledger has the decision
before anybody is forgotten, so a run that was killed goes on with whom it was to forget and with nobody else.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow.compute as pc

from jobs.airflow_api import Airflow
from jobs.errors import NotApproved
from jobs.ledger import erasures
from jobs.run import forget, suppression
from jobs.run.asking import ROLES, Person
from jobs.run.shell import Report, Shell, open_shell
from jobs.settings import Settings

INTERACTION, KIND = "core.interaction", "erasure_request"
REASON = "asked the source to be forgotten"


def list_requests(settings: Settings) -> Report:
    """Put the people who ask to be forgotten on a list for an officer; a list that was rejected is not made again."""
    with open_shell(settings, "erasure.requests", "all", with_engine=False) as shell:
        asking = _asking(shell)
        shell.trail.reads(INTERACTION)
        shell.report.facts.update(people=len(asking.people))
        if not asking.people:
            return shell.report
        name = _digest(settings, asking.people)
        known = erasures.request(shell.lake, name)
        shell.report.facts.update(list=name, oldest=f"{asking.oldest:%Y-%m-%d}")
        if known is None or known["decision"] != "rejected":
            undecided = dict.fromkeys(("decision", "decided_by", "proof", "decided_at"))
            erasures.write_request(shell.lake, {
                **undecided, "list": name, "people": len(asking.people), "oldest_at": asking.oldest,
                "batches": json.dumps(asking.batches, sort_keys=True), "listed_at": datetime.now(UTC)})
            shell.report.change(erasures.REQUESTS)
            shell.trail.writes(erasures.REQUESTS)
        return shell.report


def forget_requested(settings: Settings, dag_run: tuple[str, str]) -> Report:
    """Forget the people of the list that an officer was shown in a run of the DAG, if they approved it.

    Raises NotApproved when nobody answered, when who did is no officer, or when one of the list does not ask any more; nobody is
    forgotten then. A rejection is kept.
    """
    with open_shell(settings, "erasure.grant", "requests", with_engine=False, alone=True) as shell:
        airflow = Airflow()
        answer = airflow.answer(*dag_run)
        if not airflow.roles(answer.approver) & ROLES:
            raise NotApproved(f"{answer.approver}, who answered in run {dag_run[1]}, has none of the roles "
                              f"{', '.join(sorted(ROLES))}")
        entry = next((row for row in erasures.requests(shell.lake) if row["list"] in answer.shown), None)
        if entry is None:
            raise NotApproved(f"the approval of run {dag_run[1]} shows no list of people who ask to be forgotten")
        people = _asking(shell, json.loads(entry["batches"])).people
        is_same = bool(people) and _digest(settings, people) == entry["list"]
        if not is_same and entry["proof"] != answer.proof:
            raise NotApproved("not everybody on the list that was answered asks to be forgotten any more; the next run asks anew")
        decision = "approved" if answer.is_approved else "rejected"
        erasures.write_request(shell.lake, {**entry, "decision": decision, "decided_by": answer.approver, "proof": answer.proof,
                                            "decided_at": datetime.fromisoformat(answer.responded_at.replace("Z", "+00:00"))})
        shell.report.change(erasures.REQUESTS)
        shell.trail.writes(erasures.REQUESTS)
        shell.report.facts.update(list=entry["list"], decision=decision, by=answer.approver)
        if answer.is_approved and (is_same or forget.plan_of(settings).read(forget.PLAN) is not None):
            # Where they are not the same, an earlier try was killed when some of them were gone: what it left is all.
            forget.carry_out(shell, people if is_same else set(), REASON, answer.approver)
        return shell.report


@dataclass(frozen=True)
class Asking:
    """Who asks to be forgotten, since when the first of them does, and the last batch of each source that one asked with."""

    people: set[Person]
    oldest: datetime | None
    batches: dict[str, str]


def _asking(shell: Shell, batches: dict[str, str] | None = None) -> Asking:
    """Who asks to be forgotten, up to the last batches of a list where they are given: their names are in order."""
    if not shell.lake.exists(INTERACTION):
        return Asking(set(), None, {})
    wanted = (pc.field("kind_code") == KIND) & pc.field("source_person_id").is_valid()
    columns = ["source", "source_person_id", "occurred_at", "batch_id"]
    rows = shell.lake.arrow(INTERACTION, columns=columns, filters=wanted).to_pylist()
    if batches is not None:
        rows = [row for row in rows if row["batch_id"] <= batches.get(row["source"], "")]
    last: dict[str, str] = {}
    for row in rows:
        last[row["source"]] = max(row["batch_id"], last.get(row["source"], ""))
    people = {Person(row["source"], row["source_person_id"]) for row in rows}
    return Asking(people, min((row["occurred_at"] for row in rows), default=None), last)


def _digest(settings: Settings, people: set[Person]) -> str:
    references = suppression.references(settings, {f"{person.source}/{person.source_person_id}" for person in people})
    return hashlib.sha256("".join(sorted(reference for _, reference in references)).encode()).hexdigest()
