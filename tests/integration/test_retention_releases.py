"""What releases keep past its days: named, never a failure; and versions that nobody can read any more."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from deltalake import DeltaTable

from contracts import catalog
from contracts.exit_codes import ExitCode
from jobs import cli
from jobs.errors import LakeError, Overdue
from jobs.lake import Lake
from jobs.ledger import batches, releases
from jobs.read import released
from jobs.run.maintain import maintain
from jobs.run.retention import retention
from jobs.settings import Settings
from tests import small_lake
from tests.integration.test_old_releases import known
from tests.integration.test_retention import OLD, RAW, SOURCE, Told, a_month, run, versions
from tests.integration.two_releases import GLUCOSE, GROUP, SECOND, airflow, prepared
from tests.landing import lake_of
from tests.small_lake import copy

__all__ = ["a_month", "airflow", "prepared"]


def aged(made: Settings, number: int) -> None:
    """Let a release be older than its products' retention."""
    lake, long_ago = lake_of(made), datetime.now(UTC) - timedelta(days=catalog().products["glucose_daily"].retention_days + 1)
    rows = lake.arrow(releases.TABLE)
    old = [{**row, "released_at": long_ago} for row in rows.to_pylist() if row["number"] == number]
    lake.merge_arrow(releases.TABLE, rows.from_pylist(old, schema=rows.schema))


def test_the_newest_release_is_never_removed(small_release: Settings, tmp_path: Path) -> None:
    made = copy(small_release, tmp_path / "home")
    aged(made, 1)
    row = run(made)[1]["product.glucose_daily", "glucose_daily"]
    assert row["overdue"] and (row["kept_by"], row["is_late"]) == ("release engagement/1, the newest", False)
    assert released("glucose_daily", 1, made).arrow().num_rows


def test_an_old_release_goes_with_its_files_and_takes_nothing_from_the_newer(prepared: Path, tmp_path: Path, engine: str) -> None:
    made = copy(Settings(home=prepared, lake="", engine=engine), tmp_path / "home")
    lake, before = lake_of(made), known(made, SECOND)
    pins = {pin["number"]: pin["table_version"] for pin in releases.of(lake, GROUP) if pin["product"] == GLUCOSE}
    built = versions(made)
    aged(made, 1)
    assert run(made)[1]["product.glucose_daily", GLUCOSE]["rows"] == 24
    assert lake.arrow(f"product.{GLUCOSE}", pins[1]).num_rows == 24, "a week of grace"
    aged(made, 2)
    assert run(made, grace_hours=0)[1]["product.glucose_daily", GLUCOSE]["kept_by"] == "release engagement/2, the newest"
    with pytest.raises(LakeError, match="has no release 1; released are: 2"):
        released(GLUCOSE, 1, made)
    with pytest.raises(FileNotFoundError):
        lake.arrow(f"product.{GLUCOSE}", pins[1])
    assert known(made, SECOND) == before
    assert {n: v for n, v in versions(made).items() if n[:6] != "ledger"} == {n: v for n, v in built.items() if n[:6] != "ledger"}


def past_due(made: Settings, patch: pytest.MonkeyPatch) -> Lake:
    """Let the readings of a small lake be of a batch of the source that is past its days."""
    lake, sources = lake_of(made), catalog().sources
    readings = [feed for feed in sources["adherence_app"].feeds if feed.table == "core.observation"]
    patch.setitem(sources, SOURCE, sources[SOURCE].model_copy(update={"feeds": (*sources[SOURCE].feeds, *readings)}))
    lake.ensure(RAW)
    lake.ensure(f"{RAW}__replayed")
    batches.record(lake, SOURCE, 1, 0, OLD, OLD)
    return lake


def test_a_release_keeps_core_rows_that_are_past_theirs(small_release: Settings, tmp_path: Path,
                                                        capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    made = copy(small_release, tmp_path / "home")
    lake = past_due(made, monkeypatch)
    held, rows = lake.arrow("core.observation").num_rows, released("glucose_daily", 1, made).arrow().to_pylist()
    monkeypatch.setenv("CONCORD_HOME", str(made.home))
    monkeypatch.setenv("CONCORD_ENGINE", made.engine)
    ended = command(monkeypatch, "retention", "--json")
    printed = capsys.readouterr()
    assert ended == ExitCode.OK, "that a release keeps its rows for its own time is lawful"
    (row,) = [r for r in json.loads(printed.out)["tables"] if (r["table_name"], r["scope"]) == ("core.observation", SOURCE)]
    assert (row["rows"], row["overdue"], row["kept_by"], row["is_late"]) == (held, held, "release engagement/1", False)
    assert lake_of(made).arrow("core.observation").num_rows == 0 and released("glucose_daily", 1, made).arrow().to_pylist() == rows
    assert command(monkeypatch, "retention") == ExitCode.OK
    assert "kept by" in capsys.readouterr().out


def test_a_version_that_its_log_cannot_open_is_named_and_stops_nothing(small_release: Settings, tmp_path: Path,
                                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    """Before tables had properties, writers removed log entries a month after they came."""
    made = copy(small_release, tmp_path / "home")
    lake = past_due(made, monkeypatch)
    small_lake.append(lake, "core.observation", [{"source_person_id": "new", "code": "2339-0", "value": 100.0, "unit_code": "mg/dL",
                                                 "effective_at": OLD, "status_code": "final"}])
    table = DeltaTable(lake.path("core.observation"))
    table.create_checkpoint()
    for commit in sorted(Path(lake.path("core.observation"), "_delta_log").glob("*.json"))[:-1]:
        commit.unlink()
    held, told = lake.arrow("core.observation").num_rows, Told()
    with pytest.raises(Overdue, match=r"core.observation version \d+ \(release engagement/1\)"):
        retention(made, told.append, grace_hours=0)
    (row,) = [row for row in told[0]["tables"] if (row["table_name"], row["scope"]) == ("core.observation", SOURCE)]
    assert (row["rows"], row["overdue"]) == (held, 0) and lake.arrow("core.observation").num_rows == 0 and told[0]["unreadable"]
    assert maintain(made).facts["unreadable"] == told[0]["unreadable"]


def command(patch: pytest.MonkeyPatch, *words: str) -> int:
    """The exit status of a command in this process."""
    patch.setattr("sys.argv", ["concord", *words])
    ended: Callable[[], None] = cli.main
    with pytest.raises(SystemExit) as status:
        ended()
    return int(status.value.code or 0)
