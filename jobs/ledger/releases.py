"""Releases: the table versions of a release group, pinned in one commit. Readers go through the pin."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from jobs.errors import IntegrityError
from jobs.lake import Lake
from jobs.schema import arrow_schema

TABLE = "ledger.release"


def of(lake: Lake, group: str) -> list[dict[str, Any]]:
    """Every pin of a group, oldest first."""
    rows = lake.arrow(TABLE, filters=pc.field("release_group") == group).to_pylist()
    return sorted(rows, key=lambda r: (r["number"], r["product"]))


def every(lake: Lake) -> list[dict[str, Any]]:
    """Every pin of any group, oldest first."""
    return sorted(lake.arrow(TABLE).to_pylist(), key=lambda r: (r["released_at"], r["release_group"], r["number"], r["product"]))


def unpin(lake: Lake, pins: Sequence[dict[str, Any]]) -> None:
    """Take pins back in one commit: their versions are no release any more."""
    gone = pa.Table.from_pylist(list(pins), schema=arrow_schema(lake.contract(TABLE)))
    lake.merge_arrow(TABLE, gone.slice(0, 0), gone=gone)


def latest(lake: Lake, group: str) -> dict[str, dict[str, Any]]:
    """The pins of a group's newest release by product; empty before the first."""
    rows = of(lake, group)
    newest = max((r["number"] for r in rows), default=0)
    return {r["product"]: r for r in rows if r["number"] == newest}


def pin(lake: Lake, group: str, number: int, rows: Sequence[dict[str, Any]], at: datetime) -> None:
    """Pin a release in one commit. Raises IntegrityError for a number that is taken, whoever took it, and for no rows, since a
    number that no row has would be taken for good."""
    if not rows:
        raise IntegrityError(f"release {number} of {group} has no product; name those whose candidates are ready")
    if (lake.done(TABLE, f"release.{group}") or 0) >= number:
        raise IntegrityError(f"release {number} of {group} was pinned by another run; nothing was pinned now")
    full = [{"release_group": group, "number": number, "released_at": at, **row} for row in rows]
    table = pa.Table.from_pylist(full, schema=arrow_schema(lake.contract(TABLE)))
    lake.append_arrow(TABLE, table, once=(f"release.{group}", number))
