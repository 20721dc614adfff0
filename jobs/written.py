"""What may be written, as Arrow or as a frame: a contract's columns and types, and keys that are there and distinct."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from jobs.errors import IntegrityError, LakeError
from jobs.schema import arrow_schema, ddl
from jobs.stamps import SOURCE, TARGET

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from contracts.model import Table

Rows = Any  # pa.Table or pa.RecordBatchReader; pyarrow has no types
GONE = "is_gone"


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


def with_gone(rows: pa.Table, gone: pa.Table) -> pa.Table:
    """Rows to write and, marked by the column ``GONE``, the keys of rows to delete."""
    kept = pa.schema([f.with_nullable(True) for f in rows.schema])
    marked = [part.append_column(GONE, pa.array([is_gone] * part.num_rows, pa.bool_())) for part, is_gone in (
        (rows.cast(kept), False), (gone.cast(pa.schema([kept.field(n) for n in gone.column_names])), True))]
    return pa.concat_tables(marked, promote_options="default")


def refuse_keys(name: str, rows: pa.Table, key: tuple[str, ...]) -> None:
    """Raise IntegrityError when a key is null or there twice."""
    keys = rows.select(list(key))
    if any(column.null_count for column in keys.columns):
        raise IntegrityError(f"{name}: a key of {', '.join(key)} is null; nothing was written")
    if keys.group_by(list(key)).aggregate([]).num_rows != rows.num_rows:
        raise IntegrityError(f"{name}: a key of {', '.join(key)} is there more than once; nothing was written")


def refuse_frame_keys(name: str, rows: DataFrame, key: tuple[str, ...]) -> None:
    """Raise IntegrityError when a key of a frame is null or there twice."""
    from pyspark.sql import functions as F

    nulls = F.sum(F.when(F.greatest(*[F.col(k).isNull() for k in key]) if len(key) > 1
                         else F.col(key[0]).isNull(), 1).otherwise(0))
    counts = rows.groupBy(*key).agg(F.count("*").alias("n"))
    row = counts.agg(F.sum(F.when(F.col("n") > 1, 1).otherwise(0)).alias("twice"), nulls.alias("nulls")).collect()[0]
    if row["nulls"]:
        raise IntegrityError(f"{name}: {row['nulls']} rows have a null in the key {', '.join(key)}; nothing was written")
    if row["twice"]:
        raise IntegrityError(f"{name}: {row['twice']} keys ({', '.join(key)}) are there more than once; nothing was written")


def column_names(contract: Table) -> list[str]:
    """Column names of a table, in its contract's order."""
    return [c.name for c in contract.columns]


def sound(name: str, rows: DataFrame, contract: Table, gone: str | None = None) -> DataFrame:
    """A frame with the contract's columns and types, and with the column ``gone`` where one is named.

    Raises LakeError for other columns, IntegrityError when a key is null or there twice.
    """
    from pyspark.sql import functions as F

    refuse_columns(name, [c for c in rows.columns if c != gone], column_names(contract))
    refuse_frame_keys(name, rows, contract.key)
    types = ddl(contract)
    return rows.select(*[F.col(n).cast(types[n]).alias(n) for n in column_names(contract)], *([gone] if gone else []))



def merge_statement(path: str, view: str, contract: Table, gone: str | None) -> str:
    """What inserts or updates a view's rows by the contract's key, and deletes those where the column ``gone`` is true."""
    names = column_names(contract)
    on = " AND ".join(f"{TARGET}.{k} = {SOURCE}.{k}" for k in contract.key)
    sets = ", ".join(f"{TARGET}.{n} = {SOURCE}.{n}" for n in names)
    columns, values = ", ".join(names), ", ".join(f"{SOURCE}.{n}" for n in names)
    delete = f"WHEN MATCHED AND {SOURCE}.{gone} THEN DELETE " if gone else ""
    keep = f"AND NOT {SOURCE}.{gone} " if gone else ""
    return (f"MERGE INTO delta.`{path}` {TARGET} USING {view} {SOURCE} ON {on} {delete}"  # noqa: S608
            f"WHEN MATCHED THEN UPDATE SET {sets} WHEN NOT MATCHED {keep}THEN INSERT ({columns}) VALUES ({values})")
