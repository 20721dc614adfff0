"""Joining small files changes files alone: no row, no version that anything rests on, and nothing that others write meanwhile."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from jobs import versions
from jobs.lake import Lake
from tests.integration.test_lake import NAME, THING, arrow, race, row, words
from tests.integration.test_versions import commits, made


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
