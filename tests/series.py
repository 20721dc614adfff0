"""A series of releases of an aggregate, made from what persons add to it, with the guard against differencing or without.

It goes the way of a build (protect, guard, history), without a lake; and a naive twin of the guard in plain Python.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import partial, reduce
from itertools import product as every_way
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from contracts import catalog
from contracts.differencing import Differencing
from contracts.model import Product
from jobs.run import totals
from jobs.run.differencing import Measured, Past, found_in, frozen_of, nothing
from jobs.stages import differencing as stage
from jobs.stages import protect
from jobs.workspace import Workspace

MEASURES = ("asked", "opted_in", "withdrawn")
MEMBERS = "person string, channel_code string, purpose_code string, country_code string, month date, asked long, opted_in long, withdrawn long"
Row = tuple[str, str, str, str, date, int, int, int]
Cells = dict[str, dict[str, int]]


def optin_rates(**more: Any) -> Product:
    """The contract of optin_rates without totals, some of it changed."""
    return catalog().products["optin_rates"].model_copy(update={"totals": (), **more})


@dataclass
class Series:
    """Releases one after the other; each gives {cell: value}. ``is_guarded``: False takes the guard away."""

    spark: SparkSession
    folder: Path
    product: Product
    is_guarded: bool = True
    told: list[DataFrame] = field(default_factory=list)
    frozen: list[DataFrame] = field(default_factory=list)
    fresh: DataFrame | None = None
    people: DataFrame | None = None

    def __post_init__(self) -> None:
        self.what = Measured.of(self.product, ["person", *self.product.table.key, *MEASURES])
        self.history = self.spark.createDataFrame([], stage.HISTORY)

    def release(self, members: DataFrame) -> DataFrame:
        """cell, value of the next release."""
        number = len(self.told) + 1
        work = Workspace(str(self.folder / str(number)), self.spark)
        keys, product = list(self.what.keys), self.product
        assert product.counts_people and product.minimum_cell
        built = members.groupBy(*keys).agg(*[F.sum(m).alias(m) for m in MEASURES])
        rows = protect.suppress(built, product.counts_people, product.cell_columns, product.minimum_cell, product.rounding)
        self.fresh = work.keep("fresh", stage.values(rows, keys, MEASURES))
        self.people = work.keep("people", stage.members(members, keys, MEASURES))
        past = self.past()
        none = self.fresh.select("cell").limit(0)
        frozen = frozen_of(self.what, past, self.people, self.fresh, work) if past and self.is_guarded else none
        last = past.last if past else self.fresh.limit(0)
        told = work.keep("told", stage.held(self.fresh, last, frozen))
        held = stage.held(self.people, stage.last(self.history), frozen)
        self.history = work.keep("history", stage.continued(held, self.history, number, 1))
        self.told.append(told)
        self.frozen.append(frozen)
        return told

    def past(self) -> Past | None:
        """All that was released."""
        if not self.told:
            return None
        numbered = [told.withColumn("number", F.lit(n)) for n, told in enumerate(self.told, 1)]
        published = numbered[0]
        for more in numbered[1:]:
            published = published.unionByName(more)
        numbers = self.spark.createDataFrame([(n,) for n in range(1, len(self.told) + 1)], "number long")
        return Past(len(self.told), 1, numbers, published, self.history)


@dataclass
class TotalledSeries:
    """Releases one after the other of a product with totals; each gives {cell: value}."""

    spark: SparkSession
    folder: Path
    product: Product
    published: list[DataFrame] = field(default_factory=list)
    frozen: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.what = Measured.of(self.product, ["person", *self.product.table.key, *MEASURES])
        self.history = self.spark.createDataFrame([], stage.HISTORY)

    def release(self, rows: Iterable[Row]) -> dict[str, float]:
        """The next release."""
        number = len(self.published) + 1
        work = Workspace(str(self.folder / str(number)), self.spark)
        parts = work.keep("members", stage.members(self.spark.createDataFrame([*rows], MEMBERS), self.what.keys, MEASURES))
        held = totals.held_of(self.what, self.past(parts), parts, work)
        self.frozen = {row["cell"] for row in held.frozen.collect()}
        self.history = work.keep("history", stage.continued(held.people, self.history, number, 1))
        self.published.append(held.told.withColumn("number", F.lit(number).cast("long")))
        return values(held.told)

    def past(self, people: DataFrame) -> Past:
        """All that was released."""
        if not self.published:
            return nothing(self.what, people)
        numbers = self.spark.createDataFrame([(n,) for n in range(1, len(self.published) + 1)], "number long")
        return Past(len(self.published), 1, numbers, reduce(DataFrame.unionByName, self.published), self.history)


def falsely_frozen(series: Series, before: Past, folder: Path) -> tuple[int, int]:
    """How many cells of the newest release are frozen at another value, and how many of them could have moved alone.

    One could where neither it nor any sum that it is part of would then differ from an earlier release by a few people: asked of
    each cell that is not frozen for its own difference, the others being as they were published.
    """
    work, what = Workspace(str(folder), series.spark), series.what
    assert series.fresh is not None and series.people is not None
    told, frozen = series.told[-1], series.frozen[-1]
    other = series.fresh.withColumnRenamed("value", "wanted").join(told, on="cell", how="full_outer").where("NOT (wanted <=> value)")
    cells = [row["cell"] for row in other.select("cell").collect()]
    changed = stage.changes(series.people, before.history, before.numbers)
    beside = stage.compared(changed, series.fresh, before.published, before.numbers)
    own = {row["cell"] for row in stage.isolating(beside, what.fewest).collect()}
    false = 0
    for cell in sorted(set(cells) - own):
        rest = frozen.where(F.col("cell") != cell)
        now = stage.held(series.people, stage.last(before.history), rest), stage.held(series.fresh, before.last, rest)
        found = found_in(what, before, work.keep("people", now[0]), work.keep("told", now[1]), work)
        false += cell not in {row["cell"] for row in found.collect()}
    return len(cells), false


def values(told: DataFrame) -> dict[str, float]:
    """A release as {cell: value}."""
    return {r["cell"]: r["value"] for r in told.collect()}


# The naive twin.

def cells_of(rows: Iterable[Row]) -> Cells:
    """What each person adds to each cell."""
    found: Cells = defaultdict(dict)
    for person, *keys, asked, opted_in, withdrawn in rows:
        for measure, amount in zip(MEASURES, (asked, opted_in, withdrawn), strict=True):
            if amount:
                found[stage.SEPARATOR.join([*map(str, keys), measure])][person] = amount
    return dict(found)


def coarse(cells: Cells, product: Product) -> dict[str, float]:
    """What would be published of cells without the guard."""
    minimum, rounding = product.minimum_cell or 0, product.rounding or 1
    told = {cell: (sum(people.values()) + rounding // 2) // rounding * rounding for cell, people in cells.items()
            if sum(people.values()) > minimum}
    counted = {_place(cell) for cell in told if cell.endswith(f"{stage.SEPARATOR}asked")}
    return {cell: float(value) for cell, value in told.items() if _place(cell) in counted}


@dataclass
class Twin:
    """The same guard, cell by cell and person by person."""

    product: Product
    released: list[tuple[dict[str, float], Cells]] = field(default_factory=list)

    def release(self, cells: Cells) -> dict[str, float]:
        """The next release as {cell: value}."""
        told = coarse(cells, self.product)
        frozen: set[str] = set()
        while self.released:
            last = self.released[-1]
            now = tuple(_held(mine, old, frozen) for mine, old in zip((told, cells), last, strict=True))
            moved = {c for c in {*now[0], *now[1], *last[0], *last[1]}
                     if now[0].get(c) != last[0].get(c) or now[1].get(c, {}) != last[1].get(c, {})}
            isolated = {u for before in self.released for u in isolating(now, before, self.product)}
            own = {cell for cell in moved if cell in isolated or self._is_bare(cell, now[0])}
            new = own or {cell for cell in moved if isolated & {*unions(cell, self.product)}}
            if not new:
                told, cells = now
                break
            frozen |= new
        self.released.append((told, cells))
        return told

    @staticmethod
    def _is_bare(cell: str, told: dict[str, float]) -> bool:
        """Whether the row has a value, but not how many people it is of."""
        place = _place(cell)
        return f"{place}{stage.SEPARATOR}asked" not in told and any(_place(c) == place for c in told)


def isolating(now: Any, then: Any, product: Product) -> set[str]:
    """Cells and unions whose value is another in two releases though one to a few people make the difference."""
    found, sums = set(), defaultdict(lambda: [0.0, 0.0])
    people: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    assert product.differencing is not None
    for (told, cells), sign in ((now, 1), (then, -1)):
        for cell, value in told.items():
            for union in unions(cell, product):
                sums[union][sign > 0] += value
                for person, amount in cells.get(cell, {}).items():
                    people[union][person] += sign * amount
    for cell in {*now[0], *then[0]}:
        mine, old = now[1].get(cell, {}), then[1].get(cell, {})
        few = sum(mine.get(p, 0) != old.get(p, 0) for p in {*mine, *old})
        if now[0].get(cell) != then[0].get(cell) and 0 < few < product.differencing.people:
            found.add(cell)
    for union, (before, after) in sums.items():
        if before != after and 0 < sum(n != 0 for n in people[union].values()) < product.differencing.people:
            found.add(union)
    return found


def unions(cell: str, product: Product) -> list[str]:
    """Names of the sums that a cell is part of."""
    *keys, measure = cell.split(stage.SEPARATOR)
    assert product.differencing is not None
    levels: dict[str, Callable[[date], str]] = {
        "quarter": lambda d: f"quarter {d.replace(month=(d.month - 1) // 3 * 3 + 1, day=1)}",
        "year": lambda d: f"year {d.replace(month=1, day=1)}"}
    ways = []
    for name, key in zip(product.table.key, keys, strict=True):
        made = [levels[level](date.fromisoformat(key)) for level in product.differencing.levels.get(name, ())]
        ways.append([key, *made, "*"])
    return [stage.SEPARATOR.join([*way, measure]) for way in list(every_way(*ways))[1:]]


def _held(mine: Mapping[str, Any], old: Mapping[str, Any], frozen: set[str]) -> dict[str, Any]:
    return {**{c: v for c, v in mine.items() if c not in frozen}, **{c: v for c, v in old.items() if c in frozen}}


def _place(cell: str) -> str:
    return cell.rpartition(stage.SEPARATOR)[0]


few = partial(Differencing, levels={"month": ("quarter", "year")})
