"""How Delta keeps a table: in parts, and with what it may note of the rows beside each file.

A part is a folder for each value of some columns, which can go for good with all that ever lay in it. Delta notes the least and
the greatest value of columns beside each file, in a log that is never cut: of a table about persons it notes columns alone that
tell of none, or the log would tell of rows that are gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from contracts.vocabulary import DataCategory
from jobs.versions import PROPERTIES

if TYPE_CHECKING:
    from contracts.model import Column, Table

IMPERSONAL = (DataCategory.TECHNICAL, DataCategory.AGGREGATED)
NOTHING = {"delta.dataSkippingNumIndexedCols": "0"}
OF = {"vault.pseudonym": ("domain", "epoch"), "vault.whereabouts": ("table_name",)}


def columns(name: str) -> list[str] | None:
    """The columns whose values make the parts of a table; None for a table that is one."""
    return list(OF[name]) if name in OF else None


def properties(table: Table) -> dict[str, str]:
    """The Delta properties of a table."""
    if all(column.category in IMPERSONAL for column in table.columns):
        return PROPERTIES
    noted = [c.name for c in table.columns if _is_noted(table, c)]
    return {**PROPERTIES, **({"delta.dataSkippingStatsColumns": ",".join(noted)} if noted else NOTHING)}


def _is_noted(table: Table, column: Column) -> bool:
    """Whether the log may note a column: names of records are a text too, and often those of persons."""
    return (column.category is DataCategory.TECHNICAL and (column.type != "string" or column.name == "batch_id")
            and column.name not in OF.get(table.name, ()))


def where(part: dict[str, Any]) -> str:
    """The condition that the rows of a part meet."""
    return " AND ".join(f"{column} = {value!r}" for column, value in part.items())


def folder(part: dict[str, Any]) -> str:
    """Where the files of a part lie, below its table."""
    return "/".join(f"{column}={value}" for column, value in part.items())
