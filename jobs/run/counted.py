"""Counting: rows about persons become an aggregate's cells, with noise where its contract asks for it."""

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
    """What a product's ``build`` gave, counted unless it is counts already, perhaps noisy.

    Noise is paid for before it is drawn. Raises ContractError where the contract asks for what cannot be counted, BudgetSpent
    where noise costs more than is left.
    """
    if cells.PERSON not in built.columns:
        _refuse_uncountable(product)
        return built
    assert product.counts_people is not None and product.minimum_cell is not None
    keys, asked = product.table.key, (product.counts_people, product.cell_columns)
    private = product.differential_privacy
    if private is not None:
        rows = noise.bounded(work.keep("people", built), keys, private.cells_per_person)
        exact = _held(product, cells.count(rows, keys, *asked), work)
        budgets.pay(lake, product, candidate, now)
        return noise.drawn(exact, keys, *asked, private)
    return cells.count(built, keys, *asked)


def people(product: Product, built: DataFrame, work: Workspace) -> DataFrame:
    """Rows about persons, of which totals can be counted. Raises ContractError where they name nobody, IntegrityError where one
    says what a total does."""
    if cells.PERSON not in built.columns:
        _refuse_uncountable(product)
    rows = work.keep("people", built)
    if cells.is_marked(rows, product.totals):
        raise IntegrityError(f"{product.id}: a row says {ALL} in one of {', '.join(product.totals)}, as totals do; nothing was "
                             f"built, make jobs/products/{product.id}.py say another word")
    return rows


def _refuse_uncountable(product: Product) -> None:
    for name, value, none in (("totals", product.totals, "[]"), ("differentialPrivacy", product.differential_privacy, "null")):
        if value:
            raise ContractError(f"{product.path} asks for {name}, but jobs/products/{product.id}.py gives no column "
                                f"{cells.PERSON} to count people by; give a row a person and cell, or write {{property: {name}, "
                                f"value: {none}}}")


def _held(product: Product, exact: DataFrame, work: Workspace) -> DataFrame:
    """Exact counts, written aside. Raises ContractError where they are too many."""
    held = work.keep("counted", exact)
    if (found := held.count()) > cells.MOST_ROWS:
        raise ContractError(f"{product.path} asks for noise of {found:,} rows, and at most {cells.MOST_ROWS:,} can be "
                            "drawn together; make columns coarser")
    return held
