"""Landed batches and which of them wait to be conformed."""

from __future__ import annotations

from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from jobs.lake import Lake
from jobs.schema import arrow_schema

TABLE = "ledger.batch"


def record(lake: Lake, source: str, number: int, rows: int, landed_at: datetime,
           conformed_at: datetime | None = None) -> None:
    """Write or update the entry of a batch."""
    row = {"batch_id": batch_id(source, number), "source": source, "number": number, "rows": rows,
           "landed_at": landed_at, "conformed_at": conformed_at}
    lake.merge_arrow(TABLE, pa.Table.from_pylist([row], schema=arrow_schema(lake.contract(TABLE))))


def of(lake: Lake, source: str) -> list[dict]:
    """Every batch of a source, oldest first."""
    rows = lake.arrow(TABLE).filter(pc.field("source") == source).to_pylist()
    return sorted(rows, key=lambda row: row["number"])


def waiting(lake: Lake, source: str) -> list[dict]:
    """Batches of a source that have not been conformed, oldest first."""
    return [row for row in of(lake, source) if row["conformed_at"] is None]


def conformed(lake: Lake) -> dict[str, datetime | None]:
    """When each batch of any source was conformed; None while it waits."""
    found = lake.arrow(TABLE, columns=["batch_id", "conformed_at"])
    return dict(zip(found["batch_id"].to_pylist(), found["conformed_at"].to_pylist(), strict=True))


def batch_id(source: str, number: int) -> str:
    """The name of a batch."""
    return f"{source}.{number:06d}"
