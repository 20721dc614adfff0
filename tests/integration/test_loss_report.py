"""The consent-loss report comes with a candidate, is read through its release, and names nobody."""

from __future__ import annotations

import json
import shutil
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import functions as F

from contracts import catalog
from contracts.consent_loss import limits
from contracts.exit_codes import ExitCode
from jobs import cli, ending
from jobs import engine as engines
from jobs.errors import GateFailed, LakeError
from jobs.lake import Lake
from jobs.ledger import lineage
from jobs.read import released
from jobs.run import product as building
from jobs.run.consent_loss import report
from jobs.run.people import resolve
from jobs.run.product import build
from jobs.run.release import release
from jobs.settings import Settings
from tests import small_lake

TABLE, GROUP = "product.glucose_daily__consent_loss", "engagement"
YOUNG, OLD = date(1999, 4, 17), date(1958, 9, 23)


def fill(made: Settings) -> Lake:
    """60 people with a reading, 24 of them left out, most of these young; and one who has no reading."""
    lake = small_lake.fill(made, people=0, days=0)
    people = [f"person-{i}" for i in range(60)]
    small_lake.append(lake, "core.identity", [
        {"source_person_id": name, "birth_on": YOUNG if i % 5 < 2 or i % 20 == 2 else OLD, "country_code": "DE" if i % 3 == 1 else "FR",
         "sex_code": "female" if i % 3 else "male", "family_name": f"Canary{i}"} for i, name in enumerate([*people, "idle"])])
    small_lake.append(lake, "core.consent", [
        small_lake.statement(name, purpose, decision="deny" if i % 5 < 2 and i < 60 else "permit")
        for i, name in enumerate([*people, "idle"]) for purpose in small_lake.OPEN_PURPOSES])
    small_lake.append(lake, "core.observation", [
        {"source_person_id": name, "code": "2339-0", "value": 100.0, "unit_code": "mg/dL", "effective_at": small_lake.START,
         "status_code": "final"} for name in people])
    small_lake.append(lake, "core.condition", [
        {"source_person_id": name, "icd10_code": "E10.9" if i % 5 < 2 else "E11.9", "clinical_status_code": "active",
         "verification_status_code": "refuted" if i % 10 == 9 else "confirmed"} for i, name in enumerate([*people, "idle"])])
    return lake


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, engine: str) -> Path:
    made = small_lake.settings(tmp_path_factory.mktemp("prepared"), engine)
    fill(made)
    small_lake.released(made)
    return made.home


@pytest.fixture
def home(prepared: Path, tmp_path: Path, engine: str) -> Settings:
    shutil.copytree(prepared, tmp_path / "home")
    return Settings(home=tmp_path / "home", lake="", engine=engine, actor="test")


def counts(rows: list[dict[str, Any]]) -> dict[tuple[str, str], tuple[Any, Any]]:
    return {(r["attribute"], r["level"]): (r["people_in"], r["people_out"]) for r in rows}


def withdraw(home: Settings, *people: str) -> None:
    lake = Lake(home.lake_root, catalog().tables)
    small_lake.append(lake, "core.consent", [
        {**small_lake.statement(name, "decision_support", decision="deny"), "recorded_at": datetime(2026, 10, 2, tzinfo=UTC)} for name in people])


def built(home: Settings) -> None:
    """Every product that rests on consent, as its release waits for each."""
    for product in ("patient_profile", "glucose_daily"):
        build(home, product)


def test_a_release_has_its_report(home):
    found = counts(released("glucose_daily", settings=home).consent_loss().arrow().to_pylist())
    assert found["everyone", "all"] == (35, 25), "36 in and 24 left out; who has no reading is not considered"
    assert found["age_band", "18-29"] == (None, 25) and found["age_band", "60-74"] == (35, None)
    assert found["sex", "male"] == (10, 10) and found["sex", "female"] == (25, 15)
    assert found["country", "DE"] == (10, 10) and found["country", "FR"] == (25, 15)
    assert found["condition", "type 1 diabetes"] == (None, 25) and found["condition", "type 2 diabetes"] == (30, None)
    assert {level for attribute, level in found if attribute == "country"} == {"all", "DE", "ES", "FR", "GB", "IT", "other", "unknown"}


