"""What noisy counts cost: paid before noise is drawn, and never paid back."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from contracts.model import Product
from jobs.errors import BudgetSpent
from jobs.lake import Lake
from jobs.schema import arrow_schema

TABLE = "ledger.privacy_budget"
CLOSE = 1e-9  # Sums of decimals may miss a round number by.


def pay(lake: Lake, product: Product, candidate: str, at: datetime) -> None:
    """Write what a candidate costs. Raises BudgetSpent where the product's period has no room for it, IntegrityError
    where another run paid meanwhile; then nothing is written."""
    assert product.differential_privacy is not None
    asked, rows = product.differential_privacy, of(lake, product.id)
    held = standing(product, rows, at)
    if held["spent"] + asked.epsilon > asked.budget + CLOSE:
        raise BudgetSpent(f"{product.id}: {held['spent']:g} of {asked.budget:g} epsilon is spent in the last {asked.period_days} "
                          f"days, and another candidate costs {asked.epsilon:g}; what was released stands, and there is room "
                          f"again from {held['room_at']:%Y-%m-%d %H:%M} UTC on (concord budget {product.id})")
    number = max((int(r["number"]) for r in rows), default=0) + 1
    row = {"product": product.id, "number": number, "candidate": candidate,
           "epsilon": asked.epsilon, "delta": asked.delta, "contract_version": product.version, "spent_at": at}
    lake.append_arrow(TABLE, pa.Table.from_pylist([row], schema=arrow_schema(lake.contract(TABLE))),
                      once=(f"budget.{product.id}", number))


def of(lake: Lake, product: str) -> list[dict[str, Any]]:
    """What a product cost so far, oldest first."""
    return sorted(lake.arrow(TABLE, filters=pc.field("product") == product).to_pylist(), key=lambda row: row["number"])


def standing(product: Product, rows: list[dict[str, Any]], at: datetime) -> dict[str, Any]:
    """How a product's budget stands: epsilon spent and left in the period that ends then, delta that came with it, when there is
    room for another candidate, and how many candidates were paid for in all."""
    assert product.differential_privacy is not None
    asked = product.differential_privacy
    period = timedelta(days=asked.period_days)
    recent = [row for row in rows if row["spent_at"] > at - period]
    spent, room_at = sum(row["epsilon"] for row in recent), at
    left = spent
    for row in recent:
        if left + asked.epsilon <= asked.budget + CLOSE:
            break
        left, room_at = left - row["epsilon"], row["spent_at"] + period
    return {"product": product.id, "epsilon": asked.epsilon, "budget": asked.budget, "period_days": asked.period_days,
            "spent": spent, "left": max(0.0, asked.budget - spent), "delta": sum(row["delta"] for row in recent),
            "room_at": room_at, "candidates": len(rows)}
