"""Counting: rows about persons become an aggregate's cells, with totals or with noise where its contract asks for them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from contracts import ContractError
from contracts.model import Product
from contracts.table import ALL
from jobs.errors import IntegrityError
from jobs.lake import Lake
from jobs.ledger import budgets
from jobs.stages import cells, noise
from jobs.workspace import Workspace

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def counted(lake: Lake, product: Product, candidate: str, built: DataFrame, work: Workspace, now: datetime) -> DataFrame:
    """What a product's ``build`` gave, counted unless it is counts already: with hidden_<cell> beside totals, or noisy.

    Noise is paid for before it is drawn. Raises ContractError where the contract asks for what cannot be counted, IntegrityError
    where a value looks like a total, BudgetSpent where noise costs more than is left.
    """
    if cells.PERSON not in built.columns:
        _refuse_uncountable(product)
        return built
    assert product.counts_people is not None and product.minimum_cell is not None
    keys, asked = product.table.key, (product.counts_people, product.cell_columns)
    private = product.differential_privacy
    if private is not None:
        people = noise.bounded(work.keep("people", built), keys, private.cells_per_person)
        exact = _held(product, cells.count(people, keys, *asked, []), work)
        budgets.pay(lake, product, candidate, now)
        return noise.drawn(exact, keys, *asked, private)
    if not product.totals:
        return cells.count(built, keys, *asked, [])
    people = work.keep("people", built)
    if cells.is_marked(people, product.totals):
        raise IntegrityError(f"{product.id}: a row says {ALL} in one of {', '.join(product.totals)}, as totals do; nothing was "
                             f"built, make jobs/products/{product.id}.py say another word")
    exact = _held(product, cells.count(people, keys, *asked, product.totals), work)
    return cells.complemented(exact, keys, *asked, product.totals, product.minimum_cell)


def _refuse_uncountable(product: Product) -> None:
    for name, value, none in (("totals", product.totals, "[]"), ("differentialPrivacy", product.differential_privacy, "null")):
        if value:
            raise ContractError(f"{product.path} asks for {name}, but jobs/products/{product.id}.py gives no column "
                                f"{cells.PERSON} to count people by; give a row a person and cell, or write {{property: {name}, "
                                f"value: {none}}}")


def _held(product: Product, exact: DataFrame, work: Workspace) -> DataFrame:
    """Exact counts, written aside. Raises ContractError where they are too many to be protected together."""
    held = work.keep("counted", exact)
    if (found := held.count()) > cells.MOST_ROWS:
        raise ContractError(f"{product.path} asks for totals or noise of {found:,} rows, and at most {cells.MOST_ROWS:,} can be "
                            "protected together; take a column out of totals, or make columns coarser")
    return held
