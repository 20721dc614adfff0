"""Cells: rows about persons counted into an aggregate's cells and, where its contract asks for them, into totals over cells."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from contracts.table import ALL
from jobs.stages import complementary
from jobs.stages.protect import HIDDEN

PERSON = "person"
MOST_ROWS = 200_000  # Rows whose totals are protected in memory.


def count(people: DataFrame, keys: Sequence[str], counts_people: str, cells: Sequence[str], totals: Sequence[str]) -> DataFrame:
    """Exact counts of distinct people: the keys, counts_people, and each other cell; the cells, and the totals over them.

    people: the keys, person (null is nobody) and a boolean for each cell but counts_people. As in GROUP BY CUBE over the
    columns of ``totals``, there is a total for each of them and for any several together; it says ``all`` in these columns. A
    person who is in several cells of a total counts once in it: among its people, and in a cell where one of theirs says so.
    """
    said = [name for name in cells if name != counts_people]
    rows = people.where(F.col(PERSON).isNotNull()).select(*keys, PERSON, *said)
    for name in totals:
        rows = rows.withColumn(name, F.explode(F.array(F.col(name), F.lit(ALL))))
    flags = [F.max(F.coalesce(name, F.lit(False))).alias(name) for name in said]
    persons = rows.groupBy(*keys, PERSON).agg(*flags) if flags else rows.distinct()
    return persons.groupBy(*keys).agg(F.count(F.lit(1)).alias(counts_people), *[F.count_if(name).alias(name) for name in said])


def members(people: DataFrame, keys: Sequence[str], counts_people: str, cells: Sequence[str]) -> DataFrame:
    """What each person adds to the cells, 0 or 1: the keys, person, and each cell; of the same rows, without totals."""
    said = [F.max(F.coalesce(name, F.lit(False)).cast("long")).alias(name) for name in cells if name != counts_people]
    return people.where(F.col(PERSON).isNotNull()).groupBy(*keys, PERSON).agg(
        F.max(F.lit(1).cast("long")).alias(counts_people), *said)


def is_marked(people: DataFrame, totals: Sequence[str]) -> bool:
    """Whether a row says the mark of a total where it should say a value."""
    return any(people.where(F.col(name) == ALL).limit(1).count() for name in totals)


def complemented(counted: DataFrame, keys: Sequence[str], counts_people: str, cells: Sequence[str], totals: Sequence[str],
                 minimum: int) -> DataFrame:
    """The counted cells and totals + hidden_<cell>: which must vanish so that none of up to ``minimum`` people follows.

    The rows that vanish are found first, then what vanishes of the other cells of those that stay. Rows are collected, since
    each depends on all others of its table: not to be asked for more than MOST_ROWS.
    """
    held = counted.toArrow().sort_by([(name, "ascending") for name in keys])
    if not held.num_rows:  # No frame is made of nothing.
        return counted.withColumns({HIDDEN + name: F.lit(False) for name in (counts_people, *cells)})
    places = list(zip(*[held[name].to_pylist() for name in keys], strict=True))
    lines = complementary.lines_of(places, [list(keys).index(name) for name in totals], ALL)
    people = _numbers(held[counts_people])
    gone = complementary.hidden(people, np.zeros(held.num_rows, dtype=bool), lines, minimum)
    found = {counts_people: gone}
    for name in (name for name in cells if name != counts_people):
        most = np.where(gone, np.inf, people.astype(float))  # Of those who are in a row that is shown.
        found[name] = complementary.hidden(_numbers(held[name]), gone, lines, minimum, most)
    for name, those in found.items():
        held = held.append_column(HIDDEN + name, pa.array(those))
    return counted.sparkSession.createDataFrame(held)


def _numbers(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """A column of counts; nothing counted is 0."""
    return np.array(column.fill_null(0).to_numpy(), dtype=np.int64)
