"""What tells of a suspected adverse event is kept when its person is forgotten, with the ground stated; nothing else of theirs is."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from jobs.ledger import accounts
from jobs.run import forget as run
from jobs.run.conform import conform
from jobs.run.forget import forget
from jobs.run.kept import GROUND
from jobs.run.screen import screen
from jobs.settings import Settings
from tests import small_lake
from tests.integration.test_forget_killed import Killed, dying
from tests.integration.test_forget_raw import OTHER, WHO, asked, record
from tests.integration.two_releases import airflow
from tests.landing import Raw, lake_of, land, probe

__all__ = ["airflow"]

LOW = {"value": 40}  # mg/dL


@pytest.fixture
def home(tmp_path: Path, engine: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Readings of two people, conformed and screened: each has one that is too low and one that is not; and one of theirs with
    no name that conform rejects."""
    monkeypatch.setenv("CONCORD_CONTRACTS", probe(tmp_path))
    made = small_lake.settings(tmp_path / "home", engine)
    told = [record("1", **LOW), record("2"), record("3", OTHER, **LOW), record("4", OTHER)]
    land(made, "probe", [*(Raw(r.record_id, r.payload) for r in told), Raw(None, record("5", **LOW).payload)])
    conform(made, "probe")
    screen(made, "probe")
    return made


def kept(home: Settings) -> list[dict[str, Any]]:
    return sorted(lake_of(home).arrow("safety.record").to_pylist(), key=lambda row: row["position"])


def test_payloads_of_their_candidates_are_kept(home: Settings, airflow: Any) -> None:
    before = lake_of(home).arrow("safety.candidate").to_pylist()
    theirs = {row["record_id"] for row in before if row["source_person_id"] == WHO}
    report = forget(home, asked())
    rows = kept(home)
    assert {row["record_id"] for row in rows} == theirs == {"events/1", "probe.000001/4"}
    assert [row["payload"] for row in rows] == [record("1", **LOW).payload, record("5", **LOW).payload]
    assert all(row["ground"] == GROUND and row["sha256"] == hashlib.sha256(row["payload"]).hexdigest() for row in rows)
    assert lake_of(home).arrow("safety.candidate").to_pylist() == before
    assert lake_of(home).arrow("raw.probe")["position"].to_pylist() == [2, 3], "raw keeps those of the other"
    assert (report.facts["kept"], report.facts["found"]) == (2, 0)
    row, = (r for r in accounts.of(lake_of(home), {"erasure-1"}) if r["outcome"] == "kept")
    assert (row["table_name"], row["reason_code"], row["rows"]) == ("safety.record", "legal_duty", 2)


@pytest.mark.parametrize(("owner", "name", "at"), [(run.kept, "keep", -1), (run, "stand_in", 1), (run, "look", 1)])
def test_a_killed_pass_keeps_them_once(home: Settings, airflow: Any, owner: Any, name: str, at: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        dying(patch, owner, name, at)
        with pytest.raises(Killed):
            forget(home, asked())
    assert forget(home, asked()).facts["kept"] == 2 and len(kept(home)) == 2


def test_of_who_has_no_candidate_nothing_is_kept(home: Settings, airflow: Any) -> None:
    land(home, "probe", [Raw(f"events/{n}", record(str(n), "s-calm-99").payload) for n in (10, 11)], 2)
    report = forget(home, asked("s-calm-99"))
    assert (report.facts["kept"], kept(home)) == (0, []) and report.facts["rows"] > 0
