"""Differencing: a candidate of an aggregate beside all that was released of it; the vault keeps whom the cells count."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from contracts import ContractError
from contracts.differencing import NOTED, table_of
from contracts.model import Product
from jobs.errors import GateFailed, IntegrityError
from jobs.ledger import accounts, releases
from jobs.ledger.accounts import Entry
from jobs.run import totals
from jobs.run.shell import Shell
from jobs.schema import ddl, spark_schema
from jobs.stages import differencing as stage
from jobs.stages import unions
from jobs.workspace import Workspace, workspace

if TYPE_CHECKING:
    from datetime import datetime

    from pyspark.sql import DataFrame

AGAINST = "against"  # The key of a candidate's note under which the version stands that was released last when it was built.
REASON = "differencing"


@dataclass(frozen=True)
class Measured:
    """What of a product is compared: its key, the cells that can be summed, and what build measures beside them."""

    product: Product
    keys: tuple[str, ...]
    cells: tuple[str, ...]
    measured: tuple[str, ...]

    @classmethod
    def of(cls, product: Product, built: list[str]) -> Measured:
        """``built``: the columns that the product's module makes."""
        cells = tuple(dict.fromkeys((str(product.counts_people), *product.cell_columns)))
        measured = tuple(c.name for c in product.table.columns if c.derived and c.name in built)
        return cls(product, product.table.key, cells, measured)

    @property
    def measures(self) -> tuple[str, ...]:
        """All that is compared."""
        return (*self.cells, *self.measured)

    @property
    def fewest(self) -> int:
        """How many people at least must make a difference."""
        assert self.product.differencing is not None
        return self.product.differencing.people

    def typed(self, names: tuple[str, ...]) -> list[tuple[str, str]]:
        """Columns with their types."""
        return [(name, ddl(self.product.table)[name]) for name in names]


@dataclass(frozen=True)
class Past:
    """Everything that was released of a product: numbers of releases that differ, what each published, and whom it counted."""

    newest: int
    oldest: int
    numbers: DataFrame
    published: DataFrame
    history: DataFrame

    @property
    def last(self) -> DataFrame:
        """cell, value of the newest release."""
        return self.published.where(f"number = {self.newest}").select("cell", "value")


@dataclass(frozen=True)
class Told:
    """What is kept of a candidate beside its account: whom its cells count (nobody where counts are noisy), what build measures,
    the version it was compared with, how many cells there are, and how many of them are frozen."""

    history: DataFrame | None = None
    measured: tuple[str, ...] = ()
    against: int | None = None
    cells: int = 0
    frozen: int = 0


def nothing(what: Measured, people: DataFrame) -> Past:
    """The past of a product of which nothing was released."""
    def empty(columns: str) -> DataFrame:
        return people.sparkSession.createDataFrame([], columns)
    return Past(0, 0, empty("number bigint"), empty("number bigint, cell string, value double"), empty(stage.HISTORY))


def stands(shell: Shell, product: Product, version: int, note: dict[str, Any]) -> bool:
    """Whether a candidate is the released one, or was compared with all that is released."""
    if product.differencing is None:
        return NOTED in note or not product.is_aggregate
    pinned = _pins(shell, product)
    newest = pinned[-1]["table_version"] if pinned else None
    return NOTED in note and (version == newest or note.get(AGAINST) == newest)


def guarded(shell: Shell, product: Product, fresh: DataFrame, members: DataFrame, derive: Any,
            work: Workspace) -> tuple[DataFrame, Told]:
    """The rows that may be released, cells that would tell of few people as they were released last; and what is kept of them.

    fresh: protected rows, their derived columns made. members: what the product's module says of persons.
    """
    what = Measured.of(product, members.columns)
    number, against, past = released(shell, what)
    people = work.keep("members", stage.members(members, what.keys, what.measures))
    if past is None:
        history = work.keep("history", stage.continued(people, nothing(what, people).history, number, 0))
        return fresh, Told(history, what.measured, against, stage.values(fresh, what.keys, what.measures).count())
    told = work.keep("values", stage.values(fresh, what.keys, what.measures))
    frozen = frozen_of(what, past, people, told, work)
    held = work.keep("held", stage.held(told, past.last, frozen))
    rows = stage.rows(held, what.typed(what.keys), what.typed(what.measures), what.cells[0])
    stay = stage.held(people, stage.last(past.history), frozen)
    history = stage.continued(stay, past.history, number, past.oldest)
    both = told.withColumnRenamed("value", "wanted").join(held, on="cell", how="full_outer")
    stayed = both.where("NOT (wanted <=> value)").count()
    return derive(rows) if derive else rows, Told(work.keep("history", history), what.measured, against, both.count(), stayed)


