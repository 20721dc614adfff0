"""Jaro-Winkler similarity in an engine's SQL: DuckDB's own, asked a batch at a time."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql import functions as F


def add_jaro_winkler(spark: SparkSession) -> None:
    """Let SQL of this connection say ``jaro_winkler(one, other)``: from 0 to 1, null where either is.

    The engine's workers need DuckDB. The function travels by value, because it is made in here: they do not need Concord.
    """
    def similarity(one: pa.Array, other: pa.Array) -> pa.Array:
        import duckdb

        # A connection of its own takes 30 ms a batch; a cursor takes none, and threads may each have one.
        with duckdb.cursor() as cursor:
            given: Any = cursor.from_arrow(pa.Table.from_arrays([one, other], ["one", "other"]))
            return given.project("jaro_winkler_similarity(one, other) as alike").to_arrow_table()["alike"].combine_chunks()

    spark.udf.register("jaro_winkler", F.arrow_udf(similarity, "double"))  # type: ignore[call-overload]
