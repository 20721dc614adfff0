"""What two extracts tell alike: which of their columns somebody who has both can compare, and in which form.

Columns of one name are the same quantity (a rule of the house). Where one extract keeps what the other makes coarser, the finer
one can be made coarser by anybody, as its manifest says how; of days that were moved, the days between rows stay.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from contracts.hierarchies import EXACT, TOP, Declared
from contracts.table import NUMBERS
from contracts.treatments import OPTIONS, TAKES, AgeBand, AnyOptions, Band, DateShift, options_of
from contracts.vocabulary import Treatment
from jobs.errors import Linkable
from jobs.stages import treat
from jobs.stages.hashes import text

Form = Callable[[Column], Column]
DAYS = ("date", "timestamp")


@dataclass(frozen=True)
class Level:
    """The level of a hierarchy at which a column is told; ``sha256`` is None where the hierarchy was made for its values."""

    sha256: str | None
    level: int
    is_top: bool


@dataclass(frozen=True)
class Told:
    """A column as its reader knows it: its treatment is that of the extract, or of the product where the extract keeps it.

    ``by_product`` names the product that treated it: two extracts of one product have the same values there.
    """

    name: str
    type: str
    treatment: Treatment
    options: AnyOptions | None
    by_product: str | None
    level: Level | None = None


@dataclass(frozen=True)
class Pair:
    """A column that both have: how either makes it comparable (as text), whether it is a day, and one of which only the days
    between rows can be compared."""

    name: str
    ours: Form
    theirs: Form
    is_day: bool = False
    is_moved: bool = False


def told(schema: Sequence[Mapping[str, Any]], product: str) -> list[Told]:
    """The columns of an extract, from what its manifest says of them (``schema``), and the product that it was made of."""
    found = []
    for entry in schema:
        before = entry.get("treated_before")
        said = before or entry
        treatment = Treatment(said["treatment"])
        found.append(Told(entry["name"], entry["type"], treatment, options_of(treatment, said.get("treatment_options")),
                          product if before else None, _level(entry.get("generalised"))))
    return found


def person_column(schema: Sequence[Mapping[str, Any]]) -> str:
    """The column that holds the pseudonym."""
    return next(str(entry["name"]) for entry in schema if entry["treatment"] == Treatment.PSEUDONYM)


def pairs(ours: Sequence[Told], theirs: Sequence[Told], on: date) -> list[Pair]:
    """The columns that both have and that can be compared. on: the day on which ages are looked at."""
    known = {column.name: column for column in theirs}
    found = [_pair(column, known[column.name], on) for column in ours if column.name in known]
    return [pair for pair in found if pair is not None]


def _pair(ours: Told, theirs: Told, on: date) -> Pair | None:
    if Treatment.PSEUDONYM in (ours.treatment, theirs.treatment) or any(t.level and t.level.is_top for t in (ours, theirs)):
        return None
    if ours.level != theirs.level:
        raise Linkable(f"column {ours.name} is told at levels of hierarchies that nobody can compare; name one declared "
                       f"hierarchy for it in both contracts, or {EXACT} in one")
    is_day = {ours.type, theirs.type} <= set(DAYS)
    if Treatment.DATE_SHIFT in (ours.treatment, theirs.treatment):
        is_moved = ours.by_product is None or ours.by_product != theirs.by_product
        return Pair(ours.name, text, text, is_day, is_moved) if is_day else None
    if (ours.treatment, ours.options) == (theirs.treatment, theirs.options):
        form = _form(ours.type, theirs.type)
        return Pair(ours.name, form, form, is_day)
    if ours.treatment is Treatment.KEEP:
        return _one_sided(ours, theirs.options, on)
    if theirs.treatment is Treatment.KEEP:
        turned = _one_sided(theirs, ours.options, on)
        return Pair(ours.name, turned.theirs, turned.ours) if turned else None
    return _both_sided(ours, theirs, on)


def _form(one: str, other: str) -> Form:
    """In which form values of two types are alike: a day and an instant are days, numbers of two types are fractions."""
    if one != other and {one, other} <= set(DAYS):
        return lambda value: text(F.to_date(value))
    if one != other and {one, other} <= set(NUMBERS):
        return lambda value: text(value.cast("double"))
    return text


def as_coarse(ours: Sequence[Told], theirs: Sequence[Told], rows: DataFrame,
              known: Mapping[str, Declared]) -> tuple[list[Told], DataFrame]:
    """The columns and rows of an extract as the other one tells them, where that one generalised what is exact here.

    known: declared hierarchies by the sha256 of their files. Raises Linkable where a hierarchy does not have a value.
    """
    other, columns = {column.name: column for column in theirs}, list[Told]()
    for column in ours:
        beside = other.get(column.name)
        to = beside.level if beside and (beside.treatment, beside.options) == (column.treatment, column.options) else None
        if to and not to.is_top and column.level is None and to.sha256 is not None and to.sha256 in known:
            rows, column = _relabelled(rows, column.name, known[to.sha256], to), replace(column, level=to, type="string")
        columns.append(column)
    return columns, rows


def _relabelled(rows: DataFrame, name: str, hierarchy: Declared, to: Level) -> DataFrame:
    """Rows whose values of a column are what the hierarchy says of them at a level."""
    values = [row[0] for row in rows.select(F.col(name).cast("string")).distinct().collect()]
    labels = []
    for value in values:
        above = hierarchy.told(value)
        if above is None:
            raise Linkable(f"hierarchy {hierarchy.name} lacks values that column {name} has, so that these cannot be compared "
                           "with what another recipient was told by it; write one that has them, under another name")
        labels.append(TOP if to.level > len(above) else above[to.level - 1])
    told_as = rows.sparkSession.createDataFrame(pa.table({"_value": pa.array(values, pa.string()),
                                                          "_label": pa.array(labels, pa.string())}))
    same = F.col(name).cast("string").eqNullSafe(F.col("_value"))
    return rows.join(told_as, on=same, how="left").select(
        *[F.col("_label").alias(c) if c == name else F.col(c) for c in rows.columns])


def _level(said: Mapping[str, Any] | None) -> Level | None:
    """None also for the lowest, at which a value is told as it is."""
    return Level(said["sha256"], said["level"], said["level"] == said["of"]) if said and said["level"] else None


def _one_sided(kept: Told, options: AnyOptions | None, on: date) -> Pair | None:
    """A column kept in one extract (the first form) and made coarser in the other."""
    treatment = next((t for t, model in OPTIONS.items() if isinstance(options, model)), None)
    if options is None or isinstance(options, DateShift) or treatment is None or kept.type not in TAKES[treatment]:
        return None
    return Pair(kept.name, lambda value: text(treat.coarser(value, options, on)), text)


def _both_sided(ours: Told, theirs: Told, on: date) -> Pair | None:
    """Two ways to make a column coarser: what is left of it under both."""
    match ours.options, theirs.options:
        case Band() as one, Band() as other:
            edges = sorted({*one.edges} & {*other.edges})
            if edges:
                return Pair(ours.name, _rebanded(one, edges), _rebanded(other, edges))
        case AgeBand() as one, AgeBand() as other:
            width = math.lcm(one.width, other.width)
            return Pair(ours.name, _aged(width), _aged(width))
    return None


def _rebanded(options: Band, edges: Sequence[float]) -> Form:
    """Names of bands as the number of the wider band that they lie in: how many of ``edges`` are not above them."""
    names = treat.band_names(options)
    lows = [-math.inf, *options.edges]
    wide = {name: sum(edge <= low for edge in edges) for name, low in zip(names, lows, strict=True)}

    def form(value: Column) -> Column:
        found = F.lit(None).cast("string")
        for name, number in wide.items():
            found = F.when(value == name, F.lit(str(number))).otherwise(found)
        return text(found)
    return form


def _aged(width: int) -> Form:
    """Names of bands of ages (``40-44``, ``90+``) as the low end of the wider band that they lie in."""
    return lambda value: text(F.floor(F.regexp_extract(value, r"^(\d+)", 1).cast("int") / width) * width)

