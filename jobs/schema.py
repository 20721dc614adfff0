"""A contract's columns as Arrow and as Spark types: restated nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from jobs.errors import LakeError

if TYPE_CHECKING:
    from contracts.model import Table

ARROW = {"string": pa.string(), "double": pa.float64(), "long": pa.int64(), "int": pa.int32(), "boolean": pa.bool_(),
         "date": pa.date32(), "timestamp": pa.timestamp("us", "UTC"), "binary": pa.binary()}
SPARK = {"string": "string", "double": "double", "long": "bigint", "int": "int", "boolean": "boolean", "date": "date",
         "timestamp": "timestamp", "binary": "binary"}


def arrow_schema(table: Table) -> pa.Schema:
    """The table's Arrow schema; timestamps are microseconds in UTC."""
    return pa.schema([pa.field(c.name, ARROW[c.type], nullable=not c.required) for c in table.columns])


def ddl(table: Table) -> dict[str, str]:
    """Spark type of each column, by name."""
    return {c.name: SPARK[c.type] for c in table.columns}


def spark_schema(table: Table) -> str:
    """The table's schema as Spark reads it, for frames made from rows."""
    return ", ".join(f"`{name}` {kind}" for name, kind in ddl(table).items())


def refuse_other_columns(table: Table, held: set[str]) -> None:
    """Raise LakeError when a table in the lake has other columns than its contract: an engine would drop them in silence."""
    declared = {c.name for c in table.columns}
    if held != declared:
        raise LakeError(f"{table.name} in the lake has other columns than its contract ({', '.join(sorted(held ^ declared))}); "
                        "give the contract a new table name, or take the table away and conform or build it again")
