"""Treat: each column gets the treatment that its contract declares. One function a treatment, in the engine's expressions.

What cannot be treated (a postcode of another form, an age below 0) becomes null: it is never passed on as it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from contracts import table
from contracts.areas import AREAS, MERGED
from contracts.treatments import TAKES, AgeBand, Area, Band, DateShift, Mask, Year
from contracts.vocabulary import Treatment
from jobs.stages.scrub import SCRUBBED

AS_IT_IS = (Treatment.KEEP, Treatment.PSEUDONYM)  # A pseudonym is in its column already.
OLD = 90  # 45 CFR 164.514(b)(2)(i)(C): ages over 89 are one category.
OLDEST = 150
COVER = "***"
TYPES = {"integer": "int"}  # What the engine calls a type, where contracts call it otherwise.


class Unfit(ValueError):
    """A column has another type than its treatment takes, or a treatment that nothing does."""


def apply(rows: DataFrame, columns: Sequence[table.Column], seed: str, on: date) -> DataFrame:
    """The rows with these columns only, each treated as it is declared.

    rows: a column of each name, of a type that its treatment takes, and ``seed``: the person's number in this domain, from
    which their dates are moved. on: the day on which ages are looked at. Raises Unfit.
    """
    types = {f.name: TYPES.get(f.dataType.typeName(), f.dataType.typeName()) for f in rows.schema.fields}
    return rows.select(*[_treated(column, types.get(_held_in(column)), F.col(seed), on).alias(column.name) for column in columns])


def lost(rows: DataFrame, treated: DataFrame, columns: Sequence[table.Column]) -> dict[str, int]:
    """How many values of each column its treatment made null: what could not be treated, and years that tell of an old age.

    Columns that lost none are left out.
    """
    names = [column.name for column in columns if column.treatment in TAKES]

    def filled(frame: DataFrame) -> dict[str, Any]:
        counts = frame.agg(*[F.count(F.col(name)).alias(name) for name in names]).collect()[0]
        return dict(counts.asDict())

    if not names:
        return {}
    before, after = filled(rows), filled(treated)
    return {name: before[name] - after[name] for name in names if before[name] > after[name]}


def date_shift(value: Column, is_timestamp: bool, seed: Column, options: DateShift) -> Column:
    """The day or the moment, moved by the person's own number of days (UTC): intervals stay.

    The number is uniform over [-maxDays, maxDays], or over the whole weeks in it where the weekday stays. What would be moved
    out of the years 1 to 9999 is null.
    """
    step = 7 if options.keep_weekday else 1
    most = options.max_days // step
    days = (F.pmod(seed, F.lit(2 * most + 1)) - most) * step
    moved = F.date_add(F.to_date(value), days.cast("int"))
    if is_timestamp:
        shifted = F.timestamp_micros(F.unix_micros(value) + days * F.lit(86_400_000_000))
    return F.when(F.year(moved).between(1, 9999), shifted if is_timestamp else moved)


def year(value: Column, options: Year, on: date) -> Column:
    """The year of a day or of a moment (UTC); null where it tells of an age above the oldest that is told apart."""
    found = F.year(value)
    return found if options.oldest is None else F.when(found >= on.year - options.oldest, found)


def age_band(value: Column, options: AgeBand) -> Column:
    """``40-44`` for whole years of 42 and a width of 5; ``90+`` from 90 on; null below 0 and above 150."""
    low = F.floor(value / options.width) * options.width
    high = F.least(low + options.width, F.lit(OLD)) - 1
    text = F.concat(low.cast("long").cast("string"), F.lit("-"), high.cast("long").cast("string"))
    return F.when(value.between(0, OLD - 1), text).when(value.between(OLD, OLDEST), F.lit(f"{OLD}+"))


def area(value: Column, options: Area) -> Column:
    """The area of a code; where too few people live there, the one name of all such areas; null for a code of another form."""
    scheme = AREAS[options.scheme]
    code = F.trim(value)
    cut = F.substring(code, 1, scheme.signs)
    named = F.when(cut.isin(*scheme.too_small), F.lit(MERGED)).otherwise(cut) if scheme.too_small else cut
    return F.when(code.rlike(rf"\A(?:{scheme.written})\z"), named)


def band(value: Column, options: Band) -> Column:
    """``[70, 180)`` for a number in it, ``<70`` below the first edge, ``>=180`` from the last on; null for what is no number."""
    names = band_names(options)
    number = value.cast("double")
    found = F.when(number.isNull() | F.isnan(number), F.lit(None).cast("string"))
    for name, edge in zip(names, options.edges, strict=False):
        found = found.when(number < edge, F.lit(name))
    return found.otherwise(F.lit(names[-1]))


def band_names(options: Band) -> list[str]:
    """The names of all bands, in ascending order: one more than there are edges."""
    edges = [str(int(edge)) if edge.is_integer() else repr(edge) for edge in options.edges]
    return [f"<{edges[0]}", *[f"[{a}, {b})" for a, b in pairwise(edges)], f">={edges[-1]}"]


def mask(value: Column, options: Mask) -> Column:
    """Stars, always as many, and the last signs; stars alone where the value has not at least twice as many signs as are kept."""
    kept = options.keep_last
    if kept == 0:
        return F.when(value.isNotNull(), F.lit(COVER))
    shown = F.concat(F.lit(COVER), F.substring(value, -kept, kept))
    return F.when(F.length(value) >= 2 * kept, shown).when(value.isNotNull(), F.lit(COVER))


def coarser(value: Column, options: AgeBand | Area | Band | Mask | Year, on: date) -> Column:
    """The value under a treatment that only makes it coarser."""
    match options:
        case Year():
            return year(value, options, on)
        case AgeBand():
            return age_band(value, options)
        case Area():
            return area(value, options)
        case Band():
            return band(value, options)
        case Mask():
            return mask(value, options)


def _held_in(column: table.Column) -> str:
    """The column that a treatment is made from: a scrubbed text stands beside the one that it was."""
    return SCRUBBED + column.name if column.treatment is Treatment.SCRUB else column.name



def _treated(column: table.Column, held: str | None, seed: Column, on: date) -> Column:
    value, options, treatment = F.col(_held_in(column)), column.treatment_options, column.treatment
    if treatment in TAKES and held not in TAKES[treatment]:
        raise Unfit(f"column {column.name} is treated by {treatment}, which takes {' or '.join(TAKES[treatment])}; what is "
                    f"built is {held}")
    if isinstance(options, DateShift):
        return date_shift(value, held == "timestamp", seed, options)
    if options is not None:
        return coarser(value, options, on)
    if treatment in (*AS_IT_IS, Treatment.SCRUB):
        return value
    raise Unfit(f"column {column.name} has treatment {treatment}, which nothing does to rows about persons")
