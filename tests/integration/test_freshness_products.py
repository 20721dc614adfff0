"""What `concord freshness` tells of products and partners, by releases, withdrawals and the logs of tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from contracts import catalog
from jobs.lake import Lake
from jobs.ledger import extracts
from jobs.run.freshness import record
from jobs.run.product import build
from jobs.run.release import release
from jobs.run.standings import Seen
from jobs.settings import Settings
from tests import small_lake
from tests.integration.looking import ago, clock, level, pinned, promising, ran, state, withdrawn
from tests.landing import lake_of

__all__ = ["clock"]


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    return small_lake.settings(tmp_path, "")


def test_a_product_is_late_while_what_it_is_made_of_changed_and_no_release_has_it(
        home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    promising(monkeypatch, "glucose_daily", "latency", 0)
    lake = small_lake.fill(home)
    ran(home, "build", "glucose_daily", 0.1)
    assert state(home, "product.glucose_daily", "latency") == "late", "no release yet"
    pinned(lake, 1, 1)
    assert (state(home, "product.glucose_daily", "latency"), level(home, "product.glucose_daily", "latency")["age_seconds"]) == ("kept", 0)
    small_lake.append(lake, "core.consent", [small_lake.statement("person-1", "research", decision="deny")])
    assert state(home, "product.glucose_daily", "latency") == "late", "somebody said something"
    pinned(lake, 2, 0)
    assert state(home, "product.glucose_daily", "latency") == "kept"


@pytest.mark.parametrize("promise", ["latency", "frequency"])
def test_a_product_that_is_new_over_old_tables_is_late_since_it_was_first_built_and_not_before(
        home: Settings, monkeypatch: pytest.MonkeyPatch, promise: str) -> None:
    promising(monkeypatch, "glucose_daily", promise, 5)
    lake = small_lake.fill(home)
    monkeypatch.setattr(Seen, "commits", lambda _, name: {0: ago(9000), 1: ago(8999)} if name == "core.observation" else {})
    ran(home, "build", "engagement_daily", 8990)
    ran(home, "freshness", "all", 8980, looked_at=ago(8980).isoformat())
    never = level(home, "product.glucose_daily", promise)
    assert (never["state"], never["age_seconds"]) == ("none", 0), "nobody ever built it"
    ran(home, "build", "glucose_daily", 9, "failed")
    ran(home, "build", "glucose_daily", 2, "done")
    late = level(home, "product.glucose_daily", promise)
    assert (late["state"], late["since"]) == ("late", ago(4)), "its first build failed, and no release has it"
    pinned(lake, 1, 1)
    record(home)
    rows = [row for row in lake.arrow("ledger.freshness").to_pylist() if row["subject"] == "product.glucose_daily"]
    assert [(row["due_at"], row["closed_at"]) for row in rows] == [(ago(4), ago(1))]
    assert state(home, "product.glucose_daily", promise) == "kept"


def test_a_release_that_came_late_is_a_breach_from_when_it_was_due(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each release is held against the first change that it has and the one before lacks."""
    promising(monkeypatch, "glucose_daily", "latency", 5)
    lake = small_lake.fill(home)
    times = {"core.observation": {0: ago(60), 1: ago(50), 2: ago(30), 3: ago(29), 4: ago(3)}, "core.consent": {0: ago(60), 1: ago(40)},
             "core.message": {1: ago(45)}}
    monkeypatch.setattr(Seen, "commits", lambda _, name: times.get(name, {}))
    ran(home, "freshness", "all", 58, looked_at=ago(58).isoformat())
    ran(home, "build", "glucose_daily", 49)
    for number, (hours, observation, consent) in enumerate(((48, 1, 0), (36, 1, 1), (20, 3, 1)), start=1):
        pinned(lake, number, hours, observation=observation, consent=consent)
    record(home)
    late = [(row["due_at"], row["closed_at"]) for row in lake.arrow("ledger.freshness").to_pylist()
            if (row["subject"], row["promise"]) == ("product.glucose_daily", "latency")]
    assert late == [(ago(25), ago(20))]
    age = level(home, "product.glucose_daily", "latency")["age_seconds"]
    assert 0 <= (datetime.now(UTC) - ago(3)).total_seconds() - age < 60


