"""The one door to Delta: what it refuses, what it keeps, and that two writers lose nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable

from contracts.load import catalog
from contracts.model import Column, Table
from jobs.errors import IntegrityError, LakeError
from jobs.lake import Lake
from jobs.schema import arrow_schema, spark_schema

NAME = "core.thing"
AT = datetime(2026, 10, 1, tzinfo=UTC)
CANARY = "Zebedee-Canary"


def column(name: str, kind: str, key: int | None = None, required: bool = False) -> Column:
    return Column(name=name, type=kind, description="", key=key, required=required or key is not None,  # type: ignore[arg-type]
                  category="technical", treatment=None)  # type: ignore[arg-type]


THING = Table(name=NAME, description="Things.", version="1.0.0", columns=(
    column("source", "string", 1), column("id", "long", 2), column("word", "string", required=True), column("amount", "double"),
    column("seen_on", "date"), column("seen_at", "timestamp"), column("is_good", "boolean"), column("body", "binary")))


def row(number: int | None, word: str | None = "a", **more: Any) -> dict[str, Any]:
    return {"source": "s", "id": number, "word": word, "amount": 1.5, "seen_on": AT.date(), "seen_at": AT, "is_good": True,
            "body": b"\x00\xff", **more}


def arrow(*rows: dict[str, Any]) -> pa.Table:
    fields = [pa.field(f.name, f.type) for f in arrow_schema(THING)]
    return pa.Table.from_pylist(list(rows), schema=pa.schema(fields))


@pytest.fixture
def lake(spark: Any, tmp_path: Path) -> Iterator[Lake]:
    made = Lake(str(tmp_path), {NAME: THING}, spark)
    yield made
    if made.exists(NAME):
        protocol = DeltaTable(made.path(NAME)).protocol()
        assert (protocol.min_reader_version, protocol.min_writer_version) == (1, 2)


@pytest.fixture
def frame(spark: Any) -> Any:
    return lambda *rows: spark.createDataFrame([tuple(r.get(c.name) for c in THING.columns) for r in rows], spark_schema(THING))


def words(lake: Lake, version: int | None = None) -> dict[int, str]:
    return {r["id"]: r["word"] for r in lake.arrow(NAME, version=version).to_pylist()}


def test_a_table_is_made_from_its_contract_and_read_the_same_by_both(lake: Lake, frame: Any) -> None:
    assert not lake.exists(NAME) and lake.version(NAME) == -1
    assert lake.ensure(NAME).version() == 0 == lake.ensure(NAME).version()
    made = {f.name: (str(f.type), f.nullable) for f in lake.ensure(NAME).schema().fields}
    assert list(made) == [c.name for c in THING.columns]
    assert {name for name, (_, nullable) in made.items() if not nullable} == {"source", "id", "word"}
    lake.append_arrow(NAME, arrow(row(1)))
    lake.merge(NAME, frame(row(2)))
    assert lake.arrow(NAME).sort_by("id").to_pylist() == [row(1), row(2)]
    read = [r.asDict() for r in lake.read(NAME).orderBy("id").collect()]
    assert [{**r, "seen_at": r["seen_at"].replace(tzinfo=UTC), "body": bytes(r["body"])} for r in read] == [row(1), row(2)]


def test_every_table_of_the_catalog_can_be_made(spark: Any, tmp_path: Path) -> None:
    lake = Lake(str(tmp_path), catalog().tables, spark)
    for name in catalog().tables:
        protocol = lake.ensure(name).protocol()
        assert (protocol.min_reader_version, protocol.min_writer_version) == (1, 2), name


def test_undeclared_things_are_refused(lake: Lake, frame: Any, spark: Any) -> None:
    for act in (lake.ensure, lake.read, lake.arrow, lake.version, lake.exists, lambda n: lake.append_arrow(n, arrow(row(1))),
                lambda n: lake.merge(n, frame(row(1))), lambda n: lake.replace(n, frame(row(1))), lambda n: lake.restore(n, 0)):
        with pytest.raises(LakeError, match="'core.strange' is declared by no contract; add it"):
            act("core.strange")
    strange, short = arrow(row(1)).append_column("extra", pa.array([1])), arrow(row(1)).drop_columns(["amount"])
    for write in (lake.append_arrow, lake.merge_arrow, lake.replace_arrow):
        for rows in (strange, short, strange.to_reader(), short.to_reader()) if write == lake.append_arrow else (strange, short):
            with pytest.raises(LakeError, match="columns extra are not declared|declared columns amount are not there"):
                write(NAME, rows)
    extra, less = frame(row(1)).selectExpr("*", "1 AS extra"), frame(row(1)).drop("amount")
    for act in (lake.merge, lake.replace):
        for rows in (extra, less):
            with pytest.raises(LakeError, match="columns extra are not declared|declared columns amount are not there"):
                act(NAME, rows)
    assert lake.version(NAME) <= 0


def test_a_table_made_by_another_contract_is_refused(lake: Lake, frame: Any) -> None:
    lake.append_arrow(NAME, arrow(row(1)))
    wider = THING.model_copy(update={"columns": (*THING.columns, column("more", "string"))})
    changed = Lake(lake.root, {NAME: wider}, lake.spark)
    for act in (changed.read, changed.arrow, lambda name: changed.replace(name, frame(row(2)).selectExpr("*", "'x' AS more"))):
        with pytest.raises(LakeError, match="more"):
            act(NAME)
    assert words(lake) == {1: "a"}


@pytest.mark.parametrize(("bad", "said"), [([row(None)], "null"), ([row(1), row(2, source=None)], "null"),
                                           ([row(1), row(1, word="b")], "more than once")])
def test_null_and_duplicate_keys_are_refused_on_every_road(lake: Lake, frame: Any, bad: list[dict[str, Any]], said: str) -> None:
    lake.append_arrow(NAME, arrow(row(7)))
    before = lake.version(NAME)
    for act in (lake.append_arrow, lake.merge_arrow, lake.replace_arrow, lambda n, rows: lake.merge_arrow(n, rows, gone=arrow(row(8)))):
        with pytest.raises((IntegrityError, LakeError), match=f"{said}|non-null columns"):
            act(NAME, arrow(*bad))
    with pytest.raises(Exception, match=f"{said}|non-null columns"):
        lake.append_arrow(NAME, arrow(*bad).to_reader())
    for write in (lake.merge, lake.replace):
        with pytest.raises(IntegrityError, match=said):
            write(NAME, frame(*bad))
    assert lake.version(NAME) == before and words(lake) == {7: "a"}


def test_a_null_that_the_contract_forbids_is_refused_without_a_value(lake: Lake, frame: Any) -> None:
    lake.append_arrow(NAME, arrow(row(7)))
    bad = [row(1, word=CANARY), row(2, word=None, source=CANARY)]
    for write, rows in ((lake.append_arrow, arrow(*bad)), (lake.append_arrow, arrow(*bad).to_reader()), (lake.merge_arrow, arrow(*bad)),
                        (lake.replace_arrow, arrow(*bad)), (lake.merge, frame(*bad)), (lake.replace, frame(*bad))):
        with pytest.raises(Exception, match=r".") as caught:
            write(NAME, rows)
        assert CANARY not in str(caught.value)
    assert words(lake) == {7: "a"}


def test_merge_updates_inserts_and_deletes(lake: Lake, frame: Any) -> None:
    lake.append_arrow(NAME, arrow(row(1), row(2), row(3)))
    changes = frame(row(2, "b"), row(4, "d"), row(3), row(5)).selectExpr("*", "id IN (3, 5) AS gone")
    lake.merge(NAME, changes, gone="gone")
    assert words(lake) == {1: "a", 2: "b", 4: "d"}
    lake.merge_arrow(NAME, arrow(row(4, "dd"), row(6, "f")))
    assert words(lake) == {1: "a", 2: "b", 4: "dd", 6: "f"}
    lake.merge_arrow(NAME, arrow())


def test_merge_arrow_writes_and_deletes_in_one_commit(lake: Lake) -> None:
    lake.append_arrow(NAME, arrow(row(1), row(2), row(3)))
    before = lake.version(NAME)
    gone = arrow(row(3), row(9)).select(["id", "source"])  # One is not there; the columns stand otherwise.
    lake.merge_arrow(NAME, arrow(row(2, "b"), row(4, "d")), gone=gone)
    assert (words(lake), lake.version(NAME)) == ({1: "a", 2: "b", 4: "d"}, before + 1)
    assert lake.arrow(NAME).filter(pc.field("id") == 4).to_pylist() == [row(4, "d")]
    lake.merge_arrow(NAME, arrow(), gone=gone.slice(0, 0))
    assert lake.version(NAME) == before + 1
    lake.merge_arrow(NAME, arrow(), gone=arrow(row(1)).append_column("why", pa.array(["x"])))
    assert words(lake) == {2: "b", 4: "d"}
    with pytest.raises(IntegrityError, match="more than once"):
        lake.merge_arrow(NAME, arrow(row(2, "c")), gone=arrow(row(2)))
    with pytest.raises(IntegrityError, match="is null"):
        lake.merge_arrow(NAME, arrow(row(5)), gone=arrow(row(None)))
    assert words(lake) == {2: "b", 4: "d"}


def test_replace_arrow_holds_exactly_the_rows_and_the_engine_reads_them(lake: Lake) -> None:
    lake.replace_arrow(NAME, arrow(row(1), row(2)))
    first = lake.version(NAME)
    lake.replace_arrow(NAME, arrow(row(2, "b"), row(3, "c")))
    assert (words(lake, first), words(lake), lake.version(NAME)) == ({1: "a", 2: "a"}, {2: "b", 3: "c"}, first + 1)
    assert {(r["id"], r["word"]) for r in lake.read(NAME).collect()} == {(2, "b"), (3, "c")}
    with pytest.raises(LakeError, match="do not have the types"):
        lake.replace_arrow(NAME, arrow(row(4)).set_column(1, "id", pa.array(["x"])))
    lake.replace_arrow(NAME, arrow())
    assert words(lake) == {} and words(lake, first) == {1: "a", 2: "a"}


def test_replace_restore_and_reading_at_a_version(lake: Lake, frame: Any) -> None:
    first = lake.replace(NAME, frame(row(1), row(2)), note={"release": 1})
    second = lake.replace(NAME, frame(row(3, "c")))
    assert (words(lake, first), words(lake, second)) == ({1: "a", 2: "a"}, {3: "c"})
    assert {r["id"] for r in lake.read(NAME, first).collect()} == {1, 2}
    assert lake.note(NAME, first) == {"release": 1} and lake.note(NAME) == {}
    lake.restore(NAME, first)
    assert words(lake) == {1: "a", 2: "a"} and words(lake, second) == {3: "c"}
    assert lake.version(NAME) == second + 1
    lake.replace(NAME, frame())
    assert words(lake) == {} and words(lake, first) == {1: "a", 2: "a"}


def test_once_done_and_note(lake: Lake) -> None:
    assert lake.done(NAME, "batch") is None and lake.note(NAME) == {}
    lake.append_arrow(NAME, arrow(row(1)), note={"cursor": "ü"}, once=("batch", 1))
    lake.append_arrow(NAME, arrow(row(2)).to_reader(), note={"cursor": 2}, once=("batch", 2))
    assert (lake.done(NAME, "batch"), lake.done(NAME, "other")) == (2, None)
    assert (lake.note(NAME, 1), lake.note(NAME)) == ({"cursor": "ü"}, {"cursor": 2})
    for rows in (arrow(row(3)), arrow(row(3)).to_reader()):
        with pytest.raises(IntegrityError, match="number 2 of batch was written by another run"):
            lake.append_arrow(NAME, rows, once=("batch", 2))
    assert words(lake) == {1: "a", 2: "a"}


def test_a_stream_is_appended_whole(lake: Lake) -> None:
    chunks = [arrow(*[row(n) for n in range(start, start + 10)]).to_batches()[0] for start in (0, 10, 20)]
    lake.append_arrow(NAME, pa.RecordBatchReader.from_batches(chunks[0].schema, chunks))
    assert sorted(words(lake)) == list(range(30))
    with pytest.raises(LakeError, match="opened without an engine"):
        Lake(lake.root, {NAME: THING}).read(NAME)


WRITER = """
import sys
from tests.integration.test_lake import NAME, THING, arrow, row
from jobs.errors import IntegrityError
from jobs.lake import Lake
root, act, who, engine = sys.argv[1:]
if act == "merge":
    from pyspark.sql import SparkSession
    from jobs.schema import spark_schema
    spark = SparkSession.builder.remote(engine).create()
    lake = Lake(root, {NAME: THING}, spark)
