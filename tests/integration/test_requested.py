"""People who ask a source to be forgotten: a list that names nobody, an officer's answer, and then nothing is left."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from jobs.errors import NotApproved
from jobs.ledger import erasures
from jobs.run import forget as forgetting
from jobs.run.requested import forget_requested, list_requests
from jobs.settings import Settings
from tests import small_lake
from tests.acceptance.canary import holding
from tests.integration.airflow_stand_in import Answering, serving
from tests.integration.two_releases import home, prepared
from tests.landing import lake_of as lake

__all__ = ["home", "prepared"]

RUN = ("erasure", "run-1")


@pytest.fixture
def airflow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answering]:
    answering = Answering()
    with serving(answering) as address:
        monkeypatch.setenv("CONCORD_CONNECTION_CONCORD_AIRFLOW",
                           json.dumps({"base_url": address, "login": "concord", "password": "x", "ca_file": ""}))
        yield answering


def ask(home: Settings, *people: str, batch: str = "crm.000002", kind: str = "erasure_request") -> None:
    small_lake.append(lake(home), "core.interaction", [
        {"source_person_id": name, "kind_code": kind, "channel_code": "email", "occurred_at": small_lake.START + timedelta(days=n)}
        for n, name in enumerate(people)], batch)


def listed(home: Settings, airflow: Answering) -> str:
    """Put those who ask on a list, and let Airflow have shown it."""
    name = str(list_requests(home).facts["list"])
    airflow.body = f"2 people ask to be forgotten. List `{name}`."
    return name


def who_is_there(home: Settings) -> set[str]:
    return set(lake(home).arrow("core.identity")["source_person_id"].to_pylist())


def test_who_asks_is_forgotten_once_an_officer_approved(home: Settings, airflow: Answering) -> None:
    ask(home, "person-3", "person-4")
    ask(home, "person-5", kind="complaint")
    report = list_requests(home)
    assert (report.facts["people"], report.facts["oldest"], report.changed) == (2, f"{small_lake.START:%Y-%m-%d}", [erasures.REQUESTS])
    name = listed(home, airflow)
    assert "person" not in str([row["list"] for row in erasures.requests(lake(home))]) and len(name) == 64
    ask(home, "person-6", batch="crm.000003")
    report = forget_requested(home, RUN)
    assert (report.facts["people"], report.facts["found"], report.facts["by"]) == (2, 0, "officer")
    assert holding(home.home, [b"person-3", b"person-4"], ()) == []
    assert who_is_there(home) >= {"person-5", "person-6"} and not who_is_there(home) & {"person-3", "person-4"}
    entry, = erasures.requests(lake(home))
    assert (entry["people"], entry["decision"], entry["decided_by"], entry["proof"]) == (2, "approved", "officer", "erasure/run-1/approve")
    assert erasures.every(lake(home))[-1]["requested_by"] == "officer"
    assert list_requests(home).facts["people"] == 1, "who asked after the list was made is on the next one"


def test_a_rejection_is_kept_and_the_list_is_not_made_again(home: Settings, airflow: Answering) -> None:
    ask(home, "person-3")
    listed(home, airflow)
    airflow.chosen = ["Reject"]
    assert forget_requested(home, RUN).facts["decision"] == "rejected"
    assert "person-3" in who_is_there(home) and list_requests(home).changed == []
    ask(home, "person-4", batch="crm.000003")
    assert list_requests(home).changed == [erasures.REQUESTS]


def test_nobody_asks(home: Settings) -> None:
    report = list_requests(home)
    assert report.changed == [] and report.facts == {**report.facts, "people": 0}


@pytest.mark.parametrize(("approver", "body", "match"), [
    ("engineer", None, "engineer, who answered in run run-1, has none of the roles"), (None, None, "nobody answered"),
    ("officer", "2 people", "shows no list"), ("officer", "0" * 64, "shows no list")])
def test_without_an_officers_answer_to_this_list_nobody_is_forgotten(home: Settings, airflow: Answering, approver: str | None,
                                                                    body: str | None, match: str) -> None:
    ask(home, "person-3")
    listed(home, airflow)
    airflow.approver, airflow.body = approver, body or airflow.body
    with pytest.raises(NotApproved, match=match):
        forget_requested(home, RUN)
    assert "person-3" in who_is_there(home) and erasures.requests(lake(home))[0]["decision"] is None


def test_who_took_the_request_back_is_not_forgotten(home: Settings, airflow: Answering) -> None:
    ask(home, "person-3", "person-4")
    listed(home, airflow)
    rows = lake(home).arrow("core.interaction")
    lake(home).replace_arrow("core.interaction", rows.slice(0, rows.num_rows - 1))
    with pytest.raises(NotApproved, match="not everybody on the list that was answered asks to be forgotten any more"):
        forget_requested(home, RUN)
    assert who_is_there(home) >= {"person-3", "person-4"}


def test_what_was_killed_goes_on_with_the_same_people_alone(home: Settings, airflow: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    ask(home, "person-3", "person-4")
    listed(home, airflow)

    class Killed(BaseException):
        pass

    def dies(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(forgetting, "_recount", dies)
        forget_requested(home, RUN)
    ask(home, "person-5")  # With a batch of those of the list, as a replay does.
    report = forget_requested(home, RUN)
    assert report.facts["found"] == 0 and holding(home.home, [b"person-3", b"person-4"], ()) == []
    assert "person-5" in who_is_there(home)
    again = forget_requested(home, RUN)
    assert again.facts["decision"] == "approved" and "erasure" not in again.facts and "person-5" in who_is_there(home)
