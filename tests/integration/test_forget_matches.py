"""Who is one person with somebody, may be, or was until yesterday: who goes when one of them is forgotten, and who stays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from contracts import catalog
from jobs.errors import ConfigurationError
from jobs.ledger import releases
from jobs.run import review
from jobs.run.asking import Question
from jobs.run.forget import forget
from jobs.run.people import resolve
from jobs.settings import Settings
from tests import small_lake
from tests.integration.test_forget import asked, contents
from tests.integration.test_review import said, two, waiting
from tests.integration.two_releases import GLUCOSE, GROUP, OFFICERS, airflow
from tests.landing import lake_of as lake

__all__ = ["airflow"]

THREE = {"ada", "app-user", "owner"}  # Of whom the last two are one person by a device, and the first may be.


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, engine: str) -> Settings:
    made = small_lake.settings(tmp_path_factory.mktemp("matches"), engine)
    into = small_lake.fill(made)
    small_lake.hold(into)
    for source, name in (("crm", "ada"), ("adherence_app", "app-user")):
        rows = [small_lake.statement(name, purpose) for purpose in small_lake.OPEN_PURPOSES]
        small_lake.append(into, "core.consent", [{**row, "source": source} for row in rows], f"{source}.000001")
        small_lake.append(into, "core.observation", [
            {"source": source, "source_person_id": name, "code": "2339-0", "value": 100.0, "unit_code": "mg/dL",
             "effective_at": small_lake.START, "status_code": "final"}], f"{source}.000001")
    resolve(made)
    return made


@pytest.fixture
def home(prepared: Settings, tmp_path: Path) -> Settings:
    return small_lake.copy(prepared, tmp_path / "home")


def left(home: Settings, table: str = "core.identity") -> set[str]:
    return {row["source_person_id"] for row in lake(home).arrow(table).to_pylist()} & THREE


def decided(home: Settings, decision: str, match: str | None, **given: Any) -> None:
    """Consent is touched, so two officers say it."""
    for token in (OFFICERS, "admins-token"):
        review.decide(home, decision, match, said(token, **given))
    resolve(home)


def names(home: Settings, version: int) -> set[str]:
    return set(lake(home).arrow(f"product.{GLUCOSE}", version)["person_id"].to_pylist())


def released_as(home: Settings, person: str) -> set[str]:
    """The pseudonyms of a person."""
    key = next(row["person_key"] for row in lake(home).arrow("vault.link").to_pylist() if row["source_person_id"] == person)
    return {row["pseudonym"] for row in lake(home).arrow("vault.pseudonym").to_pylist() if row["person_key"] == key}


def test_a_match_that_waits_is_another_person(home: Settings, airflow: Any) -> None:
    waiting(home)
    report = forget(home, asked("ada"))
    assert (report.facts["found"], report.facts["unknown"]) == (0, 0)
    for table in ("core.identity", "vault.link"):
        assert left(home, table) == {"app-user", "owner"}, table
    assert left(home, "core.observation") == {"app-user"} and lake(home).arrow("vault.held").num_rows == 0
    assert not [row for row in lake(home).arrow("vault.profile").to_pylist() if row["identity"] == "crm/ada"]
    email = {row["email"] for row in lake(home).arrow("core.identity").to_pylist() if row["source_person_id"] == "app-user"}
    assert email == {"ada@post.example"}, "an address of both stays the other's"


def test_who_was_merged_yesterday_goes_as_one(home: Settings, airflow: Any) -> None:
    decided(home, "same", waiting(home))
    report = forget(home, asked("ada"))
    assert (report.facts["found"], report.facts["unknown"]) == (0, 0)
    assert left(home) == left(home, "vault.link") == left(home, "core.observation") == set()
    assert lake(home).arrow("core.identity").num_rows == 12


def test_who_was_split_yesterday_stays_but_in_releases_of_before(home: Settings, airflow: Any) -> None:
    """What was released when they were one tells of both under one pseudonym: it goes. What is built since tells them apart; where
    the other has the pseudonym that was of both, their rows go too, until the next build."""
    decided(home, "same", waiting(home))
    small_lake.released(home)
    decided(home, "different", None, **two("ada", "app-user"))
    small_lake.released(home)
    first, second = (pin["table_version"] for pin in releases.of(lake(home), GROUP) if pin["product"] == GLUCOSE)
    before = {version: names(home, version) for version in (first, second)}
    report = forget(home, asked("ada"))
    assert (report.facts["found"], report.facts["unknown"]) == (0, 0)
    assert left(home) == left(home, "vault.link") == {"app-user", "owner"} and left(home, "core.observation") == {"app-user"}
    both = before[first] - names(home, first)
    other = released_as(home, "app-user") & before[second]
    assert len(both) == len(other) == 1 and len(before[second] - names(home, second)) == 1 + (both == other)
    small_lake.released(home)
    third = [pin["table_version"] for pin in releases.of(lake(home), GROUP) if pin["product"] == GLUCOSE][-1]
    assert names(home, third) == names(home, second) | other, "the other is in what is built next, as before"


def test_a_table_that_does_not_say_about_whom_stops_it(home: Settings, airflow: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    table = catalog().tables["core.observation"]
    columns = tuple(c for c in table.columns if c.name not in ("source_person_id", "record_id"))
    before = {name: contents(lake(home).arrow(name)) for name in ("core.identity", "core.observation", "vault.link")}
    with monkeypatch.context() as patch:
        patch.setitem(catalog().tables, "core.observation", table.model_copy(update={"columns": columns}))
        with pytest.raises(ConfigurationError, match=r"core\.observation holds something about persons and no column says about whom"):
            forget(home, asked("ada"))
    assert {name: contents(lake(home).arrow(name)) for name in before} == before, "nothing is lost"
    assert forget(home, Question(json.dumps({"reason": "again", "token": OFFICERS}).encode())).facts["found"] == 0
    assert left(home) == {"app-user", "owner"}
