"""What was removed because its time was over, and what is kept past it."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from jobs.lake import Lake
from jobs.schema import arrow_schema

TABLE = "ledger.retention"


def last(lake: Lake, table: str, scope: str) -> dict[str, Any] | None:
    """The newest entry of a table and scope; one whose ``at`` is null is of a run that was killed."""
    rows = lake.arrow(TABLE, filters=(pc.field("table_name") == table) & (pc.field("scope") == scope)).to_pylist()
    return max(rows, key=lambda row: row["number"], default=None)


def write(lake: Lake, row: dict[str, Any]) -> None:
    """Write an entry, in place of what an earlier try wrote of it."""
    lake.merge_arrow(TABLE, pa.Table.from_pylist([row], schema=arrow_schema(lake.contract(TABLE))))
