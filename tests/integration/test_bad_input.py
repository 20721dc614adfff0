"""Bad input from the sources, all the way into the lake: each ends in an outcome with a reason or in a clear error, and nothing is lost."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame

from infra.local.sources.faults import HUGE
from infra.local.sources.process import Sources, running
from jobs.connections import Access
from jobs.connectors import fetch, session
from jobs.connectors.adapter import Patience
from jobs.errors import ConcordError
from jobs.ledger import batches
from jobs.run import conform as conforming
from jobs.run import land as landing
from jobs.settings import Settings
from jobs.stages import conform as stage
from tests.integration.connecting import NAMES, STREAMS, Listener, Reader, access_to, contract, free_port, reader
from tests.landing import Raw, account, apart, core, lake_of, land, probe, reading, tolerate

PAGES = {"adherence_app": 40, "crm": 200, "social": 3, "device_cloud": 1000}
# Rounds of landing; for each fault of a record where it is ordered and what becomes of the record: outcome, reason, field.
ACCEPTED, APART = ("accepted", None, None), ("rejected", "not_utf8", None)
FATES: dict[str, list[dict[str, tuple[Any, ...]]]] = {
    "adherence_app": [{
        "malformed": ("data_points", "rejected", "bad_format", "effective_at"), "wrong_encoding": ("data_points", *APART),
        "huge_string": ("data_points", *ACCEPTED), "duplicate_id": ("data_points", *ACCEPTED),
        "future_date": ("data_points", "rejected", "in_future", "effective_at"),
        "wrong_unit": ("data_points", "rejected", "unknown_code", "unit_code"),
        "wrong_type": ("data_points", "rejected", "wrong_type", "value"), "unknown_field": ("data_points", *ACCEPTED)}],
    "crm": [
        {"wrong_encoding": ("contacts", *APART), "huge_string": ("cases", "rejected", "too_long", "text"),
         "malformed": ("phones", "rejected", "bad_format", "version_at"), "duplicate_id": ("optins", *ACCEPTED)},
        {"future_date": ("cases", "rejected", "in_future", "occurred_at"), "wrong_type": ("emails", "rejected", "wrong_type", "is_verified"), "unknown_field": ("optins", *ACCEPTED)}],
    "social": [{
        "malformed": ("posts", "rejected", "bad_format", "version_at"), "wrong_encoding": ("posts", *APART),
        "huge_string": ("posts", "rejected", "too_long", "text"), "duplicate_id": ("posts", "superseded", None, None),
        "future_date": ("posts", "rejected", "in_future", "version_at"),
        "wrong_type": ("posts", "rejected", "wrong_type", "handle"), "unknown_field": ("posts", *ACCEPTED)}],
    "device_cloud": [
        {"malformed": ("Observation", "rejected", "not_json", None), "wrong_encoding": ("Consent", *APART),
         "huge_string": ("Device", "rejected", "too_long", "device_id"), "duplicate_id": ("Patient", *ACCEPTED),
         "future_date": ("Observation", "rejected", "in_future", "effective_at"),
         # mm[Hg] is a unit of UCUM, though none of glucose.
         "wrong_unit": ("Observation", "rejected", "rule_broken", "mass_in_mass_units")},
        {"wrong_type": ("Observation", "rejected", "wrong_type", "value"), "unknown_field": ("Observation", *ACCEPTED)}]}
HEALED = ("duplicate_page", "empty_page", "429", "500", "expired_token", "truncated")
# A stream that is not the first, so that records have come when the fetch ends; one page is enough for it to be shown.
LATE = {"adherence_app": "data_points", "crm": "cases", "social": "posts", "device_cloud": "Observation"}
# What ends a fetch, with the exit status of the command; an empty page for ever is a file that stays incomplete in an export.
ENDS = {"down": 75, "429": 75, "500": 75, "cut": 75, "truncated": 75, "expired_token": 6, "oversized": 6, "foreign_next": 6,
        "empty_page": 6}
DAYS = 6


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sources]:
    with running(tmp_path_factory.mktemp("bad_input"), "--people", "80", "--days", "6", "--polls", "0") as started:
        yield started


@dataclass
class Landing:
    """A lake into which one source is landed, and a clean reader of the same source that goes along."""

    settings: Settings
    sources: Sources
    source_id: str
    clean: Reader
    base_url: str | None = None
    decided: dict[tuple[str, int], str] = field(default_factory=dict)

    def access(self, _: str) -> Access:
        found = access_to(self.sources, self.source_id)
        return replace(found, base_url=self.base_url) if self.base_url else found

    def order(self, kind: str, stream: str | None = None, times: int = 1, **more: object) -> None:
        where = {"stream": STREAMS.get(stream, stream)} if stream else {}
        self.sources.control("faults", source=NAMES[self.source_id], kind=kind, times=times, **where, **more)

    def land(self) -> int:
        return int(landing.land(self.settings, self.source_id).facts["rows"])

    def raw(self) -> list[dict[str, Any]]:
        return list(lake_of(self.settings).arrow(f"raw.{self.source_id}").to_pylist())

    def standing(self) -> tuple[Any, ...]:
        """All that moves when something is landed."""
        lake = lake_of(self.settings)
        return (max(lake.version(f"raw.{self.source_id}"), 0), landing.lake_state(lake, self.clean.source), batches.of(lake, self.source_id),
                [*self.settings.spool.glob("*")])

    def conform(self) -> Counter[str]:
        conforming.conform(self.settings, self.source_id)
        return Counter(self.decided.values())


@pytest.fixture(params=FATES)
def landed(request: pytest.FixtureRequest, sources: Sources, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, engine: str) -> Landing:
    sources.control("reset")
    source = contract(request.param, PAGES[request.param], 8)
    made = Landing(Settings(home=tmp_path, lake="", engine=engine, actor="test"), sources, request.param, reader(sources, source))
    counted = stage.account

    def note(decided: DataFrame) -> DataFrame:
        for row in decided.select("batch_id", "position", "outcome").collect():
            made.decided[row["batch_id"], row["position"]] = row["outcome"]
        return counted(decided)

    monkeypatch.setattr(session, "PATIENCE", Patience(backoff=0.01, longest=0.05))
    monkeypatch.setattr(landing, "fetch", lambda _, access, state, known, now: fetch(source, access, state, known, made.clean.clock()))
    monkeypatch.setattr(landing, "access", made.access)
    monkeypatch.setattr(landing, "CHUNK", 10)
    monkeypatch.setattr(stage, "account", note)
    tolerate(monkeypatch, request.param)
    return made


def fault(payload: bytes) -> str:
    """Which fault altered a record, by the mark it left."""
    try:
        payload.decode()
    except UnicodeDecodeError:
        return "wrong_encoding"
    if len(payload) > HUGE:
        return "huge_string"
    marks = {"unknown_field": rb"surprise_field", "malformed": rb"99:99|[^}]$", "wrong_unit": rb"mm\[Hg\]",
             "wrong_type": rb'"twelve"|"acct":12\b', "future_date": rb'"203[3-9]-'}
    return next((kind for kind, mark in marks.items() if re.search(mark, payload)), "duplicate_id")


def test_every_altered_record_has_its_outcome_and_all_others_go_on(landed: Landing) -> None:
    """Records altered in every way, then pages twice or empty and answers that fail: landed and conformed, none missing."""
    clean: list[bytes] = []
    for number, faults in enumerate([*FATES[landed.source_id], dict.fromkeys(HEALED, (None,))]):
        if number:
            landed.sources.control("advance", days=6)
        fresh = landed.clean.fetch()
        clean += [record.payload for record in fresh]
        for kind, (stream, *_) in faults.items():
            landed.order(kind, stream)
        assert landed.land() >= len(fresh) > 0
        waiting = [f["kind"] for f in landed.sources.control("state")["faults"]]
        assert not waiting, waiting
    landed.conform()
    raw, found = landed.raw(), apart(landed.settings, landed.source_id)
    altered = {(r["batch_id"], r["position"]): fault(r["payload"]) for r in raw if r["payload"] not in set(clean)}
    fates = {kind: tuple(rest) for faults in FATES[landed.source_id] for kind, (_, *rest) in faults.items()}
    assert set(altered.values()) == fates.keys()
    assert {kind: (landed.decided[place], *found.get(place, (None, None))) for place, kind in altered.items()} == fates
    missing = Counter(clean) - Counter(r["payload"] for r in raw)
    assert missing.total() <= len(altered)
    assert found.keys() == {place for place, outcome in landed.decided.items() if outcome == "rejected"}
    assert landed.decided.keys() == {(r["batch_id"], r["position"]) for r in raw}
    numbers = {b["batch_id"]: b["rows"] for b in batches.of(lake_of(landed.settings), landed.source_id)}
    assert {name: sum(account(landed.settings, name).values()) for name in numbers} == numbers


def fails(landed: Landing, kind: str, listener: Listener) -> None:
    """A fault that does not heal ends the landing in a clear error, and nothing has moved."""
    before = landed.standing()
    if kind == "down":
        landed.base_url = f"https://127.0.0.1:{free_port()}"
    else:
        landed.order(kind, None if kind == "foreign_next" else LATE[landed.source_id], times=10_000, host=f"127.0.0.1:{listener.port}")
    with pytest.raises(ConcordError, match=rf"^source {landed.source_id}, stream [\w-]+, host 127\.0\.0\.1:\d+: .+") as failure:
        landed.land()
    landed.base_url = None
    expected = 75 if (landed.source_id, kind) == ("device_cloud", "empty_page") else ENDS[kind]
    assert failure.value.exit_code == expected, (kind, str(failure.value))
    assert landed.standing() == before and listener.got == [], kind


def test_what_ends_a_fetch_moves_nothing_and_the_next_one_brings_all(landed: Landing) -> None:
    """Each fault twice: before the first batch, and with a cursor. The world is set back after each, to the same instant."""
    listener = Listener()
    clean = landed.clean
    for days in (0, 1):
        fresh = [(r.record_id, r.payload) for r in clean.fetch()]
        for kind in ENDS:
            # A small increment has no second page, and so no link to it.
            if not days or kind not in ("foreign_next", "empty_page"):
                fails(landed, kind, listener)
            landed.sources.control("reset")
            if days:
                landed.sources.control("advance", days=DAYS)
        held = len(landed.raw())
        assert landed.land() == len(fresh) > 0
        rows = sorted(landed.raw(), key=lambda r: (r["batch_id"], r["position"]))
        assert [(r["record_id"], r["payload"]) for r in rows][held:] == fresh
        landed.sources.control("advance", days=DAYS)
    listener.socket.close()


@pytest.fixture
def probed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, engine: str) -> Settings:
    monkeypatch.setenv("CONCORD_CONTRACTS", probe(tmp_path))
    return Settings(home=tmp_path, lake="", engine=engine, actor="test")


def test_a_record_id_that_is_too_long_stops_no_batch(probed: Settings) -> None:
    batch = land(probed, "probe", [Raw("events/" + "n" * 600, reading()), Raw("events/1", reading())])
    conforming.conform(probed, "probe")
    assert apart(probed, "probe") == {(batch, 0): ("too_long", "record_id")}
    assert account(probed, batch) == {("accepted", "-"): 1, ("rejected", "too_long"): 1}


def test_a_version_in_the_future_hides_no_later_edit(probed: Settings) -> None:
    """Else every true edit until that day counts as older than what core holds."""
    batch = land(probed, "probe", [Raw("events/1", reading("2036-10-01T00:00:00Z", value=101))])
    land(probed, "probe", [Raw("events/1", reading("2026-10-02T00:00:00Z", value=102))], 2)
    conforming.conform(probed, "probe")
    assert [row["value"] for row in core(probed, "probe", "core.observation")] == [102]
    assert apart(probed, "probe") == {(batch, 0): ("in_future", "version_at")}
