"""What `concord freshness` tells of the ledgers: fresh, late, never asked; and what it writes down."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from contracts import catalog
from contracts.exit_codes import ExitCode
from contracts.service_levels import ServiceLevel
from jobs.breaches import Missed
from jobs.errors import ConfigurationError
from jobs.lake import Lake
from jobs.ledger import batches, extracts, releases, withdrawals
from jobs.run.freshness import overview, record
from jobs.run.product import build
from jobs.run.release import release
from jobs.schema import arrow_schema
from jobs.settings import Settings
from tests import small_lake
from tests.integration.test_command import run
from tests.landing import lake_of

NOW = datetime.now(UTC)


def ago(hours: float) -> datetime:
    return NOW - timedelta(hours=hours)


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    return small_lake.settings(tmp_path, "")


def ran(home: Settings, stage: str, subject: str, hours: float, result: str = "unchanged", **detail: Any) -> None:
    """A run of a stage that ended some hours ago."""
    lake = lake_of(home)
    row = {"run_id": f"{stage}.{subject}.{hours}", "stage": stage, "subject": subject, "result": result,
           "detail": json.dumps(detail), "actor": "test", "at": ago(hours)}
    lake.append_arrow("ledger.audit", pa.Table.from_pylist([row], schema=arrow_schema(lake.contract("ledger.audit"))))


def level(home: Settings, subject: str, promise: str) -> dict[str, Any]:
    return next(row for row in overview(home)["levels"] if (row["subject"], row["promise"]) == (subject, promise))


def state(home: Settings, subject: str, promise: str) -> str:
    return str(level(home, subject, promise)["state"])


def kept(home: Settings) -> list[tuple[str, str, str, bool]]:
    """The breaches in the ledger: of whom, what, noticed by, whether closed."""
    return sorted((r["subject"], r["promise"], r["noticed_by"], r["closed_at"] is not None)
                  for r in lake_of(home).arrow("ledger.freshness").to_pylist())


def promising(patch: pytest.MonkeyPatch, product: str, promise: str, hours: float, element: str | None = None) -> None:
    made = ServiceLevel.model_validate({"promise": promise, "within": timedelta(hours=hours), "element": element, "driver": None})
    patch.setitem(catalog().products, product, catalog().products[product].model_copy(update={"service_levels": (made,)}))


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
    never = level(home, "source.community", "frequency")
    assert (never["state"], never["last_kept_at"]) == ("late", None), "asked by nobody since the platform began to run"
    assert state(home, "source.crm", "latency") == "none"


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


def test_a_deadline_that_airflow_saw_pass_is_written_down_and_closed_by_what_it_waited_for(home: Settings) -> None:
    missed = [Missed("source.crm", "latency", ago(7), ago(1))]
    assert record(home, missed).facts["breaches"] == ["source.crm latency"]
    assert record(home, missed).changed == []
    assert (state(home, "source.crm", "latency"), kept(home)) == ("late", [("source.crm", "latency", "airflow", False)])
    ran(home, "conform", "crm", 0.5)
    record(home)
    assert kept(home) == [("source.crm", "latency", "airflow", True)]
    with pytest.raises(ConfigurationError, match="no contract promises latency of source.club; `concord freshness` shows"):
        record(home, [Missed("source.club", "latency", ago(7), ago(1))])


def pinned(lake: Lake, number: int, hours: float, **versions: int) -> None:
    """A release of glucose_daily from tables at versions, some hours ago."""
    inputs = {name: versions.get(name.split(".")[1], lake.version(name)) for name in (
        "core.observation", "core.consent", "vault.link", "vault.held", "core.identity")}
    row = {"product": "glucose_daily", "table_version": number, "rows": 1, "contract_version": "1.0.0", "contract_sha256": "x",
           "inputs": json.dumps(inputs), "use": "{}", "decided_at": ago(hours)}
    releases.pin(lake, "engagement", number, [row], ago(hours))


def test_a_product_is_late_while_what_it_is_made_of_changed_and_no_release_has_it(
        home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    promising(monkeypatch, "glucose_daily", "latency", 0)
    lake = small_lake.fill(home)
    assert state(home, "product.glucose_daily", "latency") == "late", "no release yet"
    pinned(lake, 1, 1)
    assert (state(home, "product.glucose_daily", "latency"), level(home, "product.glucose_daily", "latency")["age_seconds"]) == ("kept", 0)
    small_lake.append(lake, "core.consent", [small_lake.statement("person-1", "research", decision="deny")])
    assert state(home, "product.glucose_daily", "latency") == "late", "somebody said something"
    pinned(lake, 2, 0)
    assert state(home, "product.glucose_daily", "latency") == "kept"


def test_a_release_that_came_late_is_a_breach_from_when_it_was_due(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each release is held against the first change that it has and the one before lacks."""
    promising(monkeypatch, "glucose_daily", "latency", 5)
    lake = small_lake.fill(home)
    times = {"core.observation": {0: ago(60), 1: ago(50), 2: ago(30), 3: ago(29), 4: ago(3)}, "core.consent": {0: ago(60), 1: ago(40)},
             "core.message": {1: ago(45)}}
    monkeypatch.setattr(Lake, "commits", lambda _, name: times.get(name, {}))
    ran(home, "freshness", "all", 58, looked_at=ago(58).isoformat())
    for number, (hours, observation, consent) in enumerate(((48, 1, 0), (36, 1, 1), (20, 3, 1)), start=1):
        pinned(lake, number, hours, observation=observation, consent=consent)
    record(home)
    late = [(row["due_at"], row["closed_at"]) for row in lake.arrow("ledger.freshness").to_pylist()
            if (row["subject"], row["promise"]) == ("product.glucose_daily", "latency")]
    assert late == [(ago(25), ago(20))]
    assert level(home, "product.glucose_daily", "latency")["age_seconds"] // 60 == 3 * 60


