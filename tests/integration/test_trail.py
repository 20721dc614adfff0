"""The file of lineage events: whole lines whatever happens to a writer, and no output that was not written."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from contracts import catalog
from jobs.connectors import Record
from jobs.errors import ConfigurationError, LostRace, NoRoom
from jobs.lake import Lake
from jobs.ledger import lineage
from jobs.run import land as landing
from jobs.run.land import land
from jobs.run.shell import open_shell
from jobs.run.way import lineage as way
from jobs.settings import Settings

AT = datetime(2026, 11, 1, tzinfo=UTC)


def emit(home: Path, name: str, times: int = 1, width: int = 1) -> None:
    made = Settings(home=home, lake="", actor="test")
    lake = Lake(made.lake_root, catalog().tables)
    for number in range(times):
        columns = {f"column_{n}": ["raw.crm.payload.Id"] for n in range(width)}
        lineage.emit(made, lake, "build", f"{name}{number}", "0" * 8 + "-0000-4000-8000-" + "0" * 12, [], {"core.consent": columns},
                     False, AT)


def names(home: Path) -> list[str]:
    return [event["job"]["name"] for event in lineage.events(Settings(home=home))]


def test_a_line_cut_off_by_a_kill_costs_that_line_alone(tmp_path: Path) -> None:
    made = Settings(home=tmp_path)
    emit(tmp_path, "a")
    whole = made.events.read_bytes()
    made.events.write_bytes(whole + whole[: len(whole) // 2])
    assert names(tmp_path) == ["build.a0"]
    assert way(made, "core.consent") == [(0, "core.consent.column_0", "raw.crm.payload.Id")]
    emit(tmp_path, "b")
    assert names(tmp_path) == ["build.a0", "build.b0"]
    made.events.write_bytes(b"\xff\n[]\n" + made.events.read_bytes())
    assert names(tmp_path) == ["build.a0", "build.b0"]
    with pytest.raises(ConfigurationError, match="no event tells"):
        way(made, "core.message")


def test_runs_side_by_side_do_not_mix_their_lines(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=emit, args=(tmp_path, name, 20, 300)) for name in "abc"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    lines = [line for line in Settings(home=tmp_path).events.read_bytes().splitlines() if line]
    assert len(lines) == 60 and max(map(len, lines)) > 20_000
    assert sorted(names(tmp_path)) == sorted(f"build.{name}{n}" for name in "abc" for n in range(20))


def test_a_run_that_changes_nothing_claims_no_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(contract: object, access: object, state: dict, *_: object) -> Iterator[Any]:
        if not state:
            yield Record("data_points", "data_points/p0", b"{}", False)
        yield "data_points", {"done": True}

    monkeypatch.setattr(landing, "fetch", fetch)
    monkeypatch.setattr(landing, "access", lambda _: None)
    made = Settings(home=tmp_path, lake="", actor="test")
    assert [land(made, "adherence_app").result for _ in range(2)] == ["done", "unchanged"]
    outputs = [[o["name"] for o in event["outputs"]] for event in lineage.events(made)]
    assert outputs == [["raw.adherence_app"], []]


def test_a_run_that_fails_claims_what_it_had_changed(tmp_path: Path) -> None:
    made = Settings(home=tmp_path, lake="", actor="test")
    with pytest.raises(ZeroDivisionError), open_shell(made, "conform", "crm", with_engine=False) as shell:
        shell.trail.writes("core.message")
        shell.trail.writes("core.consent")
        shell.report.change("core.message")
        raise ZeroDivisionError
    assert [o["name"] for o in lineage.events(made)[0]["outputs"]] == ["core.message"]


@pytest.mark.parametrize(("text", "said"), [
    ("Failed to commit transaction: No space left on device (os error 28)", NoRoom), ("Failed to commit transaction: 7", LostRace)])
def test_a_commit_on_a_full_disk_is_no_lost_race(tmp_path: Path, text: str, said: type[Exception]) -> None:
    made = Settings(home=tmp_path, lake="", actor="test")
    with pytest.raises(said), open_shell(made, "conform", "crm", with_engine=False):
        raise RuntimeError(text)
    assert [event["eventType"] for event in lineage.events(made)] == ["FAIL"]
