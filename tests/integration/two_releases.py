"""A lake with two releases, between which one person said no, and an Airflow that tells who asks about them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from contracts import catalog
from jobs.lake import Lake
from jobs.run.asking import Question
from jobs.run.explain import explain
from jobs.run.past import Asked
from jobs.run.product import build
from jobs.run.release import release
from jobs.settings import Settings
from tests import small_lake
from tests.integration.airflow_stand_in import Users, serving

GROUP, GLUCOSE = "engagement", "glucose_daily"
OFFICERS = "officers-token"
BEFORE, AFTER = datetime(2026, 10, 2, tzinfo=UTC), datetime(2026, 10, 3, tzinfo=UTC)
FIRST, SECOND = Asked(GROUP, 1, GLUCOSE), Asked(GROUP, 2, GLUCOSE)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, engine: str) -> Path:
    """Release 1 with twelve people; then person-0 says no and person-1 says no to a partner; release 2."""
    made = small_lake.settings(tmp_path_factory.mktemp("prepared"), engine)
    lake = small_lake.fill(made)
    small_lake.append(lake, "core.identity", [{"source_person_id": "no-data", "country_code": "DE"}])
    small_lake.released(made)
    small_lake.append(lake, "core.consent", [
        {**small_lake.statement("person-0", "adherence_monitoring", decision="deny"), "recorded_at": BEFORE},
        {**small_lake.statement("person-1", "research", "other_lab", "deny"), "recorded_at": BEFORE}])
    for product in (GLUCOSE, "patient_profile"):
        build(made, product)
    release(made, GROUP)
    return made.home


@pytest.fixture
def home(prepared: Path, tmp_path: Path, engine: str) -> Settings:
    shutil.copytree(prepared, tmp_path / "home")
    return Settings(home=tmp_path / "home", lake="", engine=engine, actor="operator")


@pytest.fixture(autouse=True)
def airflow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Users]:
    users = Users()
    with serving(users) as address:
        monkeypatch.setenv("CONCORD_CONNECTION_CONCORD_AIRFLOW", json.dumps({"base_url": address}))
        yield users


def question(person: str | None = "person-0", token: str = OFFICERS, **more: Any) -> Question:
    named = {"person": {"source": "crm", "source_person_id": person}} if person else {}
    return Question(json.dumps(named | ({"token": token} if token else {})).encode(), **more)


def told(home: Settings, wanted: Asked, person: str = "person-0") -> list[dict[str, Any]]:
    answers: list[dict[str, Any]] = []
    assert explain(home, wanted, question(person), answers.append).result == "done"
    return answers[0]["products"]


def audit(home: Settings) -> dict[str, Any]:
    rows = Lake(home.lake_root, catalog().tables).arrow("ledger.audit").to_pylist()
    return next(row for row in rows if row["at"] == max(r["at"] for r in rows))
