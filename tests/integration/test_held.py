"""While a match of two persons waits for a review, a no of either counts for both; a proof ends it."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from contracts import catalog
from jobs.lake import Lake
from jobs.matching.persons import held as held_by
from jobs.run.people import resolve
from jobs.run.product import build
from jobs.settings import Settings
from tests import small_lake

PRODUCT, SAME = "glucose_daily", {"email": "ada@lovelace.org", "birth_on": date(1980, 5, 1), "country_code": "DE"}


@pytest.fixture
def home(tmp_path: Path, engine: str) -> Settings:
    """Ada in the CRM, who said yes, and somebody in the app with her address and birth date, who said no."""
    made = small_lake.settings(tmp_path / "home", engine)
    lake = small_lake.fill(made, people=3)
    small_lake.append(lake, "core.identity", [{"source_person_id": "ada", **SAME}])
    small_lake.append(lake, "core.consent", [small_lake.statement("ada", p) for p in small_lake.OPEN_PURPOSES])
    small_lake.append(lake, "core.observation", [
        {"source_person_id": "ada", "code": "2339-0", "value": 100.0, "unit_code": "mg/dL", "effective_at": small_lake.START,
         "status_code": "final"}])
    app(lake, "core.identity", "core.identity", {"source_person_id": "a1", **SAME})
    app(lake, "core.consent", "core.consent", small_lake.statement("a1", "adherence_monitoring", decision="deny"))
    return made


def app(lake: Lake, table: str, name: str, row: dict[str, Any]) -> None:
    small_lake.append(lake, table, [{"source": "adherence_app", "record_id": f"{name}/a1", **row}], "adherence_app.000001")


def held(made: Settings) -> list[set[str]]:
    lake = Lake(made.lake_root, catalog().tables)
    names = {row["person_key"]: row["source_person_id"] for row in lake.arrow("vault.link").to_pylist()}
    return [{names[row["person_key"]], names[row["other_key"]]} for row in lake.arrow("vault.held").to_pylist()]


def people(made: Settings) -> int:
    build(made, PRODUCT)
    return len(set(Lake(made.lake_root, catalog().tables).arrow(f"product.{PRODUCT}")["person_id"].to_pylist()))


def test_a_no_counts_for_both_while_the_match_is_held(home: Settings) -> None:
    report = resolve(home)
    assert (report.facts["held"], report.facts["persons"]) == (1, 5)
    assert "vault.held" in report.changed
    assert held(home) == [{"ada", "a1"}]
    assert people(home) == 3
    assert resolve(home).result == "unchanged"


def test_a_match_that_is_proved_is_held_no_more(home: Settings) -> None:
    resolve(home)
    lake = Lake(home.lake_root, catalog().tables)
    proof = {"system_code": "email", "value": SAME["email"], "is_verified": True}
    small_lake.append(lake, "core.contact_point", [{"source_person_id": "ada", **proof}])
    app(lake, "core.contact_point", "core.contact_point", {"source_person_id": "a1", **proof})
    report = resolve(home)
    assert (report.facts["held"], report.facts["persons"]) == (0, 4)
    assert {"vault.held", "vault.link"} <= set(report.changed)
    assert held(home) == []
    assert people(home) == 3


def test_without_the_match_the_no_is_the_others_own(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.run.linking.persons.held", lambda links, edges, decisions: held_by(links, edges.slice(0, 0), decisions))
    assert resolve(home).facts["held"] == 0
    assert people(home) == 4
