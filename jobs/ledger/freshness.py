"""Promises that were broken, and when somebody looked last."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from jobs.lake import Lake
from jobs.schema import arrow_schema

TABLE, STAGE, LOOKED = "ledger.freshness", "freshness", "looked_at"
Rows = list[dict[str, Any]]


def of(lake: Lake) -> Rows:
    """Every breach, the first that was due first."""
    return sorted(lake.arrow(TABLE).to_pylist(), key=lambda row: (row["due_at"], row["subject"], row["promise"]))


def write(lake: Lake, rows: Sequence[dict[str, Any]]) -> bool:
    """Write breaches in one commit, the same ones again without harm; whether there were any."""
    if rows:
        lake.merge_arrow(TABLE, pa.Table.from_pylist(list(rows), schema=arrow_schema(lake.contract(TABLE))))
    return bool(rows)


def looked_at(runs: Iterable[dict[str, Any]]) -> datetime | None:
    """As of when breaches were looked for last, among the runs of the audit; None before the first time."""
    moments = [datetime.fromisoformat(json.loads(run["detail"])[LOOKED]).astimezone(UTC) for run in runs if run["stage"] == STAGE]
    return max(moments, default=None)
