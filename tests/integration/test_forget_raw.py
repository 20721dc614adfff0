"""Payloads of people who are forgotten go, conformed or not, and do not come back; what others said stays, but for their words."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from jobs.connectors import Record
from jobs.ledger import erasures
from jobs.run import land as landing
from jobs.run.asking import Question
from jobs.run.conform import conform
from jobs.run.forget import forget
from jobs.run.people import resolve
from jobs.settings import Settings
from tests import small_lake
from tests.acceptance.canary import holding
from tests.integration.two_releases import OFFICERS, airflow
from tests.landing import lake_of, probe, reading

__all__ = ["airflow"]

WHO, OTHER = "s-1a05b29c06391", "s-77aa21"
Pull = Callable[[Sequence[Record]], dict[str, Any]]


def record(number: str, person: str = WHO, stream: str = "events", is_deleted: bool = False, **more: Any) -> Record:
    return Record(stream, f"{stream}/{number}", json.dumps(reading(person=person, **more)).encode(), is_deleted)


MINE = [record("1"), record("2", value="95"), Record("events", None, f'{{"kind": "reading", "person": "{WHO}'.encode(), False),
        record("3"), record("3", gone=True, is_deleted=True), record("4", person=f"users/{WHO}"), 
        Record("events", f"events/{WHO}", b"{}", True)]
OTHERS = [record("10", OTHER), record("11", OTHER, kind="dose", name=f"as {WHO}, and {WHO}0 said"), record("12", f"{WHO}2")]


@pytest.fixture
def home(tmp_path: Path, engine: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("CONCORD_CONTRACTS", probe(tmp_path))
    return small_lake.settings(tmp_path / "home", engine)


@pytest.fixture
def pull(home: Settings, monkeypatch: pytest.MonkeyPatch) -> Pull:
    """Land what a source gives."""
    monkeypatch.setattr(landing, "access", lambda _: None)

    def landed(records: Sequence[Record]) -> dict[str, Any]:
        def fetch(*_: Any) -> Iterator[Any]:
            yield from records
        monkeypatch.setattr(landing, "fetch", fetch)
        return landing.land(home, "probe").facts
    return landed


def asked(name: str = WHO) -> Question:
    persons = [{"source": "probe", "source_person_id": name}]
    return Question(json.dumps({"persons": persons, "reason": "asked by letter", "token": OFFICERS}).encode())


def payloads(home: Settings) -> list[str]:
    return sorted(row["payload"].decode() for row in lake_of(home).arrow("raw.probe").to_pylist())


@pytest.mark.parametrize("through", ["landed", "conformed", "resolved"])
def test_payloads_go_however_far_they_came(home: Settings, pull: Pull, airflow: Any, through: str) -> None:
    pull([*MINE, *OTHERS])
    if through != "landed":
        conform(home, "probe")
    if through == "resolved":
        resolve(home)
    said = [r.payload.decode() for r in OTHERS]
    report = forget(home, asked())
    assert report.facts["unknown"] == 0
    wanted = [f"{WHO}{sign}".encode() for sign in '"/, '] + [f"users/{WHO}".encode(), f"events/{WHO}".encode()]
    assert holding(home.home, wanted, ()) == []
    left = payloads(home)
    assert len(left) == len(OTHERS) and sorted(said)[1:] == [p for p in left if p in said]
    changed = next(p for p in left if p not in said)
    assert f"and {WHO}0 said" in changed and len(changed) == len(said[1]) and json.loads(changed)["person"] == OTHER
    conform(home, "probe")
    assert {row["source_person_id"] for row in lake_of(home).arrow("core.observation").to_pylist()} == {OTHER, f"{WHO}2"}


def test_nobody_comes_back(home: Settings, pull: Pull, airflow: Any) -> None:
    pull([*MINE, *OTHERS])
    forget(home, asked())
    before = payloads(home)
    for _ in range(2):  # What is pulled again, and what is filled in.
        facts = pull(MINE)
        assert (facts["rows"], facts["suppressed"]) == (0, len(MINE))
    assert payloads(home) == before
    facts = pull([record("20", f"{WHO}2"), record("21", OTHER), *MINE])
    assert (facts["rows"], facts["suppressed"]) == (2, len(MINE))


def test_whoever_is_on_the_list_cannot_be_told_from_it(home: Settings, pull: Pull, airflow: Any) -> None:
    pull(MINE)
    forget(home, asked())
    row, = lake_of(home).arrow(erasures.SUPPRESSED).to_pylist()
    assert row["source"] == "probe" and WHO not in str(row)
