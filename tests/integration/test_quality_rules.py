"""A contract's rules at conform: a record is set apart, nothing is written, or it is reported; and a later contract takes it up."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from contracts import catalog
from contracts.quality import AnyRule, CustomRule, Reference, Severity
from jobs.errors import GateFailed
from jobs.ledger import quality
from jobs.run.conform import conform
from jobs.run.replay_rejected import replay
from jobs.settings import Settings
from tests.landing import Raw, account, apart, core, lake_of, land, probe, reading

TABLE = "core.observation"
DOSE = {"kind": "dose", "person": "p1", "name": "metformin", "value": 500.0, "at": "2026-10-01T00:00:00Z", "measured": "2026-10-01T00:00:00Z"}


def plausible(most: float, severity: Severity = Severity.REJECT_ROW) -> CustomRule:
    return CustomRule(name="plausible", description="", severity=severity, column="value", expectation="expect_column_values_to_be_between",
                      kwargs={"column": "value", "max_value": most})


def referring(severity: Severity) -> Reference:
    return Reference(name="known", description="", severity=severity, column=None, columns=("source", "source_person_id"),
                     to_table="core.medication_event", to_columns=("source", "source_person_id"))


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, engine: str) -> Settings:
    monkeypatch.setenv("CONCORD_CONTRACTS", probe(tmp_path))
    return Settings(home=tmp_path / "home", lake="", engine=engine, actor="test")


def say(monkeypatch: pytest.MonkeyPatch, *rules: AnyRule) -> None:
    """From now on the contract of readings has these rules."""
    say_of(monkeypatch, TABLE, *rules)


def say_of(monkeypatch: pytest.MonkeyPatch, name: str, *rules: AnyRule) -> None:
    """From now on a table's contract has these rules."""
    known = catalog()
    table = known.tables[name].model_copy(update={"quality": rules})
    monkeypatch.setattr("jobs.run.shell.catalog", lambda: dataclasses.replace(known, tables={**known.tables, name: table}))


def kept(home: Settings, rule: str) -> list[tuple[Any, ...]]:
    rows = lake_of(home).arrow(quality.TABLE).to_pylist()
    return sorted((r["subject"], r["is_met"], r["broken"], r["severity_code"]) for r in rows if r["rule"] == rule)


def values(home: Settings) -> dict[str, float]:
    return {row["record_id"]: row["value"] for row in core(home, "probe", TABLE)}


def test_a_record_that_breaks_a_rule_is_set_apart_and_leaves_the_older_one_standing(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    say(monkeypatch, plausible(500))
    land(home, "probe", [Raw("a", reading(value=100.0)), Raw("b", reading(value=900.0)), Raw("d", DOSE)])
    conform(home, "probe")
    land(home, "probe", [Raw("a", reading(at="2026-10-02T00:00:00Z", value=901.0)), Raw("c", reading(value=101.0))], 2)
    conform(home, "probe")
    assert values(home) == {"a": 100.0, "c": 101.0}
    assert apart(home, "probe") == {("probe.000001", 1): ("rule_broken", "plausible"), ("probe.000002", 0): ("rule_broken", "plausible")}
    assert account(home, "probe.000001") == {("accepted", "-"): 2, ("rejected", "rule_broken"): 1}
    assert kept(home, "plausible") == [("probe.000001", True, 0, "critical"), ("probe.000002", True, 0, "critical")]


def test_a_wider_rule_takes_up_by_a_replay_what_a_narrower_one_set_apart(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    say(monkeypatch, plausible(500))
    land(home, "probe", [Raw("a", reading(value=100.0)), Raw("b", reading(value=600.0)), Raw("c", reading(value=900.0))])
    conform(home, "probe")
    say(monkeypatch, plausible(700))
    replay(home, "probe")
    assert values(home) == {"a": 100.0, "b": 600.0}
    assert apart(home, "probe") == {("probe.000001", 2): ("rule_broken", "plausible")}


def test_what_should_have_been_set_apart_stops_at_the_gate(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    say(monkeypatch, plausible(500))
    land(home, "probe", [Raw("a", reading(value=100.0)), Raw("b", reading(value=900.0))])
    with pytest.raises(GateFailed, match=r"plausible: expect_column_values_to_be_between on value \(1 rows\)"):
        conform(home, "probe", checks=False)
    assert values(home) == {}


@pytest.mark.parametrize("severity", [Severity.REJECT_BATCH, Severity.WARN])
def test_a_broken_rule_stops_the_batch_or_is_reported(home: Settings, monkeypatch: pytest.MonkeyPatch, severity: Severity) -> None:
    say(monkeypatch, plausible(500, severity))
    land(home, "probe", [Raw("a", reading(value=100.0)), Raw("b", reading(value=900.0))])
    if severity == Severity.WARN:
        conform(home, "probe")
    else:
        with pytest.raises(GateFailed, match="plausible"):
            conform(home, "probe")
    assert len(values(home)) == (2 if severity == Severity.WARN else 0) and apart(home, "probe") == {}
    assert kept(home, "plausible") == [("probe.000001", False, 1, "warning" if severity == Severity.WARN else "critical")]


def test_a_reference_is_looked_up_in_the_table_and_in_what_comes_with_it(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    say(monkeypatch, referring(Severity.WARN))
    land(home, "probe", [Raw("d", DOSE), Raw("a", reading(person="p1")), Raw("b", reading(person="p2"))])
    conform(home, "probe")
    land(home, "probe", [Raw("c", reading(person="p1"))], 2)
    conform(home, "probe")
    assert kept(home, "known") == [("probe.000001", False, 1, "warning"), ("probe.000002", True, 0, "warning")]
    say(monkeypatch, referring(Severity.REJECT_BATCH))
    land(home, "probe", [Raw("e", reading(person="p3"))], 3)
    with pytest.raises(GateFailed, match="known: unexpected_rows_expectation on source, source_person_id"):
        conform(home, "probe")
