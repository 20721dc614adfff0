"""Pairs scored by Splink on an engine weigh what they weigh in DuckDB: rare values, crossed names, gaps and circles included."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet
import pytest
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from contracts.matching import ColumnMap, Role, load
from jobs.matching import on_engine, pairs, records
from jobs.matching.model import linker, score, stable, weight
from jobs.matching.records import TABLE, Records
from jobs.matching.stored import Stored, frequencies
from jobs.matching.training import train
from tests.synthetic_people import MAP, people

ORDER = [("unique_id_l", "ascending"), ("unique_id_r", "ascending")]
AT_A_THRESHOLD = "round(jaro_winkler_similarity(a.{0}, b.{0}), 9) in (0.75, 0.8, 0.85, 0.9, 0.92)"


@dataclass(frozen=True)
class Scored:
    """People and pairs, as they go to an engine, with the model, what DuckDB makes of them, and the levels that it saw."""

    people: pa.Table
    pairs: pa.Table
    stored: Stored
    weights: pa.Table
    levels: pa.Table


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Scored:
    """300 people, 450 records; of their pairs those that share something or stand at a threshold, and some of the others."""
    read, matching = _read(tmp_path_factory.mktemp("people")), load()
    pairs.find(read, matching)
    stored = Stored(train(read, matching), 0.0, (), frequencies(read))
    threshold = " or ".join(AT_A_THRESHOLD.format(role) for role in ("given_name", "family_name", "address", "city"))
    read.run(f"""create table chosen as select l, r from {pairs.PAIRS} join {TABLE} a on a.unique_id = l join {TABLE} b on b.unique_id = r
        where l < 5 or hash(l, r) % 50 = 0 or a.birth_date = b.birth_date or a.email = b.email or a.family_name = b.family_name
              or a.given_name = b.given_name or a.city = b.city or {threshold}""")
    table = score(linker(read, matching, stored.model), "chosen")
    weights = _arrow(read, f"select unique_id_l, unique_id_r, {weight(stored.model)} as weight, "
                           f"({stable(stored.model, matching)}) = 0 as is_silent from {table}")
    return Scored(_arrow(read, f"from {TABLE}"), _arrow(read, "from chosen"), stored, weights, _arrow(read, f"from {table}"))


def test_the_weights_are_those_of_duckdb(spark: SparkSession, scored: Scored):
    before = _tables(spark)
    found = _weigh(spark, scored, scored.pairs).sort_by(ORDER)
    expected = scored.weights.sort_by(ORDER)
    assert found.schema == on_engine.WEIGHTS and found.num_rows > 5000
    assert found.drop_columns("weight") == expected.drop_columns("weight")
    assert found["weight"].to_pylist() == pytest.approx(expected["weight"].to_pylist(), rel=0, abs=1e-9)
    assert set(found["is_silent"].to_pylist()) == {True, False}
    assert _tables(spark) == before


def test_the_pairs_met_what_is_hard(scored: Scored):
    """Each level of names, crossed ones and gaps among them; values of all frequencies; circles."""
    matching = load()
    for role in (Role.GIVEN_NAME, Role.FAMILY_NAME):
        levels = sum(not level.silent for level in matching.comparisons[role])
        assert set(scored.levels[f"gamma_{role}"].to_pylist()) == set(range(-1, levels + 1))
    assert set(scored.stored.model.circles) == set(matching.circles)
    assert len(set(scored.stored.frequencies["times"].to_pylist())) > 5


def test_what_weighs_less_is_left_out(spark: SparkSession, scored: Scored):
    likely = scored.levels.filter(pc.greater_equal(scored.levels["match_weight"], 0.0)).select(["unique_id_l", "unique_id_r"])
    found = _weigh(spark, scored, scored.pairs, lowest=0.0).drop_columns(["weight", "is_silent"])
    assert 0 < likely.num_rows < scored.pairs.num_rows
    assert found.sort_by(ORDER) == likely.sort_by(ORDER)


def test_no_pairs_have_no_weights(spark: SparkSession, scored: Scored):
    assert _weigh(spark, scored, scored.pairs.slice(0, 0)) == on_engine.WEIGHTS.empty_table()


def test_nothing_stays_behind_when_it_fails(spark: SparkSession, scored: Scored, monkeypatch: pytest.MonkeyPatch):
    """It fails last, when all views are there."""
    before = _tables(spark)
    monkeypatch.setattr(on_engine, "weight", lambda model: "no_such_function()")
    with pytest.raises(PySparkException, match="(?i)no_such_function"):
        _weigh(spark, scored, scored.pairs)
    assert _tables(spark) == before


def _weigh(spark: SparkSession, scored: Scored, some: pa.Table, lowest: float | None = None) -> pa.Table:
    return on_engine.weigh(spark, load(), scored.stored, scored.people, some, lowest)


def _tables(spark: SparkSession) -> list[str]:
    """Tables, and views of the connection."""
    return sorted(table.name for table in spark.catalog.listTables())


def _arrow(read: Records, sql: str) -> pa.Table:
    return read.connection.sql(sql).to_arrow_table()


def _read(folder: Path) -> Records:
    """Two records have each other's names, which are so rare that nobody knows which is which; two know next to nothing."""
    pyarrow.parquet.write_table(people(300), folder / "people.parquet")
    roles = {Role(role): column for role, column in MAP.items() if role != "record_id"}
    read = records.read(folder / "people.parquet", ColumnMap(record_id="id", roles=roles), load())
    read.run(f"update {TABLE} set given_name = 'quentzel', family_name = 'vradimo' where unique_id = 0")
    read.run(f"update {TABLE} set given_name = 'vradimo', family_name = 'quentzel' where unique_id = 1")
    nothing = ", ".join(f"{role} = null" for role in ("given_name", "family_name", "birth_date", "birth_day", "sex"))
    read.run(f"update {TABLE} set {nothing} where unique_id in (2, 3)")
    return read
