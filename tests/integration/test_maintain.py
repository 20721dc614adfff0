"""Maintenance changes files, never rows: accounts, releases and the numbers that are committed once stay what they were."""

from __future__ import annotations

from pathlib import Path

from contracts import catalog
from jobs.run.maintain import maintain
from jobs.settings import Settings
from tests.faults.same import contents, lake_of
from tests.integration.test_old_releases import known
from tests.integration.two_releases import FIRST, SECOND, airflow, home, prepared

__all__ = ["airflow", "home", "prepared"]


def files(made: Settings, zone: str) -> int:
    return len(list(Path(made.lake_root, zone).rglob("*.parquet")))


def test_files_are_fewer_and_every_version_that_a_release_needs_is_what_it_was(home: Settings) -> None:
    before, rows = [known(home, pin) for pin in (FIRST, SECOND)], contents(home.home, ())
    some, numbers = files(home, "ledger"), {name: lake_of(home.home).version(name) for name in catalog().tables if name != "ledger.audit"}
    report = maintain(home, grace_hours=0)
    assert report.result == "done" and not report.changed and report.facts["files"] > 0
    assert files(home, "ledger") < some and contents(home.home, ()) == rows
    assert {name: lake_of(home.home).version(name) for name in numbers} == numbers
    assert maintain(home, grace_hours=0).result == "unchanged"
    assert [known(home, pin) for pin in (FIRST, SECOND)] == before
