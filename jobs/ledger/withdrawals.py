"""What followed from people who do not permit any more: superseded releases, recalls, and how long each took."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.lake import Lake
from jobs.schema import arrow_schema

SUPERSEDED, RECALL, WITHDRAWAL = "ledger.superseded", "ledger.recall", "ledger.withdrawal"


def write(lake: Lake, table: str, rows: Sequence[dict[str, Any]]) -> bool:
    """Write entries in one commit, the same ones again without harm; whether there were any."""
    if rows:
        lake.merge_arrow(table, pa.Table.from_pylist(list(rows), schema=arrow_schema(lake.contract(table))))
    return bool(rows)


def superseded(lake: Lake, product: str, number: int | None = None) -> list[dict[str, Any]]:
    """The marks of a product's releases, or of one of them."""
    wanted = pc.field("product") == product
    if number is not None:
        wanted &= pc.field("number") == number
    return list(lake.arrow(SUPERSEDED, filters=wanted).to_pylist())


def recalls(lake: Lake, extract_id: str) -> list[dict[str, Any]]:
    """The recalls of an extract, the first first."""
    rows = lake.arrow(RECALL, filters=pc.field("extract_id") == extract_id).to_pylist()
    return sorted(rows, key=lambda row: row["number"])


def overview(lake: Lake) -> dict[str, Any]:
    """How many withdrawals reached a release or an extract, how long each kind took, and what they left behind."""
    rows = lake.arrow(WITHDRAWAL).to_pylist()
    marks = sorted(lake.arrow(SUPERSEDED).to_pylist(), key=lambda m: (m["release_group"], m["number"], m["product"]))
    return {"withdrawals": len({row["reference"] for row in rows}),
            "said_to_released": _spread([row for row in rows if row["effect"] == "released"]),
            "said_to_recalled": _spread([row for row in rows if row["effect"] == "recalled"]),
            "superseded": [{name: mark[name] for name in ("release_group", "number", "product", "because", "people")}
                           for mark in marks],
            "recalls": [{name: row[name] for name in ("extract_id", "number", "people", "destination")}
                        for row in sorted(lake.arrow(RECALL).to_pylist(), key=lambda r: (r["extract_id"], r["number"]))]}


def _spread(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """How many, and the median and 99th percentile of the seconds from the source's time to the effect; null where none.

    The percentile is definition 1 of Hyndman and Fan, "Sample Quantiles in Statistical Packages" (1996), the nearest
    rank: one of the measured times, never a mean of two. A source whose clock is ahead counts as 0.
    """
    seconds = [max(0.0, (row["effective_at"] - row["said_at"]).total_seconds()) for row in rows]
    p50, p99 = np.quantile(seconds, (0.5, 0.99), method="inverted_cdf").tolist() if seconds else (None, None)
    return {"count": len(seconds), "p50_seconds": p50, "p99_seconds": p99}
