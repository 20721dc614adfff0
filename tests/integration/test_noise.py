"""A product with noisy counts: paid for before noise is drawn, drawn once for the same data, refused when the budget is spent."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from contracts import ContractError, catalog
from contracts.differential_privacy import DifferentialPrivacy
from jobs.cli import app
from jobs.errors import BudgetSpent, IntegrityError
from jobs.lake import Lake
from jobs.ledger import accounts, budgets
from jobs.read import released
from jobs.run.product import account_of, build
from jobs.run.release import release
from jobs.settings import Settings
from jobs.stages import noise
from tests import small_lake

PRODUCT, TABLE = "optin_rates", "product.optin_rates"
PRIVATE = DifferentialPrivacy(epsilon=1, delta=1e-7, cells_per_person=2, budget=2.5, period_days=30)
PEOPLE = 400


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, engine: str) -> Settings:
    """A release, and a lake in which many people were asked about marketing since."""
    made = small_lake.settings(tmp_path_factory.mktemp("noise"), engine)
    lake = small_lake.fill(made)
    small_lake.released(made)
    small_lake.append(lake, "core.consent", [
        {**small_lake.statement(f"asked-{n}", "brand_communication", decision="permit" if n % 2 else "deny"), "channel_code": channel,
         "country_code": "DE"} for n in range(PEOPLE) for channel in ("email", "phone", "app", "post")[:1 + n % 4]], "crm.000002")
    return made


@pytest.fixture
def noisy(home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Its copy, in which opt-in rates are to be noisy."""
    edit(monkeypatch, "first")
    return small_lake.copy(home, tmp_path / "home")


def edit(monkeypatch: pytest.MonkeyPatch, sha256: str, product: str = PRODUCT) -> None:
    known = catalog()
    monkeypatch.setitem(known.products, product, known.products[product].model_copy(
        update={"totals": (), "dominance": None, "differencing": None, "differential_privacy": PRIVATE, "sha256": sha256}))


def lake(made: Settings) -> Lake:
    return Lake(made.lake_root, catalog().tables)


def spent(made: Settings) -> list[dict[str, Any]]:
    return budgets.of(lake(made), PRODUCT)


def counts(made: Settings) -> list[str]:
    return sorted(map(str, lake(made).arrow(TABLE).to_pylist()))


def test_a_candidate_is_noisy_paid_for_and_released(noisy: Settings) -> None:
    assert build(noisy, PRODUCT).result == "done"
    version = lake(noisy).version(TABLE)
    row, = spent(noisy)
    assert (row["number"], row["epsilon"], row["delta"], row["candidate"]) == (1, 1, 1e-7, f"product.{PRODUCT}@{version}")
    found = {r["channel_code"]: r for r in lake(noisy).arrow(TABLE).to_pylist()}
    assert found.keys() <= {"email", "phone", "app", "post"} and len(found) >= 3
    assert 0 < sum(r["asked"] for r in found.values()) < 2 * PEOPLE, "nobody counts in more than two of four channels"
    assert all(r["asked"] % 5 == 0 and r["optin_rate_percent"] <= 100 for r in found.values() if r["opted_in"] is not None)
    for product in catalog().products:
        build(noisy, product)
    release(noisy, "engagement")
    assert sorted(map(str, released(PRODUCT, settings=noisy).arrow().to_pylist())) == counts(noisy)


def test_the_account_adds_up_and_no_exact_count_is_where_readers_are(noisy: Settings) -> None:
    build(noisy, PRODUCT)
    version = lake(noisy).version(TABLE)
    entries = accounts.of(lake(noisy), {f"product.{PRODUCT}@{version}"})
    assert sum(e["rows"] for e in entries if e["stage"] == "permit" and e["table_name"] == "core.consent") == lake(noisy).arrow("core.consent").num_rows
    told = {e["outcome"]: e["rows"] for e in entries if e["stage"] == "protect"}
    assert told["released"] == lake(noisy).arrow(TABLE).num_rows
    held = lake(noisy).note(TABLE, version)
    assert "accounts" not in held and [stage for stage, _ in account_of(lake(noisy), catalog().products[PRODUCT], held)].count("protect") == len(told)


