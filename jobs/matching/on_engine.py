"""Scoring on an engine: what the model says of pairs, by Splink's Spark backend instead of DuckDB. The weights are the same.

What Splink makes on the way are views of this connection and cached frames; no table and no file is written.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import duckdb
import pyarrow as pa
from splink.backends.spark import SparkAPI

from contracts.matching import Matching, Role
from jobs.matching.model import FREQUENCY, asked, by_frequency, linker_over, predict, rarity, stable, weight
from jobs.matching.records import TABLE
from jobs.matching.stored import Stored
from jobs.similarity import add_jaro_winkler

WEIGHTS = pa.schema([("unique_id_l", pa.int64()), ("unique_id_r", pa.int64()), ("weight", pa.float64()),
                     ("is_silent", pa.bool_())])
PEOPLE, TO_SCORE, RARITY = "concord_people", "concord_to_score", "concord_rarity_of_"


def weigh(spark: Any, matching: Matching, stored: Stored, people: pa.Table, pairs: pa.Table,
          lowest: float | None = None) -> pa.Table:
    """The weights of pairs (``WEIGHTS``), a row for each, in no order; without those whose weight by Splink is below ``lowest``.

    spark: a Spark Connect connection; its workers need DuckDB. people: unique_id and other columns, as in ``records.TABLE``;
    those that no comparison asks for are not sent. pairs: l, r. Raises SplinkException or PySparkException.
    """
    if not pairs.num_rows:
        return WEIGHTS.empty_table()
    roles = tuple(role for role in Role if role in people.column_names)
    with _engine(spark) as api:
        wanted = asked(matching, roles)
        _view(spark, PEOPLE, people.select([name for name in people.column_names if name in wanted]))
        _view(spark, TO_SCORE, pairs, "'0' as match_key", "l as join_key_l", "r as join_key_r")
        splink = linker_over(api.register(PEOPLE, dataset_display_name="records"), roles, matching, stored.model,
                             stored.model.prior)
        for role, rare in _rarities(people, stored, by_frequency(matching, roles)):
            _view(spark, f"{RARITY}{role}", rare)
            splink.table_management.register_term_frequency_lookup(api.register(f"{RARITY}{role}"), str(role))
        scored = predict(splink, TO_SCORE, lowest)
        spark.table(scored).unpersist()  # It is read once, and only these columns of it.
        found = spark.sql(f"select unique_id_l, unique_id_r, {weight(stored.model)} as weight, "
                          f"({stable(stored.model, matching)}) = 0 as is_silent from {scored}")
        return found.toArrow().cast(WEIGHTS)


@contextmanager
def _engine(spark: Any) -> Iterator[SparkAPI]:
    """Splink's backend. Its views, ours and what it cached are gone afterwards, also when the work fails."""
    add_jaro_winkler(spark)
    api = SparkAPI(spark_session=spark, register_udfs_automatically=False, break_lineage_method="persist")
    try:
        yield api
    finally:
        for name in api._created_tables:
            spark.table(name).unpersist()
        for name in (*api._created_tables, PEOPLE, TO_SCORE, *(f"{RARITY}{role}" for role in Role)):
            spark.sql(f"drop view if exists {name}")


def _rarities(people: pa.Table, stored: Stored, roles: list[Role]) -> Iterator[tuple[Role, pa.Table]]:
    """How rare the values of each role are; none of a role that the model does not weigh by that, or Splink would count them.

    Made here: the engine, which does not keep views, would make them twice a pair.
    """
    with duckdb.connect() as connection:
        connection.register(TABLE, people)
        connection.register(FREQUENCY, stored.frequencies)
        for role in roles:
            none = f"select null::varchar as {role}, null::double as tf_{role}"  # Equal to nobody's; Spark takes no empty table.
            known = rarity(role, stored.model, TABLE, FREQUENCY) if role in stored.model.rarity else none
            yield role, connection.sql(known).to_arrow_table()


def _view(spark: Any, name: str, rows: pa.Table, *columns: str) -> None:
    spark.createDataFrame(rows).selectExpr(*(columns or "*")).createOrReplaceTempView(name)
