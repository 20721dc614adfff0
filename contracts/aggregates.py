"""What an aggregate must say so that nobody can be told from its counts.

Every function raises ValueError; the first words of its text lead to the line that is wrong.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from contracts.table import ALL, NUMBERS, Column, Table
from contracts.vocabulary import Treatment

if TYPE_CHECKING:
    from contracts.model import Product


def refuse_unfit_aggregate(product: Product) -> None:
    """Its minimum cell and rounding, its cells, the columns beside them, and the totals over some of these."""
    if not (product.minimum_cell and product.counts_people):
        raise ValueError("minimumCell or countsPeople is null; an aggregate needs both: a number, for example 7, and "
                         "the column that counts people")
    if product.rounding is None:
        raise ValueError("rounding is null; an aggregate's counts are rounded to a multiple of it, for example 5")
    if not product.cell_columns:
        raise ValueError("cellColumns is empty; name every column that counts people or things, for example "
                         f"[{product.counts_people}]")
    refuse_strange_names(product.table, "countsPeople", (product.counts_people,))
    refuse_strange_names(product.table, "cellColumns", product.cell_columns)
    for column in product.table.columns:
        if column.name in (product.counts_people, *product.cell_columns):
            _refuse_unfit_cell(column)
        else:
            _refuse_unprotected(column)
    _refuse_unfit_totals(product)
    _refuse_unkept_privacy(product)


def _refuse_unfit_cell(column: Column) -> None:
    said = f"column {column.name} is a cell column"
    if column.treatment is not Treatment.AGGREGATE:
        raise ValueError(f"{said} but its treatment is {column.treatment}; write treatment aggregate, or take it out of "
                         "cellColumns")
    if column.derived:
        raise ValueError(f"{said} and derived; take one out: cells are counted, derived columns follow from cells")
    if column.type != "long":
        raise ValueError(f"{said} but {column.type}; cells are counts: write physicalType: long")


def _refuse_unprotected(column: Column) -> None:
    """A column of an aggregate that is no cell: what is not derived from cells may neither count nor measure."""
    if column.treatment is Treatment.PSEUDONYM:
        raise ValueError(f"column {column.name} is a pseudonym: an aggregate has none; drop it, or name a pseudonymDomain")
    if column.treatment is Treatment.KEEP and column.derived:
        raise ValueError(f"column {column.name} is derived but its treatment is keep; write treatment aggregate")
    if column.treatment is Treatment.KEEP and column.type in NUMBERS:
        raise ValueError(f"column {column.name} is a number and kept; an aggregate's numbers are counts or derived from "
                         "them: write treatment aggregate, or make it a string or date")
    if column.treatment is Treatment.AGGREGATE and not column.derived:
        raise ValueError(f"column {column.name} is an aggregate but neither in cellColumns nor derived from what is; add "
                         "it to cellColumns, or write {property: derived, value: true} and make it in derive(protected)")
    if column.derived and column.required:
        raise ValueError(f"column {column.name} is derived and required; take required out: it is null where too few are "
                         "counted")


def _refuse_unfit_totals(product: Product) -> None:
    """A total has the mark in the columns it is over, so these are text of the key whose rules let the mark in."""
    refuse_strange_names(product.table, "totals", product.totals)
    for name in product.totals:
        column, said = product.table.column(name), f"totals names {name}"
        if product.totals.count(name) > 1:
            raise ValueError(f"{said} twice; keep one")
        if column.key is None or column.type != "string":
            raise ValueError(f"{said}, which is no text of the key; a total says {ALL} there: name key columns that are strings")
        if column.allowed_values is not None and ALL not in column.allowed_values:
            raise ValueError(f"{said}, but a total says {ALL} there, which is not in allowedValues of {name}; write its values "
                             f"and {ALL} as a list")
        if column.pattern is not None and not re.search(column.pattern, ALL):
            raise ValueError(f"{said}, but a total says {ALL} there, which the pattern of {name} does not match; write "
                             f"'^({ALL}|...)$'")


def _refuse_unkept_privacy(product: Product) -> None:
    """What stands beside noisy counts must not undo them."""
    if product.differential_privacy is None:
        return
    off, said = "{property: differentialPrivacy, value: null}", "differentialPrivacy stands beside"
    if product.legal_basis.rests_on_consent:
        raise ValueError(f"{said} consent, which brings a consent-loss report, whose counts are not noisy; write {off}")
    if product.totals:
        raise ValueError(f"{said} totals, which would cost as much again, and readers can add up noisy counts; write "
                         f"{{property: totals, value: []}} or {off}")
    if product.dominance is not None:
        raise ValueError(f"{said} dominance, but its cells are counts of people; write {{property: dominance, value: null}} "
                         f"or {off}")


def refuse_strange_names(table: Table, key: str, names: tuple[str, ...]) -> None:
    """Names of a property that are no columns of the table."""
    known = [c.name for c in table.columns]
    for name in names:
        if name not in known:
            raise ValueError(f"{key} names {name}, which is no column; there are {', '.join(known)}")
