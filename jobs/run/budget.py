"""budget: what is spent of the privacy budgets that products' contracts give."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from contracts.load import catalog
from jobs.lake import Lake
from jobs.ledger import budgets
from jobs.settings import Settings


def overview(settings: Settings, product: str | None = None) -> list[dict[str, Any]]:
    """How the budget of each product with noisy counts stands now, or of one, as ``budgets.standing`` tells."""
    contracts, now = catalog(), datetime.now(UTC)
    lake = Lake(settings.lake_root, contracts.tables)
    return [budgets.standing(each, budgets.of(lake, each.id), now) for each in contracts.products.values()
            if each.differential_privacy is not None and product in (None, each.id)]