def test_the_same_data_are_drawn_once(noisy: Settings) -> None:
    """Whoever could have noise drawn again over the same data would average it away."""
    build(noisy, PRODUCT)
    first, version = counts(noisy), lake(noisy).version(TABLE)
    for _ in range(3):
        assert build(noisy, PRODUCT).result == "unchanged"
    assert (counts(noisy), lake(noisy).version(TABLE), len(spent(noisy))) == (first, version, 1)


def test_a_spent_budget_stops_a_build_and_what_was_released_stands(noisy: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    before = released(PRODUCT, settings=noisy).arrow().num_rows
    build(noisy, PRODUCT)
    edit(monkeypatch, "second")
    build(noisy, PRODUCT)
    held, version = counts(noisy), lake(noisy).version(TABLE)
    edit(monkeypatch, "third")
    with pytest.raises(BudgetSpent, match=r"2 of 2.5 epsilon is spent in the last 30 days, and another candidate costs 1; what was released stands"):
        build(noisy, PRODUCT)
    assert (counts(noisy), lake(noisy).version(TABLE), len(spent(noisy))) == (held, version, 2)
    assert released(PRODUCT, settings=noisy).arrow().num_rows == before


def test_two_that_pay_at_once_pay_once(noisy: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two machines find nothing spent; the one that is second is told so and draws nothing."""
    product, now = catalog().products[PRODUCT], datetime.now(UTC)
    monkeypatch.setattr(budgets, "of", lambda *_: [])
    budgets.pay(lake(noisy), product, "one", now)
    with pytest.raises(IntegrityError, match=f"number 1 of budget.{PRODUCT} was written by another run"):
        budgets.pay(lake(noisy), product, "other", now)
    monkeypatch.undo()
    assert [row["candidate"] for row in spent(noisy)] == ["one"]


def test_what_was_paid_is_paid_before_noise_is_drawn_and_whatever_comes_of_it(noisy: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    version = lake(noisy).version(TABLE)
    own = noise.drawn

    def broken(*asked: Any) -> Any:
        assert len(spent(noisy)) == 1
        raise IntegrityError("broken off")

    monkeypatch.setattr(noise, "drawn", broken)
    with pytest.raises(IntegrityError, match="broken off"):
        build(noisy, PRODUCT)
    assert (lake(noisy).version(TABLE), len(spent(noisy))) == (version, 1)
    monkeypatch.setattr(noise, "drawn", own)
    build(noisy, PRODUCT)
    assert [(r["number"], r["candidate"]) for r in spent(noisy)] == [(n, f"product.{PRODUCT}@{version + 1}") for n in (1, 2)]


def test_there_is_room_again_when_the_period_is_over(noisy: Settings) -> None:
    product, door = catalog().products[PRODUCT], lake(noisy)
    start = datetime(2026, 11, 1, tzinfo=UTC)
    for day in (0, 10):
        budgets.pay(door, product, "candidate", start + timedelta(days=day))
    with pytest.raises(BudgetSpent, match="from 2026-12-01 00:00 UTC on"):
        budgets.pay(door, product, "candidate", start + timedelta(days=29, hours=23))
    budgets.pay(door, product, "candidate", start + timedelta(days=30))
    with pytest.raises(BudgetSpent, match="from 2026-12-11 00:00 UTC on"):
        budgets.pay(door, product, "candidate", start + timedelta(days=31))


def test_noise_that_nobody_can_be_bounded_for_is_refused(noisy: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    edit(monkeypatch, "other", "engagement_daily")
    with pytest.raises(ContractError, match="asks for differentialPrivacy, but jobs/products/engagement_daily.py gives no column person"):
        build(noisy, "engagement_daily")
    assert budgets.of(lake(noisy), "engagement_daily") == []


def test_the_command_tells_what_is_spent(noisy: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONCORD_HOME", str(noisy.home))
    ask = CliRunner().invoke
    found, = json.loads(ask(app, ["budget", "--json"]).stdout)
    assert (found["spent"], found["left"], found["candidates"]) == (0, 2.5, 0)
    build(noisy, PRODUCT)
    found, = json.loads(ask(app, ["budget", PRODUCT, "--json"]).stdout)
    assert (found["spent"], found["left"], found["delta"], found["candidates"]) == (1, 1.5, 1e-7, 1)
    assert PRODUCT in ask(app, ["budget"]).stdout
    assert "glucose_daily has no differentialPrivacy in its contract" in ask(app, ["budget", "glucose_daily"]).stdout
