"""Ledgers made by hand, some hours ago, and how promises stand in them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts import catalog
from contracts.service_levels import ServiceLevel
from jobs.lake import Lake
from jobs.ledger import audit, releases, withdrawals
from jobs.run.freshness import overview
from jobs.settings import Settings
from tests.landing import lake_of

NOW = datetime.now(UTC)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Now is when a test begins, not when its module was read, which may be an hour before."""
    monkeypatch.setattr("tests.integration.looking.NOW", datetime.now(UTC))


def ago(hours: float) -> datetime:
    return NOW - timedelta(hours=hours)


def ran(home: Settings, stage: str, subject: str, hours: float, result: str = "unchanged", **detail: Any) -> None:
    """A run of a stage that ended some hours ago."""
    lake = lake_of(home)
    row = {"run_id": f"{stage}.{subject}.{hours}", "stage": stage, "subject": subject, "result": result,
           "detail": json.dumps(detail), "actor": "test", "about": "[]", "at": ago(hours)}
    audit.append(lake, row)


def level(home: Settings, subject: str, promise: str) -> dict[str, Any]:
    return next(row for row in overview(home)["levels"] if (row["subject"], row["promise"]) == (subject, promise))


def state(home: Settings, subject: str, promise: str) -> str:
    return str(level(home, subject, promise)["state"])


def kept(home: Settings) -> list[tuple[str, str, str, bool]]:
    """The breaches in the ledger: of whom, what, noticed by, whether closed."""
    return sorted((r["subject"], r["promise"], r["noticed_by"], r["closed_at"] is not None)
                  for r in lake_of(home).arrow("ledger.freshness").to_pylist())


def promising(patch: pytest.MonkeyPatch, product: str, promise: str, hours: float, element: str | None = None) -> None:
    made = ServiceLevel.model_validate({"promise": promise, "within": timedelta(hours=hours), "element": element, "driver": None})
    patch.setitem(catalog().products, product, catalog().products[product].model_copy(update={"service_levels": (made,)}))


def pinned(lake: Lake, number: int, hours: float, **versions: int) -> None:
    """A release of glucose_daily from tables at versions, some hours ago."""
    inputs = {name: versions.get(name.split(".")[1], lake.version(name)) for name in (
        "core.observation", "core.consent", "vault.link", "vault.held", "core.identity")}
    row = {"product": "glucose_daily", "table_version": number, "rows": 1, "contract_version": "1.0.0", "contract_sha256": "x",
           "inputs": json.dumps(inputs), "use": "{}", "decided_at": ago(hours)}
    releases.pin(lake, "engagement", number, [row], ago(hours))


def withdrawn(lake: Lake, subject: str, effect: str, said: float, effective: float) -> None:
    withdrawals.write(lake, withdrawals.WITHDRAWAL, [{
        "reference": "r", "product": "glucose_daily", "subject": subject, "effect": effect, "source": "crm", "said_at": ago(said),
        "known_at": None, "effective_at": ago(effective)}])
