"""Killed at any write and run again: the same lake as without the kill."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from contracts import catalog
from contracts.model import Source
from jobs.connectors import Record
from jobs.files import Files
from jobs.lake import Lake
from jobs.run import conform as conforming
from jobs.run import extract as extracting
from jobs.run import land as landing
from jobs.run import product as building
from jobs.run import release as releasing
from jobs.settings import Settings
from tests import small_lake
from tests.integration.airflow_stand_in import Run, serving

CLOCKS = {"at", "written_at", "checked_at", "conformed_at", "landed_at", "received_at", "rejected_at", "released_at", "prepared_at",
          "decided_at", "delivered_at", "linked_at", "minted_at", "taken_at", "known_at", "superseded_at", "run_id", "manifest_sha256"}
WRITES = ((Lake, ("append_arrow", "merge_arrow", "replace_arrow", "merge", "replace")), (Files, ("write",)))


class Killed(BaseException):
    """Ends a run the way a kill does: no handler of ours catches it."""


@contextmanager
def killed_at(monkeypatch: pytest.MonkeyPatch, number: int, after: bool) -> Iterator[list[int]]:
    """Raise Killed before or after the write of that number; the list holds how many writes there were."""
    count = [0]

    def wrap(write: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(self: Any, name: str, *args: Any, **kwargs: Any) -> Any:
            if name == "ledger.audit":
                return write(self, name, *args, **kwargs)
            count[0] += 1
            if count[0] == number and not after:
                raise Killed
            result = write(self, name, *args, **kwargs)
            if count[0] == number and after:
                raise Killed
            return result
        return wrapped

    with monkeypatch.context() as patch:
        for owner, names in WRITES:
            for name in names:
                patch.setattr(owner, name, wrap(getattr(owner, name)))
        yield count


def contents(made: Settings) -> dict[str, list[str]]:
    """Every table's rows but for clocks, as the newest version holds them."""
    lake = Lake(made.lake_root, catalog().tables)
    found = {}
    for name in sorted(catalog().tables):
        if name != "ledger.audit" and lake.exists(name):
            rows = lake.arrow(name).to_pylist()
            found[name] = sorted(json.dumps({k: v for k, v in r.items() if k not in CLOCKS}, default=str) for r in rows)
    return {name: rows for name, rows in found.items() if rows}


def every_kill(monkeypatch: pytest.MonkeyPatch, prepared: Path, work: Path, engine: str,
               stage: Callable[[Settings], Any], after: tuple[int, ...] = ()) -> int:
    """Run a stage on copies of a lake, killed at every write, then again; each must end as the undisturbed one.

    after: only after the writes of these numbers.
    """
    made = _copy(prepared, work, engine)
    with killed_at(monkeypatch, 0, False) as count:
        stage(made)
    expected, writes = contents(made), count[0]
    stage(made)
    assert contents(made) == expected, "a second run changed the lake"
    every = [(number, late) for number in range(1, writes + 1) for late in (False, True)]
    for number, late in [(number, True) for number in after] or every:
        made = _copy(prepared, work, engine)
        with killed_at(monkeypatch, number, late), pytest.raises(Killed):
            stage(made)
        stage(made)
        assert contents(made) == expected, f"killed {'after' if late else 'before'} write {number} of {writes}"
    return writes


def _copy(prepared: Path, work: Path, engine: str) -> Settings:
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(prepared, work)
    return Settings(home=work, lake="", engine=engine, actor="test")


def records() -> list[Record]:
    point = {"header": {"user_id": "u1", "schema_id": {"name": "blood-glucose", "version": "4.0"}},
             "body": {"blood_glucose": {"unit": "mg/dL", "value": 100}, "effective_time_frame": {"date_time": "2026-10-01T08:00:00Z"}}}
    made = []
    for i in range(6):
        stamp = f"2026-10-01T09:00:0{i}Z"
        header = {**point["header"], "id": f"p{i % 4}", "creation_date_time": stamp, "modified_date_time": stamp}
        body = point["body"] if i != 3 else {"blood_glucose": {"unit": "mg/dL", "value": "many"}}
        made.append(Record("data_points", f"data_points/p{i % 4}", json.dumps({"header": header, "body": body}).encode(), False))
    return made


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(contract: Source, access: object, state: dict, *_: object) -> Iterator[Any]:
        if not state:
            yield from records()
        yield "data_points", {"done": True}

    monkeypatch.setattr(landing, "fetch", fetch)
    monkeypatch.setattr(landing, "access", lambda _: None)


def test_land(monkeypatch, tmp_path, source, engine):
    small_lake.settings(tmp_path / "prepared", engine)
    assert every_kill(monkeypatch, tmp_path / "prepared", tmp_path / "work", engine, lambda s: landing.land(s, "adherence_app")) == 2


def test_conform(monkeypatch, tmp_path, source, engine):
    made = small_lake.settings(tmp_path / "prepared", engine)
    landing.land(made, "adherence_app")
    assert every_kill(monkeypatch, tmp_path / "prepared", tmp_path / "work", engine,
                      lambda s: conforming.conform(s, "adherence_app")) == 6


def test_build_and_release(monkeypatch, tmp_path, engine):
    made = small_lake.settings(tmp_path / "prepared", engine)
    small_lake.fill(made, people=9, days=1)
    small_lake.resolve(made)
    every_kill(monkeypatch, tmp_path / "prepared", tmp_path / "work", engine, lambda s: building.build(s, "glucose_daily"))
    for product in catalog().products:
        building.build(made, product)
    assert every_kill(monkeypatch, tmp_path / "prepared", tmp_path / "work", engine,
                      lambda s: releasing.release(s, "engagement")) == 5


def test_extract(monkeypatch, tmp_path, engine):
    made = small_lake.settings(tmp_path / "prepared", engine)
    small_lake.fill(made, people=9, days=1, refusing=1)
    small_lake.released(made)
    with serving(Run()) as address:
        monkeypatch.setenv("CONCORD_CONNECTION_CONCORD_AIRFLOW",
                           json.dumps({"base_url": address, "login": "concord", "password": "x", "ca_file": ""}))
        writes = every_kill(monkeypatch, tmp_path / "prepared", tmp_path / "work", engine,
                            lambda s: extracting.prepare(s, "glycemia_institute", ("extract_glycemia_institute", "r1")))
    assert writes == 7