def test_the_report_is_of_the_release_that_is_read(home):
    before = released("glucose_daily", settings=home).consent_loss().arrow()
    withdraw(home, *[f"person-{i}" for i in range(60) if i % 5 == 3])
    built(home)
    assert released("glucose_daily", settings=home).consent_loss().arrow() == before, "a candidate is not a release"
    release(home, GROUP)
    after = report(home, "glucose_daily", None)
    assert (after["release"], counts(after["rows"])["everyone", "all"]) == (2, (25, 35))
    old = report(home, "glucose_daily", 1)
    assert (old["release"], counts(old["rows"])["everyone", "all"]) == (1, (35, 25))
    assert released("glucose_daily", 1, settings=home).consent_loss().arrow() == before
    assert len(released("glucose_daily", 1, settings=home).consent_loss().pandas()) == before.num_rows


def test_a_report_says_what_it_rests_on(home):
    found = report(home, "glucose_daily", None)
    lake = Lake(home.lake_root, catalog().tables)
    note = lake.note("product.glucose_daily")
    assert found["decided_at"] == datetime.fromisoformat(note["as_of"]).isoformat(timespec="seconds")
    assert (found["minimum_cell"], found["rounding"]) == (7, 5) and found["contract_version"] == "1.0.0"
    assert lake.note(TABLE, note["consent_loss"])["described_by"] == {
        name: lake.version(name) for name in ("core.identity", "core.condition")}
    assert found["condition_review"] == catalog().products["glucose_daily"].condition_review
    ways = lineage.way(lineage.events(home), TABLE)
    assert (0, f"{TABLE}.level", "core.identity.birth_on") in ways and (0, f"{TABLE}.level", "core.condition.icd10_code") in ways


def test_without_a_review_no_condition_is_compared_or_read(home, monkeypatch):
    unreviewed = catalog()
    product = unreviewed.products["glucose_daily"].model_copy(update={"condition_review": None, "sha256": "unreviewed"})
    monkeypatch.setitem(unreviewed.products, "glucose_daily", product)
    built(home)
    release(home, GROUP)
    found = report(home, "glucose_daily", None)
    assert (found["release"], found["condition_review"]) == (2, None)
    assert {r["attribute"] for r in found["rows"]} == {"everyone", "age_band", "sex", "country"}
    assert set(Lake(home.lake_root, catalog().tables).note(TABLE)["described_by"]) == {"core.identity"}


def test_a_product_on_another_basis_has_no_report(home):
    assert {t for t in catalog().tables if t.endswith("__consent_loss")} == {TABLE, "product.patient_profile__consent_loss"}
    for product in ("optin_rates", "engagement_daily"):
        assert "consent_loss" not in Lake(home.lake_root, catalog().tables).note(f"product.{product}")
        with pytest.raises(LakeError, match="does not rest on consent"):
            released(product, settings=home).consent_loss()


def test_a_product_with_limits_of_its_own_is_held_to_them():
    products = catalog().products
    assert limits(products["glucose_daily"]) == (7, 5)
    assert limits(products["optin_rates"].model_copy(update={"minimum_cell": 20, "rounding": 10})) == (20, 10)


class Killed(BaseException):
    """Ends a run the way a kill does."""


def test_a_build_killed_after_the_report_leaves_the_old_one_and_is_made_good(home, monkeypatch):
    before = released("glucose_daily", settings=home).consent_loss().arrow()
    withdraw(home, "person-4", "person-9", "person-14")

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(building, "_protected", die)
        with pytest.raises(Killed):
            build(home, "glucose_daily")
    assert Lake(home.lake_root, catalog().tables).version(TABLE) == 2, "the report was written"
    assert released("glucose_daily", settings=home).consent_loss().arrow() == before
    assert release(home, GROUP).facts["waiting_for"] == ["glucose_daily", "patient_profile"]
    built(home)
    release(home, GROUP)
    again = released("glucose_daily", settings=home).consent_loss()
    assert again.version == 3 and again.arrow() != before
    assert build(home, "glucose_daily").result == "unchanged"


