"""Payloads are found by whom they are about, and so is what points to them."""

from __future__ import annotations

import json
from typing import Any

from jobs.connectors import Record
from jobs.run.asking import Question
from jobs.run.conform import conform
from jobs.run.forget import forget
from jobs.run.where import where
from jobs.settings import Settings
from jobs.whereabouts import TABLE
from tests.integration.airflow_stand_in import Users
from tests.integration.test_forget_raw import OTHER, WHO, Pull, asked, home, pull, record
from tests.integration.two_releases import OFFICERS, airflow
from tests.landing import lake_of as lake

__all__ = ["airflow", "home", "pull"]
RAW = "raw.probe"


def told(made: Settings, person: str, source: str = "probe") -> dict[str, Any]:
    answers: list[dict[str, Any]] = []
    where(made, Question(json.dumps({"person": {"source": source, "source_person_id": person}, "reason": "asked by letter",
                                     "token": OFFICERS}).encode()), answers.append)
    return answers[0]


def versions(answer: dict[str, Any]) -> dict[str, list[int]]:
    return {row["table"]: row["versions"] for row in answer["tables"]}


def test_an_envelope_is_about_whom_its_payload_names(home: Settings, pull: Pull) -> None:
    pull([record("1"), record("10", OTHER), Record("events", None, f'{{"person": "{WHO}'.encode(), False)])
    pull([record("11", OTHER)])
    assert versions(told(home, WHO)) == {RAW: [1, 2]} == versions(told(home, OTHER))


def test_a_notice_that_names_nobody_is_about_those_of_its_record(home: Settings, pull: Pull) -> None:
    pull([record("1")])
    pull([Record("events", "events/1", b"{}", True)])
    lake(home).sweep(RAW, (), hours=0)
    conform(home, "probe")
    found = versions(told(home, WHO))
    assert found[RAW][-1] == 2 and f"{RAW}__deleted" in found


def test_a_pointer_is_about_whom_its_envelope_names(home: Settings, pull: Pull) -> None:
    pull([record("1", value="95"), *(record(str(n), OTHER, measured=f"2026-09-{n}T08:00:00Z") for n in range(10, 30))])
    conform(home, "probe")
    assert f"{RAW}__rejected" in versions(told(home, WHO)) and f"{RAW}__rejected" not in versions(told(home, OTHER))
    assert versions(told(home, OTHER))["core.observation"]


def test_a_new_batch_of_others_changes_nothing_but_the_newest_version(home: Settings, pull: Pull) -> None:
    pull([record("1")])
    before = versions(told(home, WHO))
    pull([record("11", OTHER)])
    assert versions(told(home, WHO)) == {RAW: [*before[RAW], 2]} and versions(told(home, OTHER)) == {RAW: [2]}


def test_of_the_forgotten_nothing_is_found_in_payloads(home: Settings, pull: Pull, airflow: Users) -> None:
    pull([record("1"), record("4", person=f"users/{WHO}"), record("10", OTHER)])
    conform(home, "probe")
    forget(home, asked())
    assert told(home, WHO)["tables"] == [] and versions(told(home, OTHER))[RAW]
    assert WHO not in str(lake(home).arrow(TABLE).to_pylist())
