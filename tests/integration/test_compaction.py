"""Joining small files changes files alone: no row, no version that anything rests on, and nothing that others write meanwhile."""

from __future__ import annotations

import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable, write_deltalake

from contracts import catalog
from jobs import stamps, versions
from jobs.errors import WrittenByHand
from jobs.lake import Lake, _properties
from jobs.run.standings import Seen
from jobs.schema import arrow_schema
from tests.integration.test_lake import NAME, THING, arrow, race, row, words
from tests.integration.test_versions import commits, made, old_table


@pytest.fixture
def lake(spark: Any, tmp_path: Path) -> Lake:
    return Lake(str(tmp_path), {NAME: THING}, spark)


def files(lake: Lake) -> int:
    return len(DeltaTable(lake.path(NAME)).file_uris())


def test_many_small_files_become_one_and_the_version_stays(lake: Lake) -> None:
    commits(lake, 1, versions.MANY - 1)
    assert lake.compact(NAME) == 0 and files(lake) == versions.MANY - 1
    lake.merge(NAME, made(lake, versions.MANY))
    version, rows = lake.version(NAME), lake.arrow(NAME).sort_by("id")
    assert lake.compact(NAME) >= versions.MANY and files(lake) == 1 and lake.version(NAME) == version
    assert DeltaTable(lake.path(NAME)).version() == version + 1, "the log holds the care, too"
    assert lake.arrow(NAME).sort_by("id") == lake.arrow(NAME, version).sort_by("id") == rows
    assert lake.read(NAME).count() == lake.read(NAME, version).count() == versions.MANY
    assert lake.compact(NAME) == 0 and DeltaTable(lake.path(NAME)).version() == version + 1


def test_what_comes_after_is_a_version_again(lake: Lake) -> None:
    commits(lake, 1, versions.MANY)
    lake.compact(NAME)
    lake.merge(NAME, made(lake, 1000))
    assert lake.version(NAME) == DeltaTable(lake.path(NAME)).version() == versions.MANY + 2
    assert set(words(lake)) == {*range(1, versions.MANY + 1), 1000}


def test_the_files_of_the_version_that_stays_and_of_pins_are_kept(lake: Lake) -> None:
    commits(lake, 1, versions.MANY)
    version = lake.version(NAME)
    lake.compact(NAME)
    assert lake.sweep(NAME, {}, hours=0) == 0 and lake.read(NAME, version).count() == versions.MANY
    commits(lake, 100, 100)
    assert lake.sweep(NAME, {3}, hours=0) == versions.MANY - 3
    assert lake.read(NAME, 3).count() == 3 and lake.read(NAME).count() == versions.MANY + 1


def test_a_note_is_told_by_the_version_that_has_it(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "MANY", 1)
    commits(lake, 1, 2)
    lake.append_arrow(NAME, arrow(row(3)), note={"batch": "three"}, once=("things", 3))
    assert lake.compact(NAME) == 3
    assert lake.note(NAME) == {"batch": "three"} and lake.done(NAME, "things") == 3 and lake.foreign(NAME) is None


def test_a_version_that_stood_within_the_grace_keeps_its_files_although_they_were_joined_before(lake: Lake) -> None:
    commits(lake, 1, versions.MANY)
    version = lake.version(NAME)
    lake.compact(NAME)
    eight_days_ago(lake)
    commits(lake, 100, 100)
    assert lake.sweep(NAME, {}, hours=7 * 24) == 0 and lake.read(NAME, version).count() == versions.MANY
    assert lake.sweep(NAME, {}, hours=0) == versions.MANY, "they go once it has not stood for so long"


def eight_days_ago(lake: Lake) -> None:
    """Everything that was done to the table is older by eight days."""
    for file in Path(lake.path(NAME), "_delta_log").glob("*.json"):
        older = re.sub(r'("(?:timestamp|deletionTimestamp)": ?)(\d+)', lambda m: f"{m[1]}{int(m[2]) - 8 * 86_400_000}", file.read_text())
        file.write_text(older)


def test_what_a_hand_wrote_during_a_compaction_is_seen_and_put_back(lake: Lake) -> None:
    commits(lake, 1, 3)
    write_deltalake(lake.path(NAME), arrow(row(666)).cast(arrow_schema(THING)), mode="append")
    hand = DeltaTable(lake.path(NAME))
    hand.optimize.compact(commit_properties=_properties())
    found = lake.foreign(NAME)
    assert found is not None and found["version"] == 4 and hand.version() == 5
    with pytest.raises(WrittenByHand):
        lake.version(NAME)
    ours = next(e["version"] for e in stamps.changes(lake.history(NAME)) if stamps.note(e) is not None)
    lake.restore(NAME, ours)
    assert set(words(lake)) == {1, 2, 3} and lake.foreign(NAME) is None


def test_somebody_elses_care_is_a_version(lake: Lake) -> None:
    """They may have removed what the one before needs."""
    commits(lake, 1, 3)
    hand = DeltaTable(lake.path(NAME))
    hand.optimize.compact()
    hand.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    assert lake.foreign(NAME) is None and lake.read(NAME, lake.version(NAME)).count() == 3


def test_a_table_of_an_older_lake_has_no_new_version_for_its_properties(lake: Lake) -> None:
    old_table(lake)
    lake.compact(NAME)
    assert DeltaTable(lake.path(NAME)).metadata().configuration == versions.PROPERTIES and lake.version(NAME) == 0


def test_rows_that_are_replaced_meanwhile_do_not_come_back(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    commits(lake, 1, versions.MANY)
    opened, other = lake._writable, Lake(lake.root, {NAME: THING})

    def joined_behind(name: str) -> DeltaTable:
        found = opened(name)
        other.compact(name)
        return found

    monkeypatch.setattr(lake, "_writable", joined_behind)
    lake.replace_arrow(NAME, arrow(row(1000)))
    assert other.arrow(NAME)["id"].to_pylist() == [1000] and files(lake) == 1


def test_promises_about_time_see_no_change(lake: Lake) -> None:
    commits(lake, 1, versions.MANY)
    version = lake.version(NAME)
    lake.compact(NAME)
    every = Lake(lake.root, {**catalog().tables, NAME: THING})
    assert Seen(every).changed([NAME], {NAME: version}) is None
    commits(lake, 100, 100)
    assert Seen(every).changed([NAME], {NAME: version}) is not None


@pytest.mark.parametrize("act", ["append", "merge"])
def test_what_others_write_meanwhile_is_there_once(lake: Lake, engine: str, act: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "MANY", 2)
    lake.append_arrow(NAME, arrow(*[row(n, "old") for n in range(5)]))
    with ThreadPoolExecutor(1) as beside:
        others = beside.submit(race, lake.root, act, engine)
        while not others.done():
            lake.compact(NAME)
        others.result()
    lake.compact(NAME)
    care = [e for e in lake.history(NAME) if e.get("operation") == "OPTIMIZE"]
    assert len(care) > 1, "nothing was joined while others wrote, so this tests nothing"
    ids = Counter(lake.arrow(NAME)["id"].to_pylist())
    assert ids == Counter([*range(5), *(who * 100 + turn for who in (1, 2) for turn in range(5))])
    assert lake.arrow(NAME).num_rows == 15 and files(lake) == 1
