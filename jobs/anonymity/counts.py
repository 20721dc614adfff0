"""Counts: how many rows have each combination of quasi-identifiers, counted by the engine; all that the search needs.

First each column alone, for its hierarchy and the least level at which it can be anonymous by itself; then one count of
combinations at these levels, so that a value that is rare in itself makes no combination of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.anonymity import steps
from jobs.anonymity.hierarchies import Floats, Hierarchy, Ints
from jobs.anonymity.numbering import numbered
from jobs.anonymity.people import People

CODE, TEXT, ROWS = "_code_", "_text_", "_rows_"
Make = Callable[[str, str, Sequence[str | None]], Hierarchy]


@dataclass(frozen=True)
class Column:
    """A quasi-identifier with its hierarchy, rows by value, and the least level at which too few rows are rare in it alone.

    ``source``: what the frame calls it.
    """

    source: str
    hierarchy: Hierarchy
    rows: Ints
    floor: int

    def size(self, level: int) -> int:
        """How many groups its values are at a level."""
        return len(self.hierarchy.labels[level])

    def up(self, level: int) -> Ints:
        """The group at a level of each group at the floor."""
        found = np.zeros(self.size(self.floor), dtype=np.int64)
        found[self.hierarchy.groups[self.floor]] = self.hierarchy.groups[level]
        return found

    def loss(self, level: int) -> Floats:
        """What each group at the floor loses at a level: its values are told the same from there on."""
        found = np.zeros(self.size(self.floor))
        found[self.hierarchy.groups[self.floor]] = self.hierarchy.loss(level)
        return found

    def mean_loss(self, level: int) -> float:
        """What a row loses at a level in the mean."""
        return float(self.hierarchy.loss(level) @ self.rows) / float(self.rows.sum())


@dataclass(frozen=True)
class Sensitive:
    """A sensitive column: place of a combination in its counts, code of a value in the order of values, and rows of both.

    ``is_ordered``: whether its values are numbers or dates, so that some are nearer to each other than others. ``who``: a number
    of the person, where people have many rows.
    """

    of: Ints
    values: Ints
    rows: Ints
    is_ordered: bool
    who: Ints | None = None


@dataclass(frozen=True)
class Counts:
    """Combinations of quasi-identifiers at their floors: ``codes`` (combinations x columns), ``rows`` of each, the sensitive
    columns by name, and the people where they have many rows; None where each row is a person's only one."""

    columns: tuple[Column, ...]
    codes: Ints
    rows: Ints
    sensitive: Mapping[str, Sensitive] = field(default_factory=dict)
    people: People | None = None

    @property
    def total(self) -> int:
        """How many rows there are."""
        return int(self.rows.sum())


def count(frame: DataFrame, quasi: Mapping[str, str], sensitive: Mapping[str, str], k: int, most: int, make: Make,
          is_text: bool = False, person: str | None = None) -> Counts:
    """Count a frame. ``quasi`` and ``sensitive``: what the frame calls each column, by name; ``make`` gives a column's hierarchy
    by its name, type and values; ``most``: rows that may be suppressed.

    ``is_text``: whether its columns are texts of a file without types, which are what they all look like. ``person``: the column
    that says whose a row is; without one each row is a person of its own.
    """
    kinds = {f.name: "" if is_text else f.dataType.typeName() for f in frame.schema.fields}
    columns = tuple(_column(frame, source, kinds[source], k, most, partial(make, name)) for name, source in quasi.items())
    told, codes = coded(frame, columns, [column.floor for column in columns]), codes_of(columns)
    found = _counted(told, codes)
    matrix = _matrix(found, codes)
    place = partial(_placed, codes=codes, matrix=matrix, sizes=[column.size(column.floor) for column in columns])
    people = _people(_counted(told, [*codes, person]), person, place) if person else None
    return Counts(columns, matrix, found[ROWS].to_numpy(), {
        name: _sensitive(_counted(told.withColumn(TEXT, _text(source)), [*codes, TEXT, *([person] if person and people else [])]),
                         kinds[source], place, person if people else None)
        for name, source in sensitive.items()}, people)


def _column(frame: DataFrame, source: str, kind: str, k: int, most: int,
            make: Callable[[str, Sequence[str | None]], Hierarchy]) -> Column:
    found = _counted(frame.select(_text(source).alias(TEXT)), [TEXT]).sort_by(TEXT)
    values, rows = found[TEXT].to_pylist(), found[ROWS].to_numpy()
    hierarchy = make(kind or steps.kind_of(values), values)
    for floor in range(hierarchy.levels):
        sizes = np.bincount(hierarchy.groups[floor], weights=rows)
        if sizes[sizes < k].sum() <= most:
            return Column(source, hierarchy, rows, floor)
    return Column(source, hierarchy, rows, hierarchy.levels - 1)


