"""review: matches that wait for people: the queue, the evidence of one side by side, and what officers decide.

Only an officer, proved by a log-in, is shown evidence or decides. The next run of resolve obeys; a decision may be taken back by
deciding otherwise, which splits what was merged, with its former keys.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from functools import reduce
from operator import or_
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from contracts.load import catalog
from contracts.matching import OF_IDENTITIES
from jobs.errors import ConfigurationError
from jobs.lake import Lake
from jobs.matching.reviews import AGREEING, DIFFERENT, SAME, standing
from jobs.run import asking, commitments
from jobs.run.asking import Person, Question
from jobs.run.identities import KEPT_PROFILES, split
from jobs.run.linking import CHANGE, HELD, LINK
from jobs.run.people import DECISION
from jobs.run.shell import Report, Shell, open_shell
from jobs.schema import arrow_schema
from jobs.settings import Settings

CONSENT, PROOF, LONGEST_REASON = "core.consent", "airflow_token", 500
Answer = dict[str, Any]


def queue(settings: Settings) -> list[Answer]:
    """The matches that wait, the likeliest first; nothing of anybody is in it but which sources they are in."""
    lake = Lake(settings.lake_root, catalog().tables)
    votes = lake.arrow(DECISION, columns=["match_id", "decided_by", "decision"]).to_pylist()
    found = []
    for row in lake.arrow(HELD).to_pylist():
        said = {(v["decided_by"], v["decision"]) for v in votes if v["match_id"] == row["match_id"]}
        sources = [row[side].split("/")[0] for side in ("left_identity", "right_identity")]
        found.append({"match": row["match_id"], "sources": sources, "weight": row["weight"], "reason": row["reason"],
                      "held_at": row["held_at"], "said": [f"{who}: {what}" for who, what in sorted(said)]})
    return sorted(found, key=lambda row: (-(row["weight"] if row["weight"] is not None else -1e9), row["match"]))


def history(settings: Settings) -> list[Answer]:
    """Merges and splits, the newest first: when, by which run, and how many identities of which sources changed hands."""
    lake = Lake(settings.lake_root, catalog().tables)
    rows = lake.arrow(CHANGE, columns=["run_id", "kind", "source", "changed_at"])
    found = rows.group_by(["run_id", "kind", "source", "changed_at"]).aggregate([([], "count_all")]).to_pylist()
    return [{"at": row["changed_at"], "run": row["run_id"], "kind": row["kind"], "source": row["source"],
             "identities": row["count_all"]} for row in sorted(found, key=lambda r: (r["changed_at"], r["source"]), reverse=True)]


def show(settings: Settings, match: str, question: Question, tell: Callable[[Answer], None]) -> Report:
    """Tell ``tell`` the evidence of a match, its two persons side by side. Raises NotAuthorised unless an officer asks."""
    with open_shell(settings, "review.show", match, with_engine=False) as shell:
        asking.authorised(shell, question, asking.Reviewed)
        row = _held(shell.lake, match)
        sides = [_identities(shell.lake, row[key]) for key in ("person_key", "other_key")]
        commitments.about(shell, map(_person, [*sides[0], *sides[1]]))
        known = shell.lake.arrow(KEPT_PROFILES, filters=pc.field("identity").isin(pa.array([*sides[0], *sides[1]], pa.string())))
        profiles = {each["identity"]: each for each in known.to_pylist()}
        shell.trail.reads(HELD, LINK, KEPT_PROFILES)
        shell.report.is_answer = True
        tell({"match": match, "weight": row["weight"], "reason": row["reason"], "asked_by": shell.trail.proved_actor,
              "is_about_consent": _speaks(shell.lake, [*sides[0], *sides[1]]),
              "persons": [[{"source": name.split("/")[0], **{str(r): profiles.get(name, {}).get(str(r)) for r in OF_IDENTITIES}}
                           for name in side] for side in sides]})
        return shell.report


def decide(settings: Settings, decision: str, match: str | None, question: Question) -> Report:
    """Write down what an officer says of a match, or of two identities: that they are the same person, or different ones.

    Raises NotAuthorised unless an officer says it, ConfigurationError without a reason or for a match that does not wait.
    """
    with open_shell(settings, "review.decide", match or "pair", with_engine=False) as shell:
        given = asking.authorised(shell, question, asking.Reviewed)
        reason = given.reason.strip()
        if not reason or len(reason) > LONGEST_REASON:
            raise ConfigurationError(f"say why, in 1 to {LONGEST_REASON} characters: {asking.SHAPES[asking.Reviewed]}")
        if (match is None) != (given.person is not None and given.other is not None):
            raise ConfigurationError("name either a match, or both identities on standard input")
        match, pairs = _waiting(shell.lake, match) if match else _pair(shell.lake, given.person, given.other, decision)
        names = sorted({name for pair in pairs for name in pair})
        commitments.about(shell, map(_person, names))
        rows = [{"match_id": match, "left_identity": left, "right_identity": right, "decided_by": shell.trail.proved_actor,
                 "decided_at": datetime.now(UTC), "decision": decision, "is_about_consent": _speaks(shell.lake, names),
                 "reason": reason, "proof": PROOF} for left, right in pairs]
        shell.lake.merge_arrow(DECISION, pa.Table.from_pylist(rows, schema=arrow_schema(shell.lake.contract(DECISION))))
        shell.report.change(DECISION)
        shell.trail.writes(DECISION)
        shell.report.facts.update(match=match, decision=decision, by=shell.trail.proved_actor, **_outcome(shell, match))
        return shell.report


def _outcome(shell: Shell, match: str) -> dict[str, Any]:
    """Whether what was said stands, and if not, how many reviewers must agree."""
    votes = shell.lake.arrow(DECISION, filters=pc.field("match_id") == match)
    said = set(standing(votes)["is_same"].to_pylist())
    stands = {True: SAME, False: DIFFERENT}.get(said.pop()) if len(said) == 1 else None
    return {"stands": stands, "needed": AGREEING}


def _held(lake: Lake, match: str) -> Answer:
    rows = lake.arrow(HELD, filters=pc.field("match_id") == match).to_pylist()
    if not rows:
        raise ConfigurationError("no match of this name waits for a review; `concord review list` has those that do")
    return dict(rows[0])


def _identities(lake: Lake, person_key: str) -> list[str]:
    rows = lake.arrow(LINK, columns=["source", "source_person_id"], filters=pc.field("person_key") == person_key).to_pylist()
    return sorted(f"{row['source']}/{row['source_person_id']}" for row in rows)


def _waiting(lake: Lake, match: str) -> tuple[str, list[tuple[str, str]]]:
    """A match and the pairs of identities that it is about: each of one person with each of the other."""
    row = _held(lake, match)
    return match, _across(*(_identities(lake, row[key]) for key in ("person_key", "other_key")))


def _pair(lake: Lake, person: Person | None, other: Person | None, decision: str) -> tuple[str, list[tuple[str, str]]]:
    """A name for two identities, and the pairs it is about; these two alone, when they are to be told apart in one person."""
    assert person and other
    one, two = (f"{each.source}/{each.source_person_id}" for each in (person, other))
    keys = [_key(lake, each) for each in (person, other)]
    is_one = keys[0] == keys[1]
    if one == two or (is_one and decision == SAME):
        raise ConfigurationError("these two are one person already")
    pair = (min(one, two), max(one, two))
    if is_one and (earlier := _earlier(lake, pair)):
        return earlier
    name = hashlib.sha256("/".join([*sorted(keys), *(pair if is_one else [])]).encode()).hexdigest()[:16]
    return name, [pair] if is_one else _across(*(_identities(lake, key) for key in keys))


def _earlier(lake: Lake, pair: tuple[str, str]) -> tuple[str, list[tuple[str, str]]] | None:
    """The match whose decision brought a pair together, and all pairs it is about: they are told apart as they were then."""
    votes = lake.arrow(DECISION).sort_by("decided_at").to_pylist()
    about = [v["match_id"] for v in votes if (v["left_identity"], v["right_identity"]) == pair]
    pairs = {(v["left_identity"], v["right_identity"]) for v in votes if about and v["match_id"] == about[-1]}
    return (about[-1], sorted(pairs)) if about else None


def _key(lake: Lake, person: Person) -> str:
    wanted = (pc.field("source") == person.source) & (pc.field("source_person_id") == person.source_person_id)
    found = lake.arrow(LINK, columns=["person_key"], filters=wanted)["person_key"].to_pylist()
    if not found:
        raise ConfigurationError("an identity that was given is linked to nobody; check its source and id, or run "
                                 "`concord resolve`")
    return str(found[0])


def _person(name: str) -> Person:
    return Person(*name.split("/", 1))


def _across(one: list[str], other: list[str]) -> list[tuple[str, str]]:
    return [(min(a, b), max(a, b)) for a in one for b in other]


def _speaks(lake: Lake, names: list[str]) -> bool:
    """Whether any of the identities said anything about a purpose."""
    theirs = reduce(or_, [(pc.field("source") == source) & (pc.field("source_person_id") == number)
                          for source, number in zip(*(part.to_pylist() for part in split(pa.array(names))), strict=True)])
    return bool(lake.arrow(CONSENT, columns=["source"], filters=theirs).num_rows)
