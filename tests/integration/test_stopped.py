"""While statements wait in a batch that was stopped, nothing that rests on consent flows: a withdrawal may be among them."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from contracts import catalog
from contracts.quality import LibraryRule, Limit, Metric, Must, Severity
from jobs.errors import ConsentUnreadable, GateFailed, NotInForce
from jobs.ledger import batches, intakes
from jobs.run.conform import conform
from jobs.run.product import build
from jobs.run.release import release
from jobs.run.rules import declared
from jobs.settings import Settings
from tests import small_lake
from tests.integration.test_quality_rules import kept, say_of
from tests.integration.test_refused import BATCH, LONG_AGO
from tests.integration.test_release import more_readings
from tests.landing import lake_of, land

NO_ROWS = LibraryRule(name="never", description="", severity=Severity.REJECT_BATCH, column=None, metric=Metric.ROW_COUNT, is_percent=False,
                      limit=Limit(must=Must.BE_LESS_THAN, numbers=(0,)))


@pytest.fixture
def home(small_release: Settings, tmp_path: Path) -> Settings:
    return small_lake.copy(small_release, tmp_path / "home")


def test_a_stopped_batch_with_statements_stops_builds_and_releases_until_it_is_conformed(home: Settings,
                                                                                        monkeypatch: pytest.MonkeyPatch) -> None:
    more_readings(home)
    land(home, "crm", BATCH, number=3, at=LONG_AGO)
    assert build(home, "glucose_daily").result == "done", "a batch that has just landed stops nobody"
    with monkeypatch.context() as patch:
        say_of(patch, "core.consent", NO_ROWS)
        with pytest.raises(GateFailed, match="never"):
            conform(home, "crm")
    assert [b["batch_id"] for b in batches.waiting(lake_of(home), "crm")] == ["crm.000003"]
    with pytest.raises(ConsentUnreadable, match=r"crm.000003 was stopped.*concord conform crm"):
        release(home, "engagement")
    more_readings(home)
    with pytest.raises(ConsentUnreadable):
        build(home, "glucose_daily")
    assert build(home, "optin_rates").result in ("done", "unchanged"), "it rests on no consent"
    conform(home, "crm")
    assert kept(home, "never") == [], "what an earlier try found is gone"
    assert build(home, "glucose_daily").result == "done"


def test_one_without_statements_stops_nobody(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    streams = {feed.stream for feed in catalog().sources["crm"].feeds if feed.table == "core.consent"}
    land(home, "crm", [record for record in BATCH if record.stream not in streams], number=3, at=LONG_AGO)
    with monkeypatch.context() as patch:
        say_of(patch, "core.identity", NO_ROWS)
        with pytest.raises(GateFailed, match="never"):
            conform(home, "crm")
    more_readings(home)
    assert build(home, "glucose_daily").result == "done"


def without_stream(patch: pytest.MonkeyPatch) -> None:
    """The stream of consents is taken out of the CRM's contract."""
    source = catalog().sources["crm"]
    streams = {feed.stream for feed in source.feeds if feed.table == "core.consent"}
    patch.setitem(catalog().sources, "crm", source.model_copy(update={
        "streams": tuple(s for s in source.streams if s.name not in streams),
        "feeds": tuple(f for f in source.feeds if f.stream not in streams)}))


def without_source(patch: pytest.MonkeyPatch) -> None:
    patch.delitem(catalog().sources, "crm")


def idle(patch: pytest.MonkeyPatch, status: str) -> None:
    """The CRM's contract gets a status, which is part of its text."""
    source = catalog().sources["crm"]
    patch.setitem(catalog().sources, "crm", source.model_copy(update={"status": status, "sha256": f"{source.sha256}, {status}"}))


def retired(patch: pytest.MonkeyPatch) -> None:
    idle(patch, "retired")


@pytest.mark.parametrize(("edit", "said"), [
    (retired, "wait in crm.000003.*crm.yaml is retired.*status: active, run `concord conform crm`, then write status: retired again"),
    (without_stream, "which crm.yaml does not declare any more.*Put the stream back"),
    (without_source, "crm.000003 waits to be conformed, but no contract declares its source")])
def test_statements_that_no_contract_reads_any_more_stop_everything(home: Settings, monkeypatch: pytest.MonkeyPatch, edit: Any,
                                                                     said: str) -> None:
    more_readings(home)
    land(home, "crm", BATCH, number=3, at=LONG_AGO)
    edit(monkeypatch)
    with pytest.raises(ConsentUnreadable, match=said):
        build(home, "glucose_daily")


def test_the_advice_about_a_retired_source_leads_out(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    more_readings(home)
    land(home, "crm", BATCH, number=3, at=LONG_AGO)
    with monkeypatch.context() as patch:
        retired(patch)
        with pytest.raises(NotInForce, match=r"sources/crm is retired.*status: active, run `concord conform crm`.*then write status: retired"):
            conform(home, "crm")
    conform(home, "crm")
    retired(monkeypatch)
    assert build(home, "glucose_daily").result == "done"


@pytest.mark.parametrize("status", ["draft", "proposed"])
@pytest.mark.parametrize(("environment", "stops"), [("production", True), ("development", False)])
def test_statements_of_a_source_that_went_back_stop_production(home: Settings, monkeypatch: pytest.MonkeyPatch, status: str,
                                                               environment: str, stops: bool) -> None:
    land(home, "crm", BATCH, number=3, at=LONG_AGO)
    idle(monkeypatch, status)
    monkeypatch.setattr("jobs.run.life.standings", lambda settings, lake, names: {})  # Reviews are test_contract_life's.
    more_readings(home)
    with pytest.raises(ConsentUnreadable) if stops else nullcontext() as error:
        build(home.model_copy(update={"environment": environment}), "glucose_daily")
    assert error is None or f"Write status: active, run `concord conform crm`, then write status: {status} again" in str(error.value)


def test_a_replay_that_was_killed_stops_a_retired_source_and_says_the_way_out(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    more_readings(home)
    source = catalog().sources["crm"]
    intakes.begin(lake_of(home), "crm.replay-000001", source, declared(source, catalog().tables))
    retired(monkeypatch)
    with pytest.raises(ConsentUnreadable, match="Put crm.yaml back as it was, its status too, run `concord replay crm`, then write status: retired"):
        build(home, "glucose_daily")


@pytest.mark.parametrize(("name", "said"), [("crm.000003", "crm.000003 was stopped"), ("crm.replay-000001", "crm.replay-000001 was killed")])
def test_what_was_killed_under_another_contract_stops_everything(home: Settings, name: str, said: str) -> None:
    more_readings(home)
    land(home, "crm", BATCH, number=3, at=LONG_AGO)
    intakes.begin(lake_of(home), name, catalog().sources["crm"], "of another contract")
    with pytest.raises(ConsentUnreadable, match=f"{said}.*concord"):
        build(home, "glucose_daily")
