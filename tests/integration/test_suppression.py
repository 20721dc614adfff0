"""Who was forgotten comes back of their own will alone: an officer lifts it, and what they said before stays out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from typer.testing import CliRunner

from contracts import catalog
from jobs.cli import app
from jobs.connectors import Record
from jobs.connectors.owners import said_at
from jobs.errors import ConfigurationError, NotAuthorised
from jobs.ledger import audit, erasures
from jobs.run import land as landing
from jobs.run import suppression
from jobs.run.asking import Question
from jobs.run.forget import forget
from jobs.settings import Settings
from tests.integration.airflow_stand_in import Users
from tests.integration.test_forget import asked
from tests.integration.two_releases import OFFICERS, airflow, home, prepared
from tests.landing import lake_of as lake

__all__ = ["airflow", "home", "prepared"]


def returned(*people: str, at: datetime | str | None, token: str = OFFICERS, reason: str = "signed form 12") -> Question:
    persons = [{"source": "crm", "source_person_id": name} for name in people]
    moment = at.isoformat() if isinstance(at, datetime) else at
    return Question(json.dumps({"persons": persons, "consented_at": moment, "reason": reason, "token": token}).encode())


def record(stream: str, number: str, **content: Any) -> Record:
    return Record(stream, f"{stream}/{number}", json.dumps({"Id": number, **content}).encode(), False)


def pull(home: Settings, monkeypatch: pytest.MonkeyPatch, records: Sequence[Record]) -> tuple[int, int]:
    """How many records of the CRM land, and how many are kept out."""
    def fetch(*_: Any) -> Iterator[Any]:
        yield from records
    with monkeypatch.context() as patch:
        patch.setattr(landing, "access", lambda _: None)
        patch.setattr(landing, "fetch", fetch)
        facts = landing.land(home, "crm").facts
    return facts["rows"], facts["suppressed"]


def statements(at: datetime) -> tuple[list[Record], list[Record]]:
    """Opt-ins of before a moment, or of nobody knows when, and since."""
    days = timedelta(days=1)
    return ([record("optins", "1", PartyId="person-3", CaptureDate=(at - days).isoformat()),
             record("optins", "2", PartyId="person-3"), record("optins", "3", PartyId="person-3", CaptureDate="soon")],
            [record("optins", "4", PartyId="person-3", CaptureDate=at.isoformat())])


def test_who_consents_anew_comes_back_without_what_they_said_before(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    forget(home, asked("person-3", "person-4"))
    anew = datetime.now(UTC)
    before, since = statements(anew)
    others = [record("contacts", "5", Id="person-4"), record("optins", "6", PartyId="person-4", CaptureDate=anew.isoformat())]
    mine = record("contacts", "person-3")
    assert pull(home, monkeypatch, [mine, *before, *since, *others]) == (0, 7)

    report = suppression.lift(home, returned("person-3", at=anew))
    assert report.facts["people"] == 1 and report.changed == [erasures.SUPPRESSED]
    assert pull(home, monkeypatch, [mine, *before, *since, *others]) == (2, 5)
    landed = {row["record_id"] for row in lake(home).arrow("raw.crm").to_pylist()}
    assert landed >= {"contacts/person-3", "optins/4"} and not landed & {"optins/1", "optins/2", "optins/3"}
    gone = Record("optins", "optins/1", b'{"Id": "1", "PartyId": "person-3", "IsDeleted": true}', True)
    assert pull(home, monkeypatch, [gone]) == (1, 0), "that a statement of before is deleted is no statement"
    row, = [row for row in lake(home).arrow(erasures.SUPPRESSED).to_pylist() if row["lifted_at"]]
    assert (row["lifted_by"], row["lifted_because"], row["consented_at"]) == ("officer", "signed form 12", anew)
    entry, = [entry for entry in audit.entries(lake(home)) if entry["stage"] == "suppression.lift"]
    assert "person-3" not in str(row) and len(json.loads(entry["about"])) == 1
    assert suppression.overview(home) == [{"erasure": 1, "source": "crm", "stay_out": 1, "came_back": 1}]


def test_who_is_forgotten_again_stays_out_again_and_both_times_are_kept(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    forget(home, asked("person-3"))
    anew = datetime.now(UTC)
    suppression.lift(home, returned("person-3", at=anew))
    assert pull(home, monkeypatch, [mine := record("contacts", "person-3")]) == (1, 0)
    forget(home, asked("person-3"))
    assert pull(home, monkeypatch, [mine, *statements(anew)[1]]) == (0, 2)
    assert suppression.overview(home) == [{"erasure": 1, "source": "crm", "stay_out": 0, "came_back": 1},
                                          {"erasure": 2, "source": "crm", "stay_out": 1, "came_back": 0}]
    with pytest.raises(ConfigurationError, match="1 of 1 people were forgotten after that consent, so it is no new one"):
        suppression.lift(home, returned("person-3", at=anew))


@pytest.mark.parametrize(("people", "more", "error", "match"), [
    (["person-3", "person-9"], {}, ConfigurationError, "^1 of 2 people are not on the list, so nobody was lifted"),
    (["person-3"], {"reason": " "}, ConfigurationError, "say why"),
    (["person-3"], {"days": 3}, ConfigurationError, "a time with an offset that has been"),
    (["person-3"], {"at": None}, ConfigurationError, "a time with an offset that has been"),
    (["person-3"], {"at": "2026-11-01T12:00:00"}, ConfigurationError, "a time with an offset that has been"),
    (["person-3"], {"days": -3}, ConfigurationError, "forgotten after that consent"),
    ([], {}, ConfigurationError, "name who came back"),
    (["person-3"], {"token": "engineers-token"}, NotAuthorised, "engineer has none of the roles")])
def test_nobody_is_lifted_by_mistake(home: Settings, airflow: Users, monkeypatch: pytest.MonkeyPatch, people: list[str],
                                     more: dict[str, Any], error: type[Exception], match: str) -> None:
    airflow.may_read_users.add("engineer")
    forget(home, asked("person-3"))
    moment = datetime.now(UTC) + timedelta(days=more.pop("days", 0))
    with pytest.raises(error, match=match) as failed:
        suppression.lift(home, returned(*people, **{"at": moment, **more}))
    assert "person-3" not in str(failed.value)
    assert pull(home, monkeypatch, [record("contacts", "person-3")]) == (0, 1)


@pytest.mark.parametrize(("source", "stream", "content", "said"), [
    ("crm", "optins", {"CaptureDate": "2026-10-01T00:00:00Z"}, [datetime(2026, 10, 1, tzinfo=UTC)]),
    ("study", "consents", {"signed_at": "2026"}, [datetime(2026, 1, 1, tzinfo=UTC)]),
    ("study", "consents", {"signed_at": "2026-10"}, [datetime(2026, 10, 1, tzinfo=UTC)]),
    ("study", "consents", {"signed_at": "2026-10-05"}, [datetime(2026, 10, 5, tzinfo=UTC)]),
    ("study", "consents", {"signed_at": "2026-10-05T10:00:00"}, []), ("study", "consents", {"signed_at": True}, []),
    ("device_cloud", "Consent", {"meta": {"lastUpdated": "2026-10-05T10:00:00+02:00"}}, [datetime(2026, 10, 5, 8, tzinfo=UTC)]),
    ("device_cloud", "Consent", None, []), ("crm", "contacts", {"CaptureDate": "2026-10-01T00:00:00Z"}, None)])
def test_when_a_statement_was_made(source: str, stream: str, content: Any, said: list[datetime] | None) -> None:
    assert said_at(catalog().sources[source], stream, content) == said


def test_the_list_is_shown(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    forget(home, asked("person-3"))
    monkeypatch.setenv("CONCORD_HOME", str(home.home))
    monkeypatch.delenv("CONCORD_LAKE", raising=False)
    shown = CliRunner().invoke(app, ["suppression", "list"], catch_exceptions=False).output
    assert ["1", "crm", "1", "0"] in [line.split() for line in shown.splitlines()], shown
    assert json.loads(CliRunner().invoke(app, ["suppression", "list", "--json"]).output)[0]["stay_out"] == 1
