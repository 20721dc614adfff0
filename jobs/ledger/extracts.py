"""Extracts, their approvals, and their deliveries, each of which is written down before it begins and when it is done."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from jobs.errors import NotApproved
from jobs.lake import Lake
from jobs.schema import arrow_schema

EXTRACT, APPROVAL, DISPATCH, DELIVERY = "ledger.extract", "ledger.approval", "ledger.dispatch", "ledger.delivery"


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


def sent(lake: Lake, recipient: str) -> list[dict[str, Any]]:
    """Extracts of a recipient that left or may have left, oldest first."""
    return [row for row in all_sent(lake) if row["recipient"] == recipient]


def all_sent(lake: Lake) -> list[dict[str, Any]]:
    """Extracts of all recipients that left or may have left, with destination and delivered_at, the oldest first.

    delivered_at is None where a delivery began and nobody knows how far it came: some of it or all may be with the recipient.
    """
    found = {row["extract_id"]: {"destination": row["destination"], "delivered_at": row.get("delivered_at")}
             for table in (DISPATCH, DELIVERY) for row in lake.arrow(table).to_pylist()}
    rows = [row for row in lake.arrow(EXTRACT).to_pylist() if row["extract_id"] in found]
    return sorted([{**row, **found[row["extract_id"]]} for row in rows], key=lambda row: row["prepared_at"])


def overview(lake: Lake) -> list[dict[str, Any]]:
    """Extracts, oldest first, each with its state: prepared, approved, rejected, leaving (its delivery began) or delivered."""
    states = {row["extract_id"]: row["decision"]
              for row in sorted(lake.arrow(APPROVAL).to_pylist(), key=lambda row: row["decided_at"])}
    for table, state in ((DISPATCH, "leaving"), (DELIVERY, "delivered")):
        states.update(dict.fromkeys(lake.arrow(table, columns=["extract_id"])["extract_id"].to_pylist(), state))
    rows = sorted(lake.arrow(EXTRACT).to_pylist(), key=lambda row: row["prepared_at"])
    return [{"extract": row["extract_id"], "recipient": row["recipient"], "release": row["release_number"], "rows": row["rows"],
             "state": states.get(row["extract_id"], "prepared")} for row in rows]
