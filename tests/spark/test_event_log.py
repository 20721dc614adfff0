"""Apache Spark writes every query that it runs into its event log, plans and messages: no key is in it, and no name of a person."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts import catalog
from jobs import engine as engines
from jobs.run import epochs
from jobs.run.people import resolve
from jobs.run.product import build
from tests import small_lake
from tests.attacks.key_search import files, found, secrets_of

pytestmark = pytest.mark.spark

GLUCOSE, DOMAIN, CANARY = "glucose_daily", "engagement", "Kanarienvogel"


def test_keys_and_persons_are_in_no_event_of_spark(apache: str, events: Path, tmp_path: Path) -> None:
    home = small_lake.settings(tmp_path / "home", apache)
    lake = small_lake.fill(home, people=6, days=1)
    small_lake.append(lake, "core.identity", [{"source_person_id": "canary", "family_name": CANARY, "country_code": "DE"}])
    resolve(home)
    assert build(home, GLUCOSE).result == "done" and epochs.people(lake, DOMAIN, 1) == 6
    known = secrets_of(home.keys, epochs.domains(catalog()))
    logged = files(events)
    assert any(b"vault/pseudonym" in content for content in logged.values()), "plans are in it"
    assert found(logged, known) == []
    assert not [name for name, content in logged.items() if CANARY.encode() in content]


def test_a_key_in_a_query_would_be_in_it(apache: str, events: Path) -> None:
    key = b"0123456789abcdef" * 2
    with engines.session(apache) as spark:
        spark.sql(f"SELECT '{key.hex()}'").collect()
    assert found(files(events), {"key": key})