def test_a_report_that_breaks_its_contract_is_not_released(home):
    withdraw(home, "person-4")
    built(home)
    with engines.session(home.engine) as spark:
        lake = Lake(home.lake_root, catalog().tables, spark)
        spoiled = lake.replace(TABLE, lake.read(TABLE).withColumn("share_in", F.col("share_in") + 5), note=lake.note(TABLE))
        lake.replace("product.glucose_daily", lake.read("product.glucose_daily"),
                     note={**lake.note("product.glucose_daily"), "consent_loss": spoiled})
        small = building.candidate_id("glucose_daily", lake.version("product.glucose_daily"))
        building.accounts.write(lake, small, [("protect", building.Entry("product.glucose_daily", "released", "-", 35))], datetime.now(UTC))
    with pytest.raises(GateFailed, match="share_in"):
        release(home, GROUP)
    assert report(home, "glucose_daily", None)["release"] == 1


def test_nobody_considered(tmp_path, engine):
    made = small_lake.settings(tmp_path / "home", engine)
    small_lake.fill(made, people=1, days=0)
    small_lake.released(made)
    rows = report(made, "glucose_daily", None)["rows"]
    assert set(counts(rows).values()) == {(None, None)} and len(rows) == 30
    assert resolve(made).result == "unchanged"


def run(monkeypatch: pytest.MonkeyPatch, home: Settings, *words: str) -> int:
    monkeypatch.setenv("CONCORD_HOME", str(home.home))
    monkeypatch.delenv("CONCORD_LAKE", raising=False)
    monkeypatch.setattr(sys, "argv", ["concord", "consent-loss", *words])
    monkeypatch.setattr(ending.os, "umask", lambda _: 0)
    with pytest.raises(SystemExit) as end:
        cli.main()
    return int(end.value.code or 0)


def test_the_command_writes_a_page_and_nobody_is_in_it(home, monkeypatch, capsys, tmp_path):
    page = tmp_path / "loss.html"
    assert run(monkeypatch, home, "glucose_daily", "--out", str(page)) == 0
    text = page.read_text("utf-8") + capsys.readouterr().out
    assert "About 35 of 60 people are in (58 %), about 25 are left out." in text and "release 1" in text
    pseudonyms = released("glucose_daily", settings=home).arrow()["person_id"].to_pylist()
    keys = Lake(home.lake_root, catalog().tables).arrow("vault.link")["person_key"].to_pylist()
    assert not [word for word in ("person-", "Canary", str(YOUNG), str(OLD), *pseudonyms, *keys) if word in text]


def test_the_command_prints_a_table_and_json(home, monkeypatch, capsys):
    assert run(monkeypatch, home, "glucose_daily") == 0
    said = capsys.readouterr().out
    assert "About 35 of 60 people are in" in said and "hidden" in said
    assert run(monkeypatch, home, "glucose_daily", "--release", "1", "--json") == 0
    assert json.loads(capsys.readouterr().out) == report(home, "glucose_daily", 1)


@pytest.mark.parametrize(("words", "code", "said"), [
    (("NOSUCH",), ExitCode.CONTRACT, "no product is called 'NOSUCH'; there are "),
    (("optin_rates",), ExitCode.CONTRACT, "optin_rates does not rest on consent"),
    (("glucose_daily", "--release", "9"), ExitCode.CONTRACT, "released are: 1"),
    (("glucose_daily", "--out", "no/such/folder/page.html"), ExitCode.CONFIGURATION, "name a file in a folder that is there")])
def test_what_the_command_cannot_do_is_said(home, monkeypatch, capsys, words, code, said):
    assert run(monkeypatch, home, *words) == code
    assert said in capsys.readouterr().err
