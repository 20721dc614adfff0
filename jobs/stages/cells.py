"""Cells: rows about persons counted into an aggregate's cells."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from contracts.table import ALL

PERSON = "person"
MOST_ROWS = 200_000  # Rows that are protected in memory.


def count(people: DataFrame, keys: Sequence[str], counts_people: str, cells: Sequence[str]) -> DataFrame:
    """Exact counts of distinct people: the keys, counts_people, and each other cell.

    people: the keys, person (null is nobody) and a boolean for each cell but counts_people; a cell counts whom one of their
    rows says so of.
    """
    said = [name for name in cells if name != counts_people]
    rows = people.where(F.col(PERSON).isNotNull()).select(*keys, PERSON, *said)
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
