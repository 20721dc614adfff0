"""Versions stay readable, by the engine and by delta-rs, however many commits and checkpoints come after them."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable, write_deltalake

from jobs.lake import Lake
from jobs.schema import arrow_schema, spark_schema
from jobs.versions import HINT, PROPERTIES, reach_back
from tests.integration.test_lake import NAME, THING, arrow, row, words

MONTHS_AGO = time.time() - 70 * 24 * 3600


def old_table(lake: Lake) -> None:
    """The table as an older Concord made it: without properties."""
    DeltaTable.create(lake.path(NAME), schema=arrow_schema(THING))


def commits(lake: Lake, first: int, last: int) -> None:
    """Rows ``first`` to ``last``, each in a commit of its own."""
    for number in range(first, last + 1):
        lake.append_arrow(NAME, arrow(row(number)))


def log(lake: Lake, ending: str) -> list[str]:
    return sorted(file.name for file in Path(lake.path(NAME), "_delta_log").iterdir() if file.name.endswith(ending))


def age(lake: Lake) -> None:
    """Let the table's log be months old."""
    for file in Path(lake.path(NAME), "_delta_log").iterdir():
        os.utime(file, (MONTHS_AGO, MONTHS_AGO))


@pytest.fixture
def lake(spark: Any, tmp_path: Path) -> Lake:
    return Lake(str(tmp_path), {NAME: THING}, spark)


def moved(frame: Any, by: int) -> Any:
    """The rows of a frame under other numbers."""
    return frame.withColumn("id", frame["id"] + by)


def made(lake: Lake, number: int) -> Any:
    """A frame of one row."""
    return lake.spark.createDataFrame([tuple(row(number)[c.name] for c in THING.columns)], spark_schema(THING))


def counts(lake: Lake, versions: list[int]) -> dict[int, int]:
    return {version: lake.read(NAME, version).count() for version in versions}


def test_the_engine_reads_every_version_around_checkpoints_of_both_writers(lake: Lake) -> None:
    commits(lake, 1, 101)
    assert log(lake, ".checkpoint.parquet"), "delta-rs wrote none, so this tests nothing"
    frame = moved(lake.read(NAME).where("id = 1"), 1000)
    for number in range(102, 114):
        lake.merge(NAME, moved(frame, number))
    assert len(log(lake, ".checkpoint.parquet")) > 1, "Sail wrote none, so this tests nothing"
    versions = [0, 1, 3, 99, 100, 101, 105, 111, 113]
    assert counts(lake, versions) == {v: v for v in versions}
    assert [r["id"] for r in lake.read(NAME, 3).orderBy("id").collect()] == [1, 2, 3]


def test_a_frame_at_a_version_outlives_a_checkpoint_that_comes_after_it(lake: Lake) -> None:
    commits(lake, 1, 3)
    frame = lake.read(NAME, 3)
    commits(lake, 4, 101)
    assert frame.count() == 3 and sorted(r["id"] for r in frame.collect()) == [1, 2, 3]


def test_a_hint_that_another_writer_left_hides_nothing(lake: Lake) -> None:
    commits(lake, 1, 3)
    for number in range(4, 102):
        write_deltalake(lake.path(NAME), arrow(row(number)).cast(arrow_schema(THING)), mode="append")
    assert log(lake, HINT)
    assert counts(lake, [3, 101]) == {3: 3, 101: 101}
    assert not log(lake, HINT)


def test_the_hint_names_the_checkpoint_of_version_0_where_there_is_one(lake: Lake) -> None:
    """As on S3, where readers who may list some prefixes only are refused a hint that is missing."""
    lake.ensure(NAME).create_checkpoint()
    commits(lake, 1, 101)
    hint = Path(lake.path(NAME), "_delta_log", HINT)
    assert '"version": 0' in hint.read_text() and len(log(lake, ".checkpoint.parquet")) == 2
    assert counts(lake, [0, 3, 100, 101]) == {0: 0, 3: 3, 100: 100, 101: 101}
    assert (len(words(lake)), len(words(lake, 3))) == (101, 3)
    before = hint.stat().st_mtime_ns
    reach_back(lake.path(NAME))
    assert hint.stat().st_mtime_ns == before


def test_log_entries_of_months_ago_stay(lake: Lake) -> None:
    commits(lake, 1, 20)
    age(lake)
    commits(lake, 21, 101)
    frame = moved(lake.read(NAME).where("id = 1"), 1000)
    for number in range(1, 11):
        age(lake)
        lake.merge(NAME, moved(frame, number))
    assert len(log(lake, ".json")) == 112 and len(log(lake, ".checkpoint.parquet")) > 1
    assert counts(lake, [3, 20]) == {3: 3, 20: 20} and len(words(lake, 3)) == 3


@pytest.mark.parametrize("act", ["append", "merge_arrow", "merge", "replace", "replace_arrow", "empty", "restore", "purge"])
def test_a_table_of_an_older_lake_gets_its_properties_when_it_is_written(lake: Lake, act: str) -> None:
    old_table(lake)
    write_deltalake(lake.path(NAME), arrow(row(1)).cast(arrow_schema(THING)), mode="append")
    assert lake.arrow(NAME).num_rows == lake.read(NAME, 1).count() == 1 and lake.note(NAME) == {} and lake.version(NAME) == 1
    frame = made(lake, 1)
    {"append": lambda: lake.append_arrow(NAME, arrow(row(2))), "merge_arrow": lambda: lake.merge_arrow(NAME, arrow(row(2))),
     "merge": lambda: lake.merge(NAME, moved(frame, 1)),
     "replace": lambda: lake.replace(NAME, frame, {"note": 1}), "replace_arrow": lambda: lake.replace_arrow(NAME, arrow(row(2))),
     "empty": lambda: lake.replace(NAME, frame.where("false"), {"note": 1}), "restore": lambda: lake.restore(NAME, 0),
     "purge": lambda: lake.purge(NAME, frame)}[act]()
    assert DeltaTable(lake.path(NAME)).metadata().configuration == PROPERTIES
    assert lake.note(NAME) == ({"note": 1} if act in ("replace", "empty") else {})
    written = DeltaTable(lake.path(NAME)).version()
    lake.append_arrow(NAME, arrow(row(7)))
    assert lake.version(NAME) == written + 1, "properties that are there are not set again"


def test_a_table_keeps_its_properties_whoever_writes_it(lake: Lake) -> None:
    lake.append_arrow(NAME, arrow(row(1)))
    lake.merge(NAME, moved(lake.read(NAME), 1))
    lake.replace(NAME, made(lake, 5))
    lake.replace_arrow(NAME, arrow(row(3)))
    lake.restore(NAME, 1)
    assert DeltaTable(lake.path(NAME)).metadata().configuration == PROPERTIES