def released(shell: Shell, what: Measured) -> tuple[int, int | None, Past | None]:
    """The number of the next release, the version that was released last, and all that was released of a product."""
    # Looked at once: what is released meanwhile is not what this is compared with, and the candidate says so.
    pinned = releases.of(shell.lake, what.product.release_group)
    pins = [pin for pin in pinned if pin["product"] == what.product.id]
    number = 1 + max((pin["number"] for pin in pinned), default=0)
    return number, pins[-1]["table_version"] if pins else None, _past(shell, what, pins)


def totalled(shell: Shell, product: Product, members: DataFrame, work: Workspace) -> tuple[totals.Held, Told]:
    """What may be released of an aggregate with totals, and what is kept of it. members: what each person adds to its cells."""
    what = Measured.of(product, members.columns)
    number, against, found = released(shell, what)
    parts = work.keep("members", stage.members(members, what.keys, what.cells))
    past = found or nothing(what, parts)
    held = totals.held_of(what, past, parts, work)
    history = work.keep("history", stage.continued(held.people, past.history, number, past.oldest))
    considered = held.told.select("cell").unionByName(held.frozen).distinct()
    return held, Told(history, (), against, considered.count(), held.frozen.count())


def keep(shell: Shell, product: Product, told: Told, said: dict[str, Any]) -> dict[str, Any]:
    """Write whom a candidate's cells count and beside it, where no reader is, what is ``said`` of it; what the candidate's own
    note tells of that. What a killed build leaves is named by no candidate."""
    name = table_of(product.id)
    history = told.history
    if history is None:
        history = shell.lake.spark.createDataFrame([], spark_schema(shell.lake.contract(name)))
    note = {"cells": told.cells, "frozen": told.frozen, "measured": list(told.measured), "totals": list(product.totals),
            **said}
    version = shell.lake.replace(name, history, note=note)
    shell.report.change(name)
    return {NOTED: version, AGAINST: told.against}


def account(shell: Shell, product: Product, candidate: str, note: dict[str, Any], now: datetime) -> None:
    """Write the account of a candidate's cells, unless it is there: published + frozen = considered.

    It is kept in the ledger and in the vault, not with the candidate, whose notes a reader may open: that a cell is frozen says
    that somebody came or went.
    """
    if product.differencing is None:
        return
    counted = shell.lake.note(table_of(product.id), note[NOTED])
    subject, name = f"{candidate}.cells", product.table.name
    shell.report.facts.update(cells=counted["cells"], frozen=counted["frozen"])
    if not accounts.of(shell.lake, {subject}):
        accounts.write(shell.lake, subject, [
            (REASON, Entry(name, "published", "-", counted["cells"] - counted["frozen"])),
            (REASON, Entry(name, "frozen", REASON, counted["frozen"]))], now)


def counted(shell: Shell, product: Product, version: int) -> int:
    """How many cells of a candidate are frozen."""
    return int(shell.lake.note(table_of(product.id), shell.lake.note(product.table.name, version)[NOTED])["frozen"])


def check(shell: Shell, product: Product, version: int, note: dict[str, Any]) -> None:
    """Compare a candidate that is to be released with all that was. Raises GateFailed where a difference isolates people."""
    if product.differencing is None:
        return
    name, lake = table_of(product.id), shell.lake
    what = Measured.of(product, lake.note(name, note[NOTED])["measured"])
    pins = _pins(shell, product)
    past = _past(shell, what, pins)
    if past is None or version == pins[-1]["table_version"]:
        return
    told = stage.values(lake.read(product.table.name, version), what.keys, what.measures)
    with workspace(shell.settings.lake_root, f"{product.table.name}.released", lake.spark) as work:
        people = stage.last(lake.read(name, note[NOTED]))
        found = (totals.found_in if product.totals else found_in)(what, past, people, told, work).count()
    if found:
        raise GateFailed(f"{product.id}: {found} cells differ from an earlier release, alone or summed, by fewer than "
                         f"{what.fewest} people; nothing was pinned, run `concord build {product.id}` again")


