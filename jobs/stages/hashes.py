"""Hashes by which rows are compared: 64 bits, the same on both engines."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F


def number(name: Column) -> Column:
    """A pseudonym as a number, which is quicker to join by. Two of a million share one once in 30 million times."""
    return F.xxhash64(name)


def hashed(person: Column, *values: Column) -> Column:
    """A hash of these values, as text; nothing is a value of its own. ``person``, a column that is never null, changes nothing.

    Without a column of the table among them Sail (0.7) takes values that are alike in a whole batch for one row.
    """
    return F.xxhash64(F.length(person) >= 0, *[text(value) for value in values])


def text(value: Column) -> Column:
    """A value as text, nothing as a text of its own: the engines' hash leaves nulls out."""
    return F.coalesce(value.cast("string"), F.lit("\0"))
