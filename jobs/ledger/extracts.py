"""Extracts, their approvals and deliveries."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from jobs.errors import NotApproved
from jobs.lake import Lake
from jobs.schema import arrow_schema

EXTRACT, APPROVAL, DELIVERY = "ledger.extract", "ledger.approval", "ledger.delivery"


def write(lake: Lake, table: str, row: dict[str, Any]) -> None:
    """Write one entry; the same entry again changes nothing."""
    lake.merge_arrow(table, pa.Table.from_pylist([row], schema=arrow_schema(lake.contract(table))))


def find(lake: Lake, extract_id: str) -> dict[str, Any]:
    """The entry of an extract. Raises NotApproved when there is none."""
    rows = of(lake, EXTRACT, extract_id)
    if not rows:
        raise NotApproved(f"the ledger knows no extract {extract_id!r}; `concord extract list` shows those there are")
    return rows[0]


def of(lake: Lake, table: str, extract_id: str) -> list[dict[str, Any]]:
    """Entries of one extract in a table of this module."""
    return list(lake.arrow(table, filters=pc.field("extract_id") == extract_id).to_pylist())


def delivered(lake: Lake, recipient: str) -> list[dict[str, Any]]:
    """Extracts of a recipient that were delivered, oldest first."""
    return [row for row in all_delivered(lake) if row["recipient"] == recipient]


def all_delivered(lake: Lake) -> list[dict[str, Any]]:
    """Extracts of all recipients that were delivered, with delivered_at, the oldest first."""
    done = {row["extract_id"]: row["delivered_at"] for row in lake.arrow(DELIVERY).to_pylist()}
    rows = [row for row in lake.arrow(EXTRACT).to_pylist() if row["extract_id"] in done]
    return sorted([{**row, "delivered_at": done[row["extract_id"]]} for row in rows], key=lambda row: row["prepared_at"])


def overview(lake: Lake) -> list[dict[str, Any]]:
    """Extracts, oldest first, each with its state: prepared, approved, rejected or delivered."""
    decided = {row["extract_id"]: row["decision"]
               for row in sorted(lake.arrow(APPROVAL).to_pylist(), key=lambda row: row["decided_at"])}
    gone = set(lake.arrow(DELIVERY, columns=["extract_id"])["extract_id"].to_pylist())
    rows = sorted(lake.arrow(EXTRACT).to_pylist(), key=lambda row: row["prepared_at"])
    return [{"extract": row["extract_id"], "recipient": row["recipient"], "release": row["release_number"], "rows": row["rows"],
             "state": "delivered" if row["extract_id"] in gone else decided.get(row["extract_id"], "prepared")} for row in rows]
