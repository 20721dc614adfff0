"""A fetch that takes long, and fetches of one source side by side."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from contracts.model import Source
from jobs.connectors import Record
from jobs.errors import IntegrityError
from jobs.run import land as landing
from jobs.run.conform import conform
from jobs.settings import Settings
from tests import small_lake
from tests.landing import account, lake_of, probe, reading

START = datetime(2026, 11, 1, 12, tzinfo=UTC)


class Clock:
    """The clock of a landing, an hour ahead each time a record has come."""

    def __init__(self) -> None:
        self.time = START

    def now(self, zone: Any) -> datetime:
        return self.time.astimezone(zone)

    def fromisoformat(self, text: str) -> datetime:
        return datetime.fromisoformat(text)


@pytest.fixture
def home(tmp_path: Path, engine: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("CONCORD_CONTRACTS", probe(tmp_path))
    monkeypatch.setattr(landing, "access", lambda _: None)
    monkeypatch.setattr(landing, "CHUNK", 2)
    return small_lake.settings(tmp_path / "home", engine)


def test_what_is_made_while_a_fetch_runs_is_not_in_the_future(home, monkeypatch):
    clock = Clock()

    def fetch(source: Source, access: object, state: dict, known: object, now: datetime) -> Iterator[Any]:
        assert now == START
        for number in range(5):
            clock.time = START + timedelta(hours=number)
            made = reading(clock.time.isoformat(), measured=clock.time.isoformat())
            yield Record("events", f"events/{number}", json.dumps(made).encode(), False)
        yield "events", {"since": now.isoformat()}

    monkeypatch.setattr(landing, "datetime", clock)
    monkeypatch.setattr(landing, "fetch", fetch)
    landing.land(home, "probe")
    rows = lake_of(home).arrow("raw.probe").sort_by("position").to_pylist()
    assert [(r["position"], (r["received_at"] - START) / timedelta(hours=1)) for r in rows] == [
        (0, 1), (1, 1), (2, 3), (3, 3), (4, 4)]
    assert lake_of(home).arrow("ledger.batch").to_pylist()[0]["landed_at"] == START + timedelta(hours=4)
    conform(home, "probe")
    assert account(home, "probe.000001") == {("accepted", "-"): 5}


def test_two_landings_at_once_do_not_share_a_file(home, monkeypatch):
    """As on two machines, where no turn is held: the second is first to commit, and the first loses its race and says so."""
    def fetch(*_: Any) -> Iterator[Any]:
        yield Record("events", "events/1", b"{}", False)
        yield Record("events", "events/2", b"{}", False)
        if not inner:
            inner.append(True)
            landing.land(home, "probe")
        yield "events", {"done": True}

    inner: list[bool] = []
    monkeypatch.setattr("jobs.run.shell.turn", lambda *_: nullcontext())
    monkeypatch.setattr(landing, "fetch", fetch)
    with pytest.raises(IntegrityError, match="was written by another run"):
        landing.land(home, "probe")
    assert lake_of(home).arrow("raw.probe").num_rows == 2
    assert list(home.spool.iterdir()) == []


def test_what_killed_runs_left_is_removed_after_a_day(home, monkeypatch):
    monkeypatch.setattr(landing, "fetch", lambda *_: iter([("events", {})]))
    home.spool.mkdir()
    for name, hours in {"probe.old.parquet": 25, "probe.new.parquet": 23, "crm.old.parquet": 25}.items():
        (home.spool / name).write_bytes(b"PAR1")
        os.utime(home.spool / name, (time.time() - hours * 3600,) * 2)
    landing.land(home, "probe")
    assert sorted(path.name for path in home.spool.iterdir()) == ["crm.old.parquet", "probe.new.parquet"]
