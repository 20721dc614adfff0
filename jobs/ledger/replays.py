"""Replays: which records they took up, and whether they came to their end, which their account tells."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from jobs.lake import Lake
from jobs.ledger import accounts

STAGE, TAKEN = "replay", "taken"  # What became of the records of a replay, and what they were before it.


def of(source: str, intakes: Collection[str]) -> set[str]:
    """Those of some intakes that are replays of a source; the others are batches."""
    return {name for name in intakes if name.startswith(replay_id(source, 0).removesuffix("000000"))}


def replay_id(source: str, number: int) -> str:
    """The name of a replay."""
    return f"{source}.replay-{number:06d}"


def last(lake: Lake, source: str) -> tuple[int, datetime | None]:
    """Number of a source's last replay (0 before the first), and when it began, if it did not come to its end.

    Retention takes the pointers of those that came to their end, whose numbers their accounts keep.
    """
    rows = lake.arrow(f"raw.{source}__replayed", columns=["replay_id", "taken_at"])
    begun = dict(zip(rows["replay_id"].to_pylist(), rows["taken_at"].to_pylist(), strict=True))
    ended = finished(lake).keys()
    newest = max(begun.keys() | of(source, ended), default=None)
    if newest is None:
        return 0, None
    return int(newest.rpartition("-")[2]), None if newest in ended else begun[newest]


def finished(lake: Lake) -> dict[str, datetime]:
    """When each replay of any source came to its end."""
    return {row["subject"]: row["written_at"] for row in lake.arrow(accounts.TABLE).to_pylist() if row["stage"] == STAGE}


def entries(lake: Lake, source: str) -> list[dict[str, Any]]:
    """The accounts of a source's replays."""
    rows = lake.arrow(accounts.TABLE).to_pylist()
    mine = of(source, {row["subject"] for row in rows})
    return [row for row in rows if row["subject"] in mine]
