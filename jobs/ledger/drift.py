"""What payloads of sources looked like so far, and the changes that were noticed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from contracts.vocabulary import DriftEffect
from jobs.drift.changes import Change, Known, words
from jobs.lake import Lake
from jobs.schema import arrow_schema

SHAPE, DRIFT = "ledger.shape", "ledger.drift"
Rows = list[dict[str, Any]]


def shapes(lake: Lake, source: str) -> dict[str, Rows]:
    """What is kept of each stream of a source: a row for each place."""
    found: dict[str, Rows] = {}
    for row in lake.arrow(SHAPE, filters=pc.field("source") == source).to_pylist():
        found.setdefault(row["stream"], []).append(row)
    return found


def known(rows: Rows) -> dict[str, Known]:
    """What is known of a stream by place."""
    return {row["place"]: Known(frozenset(row["types"].split(", ")), row["looked"], row["seen"], row["missing"], row["longest"])
            for row in rows}


def keep(lake: Lake, source: str, number: int, streams: Mapping[str, Mapping[str, Known]], held: Mapping[str, Rows],
         at: datetime) -> None:
    """Write what is known of streams since batch ``number``, received at ``at``, in one commit; ``held`` is what was kept."""
    first = {(row["stream"], row["place"]): row for rows in held.values() for row in rows}
    rows: Rows = []
    for stream, places in streams.items():
        for place, now in places.items():
            before = first.get((stream, place), {"first_seen_at": at, "last_seen_at": at})
            rows.append({"source": source, "stream": stream, "place": place, "types": words(now.types), "looked": now.looked,
                         "seen": now.seen, "missing": now.missing, "longest": now.longest, "number": number,
                         "first_seen_at": before["first_seen_at"],
                         "last_seen_at": before["last_seen_at"] if now.missing else at})
    _merge(lake, SHAPE, rows)


def write(lake: Lake, source: str, batch: str, found: Iterable[tuple[Change, str]], version: str, at: datetime) -> None:
    """Write the changes of a batch, each with its effect; those of an earlier try of the batch stay, but for the same places."""
    _merge(lake, DRIFT, [
        {"batch_id": batch, "stream": change.stream, "place": change.place, "kind": str(change.kind), "source": source,
         "types_before": change.before, "types_after": change.after, "is_read": change.is_read, "effect": str(effect),
         "contract_version": version, "noticed_at": at} for change, effect in found])


def noticed(lake: Lake, source: str | None = None) -> Rows:
    """Changes of a source, or of all, newest first."""
    rows = lake.arrow(DRIFT, filters=pc.field("source") == source if source else None).to_pylist()
    return sorted(rows, key=lambda row: (-row["noticed_at"].timestamp(), row["batch_id"], row["stream"], row["place"]))


def frozen(lake: Lake) -> set[str]:
    """Batches that a change froze, those that were conformed since among them."""
    rows = lake.arrow(DRIFT, columns=["batch_id"], filters=pc.field("effect") == str(DriftEffect.FROZEN))
    return set(rows["batch_id"].to_pylist())


def _merge(lake: Lake, table: str, rows: Rows) -> None:
    lake.merge_arrow(table, pa.Table.from_pylist(rows, schema=arrow_schema(lake.contract(table))))
