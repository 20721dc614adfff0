"""What becomes of each raw record. A case is one record id: what is landed of it batch by batch, the outcomes, and core.

All cases go through ``jobs.run.conform`` together, in three batches of one source.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pyspark.sql import DataFrame

from contracts.load import catalog
from contracts.vocabulary import Outcome, RejectReason
from jobs.ledger import batches
from jobs.run import conform as shell
from jobs.settings import Settings
from jobs.stages import conform as stage
from tests.landing import RECEIVED, Raw, account, apart, core, lake_of, land, probe, reading

D1, D2, D3, D4 = (f"2026-10-0{n}T00:00:00Z" for n in range(1, 5))
FUTURE, SOON = "2026-11-02T12:00:00Z", "2026-11-01T12:05:00Z"
UCUM = "http://unitsofmeasure.org"
GONE = {"gone": True}


def dose(at: str | None = D1, **changes: Any) -> dict[str, Any]:
    return {"kind": "dose", "at": at, "person": "p1", "name": "Metformin", "value": 500, "measured": D1, **changes}


def tombstone(at: str | None = None) -> Raw:
    return Raw("", {"at": at} if at else {}, is_deleted=True)


# name -> what is landed (batch, payload or record), the outcome of each in that order, the value core ends with (None: nothing)
Landed = tuple[int, Any]
OUTCOMES: dict[str, tuple[list[Landed], list[str], float | None]] = {
    "new": ([(1, reading(value=101))], ["accepted"], 101),
    "a later edit in the batch": ([(1, reading(D1, value=101)), (1, reading(D2, value=102))], ["superseded", "accepted"], 102),
    "a later edit that comes first": ([(1, reading(D2, value=102)), (1, reading(D1, value=101))], ["accepted", "superseded"], 102),
    "a later edit in another batch": ([(1, reading(D1, value=101)), (2, reading(D2, value=102))], ["accepted", "accepted"], 102),
    "a late older edit": ([(1, reading(D2, value=102)), (2, reading(D1, value=101))], ["accepted", "superseded"], 102),
    "three edits at odds": ([(1, reading(D2, value=102)), (2, reading(D1, value=101)), (3, reading(D3, value=103))],
                            ["accepted", "superseded", "accepted"], 103),
    "two edits of one instant: the one that comes last": ([(1, reading(D1, value=101)), (1, reading(D1, value=102))],
                                                          ["superseded", "accepted"], 102),
    "two edits of one instant in two batches": ([(1, reading(D1, value=101)), (2, reading(D1, value=102))], ["accepted", "accepted"], 102),
    "twice in a page": ([(1, reading(value=101)), (1, reading(value=101))], ["duplicate", "accepted"], 101),
    "twice in two batches": ([(1, reading(value=101)), (2, reading(value=101))], ["accepted", "duplicate"], 101),
    "twice in three batches": ([(1, reading(value=101)), (2, reading(value=101)), (3, reading(value=101))],
                               ["accepted", "duplicate", "duplicate"], 101),
    "an old version again": ([(1, reading(D1, value=101)), (2, reading(D2, value=102)), (3, reading(D1, value=101))],
                             ["accepted", "accepted", "superseded"], 102),
    "deleted by a tombstone": ([(1, reading(value=101)), (2, tombstone())], ["accepted", "deletion"], None),
    "deleted by its own flag": ([(1, reading(D1, value=101)), (2, reading(D2, **GONE))], ["accepted", "deletion"], None),
    "deleted in the batch": ([(1, reading(D1, value=101)), (1, reading(D2, **GONE))], ["superseded", "deletion"], None),
    "deleted although its payload is broken": ([(1, reading(value=101)), (2, Raw("", "{", is_deleted=True))], ["accepted", "deletion"], None),
    "deleted without a date, then back as it was": ([(1, reading(D1, value=101)), (2, tombstone()), (3, reading(D1, value=101))],
                                                    ["accepted", "deletion", "accepted"], 101),
    "deleted before it was known": ([(1, tombstone())], ["deletion"], None),
    "deleted twice": ([(1, reading(D1)), (2, reading(D2, **GONE)), (3, reading(D2, **GONE))], ["accepted", "deletion", "duplicate"], None),
    "deleted, then created again": ([(1, reading(D1, value=101)), (2, reading(D2, **GONE)), (3, reading(D3, value=103))],
                                    ["accepted", "deletion", "accepted"], 103),
    "created again, then the old deletion": ([(1, reading(D3, value=103)), (2, reading(D2, **GONE))], ["accepted", "superseded"], 103),
    "deleted, then a late older edit": ([(1, reading(D3, **GONE)), (2, reading(D2, value=102))], ["deletion", "superseded"], None),
    "deleted and created again in a batch": ([(1, reading(D2, **GONE)), (1, reading(D3, value=103))], ["superseded", "accepted"], 103),
    "deleted, created, older edit": ([(1, reading(D2, **GONE)), (2, reading(D3, value=103)), (3, reading(D1, value=101))],
                                     ["deletion", "accepted", "superseded"], 103),
    "an edit that leaves the feed": ([(1, reading(D1, value=101)), (2, dose(D2))], ["accepted", "accepted"], None),
    "an edit that leaves the feed and comes back": ([(1, reading(D1, value=101)), (2, dose(D2)), (3, reading(D3, value=103))],
                                                    ["accepted", "accepted", "accepted"], 103),
    "a rejected newer edit leaves the older": ([(1, reading(D1, value=101)), (2, reading(D2, value="102"))], ["accepted", "rejected"], 101),
    "a rejected newer edit in the batch": ([(1, reading(D1, value=101)), (1, reading(D2, value="102"))], ["accepted", "rejected"], 101),
    "a rejected older edit": ([(1, reading(D1, value="101")), (1, reading(D2, value=102))], ["rejected", "accepted"], 102),
    "no version, then one": ([(1, reading(None, value=101)), (2, reading(D2, value=102))], ["accepted", "accepted"], 102),
    "rejected twice": ([(1, reading(value="101")), (2, reading(value="101"))], ["rejected", "rejected"], None),
}
REJECTED: list[tuple[str, Any, str, str | None]] = [
    ("wrong encoding", b'{"id": "\xff\xfe"}', "not_utf8", None),
    ("UTF-16", '{"id": 1}'.encode("utf-16"), "not_utf8", None),
    ("truncated JSON", '{"kind": "reading", "value": 9', "not_json", None),
    ("JSON and more", '{"kind": "reading"} {"kind": "reading"}', "not_json", None),
    ("an array", "[]", "not_json", None), ("a text", '"reading"', "not_json", None), ("nothing", "", "not_json", None),
    ("null", "null", "not_json", None), ("HTML", "<html></html>", "not_json", None),
    ("no record id", Raw(None, reading()), "no_record_id", None),
    ("another type", {"kind": "sleep"}, "unexpected_type", None), ("no type", {}, "unexpected_type", None),
    ("no code", reading(code=None), "missing", "code"), ("a null", reading() | {"code": None}, "missing", "code"),
    ("a dose nobody took", dose(person=None), "missing", "source_person_id"),
    ("a number as text", reading(value="95"), "wrong_type", "value"),
    ("an object for a text", reading(device={"id": "x"}), "wrong_type", "device_id"),
    ("an array for a text", reading(status=["final"]), "wrong_type", "status_code"),
    ("a text for an object", reading(quantity="mg/dL"), "wrong_unit", "unit_code"),
    ("another unit system", reading(quantity={"system": "urn:other", "code": "mg/dL"}), "wrong_unit", "unit_code"),
    ("no unit", reading(quantity=None), "missing", "unit_code"),
    ("another status", reading(status="done"), "unknown_code", "status_code"),
    ("another place", reading(place="moon"), "unknown_code", "payload.place"),
    ("no LOINC code", reading(code="glucose"), "bad_format", "code"),
    ("a local time", reading(measured="2026-10-01T08:00:00"), "bad_format", "effective_at"),
    ("no version", reading("tomorrow"), "bad_format", "version_at"),
    ("a negative dose", dose(value=-1), "out_of_range", "dose_value"),
    ("measured tomorrow", reading(measured=FUTURE), "in_future", "effective_at"),
    ("2 MB of text", reading(device="x" * 2_000_000), "too_long", "device_id"),
    ("a check of the contract", reading(a=1), "check_failed", "payload.a"),
]
FINE: list[tuple[str, Any]] = [
    ("unknown fields", reading(extra={"deep": ["x"]}, other=1)), ("a clock five minutes ahead", reading(measured=SOON)),
    ("2 MB that no column takes", reading(comment="x" * 2_000_000)), ("unicode", reading(device="Größe 😀 \u0000")),
    ("white space around", f"\n  {{{reading(value=107)!r}".replace("'", '"').replace("{{", "{") + "  \n"), ("a known place", reading(place="home")),
    ("a check that holds", reading(a=1, b=2)), ("no person", reading(person=None)), ("year 1", reading(measured="0001-01-01T00:00:00Z")),
]


class Run:
    """All cases landed and conformed once."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.decided: dict[tuple[str, int], str] = {}
        self.places: dict[str, list[tuple[str, int]]] = {}
        self.landed: dict[int, list[Raw]] = {1: [], 2: [], 3: []}

    def add(self, name: str, number: int, what: Any) -> None:
        places = self.places.setdefault(name, [])
        if isinstance(what, dict) and what.get("measured") == reading()["measured"]:  # Nobody measures twice at one second.
            hours, minutes = divmod(list(self.places).index(name), 60)
            what = what | {"measured": f"2026-09-30T{hours:02}:{minutes:02}:00Z"}
        raw = what if isinstance(what, Raw) else Raw("", what)
        record_id = None if raw.record_id is None else f"events/{name}"
        places.append((batches.batch_id("probe", number), len(self.landed[number])))
        self.landed[number].append(Raw(record_id, raw.payload, raw.stream, raw.is_deleted))

    def conform(self) -> Any:
        return shell.conform(self.settings, "probe")