def test_a_withdrawal_is_late_until_a_release_is_without_the_person(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    promising(monkeypatch, "glucose_daily", "timeToRepair", 0)
    lake = small_lake.fill(home)
    pinned(lake, 1, 5)
    assert state(home, "product.glucose_daily", "timeToRepair") == "kept"
    small_lake.append(lake, "core.observation", [{
        "source_person_id": "person-1", "code": "2339-0", "value": 90.0, "unit_code": "mg/dL", "effective_at": ago(3), "status_code": "final"}])
    assert state(home, "product.glucose_daily", "timeToRepair") == "kept", "nobody said anything"
    small_lake.append(lake, "core.consent", [small_lake.statement("person-1", "research", decision="deny")])
    assert state(home, "product.glucose_daily", "timeToRepair") == "late"


def test_withdrawals_that_took_longer_than_promised_are_breaches(home: Settings) -> None:
    lake = lake_of(home)
    ran(home, "freshness", "all", 90, looked_at=ago(90).isoformat())
    withdrawn(lake, "engagement.2", "released", 80, 30)
    extracts.write(lake, extracts.EXTRACT, {
        **_extract(lake), "extract_id": "glycemia_institute-1", "recipient": "glycemia_institute"})
    extracts.write(lake, extracts.DELIVERY, {"extract_id": "glycemia_institute-1", "manifest_sha256": "x", "destination": "s3://x", "delivered_at": ago(85)})
    withdrawn(lake, "glycemia_institute-1.1", "recalled", 80, 20)
    record(home)
    found = {(r["subject"], r["promise"]): r for r in lake.arrow("ledger.freshness").to_pylist()}
    repair, notify = found["product.glucose_daily", "timeToRepair"], found["recipient.glycemia_institute", "timeToNotify"]
    assert [(r["due_at"], r["closed_at"]) for r in (repair, notify)] == [(ago(32), ago(30)), (ago(32), ago(20))]


def _extract(lake: Lake) -> dict[str, Any]:
    made: dict[str, Any] = {"string": "x", "long": 1, "timestamp": ago(86), "double": 1.0}
    return {column.name: made[column.type] for column in lake.contract("ledger.extract").columns}


def test_a_change_of_consents_after_the_last_recall_is_waited_for_where_something_was_delivered(
        home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    recipient = catalog().recipients["glycemia_institute"]
    short = recipient.service_levels[0].model_copy(update={"within": timedelta(0)})
    monkeypatch.setitem(catalog().recipients, recipient.id, recipient.model_copy(update={"service_levels": (short,)}))
    lake = small_lake.fill(home)
    assert state(home, "recipient.glycemia_institute", "timeToNotify") == "none", "it has nothing"
    extracts.write(lake, extracts.DELIVERY, {"extract_id": "e-1", "manifest_sha256": "x", "destination": "s3://x", "delivered_at": ago(1)})
    for prepared, expected in ((ago(-1), "none"), (ago(86), "late")):
        made = {**_extract(lake), "extract_id": "e-1", "recipient": recipient.id, "prepared_at": prepared}
        extracts.write(lake, extracts.EXTRACT, made)
        assert state(home, "recipient.glycemia_institute", "timeToNotify") == expected, "what was said before the extract is in it"
    ran(home, "recall", recipient.id, -1)
    assert state(home, "recipient.glycemia_institute", "timeToNotify") == "kept"


@pytest.mark.parametrize(("days", "expected"), [(1e5, "kept"), (1, "late")])
def test_a_product_whose_newest_value_is_old_is_late(small_release: Settings, tmp_path: Path, days: float, expected: str,
                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    home = small_lake.copy(small_release, tmp_path / "home")
    promising(monkeypatch, "glucose_daily", "latency", 24 * days, "observed_on")
    found = level(home, "product.glucose_daily", "latency of observed_on")
    newest = datetime.combine(small_lake.START.date() + timedelta(days=2), datetime.min.time(), UTC)
    assert found["state"] == expected and abs(found["age_seconds"] - (datetime.now(UTC) - newest).total_seconds()) < 60


def test_a_build_that_found_nothing_to_change_is_a_look(small_release: Settings, tmp_path: Path) -> None:
    """After a real release: the same build again, and one whose candidate no release has."""
    home = small_lake.copy(small_release, tmp_path / "home")
    before = level(home, "product.glucose_daily", "frequency")
    assert before["state"] == "kept"
    build(home, "glucose_daily")
    looked = level(home, "product.glucose_daily", "frequency")["last_kept_at"]
    assert looked > before["last_kept_at"]
    small_lake.append(lake_of(home), "core.consent", [small_lake.statement("person-1", "research", decision="deny")])
    build(home, "glucose_daily")
    assert level(home, "product.glucose_daily", "frequency")["last_kept_at"] == looked
    for product in ("engagement_daily", "optin_rates", "patient_profile"):
        build(home, product)
    release(home, "engagement")
    assert level(home, "product.glucose_daily", "frequency")["last_kept_at"] > looked
