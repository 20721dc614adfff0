"""What may be written as Arrow: a contract's columns and types, and keys that are there and distinct."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from contracts.model import Table
from jobs.errors import IntegrityError, LakeError
from jobs.schema import arrow_schema

Rows = Any  # pa.Table or pa.RecordBatchReader; pyarrow has no types


def refuse_columns(name: str, given: list[str], declared: list[str]) -> None:
    """Raise LakeError unless the columns are the declared ones."""
    strange, absent = sorted(set(given) - set(declared)), sorted(set(declared) - set(given))
    if strange:
        raise LakeError(f"{name}: columns {', '.join(strange)} are not declared; add them to the contract or drop them")
    if absent:
        raise LakeError(f"{name}: declared columns {', '.join(absent)} are not there; nothing was written")


def cast(name: str, rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """The rows in a schema. Raises LakeError."""
    try:
        return rows.select(schema.names).cast(schema)
    except (pa.ArrowInvalid, ValueError):
        raise LakeError(f"{name}: the rows do not have the types or the non-null columns of the contract") from None


def checked(name: str, rows: Rows, contract: Table) -> Rows:
    """The rows, or the stream of them, with the contract's types and with keys that are there and distinct."""
    schema = arrow_schema(contract)
    if isinstance(rows, pa.Table):
        rows = cast(name, rows, schema)
        refuse_keys(name, rows, contract.key)
        return rows
    chunks = (checked(name, pa.Table.from_batches([batch]), contract) for batch in rows)
    return pa.RecordBatchReader.from_batches(schema, (batch for chunk in chunks for batch in chunk.to_batches()))


def refuse_keys(name: str, rows: pa.Table, key: tuple[str, ...]) -> None:
    """Raise IntegrityError when a key is null or there twice."""
    keys = rows.select(list(key))
    if any(column.null_count for column in keys.columns):
        raise IntegrityError(f"{name}: a key of {', '.join(key)} is null; nothing was written")
    if keys.group_by(list(key)).aggregate([]).num_rows != rows.num_rows:
        raise IntegrityError(f"{name}: a key of {', '.join(key)} is there more than once; nothing was written")