else:
    lake = Lake(root, {NAME: THING})
print("ready", flush=True)
sys.stdin.readline()
for turn in range(5):
    number = int(who) * 100 + turn
    if act == "append":
        lake.append_arrow(NAME, arrow(row(number)))
    elif act == "merge_arrow":
        lake.merge_arrow(NAME, arrow(row(number), row(turn, who)))
    elif act == "merge":
        values = [tuple(row(n, w)[c.name] for c in THING.columns) for n, w in ((number, "a"), (turn, who))]
        lake.merge(NAME, spark.createDataFrame(values, spark_schema(THING)))
    else:
        try:
            lake.append_arrow(NAME, arrow(row(number)), once=("batch", turn + 1))
            print("won", turn, flush=True)
        except IntegrityError:
            pass
"""


def race(root: str, act: str, engine: str) -> list[str]:
    """Two processes that write five times each, begun together; what they said."""
    started = [subprocess.Popen([sys.executable, "-c", WRITER, root, act, str(who), engine], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for who in (1, 2)]
    for process in started:
        assert process.stdout is not None and process.stdout.readline() == "ready\n", process.communicate()[1]
    for process in started:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    ended = [process.communicate(timeout=300) for process in started]
    assert [process.returncode for process in started] == [0, 0], ended
    return [line for out, _ in ended for line in out.splitlines()]


@pytest.mark.parametrize("act", ["append", "merge_arrow", "merge"])
def test_two_writers_lose_no_update(lake: Lake, engine: str, act: str) -> None:
    lake.append_arrow(NAME, arrow(*[row(n, "old") for n in range(5)]))
    race(lake.root, act, engine)
    found = words(lake)
    assert {n for n in found if n >= 100} == {who * 100 + turn for who in (1, 2) for turn in range(5)}
    assert {found[n] for n in range(5)} <= ({"old"} if act == "append" else {"1", "2"})
    assert lake.arrow(NAME).num_rows == len(found) == 15


def test_two_writers_never_commit_one_number_twice(lake: Lake, engine: str) -> None:
    lake.ensure(NAME)
    said = race(lake.root, "once", engine)
    assert sorted(said) == [f"won {turn}" for turn in range(5)]
    assert sorted(n % 100 for n in words(lake)) == list(range(5))
    commits = [json.loads(line) for path in Path(lake.path(NAME), "_delta_log").glob("*.json") for line in path.read_text().splitlines()]
    assert sorted(c["txn"]["version"] for c in commits if "txn" in c) == [1, 2, 3, 4, 5]


def test_a_process_that_read_the_lake_ends_without_a_crash(lake: Lake) -> None:
    for turn in range(20):
        lake.append_arrow(NAME, arrow(row(turn)))
    read = ("import sys; from jobs.lake import Lake; from tests.integration.test_lake import NAME, THING; "
            "Lake(sys.argv[1], {NAME: THING}).arrow(NAME)")
    ended = [subprocess.run([sys.executable, "-c", read, lake.root], capture_output=True, text=True, timeout=60) for _ in range(5)]
    assert [(e.returncode, e.stderr) for e in ended] == [(0, "")] * 5


def test_rows_that_were_merged_are_found_by_any_of_several_values(lake):
    """A file with more than one value in a column, which Arrow holds against the values asked for."""
    lake.merge_arrow(NAME, arrow(row(1, "a"), row(2, "m")))
    lake.merge_arrow(NAME, arrow(row(3, "z")))
    found = lake.arrow(NAME, columns=["id"], filters=pc.field("word").isin(["m", "z"]))
    assert found.column_names == ["id"] and sorted(found["id"].to_pylist()) == [2, 3]