@pytest.fixture(scope="module")
def run(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    home = tmp_path_factory.mktemp("outcomes")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONCORD_CONTRACTS", probe(home))
        made = Run(Settings(home=home, lake="", engine=engine, actor="test"))
        for name, (landed, _, _) in OUTCOMES.items():
            for number, what in landed:
                made.add(name, number, what)
        for name, what, *_ in [*REJECTED, *FINE]:
            made.add(name, 1, what)
        for number, records in made.landed.items():
            land(made.settings, "probe", records, number)

        def account_and_note(decided: DataFrame) -> DataFrame:
            for row in decided.select("batch_id", "position", "outcome").collect():
                made.decided[row["batch_id"], row["position"]] = row["outcome"]
            return counted(decided)

        counted = stage.account
        patch.setattr(stage, "account", account_and_note)
        made.conform()
        yield made


def test_each_record_has_its_outcome(run: Run) -> None:
    expected = {name: outcomes for name, (_, outcomes, _) in OUTCOMES.items()}
    expected |= {name: ["rejected"] for name, *_ in REJECTED} | {name: ["accepted"] for name, _ in FINE}
    assert {name: [run.decided[place] for place in places] for name, places in run.places.items()} == expected


def test_core_holds_the_version_that_won(run: Run) -> None:
    held = {row["record_id"].removeprefix("events/"): row["value"] for row in core(run.settings, "probe", "core.observation")}
    assert {name: held.get(name) for name in OUTCOMES} == {name: value for name, (_, _, value) in OUTCOMES.items()}
    doses = {row["record_id"] for row in core(run.settings, "probe", "core.medication_event")}
    assert doses == {"events/an edit that leaves the feed"}


def test_each_rejected_record_stands_apart_with_its_reason(run: Run) -> None:
    found = apart(run.settings, "probe")
    assert {name: found.get(run.places[name][0]) for name, *_ in REJECTED} == \
        {name: (reason, field) for name, _, reason, field in REJECTED}
    assert {place for place, outcome in run.decided.items() if outcome == "rejected"} == found.keys()
    by_rules = {str(RejectReason.RULE_BROKEN)}  # Those of a table: tests/integration/test_quality_rules.py.
    assert {reason for _, _, reason, _ in REJECTED} == {str(r) for r in RejectReason} - by_rules


def test_the_account_of_every_batch_adds_up(run: Run) -> None:
    for number, records in run.landed.items():
        entries = account(run.settings, batches.batch_id("probe", number))
        assert sum(entries.values()) == len(records)
        assert {outcome for outcome, _ in entries} <= {str(o) for o in Outcome}
        assert all((reason == "-") == (outcome != "rejected") for outcome, reason in entries)


def test_every_row_says_where_it_came_from(run: Run) -> None:
    row = next(r for r in core(run.settings, "probe", "core.observation") if r["record_id"] == "events/new")
    assert (row["batch_id"], row["contract_version"], row["source_person_id"]) == ("probe.000001", "1.2.0", "p1")
    assert len(row["payload_sha256"]) == 64 and row["version_at"].isoformat() == "2026-10-01T00:00:00+00:00"


def test_conforming_again_changes_nothing(run: Run) -> None:
    """Neither with nothing waiting, nor when the last batch waits again because a run was killed before its mark."""
    tables = [*catalog().sources["probe"].tables, "raw.probe__rejected", "raw.probe__deleted"]
    before = {table: contents(run, table) for table in tables}
    accounts = {n: account(run.settings, batches.batch_id("probe", n)) for n in run.landed}
    assert run.conform().result == "unchanged"
    lake = lake_of(run.settings)
    batches.record(lake, "probe", 3, len(run.landed[3]), RECEIVED)
    assert run.conform().facts["rows"] == len(run.landed[3])
    assert {table: contents(run, table) for table in tables} == before
    assert {n: account(run.settings, batches.batch_id("probe", n)) for n in run.landed} == accounts
    assert batches.waiting(lake, "probe") == []


def contents(run: Run, table: str) -> list[str]:
    return sorted(map(repr, lake_of(run.settings).arrow(table).to_pylist()))