def test_a_withdrawal_is_late_until_a_release_is_without_the_person(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    promising(monkeypatch, "glucose_daily", "timeToRepair", 0)
    lake = small_lake.fill(home)
    pinned(lake, 1, 5)
    assert state(home, "product.glucose_daily", "timeToRepair") == "kept"
    small_lake.append(lake, "core.observation", [{
        "source_person_id": "person-1", "code": "2339-0", "value": 90.0, "unit_code": "mg/dL", "effective_at": ago(3), "status_code": "final"}])
    assert state(home, "product.glucose_daily", "timeToRepair") == "kept", "nobody said anything"
    small_lake.append(lake, "core.consent", [small_lake.statement("person-1", "research", decision="deny")])
    assert state(home, "product.glucose_daily", "timeToRepair") == "late"


def withdrawn(lake: Lake, subject: str, effect: str, said: float, effective: float) -> None:
    withdrawals.write(lake, withdrawals.WITHDRAWAL, [{
        "reference": "r", "product": "glucose_daily", "subject": subject, "effect": effect, "source": "crm", "said_at": ago(said),
        "known_at": None, "effective_at": ago(effective)}])


def test_withdrawals_that_took_longer_than_promised_are_breaches(home: Settings) -> None:
    lake = lake_of(home)
    ran(home, "freshness", "all", 90, looked_at=ago(90).isoformat())
    withdrawn(lake, "engagement.2", "released", 80, 30)
    extracts.write(lake, extracts.EXTRACT, {
        **_extract(lake), "extract_id": "glycemia_institute-1", "recipient": "glycemia_institute"})
    extracts.write(lake, extracts.DELIVERY, {"extract_id": "glycemia_institute-1", "manifest_sha256": "x", "destination": "s3://x", "delivered_at": ago(85)})
    withdrawn(lake, "glycemia_institute-1.1", "recalled", 80, 20)
    record(home)
    found = {(r["subject"], r["promise"]): r for r in lake.arrow("ledger.freshness").to_pylist()}
    repair, notify = found["product.glucose_daily", "timeToRepair"], found["recipient.glycemia_institute", "timeToNotify"]
    assert [(r["due_at"], r["closed_at"]) for r in (repair, notify)] == [(ago(32), ago(30)), (ago(32), ago(20))]


def _extract(lake: Lake) -> dict[str, Any]:
    made: dict[str, Any] = {"string": "x", "long": 1, "timestamp": ago(86), "double": 1.0}
    return {column.name: made[column.type] for column in lake.contract("ledger.extract").columns}


def test_a_change_of_consents_after_the_last_recall_is_waited_for_where_something_was_delivered(
        home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    recipient = catalog().recipients["glycemia_institute"]
    short = recipient.service_levels[0].model_copy(update={"within": timedelta(0)})
    monkeypatch.setitem(catalog().recipients, recipient.id, recipient.model_copy(update={"service_levels": (short,)}))
    lake = small_lake.fill(home)
    assert state(home, "recipient.glycemia_institute", "timeToNotify") == "none", "it has nothing"
    extracts.write(lake, extracts.EXTRACT, {**_extract(lake), "extract_id": "e-1", "recipient": recipient.id})
    extracts.write(lake, extracts.DELIVERY, {"extract_id": "e-1", "manifest_sha256": "x", "destination": "s3://x", "delivered_at": ago(1)})
    assert state(home, "recipient.glycemia_institute", "timeToNotify") == "late"
    ran(home, "recall", recipient.id, -1)
    assert state(home, "recipient.glycemia_institute", "timeToNotify") == "kept"


@pytest.mark.parametrize(("days", "expected"), [(1e5, "kept"), (1, "late")])
def test_a_product_whose_newest_value_is_old_is_late(small_release: Settings, tmp_path: Path, days: float, expected: str,
                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    home = small_lake.copy(small_release, tmp_path / "home")
    promising(monkeypatch, "glucose_daily", "latency", 24 * days, "observed_on")
    found = level(home, "product.glucose_daily", "latency of observed_on")
    newest = datetime.combine(small_lake.START.date() + timedelta(days=2), datetime.min.time(), UTC)
    assert found["state"] == expected and abs(found["age_seconds"] - (datetime.now(UTC) - newest).total_seconds()) < 60


def test_a_build_that_found_nothing_to_change_is_a_look(small_release: Settings, tmp_path: Path) -> None:
    """After a real release: the same build again, and one whose candidate no release has."""
    home = small_lake.copy(small_release, tmp_path / "home")
    before = level(home, "product.glucose_daily", "frequency")
    assert before["state"] == "kept"
    build(home, "glucose_daily")
    looked = level(home, "product.glucose_daily", "frequency")["last_kept_at"]
    assert looked > before["last_kept_at"]
    small_lake.append(lake_of(home), "core.consent", [small_lake.statement("person-1", "research", decision="deny")])
    build(home, "glucose_daily")
    assert level(home, "product.glucose_daily", "frequency")["last_kept_at"] == looked
    for product in ("engagement_daily", "optin_rates"):
        build(home, product)
    release(home, "engagement")
    assert level(home, "product.glucose_daily", "frequency")["last_kept_at"] > looked


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