def _pins(shell: Shell, product: Product) -> list[dict[str, Any]]:
    """The pins of a product, oldest first."""
    return [pin for pin in releases.of(shell.lake, product.release_group) if pin["product"] == product.id]


def _past(shell: Shell, what: Measured, pins: list[dict[str, Any]]) -> Past | None:
    """What was released of a product; None where nothing was. Raises IntegrityError where nobody knows whom a release counted,
    ContractError where it has totals that the contract has no more."""
    lake, product = shell.lake, what.product
    if not pins:
        return None
    note = lake.note(product.table.name, pins[-1]["table_version"])
    if NOTED not in note:
        raise IntegrityError(f"release {product.release_group}/{pins[-1]['number']} of {product.id} was made before it was kept "
                             "whom its cells count, so nobody can say whom the next one would tell of; start with another lake")
    missing = sorted({*lake.note(table_of(product.id), note[NOTED]).get("totals", ())} - {*product.totals})
    if missing:
        raise ContractError(f"{product.path} has no totals over {', '.join(missing)} any more, beside which cells were hidden "
                            "that could be told now; put them back, or write the product's next major")
    first: dict[int, int] = {}
    for pin in pins:
        first.setdefault(pin["table_version"], pin["number"])
    told = [lake.arrow(product.table.name, version) for version in first]
    numbered = pa.concat_tables([rows.append_column("number", pa.repeat(number, rows.num_rows))
                                 for rows, number in zip(told, first.values(), strict=True)])
    # An Arrow table without rows makes no frame.
    published = lake.spark.createDataFrame(numbered if numbered.num_rows else [], spark_schema(product.table) + ", number bigint")
    numbers = lake.spark.createDataFrame([(number,) for number in first.values()], "number long")
    return Past(first[pins[-1]["table_version"]], pins[0]["number"], numbers,
                stage.values(published, what.keys, what.measures, ["number"]), lake.read(table_of(product.id), note[NOTED]))


def frozen_of(what: Measured, past: Past, people: DataFrame, told: DataFrame, work: Workspace) -> DataFrame:
    """cell: those that stay as they were released last. To freeze one changes the sums it is part of, so they are asked again
    until none is left; the last release, where all are frozen, is one. Cells come first, without the sums."""
    frozen, newest = told.select("cell").limit(0), stage.last(past.history)
    for turn in count():
        held = work.keep("mine", stage.held(people, newest, frozen)) if turn else people
        found = found_in(what, past, held, stage.held(told, past.last, frozen), work, sums=turn > 0)
        new = work.keep(f"isolating{turn}", found.join(frozen, on="cell", how="left_anti"))
        if turn and new.isEmpty():
            return frozen
        frozen = work.keep(f"frozen{turn}", frozen.unionByName(new))
    raise AssertionError


def found_in(what: Measured, past: Past, people: DataFrame, told: DataFrame, work: Workspace, sums: bool = True) -> DataFrame:
    """cell: those of a candidate that are others than in the newest release and that must not be: for what they differ in
    themselves; where there are none and ``sums`` are asked, for what sums that they are part of differ in."""
    levels = what.product.differencing.levels if what.product.differencing else {}
    changed = work.keep("changes", stage.changes(people, past.history, past.numbers, sums))
    beside = work.keep("beside", stage.compared(changed, told, past.published, past.numbers))
    moved = beside.where(f"number = {past.newest}").select("cell").distinct()
    found = stage.isolating(beside, what.fewest).unionByName(
        stage.of_places(moved, stage.incoherent(told, what.cells[0])))
    own = work.keep("own", moved.join(found, on="cell", how="left_semi"))
    if not sums or not own.isEmpty():
        return own
    isolating = unions.isolating(unions.of_measures(beside, what.cells), people, past.history, what.keys, levels, what.fewest)
    return unions.cells_of(unions.of_measures(moved, what.cells), work.keep("unions", isolating), what.keys, levels)
