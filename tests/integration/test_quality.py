"""What gates found stays in the ledger: every expectation, met or not, and no value of a row."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from typer.testing import CliRunner

from contracts import catalog
from jobs.check import AS_OF, findings
from jobs.cli import app
from jobs.errors import GateFailed
from jobs.ledger import quality
from jobs.run.conform import conform
from jobs.run.gated import gate
from jobs.run.shell import open_shell
from jobs.settings import Settings
from tests.constraints import CANARIES, CANARY, PAST, rows_of
from tests.landing import Raw, core, lake_of, land, probe, reading

NAME = "core.observation"


@pytest.fixture
def home(engine: str, tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", lake="", engine=engine, actor="test")


def asked(home: Settings, subject: str, *changes: dict) -> None:
    with open_shell(home, "conform", "crm", with_engine=True) as shell:
        table = catalog().table(NAME)
        gate(shell, subject, rows_of(shell.lake.spark, table, [{}, *changes]), table, PAST)


def test_each_expectation_of_a_gate_is_kept(home: Settings, spark: SparkSession) -> None:
    before = datetime.now(UTC)
    asked(home, "crm.000001", {"device_id": None})
    rows = lake_of(home).arrow(quality.TABLE).to_pylist()
    table = catalog().table(NAME)
    found = findings(rows_of(spark, table, [{}]), table, PAST)
    assert sorted((r["expectation"], r["columns"]) for r in rows) == sorted((f.expectation, f.columns) for f in found)
    assert {r["subject"] for r in rows} == {"crm.000001"} and all(r["is_met"] and r["checked_at"] >= before for r in rows)
    unit = next(r for r in rows if r["columns"] == "unit_code" and "lengths" in r["expectation"])
    assert json.loads(unit["configuration"]) == {"column": "unit_code", "max_value": 40.0}
    version = next(r for r in rows if r["columns"] == "version_at")
    assert json.loads(version["configuration"]) == {"column": "version_at", "max_value": AS_OF}
    assert (unit["rows"], unit["broken"], unit["contract_version"]) == (2, 0, "1.0.0")


def test_a_gate_that_fails_says_why_in_the_ledger_too(home: Settings) -> None:
    with pytest.raises(GateFailed):
        asked(home, "crm.000001", {"unit_code": CANARY * 9}, {"code": CANARY})
    rows = lake_of(home).arrow(quality.TABLE).to_pylist()
    broken = {(r["expectation"], r["columns"], r["rows"], r["broken"]) for r in rows if not r["is_met"]}
    assert broken == {("expect_column_value_lengths_to_be_between", "unit_code", 3, 1),
                      ("expect_column_values_to_match_regex", "code", 3, 1)}
    assert [c for c in CANARIES if c in str(rows)] == []


def test_a_gate_asked_again_replaces_what_it_found(home: Settings) -> None:
    with pytest.raises(GateFailed):
        asked(home, "crm.000001", {"code": CANARY})
    once = lake_of(home).arrow(quality.TABLE).num_rows
    asked(home, "crm.000001")
    rows = lake_of(home).arrow(quality.TABLE).to_pylist()
    assert len(rows) == once and all(r["is_met"] for r in rows)
    asked(home, "crm.000002")
    assert lake_of(home).arrow(quality.TABLE).num_rows == 2 * once


def test_a_batch_is_compared_with_what_its_source_brought_before(engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same readings under other ids are stopped, of which the batch alone tells nothing; a first load is not."""
    monkeypatch.setenv("CONCORD_CONTRACTS", probe(tmp_path))
    home = Settings(home=tmp_path / "home", lake="", engine=engine, actor="test")
    readings = [reading(person=f"p{n}", value=90 + n) for n in range(25)]
    land(home, "probe", [Raw(f"events/{n}", said) for n, said in enumerate(readings)])
    conform(home, "probe")
    land(home, "probe", [Raw(f"events/again-{n}", said) for n, said in enumerate(readings)], 2)
    with pytest.raises(GateFailed, match="each_reading_once"):
        conform(home, "probe")
    assert len(core(home, "probe", NAME)) == 25


def said(home: Settings, monkeypatch: pytest.MonkeyPatch, *words: str) -> str:
    monkeypatch.setenv("CONCORD_HOME", str(home.home))
    monkeypatch.delenv("CONCORD_LAKE", raising=False)
    done = CliRunner().invoke(app, ["quality", *words], catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


def test_the_command_tells_checks_newest_first_and_what_was_not_met(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(GateFailed):
        asked(home, "crm.000001", {"code": CANARY}, {"code": None})
    asked(home, "crm.000002")
    newest, oldest = json.loads(said(home, monkeypatch, "--json"))
    assert (newest["subject"], newest["rows"], newest["not_met"]) == ("crm.000002", 1, [])
    assert (oldest["subject"], oldest["rows"], oldest["expectations"]) == ("crm.000001", 3, newest["expectations"])
    assert oldest["not_met"] == [{"expectation": "expect_column_values_to_match_regex", "columns": "code", "broken": 1},
                                 {"expectation": "expect_column_values_to_not_be_null", "columns": "code", "broken": 1}]
    row = next(line for line in said(home, monkeypatch).splitlines() if NAME in line).split()
    assert row[:4] == [NAME, "2", "1", str(newest["expectations"])] and row[-1] == "-"
    failed = said(home, monkeypatch, NAME, "--failed")
    assert "crm.000001" in failed and "crm.000002" not in failed and "(1)" in failed and CANARY not in failed


def test_nothing_was_checked_yet(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert json.loads(said(home, monkeypatch, "--json")) == [] and "table" in said(home, monkeypatch)
