"""Releases: readers see the pinned versions only, whatever stands in the tables."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from pyspark.sql import functions as F

from contracts import ContractError, catalog
from jobs import engine as engines
from jobs.errors import GateFailed, IntegrityError, LakeError
from jobs.lake import Lake
from jobs.ledger import accounts, releases
from jobs.read import released, released_group
from jobs.run.product import build, is_current
from jobs.run.release import release
from jobs.run.summary import summary
from jobs.settings import Settings
from jobs.tables import queries
from tests import small_lake

GROUP = "engagement"


@pytest.fixture
def home(small_release: Settings, tmp_path: Path) -> Settings:
    return small_lake.copy(small_release, tmp_path / "home")


def more_readings(home: Settings) -> None:
    lake = Lake(home.lake_root, catalog().tables)
    small_lake.append(lake, "core.observation", [
        {"source_person_id": f"person-{i}", "code": "2339-0", "value": 120.0, "unit_code": "mg/dL",
         "effective_at": datetime(2026, 10, 9, 8, tzinfo=UTC), "status_code": "final"} for i in range(12)], "crm.000002")


def spoiled_candidate(home: Settings) -> None:
    """A candidate whose readings no glucose can have, written past the stage that would have made it."""
    with engines.session(home.engine) as spark:
        lake = Lake(home.lake_root, catalog().tables, spark)
        rows = lake.read("product.glucose_daily").withColumn("mean_mg_dl", F.col("mean_mg_dl") * 100)
        lake.replace("product.glucose_daily", rows, note=lake.note("product.glucose_daily"))


def answers(home: Settings) -> list[int]:
    """Rows that each printed query line gives, run as a person would, in a Python of its own."""
    rows = []
    for line in queries(summary(home)):
        statement = line.split(":", 1)[1].strip().split("; ")
        code = "; ".join([*statement[:-1], f"x = {statement[-1]}",
                          "print(len(x) if hasattr(x, '__len__') else x.aggregate('count(*)').fetchone()[0])"])
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
        rows.append(int(done.stdout.split()[-1]))
    return rows


def test_release_pins_all_products_in_one_commit(home):
    lake = Lake(home.lake_root, catalog().tables)
    assert {p["product"]: p["number"] for p in releases.latest(lake, GROUP).values()} == dict.fromkeys(catalog().products, 1)
    assert lake.version("ledger.release") == 1


def test_while_a_failed_candidate_stands_every_query_line_gives_the_previous_release(home):
    assert answers(home) == [24, 24, 24]
    more_readings(home)
    build(home, "glucose_daily")
    spoiled_candidate(home)
    with pytest.raises(GateFailed) as failure:
        release(home, GROUP)
    assert "mean_mg_dl" in str(failure.value) and "12000" not in str(failure.value)
    assert answers(home) == [24, 24, 24]
    assert released("glucose_daily", settings=home).arrow().num_rows == 24
    assert len(released("glucose_daily", settings=home).polars()) == len(released("glucose_daily", settings=home).pandas()) == 24


def test_a_good_candidate_is_released_and_the_old_release_stays_readable(home):
    more_readings(home)
    assert build(home, "glucose_daily").result == "done"
    assert released("glucose_daily", settings=home).arrow().num_rows == 24, "a candidate is not a release"
    assert release(home, GROUP).facts["number"] == 2
    assert released("glucose_daily", settings=home).arrow().num_rows == 36
    assert released("glucose_daily", 1, settings=home).arrow().num_rows == 24
    assert {r.release for r in released_group(GROUP, settings=home).values()} == {2}
    assert released_group(GROUP, 1, home)["glucose_daily"].version == released("glucose_daily", 1, home).version
    assert release(home, GROUP).result == "unchanged"


def test_a_candidate_with_other_rows_than_its_account_is_not_released(home):
    with engines.session(home.engine) as spark:
        lake = Lake(home.lake_root, catalog().tables, spark)
        lake.replace("product.glucose_daily", lake.read("product.glucose_daily").limit(3), note=lake.note("product.glucose_daily"))
    with pytest.raises(IntegrityError, match="account"):
        release(home, GROUP)


def test_permits_that_changed_since_the_build_are_not_released(home):
    lake = Lake(home.lake_root, catalog().tables)
    more_readings(home)
    build(home, "glucose_daily")
    small_lake.append(lake, "core.consent", [
        {**small_lake.statement("person-0", "adherence_monitoring", decision="deny"), "recorded_at": datetime(2026, 10, 2, tzinfo=UTC)}])
    assert release(home, GROUP).facts["waiting_for"] == ["glucose_daily", "patient_profile"]
    assert lake.version("ledger.release") == 1
    for product in ("glucose_daily", "patient_profile"):
        build(home, product)
    release(home, GROUP)
    assert len(set(released("glucose_daily", settings=home).arrow()["person_id"].to_pylist())) == 11


def test_a_candidate_is_current_by_contract_inputs_and_time():
    product, versions, now = catalog().products["glucose_daily"], {"core.consent": 1}, datetime(2026, 11, 1, tzinfo=UTC)
    note = {"contract": product.sha256, "inputs": versions, "until": "2026-11-02T00:00:00+00:00", "consent_loss": 1}
    assert is_current(product, note, versions, now)
    assert not is_current(product, {}, versions, now)
    assert not is_current(product, {k: v for k, v in note.items() if k != "consent_loss"}, versions, now), "it has no report"
    assert not is_current(product, {**note, "contract": "0"}, versions, now)
    assert not is_current(product, note, {"core.consent": 2}, now)
    assert not is_current(product, note, versions, datetime(2026, 11, 2, tzinfo=UTC))


def test_an_account_written_again_replaces_the_one_before(home):
    lake, at = Lake(home.lake_root, catalog().tables), datetime(2026, 11, 1, tzinfo=UTC)
    accounts.write(lake, "other", [("conform", accounts.Entry("core.x", "accepted", "-", 5))], at)
    for entry in (accounts.Entry("core.x", "rejected", "bad_format", 1), accounts.Entry("core.x", "accepted", "-", 1)):
        accounts.write(lake, "again", [("conform", entry)], at)
        assert [(e["outcome"], e["rows"]) for e in accounts.of(lake, {"again"})] == [(entry.outcome, 1)]
    assert [e["rows"] for e in accounts.of(lake, {"other"})] == [5]


def test_a_number_is_pinned_once(home):
    lake = Lake(home.lake_root, catalog().tables)
    with pytest.raises(IntegrityError, match="another run"):
        releases.pin(lake, GROUP, 1, [{"table": "glucose_daily"}], datetime.now(UTC))
    with pytest.raises(IntegrityError, match="no product"):
        releases.pin(lake, GROUP, 2, [], datetime.now(UTC))


def test_unknown_products_and_releases_are_said(home):
    with pytest.raises(LakeError, match="no product is called"):
        released("glucose", settings=home)
    with pytest.raises(LakeError, match="released are: 1"):
        released("glucose_daily", 9, settings=home)
    with pytest.raises(LakeError, match="no release group is called 'marketing'; there are engagement"):
        released_group("marketing", settings=home)


def test_a_candidate_that_tells_years_is_of_one_year():
    """On New Year's Day somebody turns 90 this year whose year could be told until then."""
    product, versions = catalog().products["patient_profile"], {"core.identity": 1}
    note = {"contract": product.sha256, "inputs": versions, "until": None, "consent_loss": 1, "as_of": "2026-12-31T23:00:00+00:00"}
    assert is_current(product, note, versions, datetime(2026, 12, 31, 23, 59, tzinfo=UTC))
    assert not is_current(product, note, versions, datetime(2027, 1, 1, tzinfo=UTC))
    told = catalog().products["glucose_daily"]
    assert is_current(told, {**note, "contract": told.sha256}, versions, datetime(2027, 1, 1, tzinfo=UTC))


