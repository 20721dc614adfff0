"""Rows of core become FHIR resources that are sound whatever they hold, and a copy leaves out no table without a reason."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts import catalog
from contracts.model import Column, Table
from contracts.vocabulary import Zone
from jobs.access.resources import MADE, resource
from jobs.run.forget import PERSONAL
from jobs.run.theirs import LEFT_OUT, NEVER_GIVEN, Way, left_out, way

TABLES = catalog().tables
PATTERNS = {"code": "2339-0", "phone": "+4915550000001", "language_code": "de", "country_code": "DE", "payload_sha256": "0" * 64}
TEXT = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(["", " ", "\x00", "a\u2028b", "<b>&amp;", "x  y", "\u202eabc"])


def values(column: Column) -> st.SearchStrategy[Any]:
    """Values that a column may hold."""
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "string": TEXT, "double": st.floats(), "long": st.integers(0, 9), "int": st.integers(0, 9), "boolean": st.booleans(),
        "date": st.dates(date(1, 1, 2)), "timestamp": st.datetimes(datetime(1, 1, 2), timezones=st.just(UTC))}
    found = kinds[column.type]
    if column.allowed_values:
        found = st.sampled_from(column.allowed_values)
    elif column.pattern:
        found = st.just(PATTERNS[column.name])
    return found if column.required else st.none() | found


def rows(table: Table) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({c.name: values(c) for c in table.columns})


@pytest.mark.parametrize("name", MADE)
def test_every_row_is_a_sound_resource(name: str) -> None:
    @settings(max_examples=60, deadline=None)
    @given(row=rows(TABLES[name]))
    def sound(row: dict[str, Any]) -> None:
        row |= {"source_person_id": row["source_person_id"] or "p", "record_id": row["record_id"] or "r", "source": "crm"}
        made = resource(name, 7, row)
        assert made is not None and made["meta"] == {"source": f"urn:concord:table:{name}:version:7"}
        read = get_fhir_model_class(made["resourceType"]).model_validate_json(json.dumps(made))
        assert json.loads(read.model_dump_json()).keys() == made.keys()
        assert not [part for part in _parts(made) if part in ("", [], {}, None)]
    sound()


def _parts(value: Any) -> list[Any]:
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return [*inner, *(part for one in inner for part in _parts(one))]


def test_a_reading_says_what_its_row_says() -> None:
    at = datetime(2026, 10, 1, 8, tzinfo=UTC)
    row = {"source": "crm", "record_id": "r/1", "source_person_id": "p", "code": "2339-0", "value": 95.5, "unit_code": "mg/dL",
           "effective_at": at, "recorded_at": None, "status_code": "final", "device_id": "D"}
    assert resource("core.observation", 3, row) == {
        "resourceType": "Observation", "meta": {"source": "urn:concord:table:core.observation:version:3"}, "status": "final",
        "identifier": [{"system": "urn:concord:record:crm", "value": "r/1"}], "code": {"coding": [{"system": "http://loinc.org", "code": "2339-0"}]},
        "subject": {"type": "Patient", "identifier": {"system": "urn:concord:source:crm", "value": "p"}},
        "device": {"identifier": {"system": "urn:concord:device_id:crm", "value": "D"}}, "effectiveDateTime": "2026-10-01T08:00:00+00:00",
        "valueQuantity": {"value": 95.5, "unit": "mg/dL", "system": "http://unitsofmeasure.org", "code": "mg/dL"}}


def test_a_no_and_a_statement_that_stands_no_more_say_so() -> None:
    at = datetime(2026, 10, 1, tzinfo=UTC)
    row = {c.name: None for c in TABLES["core.consent"].columns} | {
        "source": "crm", "record_id": "r", "source_person_id": "p", "purpose_code": "research", "decision_code": "deny", "recorded_at": at,
        "superseded_at": at, "recipient_id": "lab"}
    made = resource("core.consent", 1, row) or {}
    assert (made["status"], made["provision"]["type"], made["provision"]["actor"][0]["reference"]["display"]) == ("inactive", "deny", "lab")
    assert {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HRESCH"} in made["provision"]["purpose"]


def test_what_fhir_has_no_place_for_is_no_resource() -> None:
    assert resource("core.contact_point", 1, {}) is None and resource("vault.link", 1, {}) is None


@pytest.mark.parametrize("name", [n for n, t in TABLES.items() if any(c.category in PERSONAL for c in t.columns)])
def test_a_table_about_persons_is_given_or_has_a_reason(name: str) -> None:
    assert (way(TABLES[name]) is None) == (left_out(TABLES[name]) is not None)


def test_tables_are_read_by_what_they_say_of_persons() -> None:
    found = {name: way(table) for name, table in TABLES.items()}
    assert {found[n] for n in TABLES if n.startswith(("core.", "safety.")) and n not in LEFT_OUT} == {Way.IDENTITY}
    assert {found[s.raw] for s in catalog().sources.values()} == {Way.ENVELOPE}
    assert {n for n, w in found.items() if w is Way.PSEUDONYM} == {"product.glucose_daily", "product.patient_profile"}
    assert (found["vault.profile"], found["vault.match"], found["vault.optin_rates__cells"], found["raw.crm__rejected"]) == (
        Way.NAME, Way.PAIR, Way.KEY, Way.PLACE)
    assert LEFT_OUT.keys() <= TABLES.keys()


def test_no_key_of_a_person_is_given() -> None:
    keys = {c.name for t in TABLES.values() if t.zone is Zone.VAULT and way(t) for c in t.columns if "key" in c.name or c.name == "person"}
    assert keys and keys <= NEVER_GIVEN
