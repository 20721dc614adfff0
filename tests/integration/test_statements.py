"""Statements in core.consent are kept: a newer version closes the older ones, and any moment can be read again."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from jobs.run.conform import conform
from jobs.settings import Settings
from jobs.stages import statements
from tests.landing import RECEIVED, Raw, account, apart, core, lake_of, land

TABLE = "core.consent"


def answer(number: int, decision: str, day: int, **changes: Any) -> Raw:
    at = f"2026-10-{day:02}T00:00:00Z"
    return Raw(f"consents/c{number}", {"id": f"c{number}", "user_id": f"u{number}", "purpose": "research", "decision": decision,
                                       "recorded_at": at, "updated_at": at, "form_version": "2.1", **changes}, "consents")


def fhir(name: str, purposes: list[str], day: int, nested: list[Any] | None = None, **changes: Any) -> Raw:
    return Raw(f"Consent/{name}", {
        "resourceType": "Consent", "id": name, "meta": {"lastUpdated": f"2026-10-{day:02}T00:00:00Z"}, "status": "active",
        "patient": {"reference": "Patient/p1"}, "dateTime": f"2026-10-{day:02}", "provision": {
            "type": "permit", "purpose": [{"code": p} for p in purposes], "provision": nested or []}, **changes}, "Consent")


def deep(levels: int) -> dict[str, Any]:
    return {"type": "permit", "purpose": [{"code": "research"}], "provision": [deep(levels - 1)] if levels else []}


LAB = {"type": "deny", "actor": [{"reference": {"reference": "Organization/lab"}}]}
BROKEN: dict[str, tuple[dict[str, Any], tuple[str, str]]] = {
    "a type of its own": ({"provision": {"type": "maybe"}}, ("bad_format", "provision.type")),
    "a period that ends before it begins": (
        {"provision": {"type": "permit", "period": {"start": "2026-02", "end": "2026-01"}}}, ("bad_format", "provision.period")),
    "provisions nested too deep": ({"provision": deep(40)}, ("bad_format", "provision" + 17 * ".provision[0]" + ".provision")),
    "an unknown purpose": ({"provision": {"type": "permit", "purpose": [{"code": "fun"}]}}, ("unknown_code", "purpose_code")),
    "nobody": ({"patient": None}, ("missing", "source_person_id")),
    "a time to come": ({"dateTime": "2036-01-01"}, ("in_future", "recorded_at")),
    "a long form": ({"policy": [{"uri": "x" * 1001}]}, ("too_long", "evidence_form")),
    "a modifier nobody knows": ({"modifierExtension": [{"url": "x"}]}, ("bad_format", "modifierExtension"))}
UNDATED = {"updated_at": None}
APP = [
    [answer(1, "granted", 1), answer(2, "granted", 1), answer(3, "granted", 1, **UNDATED)],
    [answer(1, "withdrawn", 2), answer(3, "granted", 1, **UNDATED)],
    [answer(1, "granted", 3), answer(3, "withdrawn", 1, **UNDATED)],
    [answer(1, "withdrawn", 2, note="late"), answer(3, "granted", 1, **UNDATED), answer(4, "granted", 1)]]
CLOUD = [
    [fhir("gone", ["research", "decision_support"], 1), fhir("fewer", ["research", "decision_support"], 1, [LAB]),
     *[fhir(f"broken-{n}", ["research"], 1) for n in range(len(BROKEN))],
     fhir("in part", ["research"], 1, [LAB]), fhir("unread, then gone", ["research"], 1)],
    [Raw("Consent/gone", {}, "Consent", is_deleted=True), fhir("fewer", ["research"], 2),
     *[fhir(f"broken-{n}", ["research"], 2, **broken) for n, (broken, _) in enumerate(BROKEN.values())],
     fhir("in part", [], 2, dateTime="2036-01-01"), fhir("unread, then gone", [], 2, dateTime="2036-01-01"),
     Raw("Consent/unread, then gone", {}, "Consent", is_deleted=True)]]


@dataclass(frozen=True)
class House:
    """A lake after all batches, and the versions of core.consent after each of the app's."""

    settings: Settings
    versions: list[int]

    def history(self, record: str) -> list[tuple[Any, ...]]:
        """A record's statements: part, decision, the hours they were known from and until."""
        rows = [r for r in lake_of(self.settings).arrow(TABLE).to_pylist() if r["record_id"] == record]
        assert all((r["superseded_at"] is None) == (r["superseded_by"] is None) for r in rows)
        return [(r["part"], r["decision_code"], hour(r["known_at"]), hour(r["superseded_at"]))
                for r in sorted(rows, key=lambda r: (r["known_at"], r["part"]))]


