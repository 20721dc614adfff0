"""An aggregate: people counted into cells, cells protected, and compared with all that was released of them."""

from __future__ import annotations

from datetime import datetime
from types import ModuleType
from typing import TYPE_CHECKING, Any

from contracts import ContractError
from contracts.model import Product
from jobs.ledger import accounts
from jobs.ledger.accounts import Entry
from jobs.run import counted, differencing
from jobs.run.shell import Shell
from jobs.stages import cells, protect
from jobs.workspace import Workspace

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def made(shell: Shell, product: Product, module: ModuleType, inputs: dict[str, DataFrame], candidate: str, work: Workspace,
         now: datetime) -> tuple[DataFrame, list[Entry], differencing.Told]:
    """The rows that may be released, the account of all, and what is kept of whom they count.

    module: the product's code. Raises ContractError where it does not make what the contract asks for, BudgetSpent.
    """
    assert product.counts_people is not None and product.minimum_cell is not None
    said, derive = module.build(**inputs), getattr(module, "derive", None)
    if product.totals:
        return _totalled(shell, product, said, derive, work)
    built = work.keep("built", counted.counted(shell.lake, product, candidate, said, work, now))
    _refuse_unweighed(product, built.columns)
    fresh = protect.suppress(built, product.counts_people, product.cell_columns, product.minimum_cell, product.rounding,
                             product.dominance)
    fresh = derive(fresh) if derive else fresh
    if product.differencing:
        members = _members(product, module, inputs, said)
        rows, told = differencing.guarded(shell, product, fresh, members, derive, work)
        return *_compared(product, built, work.keep("guarded", rows)), told
    found = protect.account(protect.mark_cells(built, product.counts_people, product.minimum_cell)).collect()
    entries = [Entry(product.table.name, r["outcome"], r["reason_code"], r["rows"]) for r in found]
    accounts.hold(product.id, built.count(), entries)
    return fresh, entries, differencing.Told()


def _totalled(shell: Shell, product: Product, said: DataFrame, derive: Any,
              work: Workspace) -> tuple[DataFrame, list[Entry], differencing.Told]:
    """The same with totals: what is counted are the people who are held, each once in a total."""
    people = counted.people(product, said, work)
    _refuse_unweighed(product, people.columns)
    keys, asked = product.table.key, (str(product.counts_people), product.cell_columns)
    assert product.minimum_cell is not None
    held, told = differencing.totalled(shell, product, cells.members(people, keys, *asked), work)
    rows = protect.suppress(held.exact, *asked, product.minimum_cell, product.rounding, product.dominance)
    found = protect.account(protect.mark_cells(held.exact, asked[0], product.minimum_cell)).collect()
    entries = [Entry(product.table.name, r["outcome"], r["reason_code"], r["rows"]) for r in found]
    accounts.hold(product.id, held.exact.count(), entries)
    return derive(rows) if derive else rows, entries, told


def _members(product: Product, module: ModuleType, inputs: dict[str, DataFrame], said: DataFrame) -> DataFrame:
    """What each person adds to the cells: as the product's code says, or from its rows where these are about persons."""
    if hasattr(module, "members"):
        found: DataFrame = module.members(**inputs)
        return found
    if cells.PERSON not in said.columns:
        raise ContractError(f"{product.path} asks for differencing, but jobs/products/{product.id}.py "
                            f"gives no column {cells.PERSON} and has no function members; write one of them")
    return cells.members(said, product.table.key, str(product.counts_people), product.cell_columns)


def _compared(product: Product, built: DataFrame, rows: DataFrame) -> tuple[DataFrame, list[Entry]]:
    """The same where rows were compared with earlier ones. A row that is as it was released last counts as it did then, so those
    that are built and those that are released are considered."""
    keys = product.table.key
    considered = built.select(*keys).unionByName(rows.select(*keys)).distinct()
    left_out = considered.join(rows, on=list(keys), how="left_anti").count()
    entries = [Entry(product.table.name, "released", "-", rows.count()),
               Entry(product.table.name, "suppressed", protect.SMALL, left_out)]
    accounts.hold(product.id, considered.count(), entries)
    return rows, [entry for entry in entries if entry.rows]


def _refuse_unweighed(product: Product, columns: list[str]) -> None:
    """Raise ContractError where a product asks for dominance and a cell of events does not come with its greatest part."""
    events = [c for c in product.cell_columns if protect.PEOPLE_IN + c in columns]
    missing = [c for c in events if protect.MOST_IN + c not in columns]
    if product.dominance is not None and (missing or not events):
        raise ContractError(f"{product.path} gives a dominance, but jobs/products/{product.id}.py makes no {protect.MOST_IN}"
                            f"{(missing or ['<cell>'])[0]}; make it, or write {{property: dominance, value: null}}")
