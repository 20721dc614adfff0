"""The audit about a person verifies after they were forgotten, and leads to nobody then."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from typer.testing import CliRunner

from contracts.exit_codes import ExitCode
from contracts.vocabulary import ReversalPurpose
from jobs.cli import app
from jobs.errors import ConfigurationError, IntegrityError, NotAuthorised
from jobs.ledger import audit
from jobs.run import audited, commitments, reidentify
from jobs.run.asking import Person, Question
from jobs.run.forget import forget
from jobs.settings import Settings
from tests.acceptance.canary import holding
from tests.integration.airflow_stand_in import Users
from tests.integration.test_forget import asked
from tests.integration.test_reidentify import DOMAIN, pseudonym, said
from tests.integration.two_releases import FIRST, SECOND, airflow, home, prepared, question, told
from tests.landing import lake_of as lake

__all__ = ["airflow", "home", "prepared"]


def entries(home: Settings, person: str) -> list[tuple[str, str]]:
    """What an officer is told of the runs about a person: stages and subjects."""
    found: list[dict[str, Any]] = []
    audited.tell(home, question(person), found.append)
    return [(entry["stage"], entry["subject"]) for entry in found[0]["entries"]]


def verdict(home: Settings, head: str | None = None) -> tuple[str, ...]:
    return audited.verify(home, head).faults


def test_who_asked_about_a_person_is_told_until_they_are_forgotten(home: Settings) -> None:
    told(home, FIRST, "person-3")
    told(home, SECOND, "person-3")
    told(home, FIRST, "person-4")
    reversal = reidentify.request(home, DOMAIN, ReversalPurpose.SAFETY_FOLLOW_UP, said(pseudonym(home))).facts["reversal"]
    asks = [("explain", FIRST.subject), ("explain", SECOND.subject), ("reidentify.request", DOMAIN)]
    assert entries(home, "person-3") == asks
    assert entries(home, "person-3") == [*asks, ("audit.about", "person")]
    head, opening = audited.verify(home).head, lake(home).arrow(commitments.TABLE).to_pylist()
    keys = [row["key"].encode() for row in opening if row["source_person_id"] == "person-3"]
    assert len(keys) == 6 and holding(home.home, keys, ()) != [] and verdict(home) == ()
    name = pseudonym(home)

    forget(home, asked("person-3"))
    assert verdict(home, head) == () and holding(home.home, keys, ()) == []
    assert entries(home, "person-3") == [] and entries(home, "person-4") == [("explain", FIRST.subject)]
    kept = [row for row in audit.entries(lake(home)) if row["about"] != "[]"]
    assert [row["stage"] for row in kept[:3]] == ["explain"] * 3
    with pytest.raises(NotAuthorised, match="somebody who was forgotten since"):
        reidentify.tell(home, reversal, said(name, "admins-token"), lambda _: pytest.fail("told"))
    stays = {row["commitment"] for row in opening if row["source_person_id"] == "person-4"}
    assert {row["commitment"] for row in lake(home).arrow(commitments.TABLE).to_pylist()} >= stays


def test_a_stranger_who_is_asked_about_does_not_come_into_the_vault(home: Settings) -> None:
    assert entries(home, "stranger-77") == [] == entries(home, "stranger-77")
    assert holding(home.home, [b"stranger-77"], ()) == []
    assert [len(json.loads(row["about"])) for row in audit.entries(lake(home))[-2:]] == [1, 1]


def test_a_commitment_opens_with_its_own_text_alone(home: Settings) -> None:
    told(home, FIRST, "person-3")
    made, = json.loads(audit.entries(lake(home))[-1]["about"])
    assert commitments.opens(lake(home), made, "crm/person-3") and not commitments.opens(lake(home), made, "crm/person-4")
    assert commitments.those_about(lake(home), [Person("crm", "person-3")]) == {made}
    assert commitments.those_about(lake(home), [Person("crm", "person-4")]) == set() == commitments.those_about(lake(home), [])
    row, = lake(home).arrow(commitments.TABLE).to_pylist()
    other = {**row, "source_person_id": "person-4", "commitment": "0" * 64}
    lake(home).append_arrow(commitments.TABLE, lake(home).arrow(commitments.TABLE).from_pylist([other], lake(home).arrow(
        commitments.TABLE).schema))
    assert commitments.those_about(lake(home), [Person("crm", "person-4")]) == set()


@pytest.mark.parametrize(("asks", "error", "match"), [
    (question("person-3", "engineers-token"), NotAuthorised, "Officer|Airflow"), (question("person-3", ""), NotAuthorised, "nobody proved"),
    (question(None), ConfigurationError, "names no person"), (Question(b"{"), ConfigurationError, "is not of the form")])
def test_nobody_else_is_told(home: Settings, airflow: Users, asks: Question, error: type[Exception], match: str) -> None:
    airflow.may_read_users.add("engineer")
    with pytest.raises(error, match=match):
        audited.tell(home, asks, lambda _: pytest.fail("told"))
    assert audit.entries(lake(home))[-1]["result"] == "failed"


def test_runs_side_by_side_make_one_chain(home: Settings) -> None:
    """Eight writers, each with a lake of its own as on another machine."""
    before, (row,) = audited.verify(home).entries, lake(home).arrow(audit.TABLE).slice(0, 1).to_pylist()
    entry = {name: value for name, value in row.items() if name not in ("number", "previous", "sha256")}
    failed: list[BaseException] = []

    def write(writer: int) -> None:
        try:
            for turn in range(3):
                audit.append(lake(home), {**entry, "run_id": f"{writer}-{turn}"})
        except BaseException as error:
            failed.append(error)

    writers = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert failed == [] and verdict(home) == () and audited.verify(home).entries == before + 24
    assert len({row["run_id"] for row in audit.entries(lake(home))} & {f"{w}-{t}" for w in range(8) for t in range(3)}) == 24


def test_an_entry_that_is_taken_out_or_changed_is_named(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONCORD_HOME", str(home.home))
    head = audited.verify(home).head
    ran = CliRunner().invoke(app, ["audit", "verify", "--json"])
    assert (ran.exit_code, json.loads(ran.output)) == (0, {"entries": len(audit.entries(lake(home))), "head": head, "faults": []})
    rows = audit.entries(lake(home))
    schema = lake(home).arrow(audit.TABLE).schema
    lake(home).replace_arrow(audit.TABLE, lake(home).arrow(audit.TABLE).from_pylist(
        [{**row, "actor": "nobody"} if row["number"] == 2 else row for row in rows if row["number"] != 4], schema))
    ran = CliRunner().invoke(app, ["audit", "verify"])
    assert isinstance(ran.exception, IntegrityError) and ran.exception.exit_code is ExitCode.INTEGRITY
    assert str(ran.exception) == "the audit is not whole: entry 2 was changed; entry 4 is missing"
    assert verdict(home, head) == ("entry 2 was changed", "entry 4 is missing")