def hour(at: datetime | None) -> int | None:
    return None if at is None else (at - RECEIVED) // timedelta(hours=1)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, engine: str) -> House:
    settings, versions = Settings(home=tmp_path_factory.mktemp("statements"), lake="", engine=engine), []
    for source, batches in (("adherence_app", APP), ("device_cloud", CLOUD)):
        for number, records in enumerate(batches, 1):
            land(settings, source, records, number)
            conform(settings, source)
            versions.append(lake_of(settings).version(TABLE))
    return House(settings, versions[:len(APP)])


def test_versions_are_kept_and_the_last_one_stands(house: House):
    assert house.history("consents/c1") == [(0, "permit", 0, 1), (0, "deny", 1, 2), (0, "permit", 2, None)]
    assert house.history("consents/c2") == [(0, "permit", 0, None)]
    assert account(house.settings, "adherence_app.000004") == {("superseded", "-"): 1, ("accepted", "-"): 2}


def test_the_same_payload_is_a_version_of_its_own_only_after_another(house: House):
    assert house.history("consents/c3") == [(0, "permit", 0, 2), (0, "deny", 2, 3), (0, "permit", 3, None)]
    assert account(house.settings, "adherence_app.000002") == {("accepted", "-"): 1, ("duplicate", "-"): 1}


def test_a_deleted_record_closes_its_statements(house: House):
    assert house.history("Consent/gone") == [(0, "permit", 0, 1), (1, "permit", 0, 1)]
    assert "Consent/gone" not in {row["record_id"] for row in core(house.settings, "device_cloud", TABLE)}


def test_a_record_of_several_statements_is_replaced_as_a_whole(house: House):
    assert house.history("Consent/fewer") == [
        *[(part, decision, 0, 1) for part, decision in enumerate(("permit", "permit", "deny", "deny"))], (0, "permit", 1, None)]
    reasons = Counter({"missing": 2}) + Counter(reason for _, (reason, _) in BROKEN.values())
    assert account(house.settings, "device_cloud.000002") == {
        ("deletion", "-"): 2, ("accepted", "-"): 1, **{("rejected", reason): rows for reason, rows in reasons.items()}}


@pytest.mark.parametrize("number", range(len(BROKEN)), ids=list(BROKEN))
def test_what_cannot_be_read_is_set_apart_and_makes_a_no_of_the_yes_before(house: House, number: int):
    assert apart(house.settings, "device_cloud")["device_cloud.000002", number + 2] == list(BROKEN.values())[number][1]
    assert house.history(f"Consent/broken-{number}") == [(0, "permit", 0, 1), (0, "deny", 1, None)]


def test_what_cannot_be_read_leaves_the_noes_of_its_record_standing(house: House):
    assert house.history("Consent/in part") == [(0, "permit", 0, 1), (1, "deny", 0, None), (0, "deny", 1, None)]


def test_what_cannot_be_read_does_not_outlast_the_deletion_behind_it(house: House):
    assert house.history("Consent/unread, then gone") == [(0, "permit", 0, 1)]


def test_every_moment_can_be_read_again(house: House, spark: SparkSession):
    """What stood at a moment by the columns is what the table's version of that moment holds."""
    lake = lake_of(house.settings, spark)
    said = ("source", "record_id", "known_at", "decision_code")
    for number, version in enumerate(house.versions):
        at = RECEIVED + timedelta(hours=number, minutes=1)
        then = statements.known(lake.read(TABLE).where("source = 'adherence_app'"), at).select(*said).collect()
        held = statements.current(lake.read(TABLE, version)).select(*said).collect()
        assert sorted(then) == sorted(held) and len(held) == (4 if number == 3 else 3)


def test_a_batch_conformed_again_changes_nothing(house: House):
    lake = lake_of(house.settings)
    before = lake.arrow(TABLE).sort_by([(k, "ascending") for k in lake.contract(TABLE).key]).to_pylist()
    again = [{**row, "conformed_at": None} for row in lake.arrow("ledger.batch").to_pylist() if row["number"] == 2]
    lake.merge_arrow("ledger.batch", pa.Table.from_pylist(again, schema=lake.arrow("ledger.batch").schema))
    conform(house.settings, "device_cloud")
    after = lake.arrow(TABLE).sort_by([(k, "ascending") for k in lake.contract(TABLE).key]).to_pylist()
    assert after == before


def test_what_was_agreed_to_is_told(house: House):
    rows = [r for r in lake_of(house.settings).arrow(TABLE).to_pylist() if r["source"] == "adherence_app"]
    assert rows and {r["evidence_version"] for r in rows} == {"2.1"}
