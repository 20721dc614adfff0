"""`concord read` and `concord releases`: what a data scientist gets at a terminal, and from Python with Spark."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import polars
import pytest
from typer.testing import CliRunner

from contracts import catalog
from jobs import engine as engines
from jobs.cli import app
from jobs.errors import ConfigurationError, LakeError
from jobs.lake import Lake
from jobs.ledger import withdrawals
from jobs.read import pinned, released
from jobs.run.product import build
from jobs.run.release import release
from jobs.settings import Settings
from tests import small_lake

QUERY = "SELECT count(*) AS days FROM glucose_daily"


@pytest.fixture
def home(small_release: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A lake with a release of 24 rows of glucose_daily, and a second one of 36."""
    made = small_lake.copy(small_release, tmp_path / "home")
    small_lake.append(Lake(made.lake_root, catalog().tables), "core.observation", [
        {"source_person_id": f"person-{i}", "code": "2339-0", "value": 120.0, "unit_code": "mg/dL",
         "effective_at": datetime(2026, 10, 9, 8, tzinfo=UTC), "status_code": "final"} for i in range(12)], "crm.000002")
    build(made, "glucose_daily")
    release(made, "engagement")
    monkeypatch.setenv("CONCORD_HOME", str(made.home))
    monkeypatch.delenv("CONCORD_LAKE", raising=False)
    return made


def said(*words: str) -> str:
    done = CliRunner().invoke(app, list(words))
    if done.exception:
        raise done.exception
    return done.output


def supersede(home: Settings) -> None:
    lake = Lake(home.lake_root, catalog().tables)
    withdrawals.write(lake, withdrawals.SUPERSEDED, [{"release_group": "engagement", "number": 1, "product": "glucose_daily", "because": "withdrawal",
                                  "people": 1, "at": datetime.now(UTC)}])


def test_what_a_terminal_shows(home: Settings) -> None:
    shown = said("read", "glucose_daily", "--limit", "3")
    assert shown.splitlines()[-1] == "36 rows of glucose_daily, release 2, 3 of them shown: --limit, or --out FILE for all"
    assert "mean_mg_dl" in shown and len(shown.splitlines()) == 5
    assert said("read", "glucose_daily", "--release", "1", "--limit", "0").startswith("24 rows of glucose_daily, release 1")
    rows = json.loads(said("read", "glucose_daily", "--json"))
    assert rows["release"] == 2 and len(rows["rows"]) == 36 and rows["warnings"] == []


@pytest.mark.parametrize(("name", "read"), [("all.parquet", polars.read_parquet), ("all.csv", polars.read_csv), ("all.ndjson", polars.read_ndjson)])
def test_files_hold_every_row(home: Settings, tmp_path: Path, name: str, read) -> None:
    assert f"36 rows of glucose_daily, release 2, in {tmp_path / name}" in said("read", "glucose_daily", "--out", str(tmp_path / name))
    assert read(tmp_path / name).height == 36


def test_a_query_is_asked_of_the_release_and_nothing_else(home: Settings, tmp_path: Path) -> None:
    assert json.loads(said("read", "glucose_daily", "--sql", QUERY, "--json"))["rows"] == [{"days": 36}]
    assert json.loads(said("read", "glucose_daily", "--release", "1", "--sql", QUERY, "--json"))["rows"] == [{"days": 24}]
    (tmp_path / "other.csv").write_text("a\n1\n", "utf-8")
    for query, part in (("SELECT nosuch FROM glucose_daily", "nosuch"), (f"FROM '{tmp_path}/other.csv'", "disabled"),
                        ("SELECT", "without selection list")):
        with pytest.raises(ConfigurationError, match=part):
            said("read", "glucose_daily", "--sql", query)
    with pytest.raises(ConfigurationError, match=r"\.parquet, \.csv, \.ndjson"):
        said("read", "glucose_daily", "--out", "rows.xlsx")


def test_spark_reads_the_pinned_version(home: Settings) -> None:
    with engines.session(home.engine) as spark:
        assert released("glucose_daily", settings=home).spark(spark).count() == 36
        assert released("glucose_daily", 1, settings=home).spark(spark).count() == 24


def test_every_release_is_listed_with_what_superseded_it(home: Settings) -> None:
    found = pinned("glucose_daily", home)
    assert [(pin["release"], pin["rows"], pin["superseded_because"]) for pin in found] == [(1, 24, None), (2, 36, None)]
    supersede(home)
    assert [pin["superseded_because"] for pin in json.loads(said("releases", "glucose_daily", "--json"))] == ["withdrawal", None]
    assert "withdrawal" in said("releases") and "optin_rates" in said("releases")
    assert said("read", "glucose_daily", "--release", "1").startswith("glucose_daily release 1 holds people who do not permit it any more")
    superseded, = json.loads(CliRunner().invoke(app, ["read", "glucose_daily", "--release", "1", "--json"]).stdout)["warnings"]
    assert superseded.startswith("glucose_daily release 1 holds people")
    assert said("releases", "glucose_daily@1") == said("releases", "glucose_daily")
    with pytest.raises(LakeError, match="no product is called"):
        said("releases", "nosuch")
