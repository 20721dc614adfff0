"""Totals beside earlier releases: people are held, not values, so that cells and their totals always fit."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from contracts import ContractError
from jobs.stages import cells, protect, totalled, unions
from jobs.stages import differencing as stage
from jobs.stages.protect import HIDDEN
from jobs.workspace import Workspace

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from contracts.model import Product
    from jobs.run.differencing import Measured, Past


@dataclass(frozen=True)
class Held:
    """A candidate that may be released: members of its cells and totals, exact counts of its rows + hidden_<cell>, what of it is
    told (cell, value), and the cells whose people are those of the last release (cell)."""

    people: DataFrame
    exact: DataFrame
    told: DataFrame
    frozen: DataFrame


def held_of(what: Measured, past: Past, parts: DataFrame, work: Workspace) -> Held:
    """What may be released of members of cells without totals. Where a few people make a difference to an earlier release, in a
    cell, a total or a sum, the cells that moved there count those whom they counted in the last release; all is asked again
    until nothing is left. The last release, where all are held, is one: it was found good when it was made."""
    frozen, last = parts.select("cell").limit(0), stage.last(past.history).where(totalled.is_part(_over(what)))
    for turn in count():
        mine = work.keep("parts", stage.held(parts, last, frozen))
        people = work.keep("people", totalled.every(mine, _over(what)))
        changed = work.keep("changes", stage.changes(people, past.history, past.numbers))
        found = work.keep("few", _beneath(what, past, changed, totalled.few(changed, what.fewest)))
        if found.isEmpty():
            exact, told, found = _told(what, past, people, changed, work)
            if found.isEmpty():
                return Held(people, exact, told, frozen)
        frozen = work.keep(f"frozen{turn}", frozen.unionByName(found).distinct())
    raise AssertionError


def found_in(what: Measured, past: Past, people: DataFrame, told: DataFrame, work: Workspace) -> DataFrame:
    """cell: those of a candidate (``people``: members of cells and totals; what is told of it) that must not be as they are."""
    changed = work.keep("changes", stage.changes(people, past.history, past.numbers))
    few = _beneath(what, past, changed, totalled.few(changed, what.fewest))
    _, wanted, found = _told(what, past, people, changed, work)
    both = told.withColumnRenamed("value", "said").join(wanted, on="cell", how="full_outer")
    return few.unionByName(found).unionByName(both.where("NOT (said <=> value)").select("cell")).distinct()


def _told(what: Measured, past: Past, people: DataFrame, changed: DataFrame,
          work: Workspace) -> tuple[DataFrame, DataFrame, DataFrame]:
    """Exact counts, what is told of them, and the cells that must be held because of what follows from both."""
    product, over = what.product, _over(what)
    assert product.minimum_cell is not None and product.differencing is not None and product.counts_people is not None
    newest = past.newest + 1
    shown = past.published.select("number", "cell").toArrow().to_pydict()
    sizes = totalled.sizes(people, past.history, past.numbers, newest)
    _refuse_many(product, sum(number == newest for number in sizes["number"].to_pylist()) // len(what.cells))
    made = totalled.settled(sizes, list(zip(*shown.values(), strict=True)), what.cells, newest, over, product.minimum_cell,
                            what.fewest)
    exact = work.keep("exact", _typed(what, made, people))
    rows = protect.suppress(exact, product.counts_people, product.cell_columns, product.minimum_cell, product.rounding,
                            product.dominance)
    told = work.keep("told", stage.values(rows, what.keys, what.cells))
    beside = work.keep("beside", stage.compared(changed, told, past.published, past.numbers))
    return exact, told, work.keep("found", _following(what, past, people, changed, beside, made))


def _following(what: Measured, past: Past, people: DataFrame, changed: DataFrame, beside: DataFrame,
               made: totalled.Settled) -> DataFrame:
    """cell: those that must be held since few people follow from sums of cells that are told, or of cells that are not."""
    product, over, moved = what.product, _over(what), _moved(what, past, changed)
    assert product.differencing is not None
    levels = product.differencing.levels
    told, untold = [unions.isolating(each, people, past.history, what.keys, levels, what.fewest, product.totals)
                    for each in (beside, totalled.hidden_sums(beside))]
    other = beside.where(f"number = {past.newest}").select("cell").distinct()
    parts = unions.cells_of(other, told.unionByName(untold), what.keys, levels, product.totals)
    own = totalled.beneath(moved, parts, over)
    # What of a sum is told may be another because of a cell that is not part of it, but of its table.
    ties = totalled.tables(parts, len(what.keys), over).select("table").distinct() if own.isEmpty() else None
    tied = totalled.tables(moved, len(what.keys), over)
    vain = tied.where(totalled.is_of({key for keys in made.vain.values() for key in keys}, over))
    found = own if ties is None else tied.join(ties, on="table", how="left_semi").select("cell")
    return found.unionByName(vain.select("cell")).distinct()


def _typed(what: Measured, made: totalled.Settled, people: DataFrame) -> DataFrame:
    """Exact counts as rows of the product, with what is hidden of them."""
    rows = made.rows(what.keys)
    said = [*[f"{name} string" for name in what.keys], *[f"{name} bigint, {HIDDEN}{name} boolean" for name in what.cells]]
    # An Arrow table without rows makes no frame.
    frame = people.sparkSession.createDataFrame(rows if rows.num_rows else [], ", ".join(said))
    typed = [frame[name].cast(kind).alias(name) for name, kind in what.typed((*what.keys, *what.cells))]
    return frame.select(*typed, *[HIDDEN + name for name in what.cells])


def _refuse_many(product: Product, rows: int) -> None:
    if rows > cells.MOST_ROWS:
        raise ContractError(f"{product.path} asks for totals of {rows:,} rows, and at most {cells.MOST_ROWS:,} can be protected "
                            "together; take a column out of totals, or make columns coarser")


def _beneath(what: Measured, past: Past, changed: DataFrame, flagged: DataFrame) -> DataFrame:
    """cell: those whose people moved since the last release, of what is flagged or beneath it."""
    return totalled.beneath(_moved(what, past, changed), flagged, _over(what))


def _moved(what: Measured, past: Past, changed: DataFrame) -> DataFrame:
    moved = changed.where(f"number = {past.newest} AND people > 0")
    return moved.where(totalled.is_part(_over(what))).select("cell").distinct()


def _over(what: Measured) -> list[int]:
    """The places of the key over which there are totals."""
    return [what.keys.index(name) for name in what.product.totals]
