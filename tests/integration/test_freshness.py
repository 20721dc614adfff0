"""What `concord freshness` tells of sources: fresh, late, never asked; and what it writes down."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest

from contracts import catalog
from contracts.exit_codes import ExitCode
from jobs.breaches import Missed
from jobs.errors import ConfigurationError
from jobs.ledger import batches
from jobs.run.freshness import overview, record
from jobs.schema import arrow_schema
from jobs.settings import Settings
from tests import small_lake
from tests.integration.looking import ago, clock, kept, level, ran, state
from tests.integration.test_command import run
from tests.landing import lake_of

__all__ = ["clock"]


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    return small_lake.settings(tmp_path, "")


def test_a_lake_of_which_nothing_began_is_neither_fresh_nor_late(home: Settings) -> None:
    assert {row["state"] for row in overview(home)["levels"]} == {"none"}


def test_a_source_that_answered_with_nothing_new_is_fresh_and_one_that_was_not_asked_is_late(home: Settings) -> None:
    ran(home, "land", "crm", 60, "done")
    ran(home, "land", "crm", 2)
    ran(home, "land", "study", 30)
    ran(home, "land", "study", 2, "failed")
    assert state(home, "source.crm", "frequency") == "kept"
    assert state(home, "source.study", "frequency") == "late", "a failed run is no answer"
    assert level(home, "source.study", "frequency")["since"] == ago(4)
    assert state(home, "source.crm", "latency") == "none"


def test_a_source_that_is_new_to_an_old_platform_is_late_since_it_was_first_asked_and_not_before(home: Settings) -> None:
    ran(home, "land", "crm", 9000)
    ran(home, "freshness", "all", 8000, looked_at=ago(8000).isoformat())
    ran(home, "screen", "study", 7000)
    never = level(home, "source.study", "frequency")
    assert (never["state"], never["age_seconds"], never["last_kept_at"]) == ("none", 0, None), "nobody ever asked it"
    assert "source.study frequency" not in record(home).facts["breaches"]
    ran(home, "land", "study", 30, "failed")
    late = level(home, "source.study", "frequency")
    assert (late["state"], late["since"], late["last_kept_at"]) == ("late", ago(4), None), "its first run failed"
    record(home)
    ran(home, "land", "study", 1)
    record(home)
    assert state(home, "source.study", "frequency") == "kept"
    rows = [row for row in lake_of(home).arrow("ledger.freshness").to_pylist() if row["subject"] == "source.study"]
    assert [(row["promise"], row["due_at"], row["closed_at"]) for row in rows] == [("frequency", ago(4), ago(1))]


def test_a_batch_that_landed_counts_as_an_answer_though_its_run_was_killed(home: Settings) -> None:
    ran(home, "land", "crm", 60, "done")
    batches.record(lake_of(home), "crm", 1, 5, ago(1), ago(0.9))
    assert state(home, "source.crm", "frequency") == "kept"


def test_a_batch_that_waits_makes_a_source_late_until_it_is_in_core(home: Settings) -> None:
    lake = lake_of(home)
    batches.record(lake, "crm", 1, 5, ago(40), ago(39))
    batches.record(lake, "crm", 2, 5, ago(7))
    late = level(home, "source.crm", "latency")
    assert (late["state"], late["since"]) == ("late", ago(1)) and 7 * 3600 <= late["age_seconds"] < 7 * 3600 + 600
    assert record(home).facts["breaches"] == ["source.crm latency", "source.crm timeToDetect"]
    batches.record(lake, "crm", 2, 5, ago(7), ago(0.5))
    ran(home, "screen", "crm", 0.4)
    record(home)
    assert kept(home) == [("source.crm", "latency", "ledger", True), ("source.crm", "timeToDetect", "ledger", True)]
    closed = {row["promise"]: row["closed_at"] for row in lake.arrow("ledger.freshness").to_pylist()}
    assert closed == {"latency": ago(0.5), "timeToDetect": ago(0.4)}
    assert state(home, "source.crm", "latency") == "kept"


def test_what_was_conformed_and_not_screened_is_late(home: Settings) -> None:
    batches.record(lake_of(home), "social", 1, 5, ago(25), ago(24.9))
    ran(home, "screen", "social", 24.95)
    assert state(home, "source.social", "timeToDetect") == "late", "the screen came before there was anything in core"
    ran(home, "screen", "social", 24.5)
    assert state(home, "source.social", "timeToDetect") == "kept"


def test_the_same_look_again_writes_nothing_and_a_row_is_written_once(home: Settings) -> None:
    ran(home, "land", "crm", 30)
    first = record(home)
    assert first.changed == ["ledger.freshness"] and "source.crm frequency" in first.facts["breaches"]
    version = lake_of(home).version("ledger.freshness")
    again = record(home)
    assert (again.changed, again.facts["breaches"], again.facts["late"]) == ([], [], first.facts["late"])
    assert lake_of(home).version("ledger.freshness") == version


def test_a_look_that_was_killed_after_its_write_is_done_again_without_harm(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    ran(home, "land", "crm", 30)
    with monkeypatch.context() as patch:
        patch.setattr("jobs.ledger.audit.close", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            record(home)
    written = lake_of(home).arrow("ledger.freshness").to_pylist()
    assert ("source.crm", "frequency", "ledger", False) in kept(home)
    assert record(home).changed == [] and lake_of(home).arrow("ledger.freshness").to_pylist() == written


def test_clocks_of_candidates_that_run_are_counted(home: Settings) -> None:
    lake = lake_of(home)
    rows = [{"source": "social", "record_id": str(hours), "source_person_id": None, "table_name": "core.message", "reason_code": "symptom",
             "occurred_at": None, "found_at": ago(hours), "triage_due_at": ago(hours - 24), "report_due_at": ago(hours - 15 * 24)}
            for hours in (1, 3, 30, 400)]
    lake.append_arrow("safety.candidate", pa.Table.from_pylist(rows, schema=arrow_schema(lake.contract("safety.candidate"))))
    assert overview(home)["candidates"] == {"found": 4, "triage_clocks": 2, "next_triage_due_at": ago(-21), "report_clocks": 3,
                                            "next_report_due_at": ago(30 - 15 * 24)}


def test_a_delay_that_was_over_when_somebody_looked_is_kept(home: Settings) -> None:
    ran(home, "land", "crm", 50)
    ran(home, "freshness", "all", 40, looked_at=ago(40).isoformat())
    ran(home, "land", "crm", 1)
    record(home)
    assert ("source.crm", "frequency", "ledger", True) in kept(home)


def test_a_promise_that_nobody_makes_any_more_is_not_late(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    ran(home, "land", "crm", 30)
    record(home)
    monkeypatch.setitem(catalog().sources, "crm", catalog().sources["crm"].model_copy(update={"service_levels": ()}))
    record(home)
    assert ("source.crm", "frequency", "ledger", True) in kept(home)


@pytest.mark.parametrize(("status", "where", "promised"), [
    ("active", "production", True), ("deprecated", "production", True), ("draft", "development", True), ("draft", "production", False),
    ("retired", "production", False), ("retired", "development", False)])
def test_what_may_not_run_is_late_only_with_its_duties(
        home: Settings, monkeypatch: pytest.MonkeyPatch, status: str, where: str, promised: bool) -> None:
    home = home.model_copy(update={"environment": where})
    for known, name in ((catalog().sources, "crm"), (catalog().products, "glucose_daily")):
        monkeypatch.setitem(known, name, known[name].model_copy(update={"status": status}))
    ran(home, "land", "crm", 60, "done")
    batches.record(lake_of(home), "crm", 1, 5, ago(60))
    shown = {(row["subject"], row["promise"]): row["state"] for row in overview(home)["levels"]}
    assert shown["source.crm", "timeToDetect"] == "late", "what was received is screened whatever the contract became"
    assert {name: shown.get(("source.crm", name)) for name in ("latency", "frequency")} == dict.fromkeys(
        ("latency", "frequency"), "late" if promised else None)
    assert (("product.glucose_daily", "latency") in shown) is promised
    assert ("recipient.glycemia_institute", "timeToNotify") in shown
    assert ("source.crm frequency" in record(home).facts["breaches"]) is promised


def test_a_deadline_of_what_is_not_promised_any_more_is_told_and_not_written_down(
        home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    missed = [Missed("source.crm", "latency", ago(7), ago(1))]
    record(home, missed)
    monkeypatch.setitem(catalog().sources, "crm", catalog().sources["crm"].model_copy(update={"status": "retired"}))
    told = record(home, missed)
    assert (told.facts["not_promised"], told.facts["breaches"]) == (["source.crm latency"], [])
    assert kept(home) == [("source.crm", "latency", "airflow", True)]
    monkeypatch.delitem(catalog().sources, "crm")
    assert record(home, missed).facts["not_promised"] == ["source.crm latency"], "the ledger knows it"
    ran(home, "land", "gone", 30)
    assert record(home, [Missed("source.gone", "latency", ago(7), ago(1))]).facts["not_promised"] == ["source.gone latency"]


def test_a_deadline_that_airflow_saw_pass_is_written_down_and_closed_by_what_it_waited_for(home: Settings) -> None:
    missed = [Missed("source.crm", "latency", ago(7), ago(1))]
    assert record(home, missed).facts["breaches"] == ["source.crm latency"]
    assert record(home, missed).changed == []
    assert (state(home, "source.crm", "latency"), kept(home)) == ("late", [("source.crm", "latency", "airflow", False)])
    ran(home, "conform", "crm", 0.5)
    record(home)
    assert kept(home) == [("source.crm", "latency", "airflow", True)]
    assert record(home, [Missed("source.crm", "frequency", ago(7), ago(1))]).changed == [], "the ledgers know when it answered"
    with pytest.raises(ConfigurationError, match="no contract promises latency of source.club; `concord freshness` shows"):
        record(home, [Missed("source.club", "latency", ago(7), ago(1))])


def test_the_command_shows_it_and_checks_it(home: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("CONCORD_HOME", str(home.home))
    monkeypatch.delenv("CONCORD_LAKE", raising=False)
    ran(home, "land", "crm", 30)
    assert run(monkeypatch, "freshness") == 0
    shown = capsys.readouterr().out
    assert "late" in shown and "not yet" in shown
    assert run(monkeypatch, "freshness", "--check", "--json") == ExitCode.LATE
    said, told = capsys.readouterr()
    assert "frequency of source.crm" in told
    found = json.loads(said)
    assert {row["subject"] for row in found["breaches"]} >= {"source.crm"} and found["levels"][0]["promise"] == "latency"
    assert run(monkeypatch, "freshness", "record", "--missed", "source.crm", "latency", ago(7).isoformat(), str(ago(1))) == 0
    report = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert report["changed"] == ["ledger.freshness"] and "source.crm latency" in report["breaches"]
    assert run(monkeypatch, "freshness", "record", "--missed", "source.crm", "latency", "yesterday", "today") == ExitCode.CONFIGURATION
    assert "'yesterday' is no moment; write for example" in capsys.readouterr().err
