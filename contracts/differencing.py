"""Differencing: how many people at least must make the difference between two releases of an aggregate, and over what sums.

Whom each published cell counts is kept beside the product, in the vault, since only that tells how two of them differ.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from contracts.table import Frozen, Name
from contracts.vocabulary import Term

if TYPE_CHECKING:
    from contracts.model import Product

TEMPLATE = "vault.any__cells"
NOTED = "cells"  # The key of a candidate's note under which the version of its table stands.


class Level(Term):
    """What days may be put together to; weeks begin on Mondays."""

    WEEK = "week", None
    MONTH = "month", None
    QUARTER = "quarter", None
    YEAR = "year", None


class Differencing(Frozen):
    """``people``: the fewest who may make a difference. ``levels``: for each date of the key, what its cells may be summed to,
    beside all of them, over which every column of the key may be summed."""

    people: Annotated[int, Field(ge=2)]
    levels: dict[Name, tuple[Level, ...]]


def table_of(product: str) -> str:
    """Name of the table that holds whom a product's cells count."""
    return TEMPLATE.replace("any", product)


def refuse_unfit(product: Product) -> None:
    """Raise ValueError unless an aggregate's differencing fits its minimum and its key; null where it has noise."""
    asked, example = product.differencing, (product.minimum_cell or 7) + 1
    dates = [name for name in product.table.key if product.table.column(name).type == "date"]
    levels = ", ".join(f"{name}: [quarter, year]" for name in dates)
    if product.differential_privacy:
        if asked is not None:
            raise ValueError("differencing stands beside differentialPrivacy: noise is itself what protects one release beside "
                             "another, as far as its budget goes, and a cell that stays as it was is not drawn anew; write "
                             "{property: differencing, value: null}, or {property: differentialPrivacy, value: null}")
        return
    if asked is None:
        raise ValueError(f"differencing is null; an aggregate is compared with its earlier releases: write {{people: {example}, "
                         f"levels: {{{levels}}}}}")
    if asked.people <= (product.minimum_cell or 0):
        raise ValueError(f"differencing lets {asked.people} people be told by a difference, fewer than a cell must count; write "
                         f"people: {example} or more")
    if sorted(asked.levels) != sorted(dates):
        raise ValueError(f"differencing gives levels for {', '.join(asked.levels) or 'nothing'}, but the dates of the key are "
                         f"{', '.join(dates) or 'none'}; write levels: {{{levels}}}")