def test_a_build_says_how_many_values_its_treatments_took(home):
    lake = Lake(home.lake_root, catalog().tables)
    small_lake.append(lake, "core.identity", [
        {"source_person_id": f"person-{n}", "birth_on": date(1920 if n < 3 else 1980, 1, 1), "country_code": "DE", "postcode": code,
         "version_at": datetime(2026, 10, 2, tzinfo=UTC)} for n, code in enumerate(["80331", "8033", "x", None, "10115"])], "crm.000002")
    report = build(home, "patient_profile")
    assert report.facts["nulls_by_treatment"] == {"birth_year": 3, "region_code": 2}
    rows = [(r["birth_year"], r["region_code"]) for r in lake.arrow("product.patient_profile").to_pylist()]
    assert sorted((r for r in rows if r != (None, None)), key=str) == [(1980, "10"), (1980, None), (None, "80")]


def test_a_dominance_that_nothing_was_weighed_for_builds_nothing(home, monkeypatch):
    known = catalog()
    monkeypatch.setitem(known.products, "optin_rates", known.products["optin_rates"].model_copy(update={"dominance": 0.8, "sha256": "other"}))
    with pytest.raises(ContractError, match=r"makes no most_in_<cell>; make it, or write \{property: dominance, value: null\}"):
        build(home, "optin_rates")