def _text(name: str) -> Any:
    return F.col(name).cast("string")


def coded(frame: DataFrame, columns: Sequence[Column], levels: Sequence[int]) -> DataFrame:
    """The frame with the code of each quasi-identifier's group at a level, as ``codes_of`` names them."""
    for place, (column, level) in enumerate(zip(columns, levels, strict=True)):
        frame = _coded(frame, place, column, level)
    return frame


def codes_of(columns: Sequence[Column]) -> list[str]:
    """What the columns of codes are called."""
    return [f"{CODE}{place}" for place in range(len(columns))]


def _coded(frame: DataFrame, place: int, column: Column, level: int) -> DataFrame:
    """Values are looked up in a small table: joined by their text, a null by what stands for it."""
    hierarchy, name = column.hierarchy, f"{CODE}{place}"
    groups = hierarchy.groups[level].astype(np.int32)
    known = [(value, int(group)) for value, group in zip(hierarchy.values, groups, strict=True)]
    of_null = next((group for value, group in known if value is None), None)
    if column.size(level) == 1:
        return frame.withColumn(name, F.lit(0))
    texts = pa.table({f"{TEXT}{place}": pa.array([v for v, _ in known if v is not None], pa.string()),
                      name: pa.array([g for v, g in known if v is not None], pa.int32())})
    table = frame.sparkSession.createDataFrame(texts)
    joined = frame.join(table, _text(column.source) == F.col(f"{TEXT}{place}"), "left").drop(f"{TEXT}{place}")
    return joined if of_null is None else joined.withColumn(name, F.coalesce(F.col(name), F.lit(of_null)))


def _counted(frame: DataFrame, names: list[str]) -> pa.Table:
    return frame.groupBy(*names).agg(F.count(F.lit(1)).alias(ROWS)).toArrow()


def _matrix(found: pa.Table, codes: list[str]) -> Ints:
    return np.column_stack([found[name].to_numpy().astype(np.int64) for name in codes])


def _placed(found: pa.Table, codes: list[str], matrix: Ints, sizes: list[int]) -> Ints:
    """The place in ``matrix`` of each row of codes."""
    both = np.vstack([matrix, _matrix(found, codes)])
    ids = numbered(((both[:, place], size) for place, size in enumerate(sizes)), len(both))
    place = np.empty(len(matrix), dtype=np.int64)
    place[ids[:len(matrix)]] = np.arange(len(matrix))
    placed: Ints = place[ids[len(matrix):]]
    return placed


def _people(found: pa.Table, person: str, place: Callable[[pa.Table], Ints]) -> People | None:
    """The people of each combination; None where everybody has one row."""
    of, who = place(found), _numbers(found[person])
    if int(found[ROWS].to_numpy().sum()) == len(np.unique(who)):
        return None
    return People(of, who, np.bincount(of))


def _numbers(texts: pa.ChunkedArray) -> Ints:
    encoded = texts.combine_chunks().dictionary_encode("encode")
    found: Ints = encoded.indices.to_numpy().astype(np.int64)
    return found


def _sensitive(found: pa.Table, kind: str, place: Callable[[pa.Table], Ints], person: str | None) -> Sensitive:
    texts = found[TEXT].combine_chunks().dictionary_encode("encode")
    kind = kind or steps.kind_of(texts.dictionary.to_pylist())
    is_number = steps.is_number(kind)
    return Sensitive(place(found), in_order(texts, is_number), found[ROWS].to_numpy(), is_number or kind in steps.DATES,
                     _numbers(found[person]) if person else None)


def in_order(texts: pa.DictionaryArray, is_number: bool) -> Ints:
    """The place of each value among all: a null first, then numbers or texts, last what is no number."""
    values = texts.dictionary.to_pylist()

    def rank(at: int) -> tuple[bool, Any]:
        number = Decimal(values[at]) if is_number else None
        if number is None:
            return False, values[at]
        return number.is_nan(), Decimal(0) if number.is_nan() else number

    nulls = [at for at, value in enumerate(values) if value is None]
    order = nulls + sorted((at for at, value in enumerate(values) if value is not None), key=rank)
    ranks = np.empty(len(values), dtype=np.int64)
    ranks[order] = np.arange(len(values))
    codes: Ints = ranks[texts.indices.to_numpy()]
    return codes
