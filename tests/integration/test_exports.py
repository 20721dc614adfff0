"""What a community and a study drop, from the store into core: identities, statements, and a reason for what is neither."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from datetime import UTC, date, datetime
from typing import Any

import pytest

from contracts.load import catalog
from infra.local.sources.export_files import files
from infra.local.sources.population import DAY_MS
from infra.local.sources.population import Settings as Simulated
from infra.local.sources.versions import Log
from infra.local.sources.world import World
from jobs.ledger import batches
from jobs.run.conform import conform
from jobs.run.land import land
from jobs.settings import Settings
from tests.integration.dropping import Drop, address, made
from tests.landing import account, apart, core, lake_of

__all__ = ["address"]

WORLD = World(Simulated(300, 16, canary=True))
DROPPED = WORLD.settings.start_ms + 14 * DAY_MS


@pytest.fixture(scope="module")
def settings(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(home=tmp_path_factory.mktemp("exports"), lake="", engine=engine, actor="test")


@pytest.fixture(scope="module")
def simulated(address: str, settings: Settings) -> Settings:
    """A lake with all that both simulated sources drop."""
    for source in ("community", "study"):
        drop = made(address, f"simulated-{source}")
        for name, content in files(WORLD).items():
            if name.startswith(source):
                drop.put(name.partition("/")[2], content)
        taken(settings, drop, source)
    return settings


def taken(settings: Settings, drop: Drop, source: str) -> list[str]:
    """Land and conform what lies in a bucket; the results."""
    value = json.dumps({"base_url": drop.access.base_url, "login": drop.access.login, "password": drop.access.password})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(f"CONCORD_CONNECTION_{catalog().sources[source].connection.id.upper()}", value)
        return [stage(settings, source).result for stage in (land, conform)]


def last(log: Log) -> dict[str, dict[str, Any]]:
    """The newest version of each record in what was dropped: the last file is that of the end of the second week."""
    return {v.id: {**v.record, "gone": v.deleted} for v in log.versions[:log.end(DROPPED)]}


def test_the_community_s_members_and_statements_are_in_core(simulated: Settings) -> None:
    members = {name: m for name, m in last(WORLD.community.logs["members"]).items() if not m["gone"]}
    people = {row["source_person_id"]: row for row in core(simulated, "community", "core.identity")}
    assert people.keys() == members.keys() and len(people) > 40
    for name, row in people.items():
        assert (row["handle"], row["is_email_verified"], row["country_code"]) == (
            members[name]["username"], members[name]["email_verified"], members[name]["country"])
        assert (row["email"] or "") == (members[name]["email"] or "").strip().lower()
    said = {r["record_id"].partition("/")[2]: r for r in core(simulated, "community", "core.consent")}
    answers = {name: c for name, c in last(WORLD.community.logs["consents"]).items() if c["purpose"] != "newsletter"}
    assert said.keys() == answers.keys()
    words = {"yes": "permit", "no": "deny", "withdrawn": "deny", "shown": "asked"}
    assert all((r["decision_code"], r["purpose_code"]) == (words[answers[n]["answer"]], answers[n]["purpose"]) for n, r in said.items())
    assert {r["channel_code"] for r in said.values()} == {None, "email"}
    assert {(r["given_by_code"], r["evidence_form"], r["evidence_version"]) for r in said.values()} == {("self", "community-terms", "3.0")}


def test_the_study_s_participants_and_what_was_signed_are_in_core(simulated: Settings) -> None:
    people = {row["source_person_id"]: row for row in core(simulated, "study", "core.identity")}
    children = {name: row for name, row in people.items() if name.endswith("C")}
    assert len(people) > 25 and children
    assert all(r["birth_on"] > date(2009, 1, 1) and r["email"] is None and not r["is_email_verified"] for r in children.values())
    assert any(r["is_email_verified"] for r in people.values()) and any((r["phone"] or "").startswith("+") for r in people.values())
    said = {r["record_id"].partition("/")[2]: r for r in core(simulated, "study", "core.consent")}
    signed = {name: c for name, c in last(WORLD.study.logs["consents"]).items() if c["purpose"] != "biobank"}
    assert said.keys() == signed.keys()
    words = {"agreed": "permit", "declined": "deny", "withdrawn": "deny", "pending": "asked"}
    for name, row in said.items():
        given = signed[name]
        assert (row["decision_code"], row["recipient_id"], row["data_category_code"]) == (
            words[given["decision"]], given["recipient"], given["data_category"])
        assert row["given_by_code"] == ("guardian" if row["source_person_id"].endswith("C") else "self")
        assert (row["data_from_at"] is None) == (given["data_from"] is None) and (row["valid_to_at"] is None) == (given["valid_to"] is None)
    assert "deny" in {r["decision_code"] for r in said.values()} and {r["legal_basis_code"] for r in said.values()} == {"explicit_consent"}


def test_every_line_has_an_outcome_and_a_flaw_its_reason(simulated: Settings) -> None:
    for source, flaws in (("community", {("not_json", None): 1}), ("study", {("not_json", None): 1, ("not_utf8", None): 1})):
        log = getattr(WORLD, source).logs["consents"]
        unknown = sum(v.record["purpose"] in ("newsletter", "biobank") for v in log.versions[:log.end(DROPPED)])
        found = account(simulated, batches.batch_id(source, 1))
        assert found["duplicate", "-"] == 1, "the statement that came twice"
        assert Counter(apart(simulated, source).values()) == {**flaws, ("unknown_code", "purpose_code"): unknown}
        assert unknown and sum(found.values()) == len(lake_of(simulated).arrow(f"raw.{source}"))


def test_a_second_run_changes_nothing_even_in_another_store(simulated: Settings, address: str) -> None:
    drop = made(address, "simulated-again")
    for name, content in files(WORLD).items():
        if name.startswith("study"):
            drop.put(name.partition("/")[2], content)
    assert taken(simulated, drop, "study") == ["unchanged", "unchanged"]


COLUMNS = ("consent_id", "participant_id", "purpose", "recipient", "data_category", "decision", "given_by", "basis", "signed_at",
           "valid_from", "valid_to", "data_from", "data_to", "form", "form_version", "form_language", "country", "updated_at")
SIGNED = {"participant_id": "p1", "purpose": "research", "decision": "agreed", "given_by": "participant", "basis": "explicit",
          "signed_at": "2026-10-01T08:00:00+02:00", "country": "DE", "updated_at": "2026-10-01T08:00:00Z"}
SHEET: list[tuple[dict[str, str], Any]] = [
    ({}, {"purpose_code": "research", "decision_code": "permit", "given_by_code": "self", "legal_basis_code": "explicit_consent",
          "recorded_at": datetime(2026, 10, 1, 6, tzinfo=UTC), "country_code": "DE", "valid_to_at": None, "data_to_at": None,
          "recipient_id": None, "data_category_code": None, "evidence_form": None, "channel_code": None}),
    ({"valid_from": "2026-10-02", "valid_to": "2027-10-02T00:00:00+02:00", "data_from": "2025", "data_to": "2026-12-31"},
     {"valid_from_at": datetime(2026, 10, 2, tzinfo=UTC), "valid_to_at": datetime(2027, 10, 1, 22, tzinfo=UTC),
      "data_from_at": datetime(2025, 1, 1, tzinfo=UTC), "data_to_at": datetime(2026, 12, 31, tzinfo=UTC)}),
    ({"given_by": "guardian", "decision": "withdrawn"}, {"given_by_code": "guardian", "decision_code": "deny"}),
    ({"recipient": "glycemia_institute", "data_category": "health", "form": 'Form "B", page 2', "form_version": "1.10", "form_language": "fr"},
     {"recipient_id": "glycemia_institute", "data_category_code": "health", "evidence_form": 'Form "B", page 2', "evidence_version": "1.10"}),
    ({"purpose": "biobank"}, ("unknown_code", "purpose_code")), ({"purpose": "Research"}, ("unknown_code", "purpose_code")),
    ({"purpose": ""}, ("missing", "purpose_code")), ({"decision": "yes"}, ("unknown_code", "decision_code")),
    ({"decision": ""}, ("missing", "decision_code")), ({"given_by": "nurse"}, ("unknown_code", "given_by_code")),
    ({"given_by": ""}, ("missing", "given_by_code")), ({"basis": "habit"}, ("unknown_code", "legal_basis_code")),
    ({"data_category": "weather"}, ("unknown_code", "data_category_code")), ({"participant_id": ""}, ("missing", "source_person_id")),
    ({"signed_at": "01/10/2026"}, ("bad_format", "recorded_at")), ({"signed_at": "2026-10-01"}, ("bad_format", "recorded_at")),
    ({"signed_at": "2036-10-01T00:00:00Z"}, ("in_future", "recorded_at")), ({"valid_to": "soon"}, ("bad_format", "valid_to_at")),
    ({"data_to": "31.12.2026"}, ("bad_format", "data_to_at")), ({"country": "Germany"}, ("bad_format", "country_code")),
    ({"updated_at": "yesterday"}, ("bad_format", "version_at")), ({"consent_id": ""}, ("no_record_id", None))]


def test_what_a_study_s_row_becomes(address: str, settings: Settings) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    writer.writerows({"consent_id": f"c{number:02}", **SIGNED, **changes} for number, (changes, _) in enumerate(SHEET))
    drop = made(address, "a-sheet-of-cases")
    drop.put("consents/sheet.csv", text.getvalue().encode())
    alone = settings.model_copy(update={"home": settings.home / "sheet"})
    assert taken(alone, drop, "study") == ["done", "done"]
    rows, reasons = {r["record_id"]: r for r in core(alone, "study", "core.consent")}, apart(alone, "study")
    for number, (changes, expected) in enumerate(SHEET):
        if isinstance(expected, dict):
            row = rows.pop(f"consents/c{number:02}")
            assert {name: row[name] for name in expected} == expected, changes
        else:
            assert reasons.pop((batches.batch_id("study", 1), number)) == expected, changes
    assert rows == {} and reasons == {}


PARTICIPANT = {"given_name": "Anna", "family_name": "O'Hara", "birth_date": "1980-02-29", "sex": "F", "email": " Anna@Mail.Example ",
               "email_verified": "yes", "phone": "0155 5123", "phone_verified": "no", "country": "DE", "updated_at": "2026-10-01T08:00:00Z"}
PEOPLE: list[tuple[dict[str, str], Any]] = [
    ({}, {"email": "anna@mail.example", "is_email_verified": True, "is_phone_verified": False, "birth_on": date(1980, 2, 29),
          "sex_code": "female", "postcode": None, "family_name": "O'Hara"}),
    ({"email_verified": "", "postcode": "01234"}, {"is_email_verified": False, "postcode": "01234"}),
    ({"email_verified": "true"}, ("unknown_code", None)), ({"phone_verified": "YES"}, ("unknown_code", None)),
    ({"birth_date": "29.02.1980"}, ("bad_format", "birth_on")), ({"sex": "woman"}, ("unknown_code", "sex_code")),
    ({"deleted_at": "2026-10-02T00:00:00Z"}, None)]


def test_what_a_participant_s_row_becomes(address: str, settings: Settings) -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, ("participant_id", *PARTICIPANT, "postcode", "deleted_at"))
    writer.writeheader()
    writer.writerows({"participant_id": f"p{number}", **PARTICIPANT, **changes} for number, (changes, _) in enumerate(PEOPLE))
    drop = made(address, "a-sheet-of-people")
    drop.put("participants/sheet.csv", text.getvalue().encode())
    alone = settings.model_copy(update={"home": settings.home / "people"})
    assert taken(alone, drop, "study") == ["done", "done"]
    rows, reasons = {r["source_person_id"]: r for r in core(alone, "study", "core.identity")}, apart(alone, "study")
    for number, (changes, expected) in enumerate(PEOPLE):
        if isinstance(expected, dict):
            row = rows.pop(f"p{number}")
            assert {name: row[name] for name in expected} == expected, changes
        elif expected:
            assert reasons.pop((batches.batch_id("study", 1), number))[0] == expected[0], changes
    assert rows == {} and reasons == {}
    assert account(alone, batches.batch_id("study", 1))["deletion", "-"] == 1


def test_a_yes_that_is_corrected_into_something_unknown_counts_no_more(address: str, settings: Settings) -> None:
    """A newer version of a statement that cannot be read may have been the withdrawal."""
    drop, alone = made(address, "a-correction"), settings.model_copy(update={"home": settings.home / "correction"})
    head = ",".join(COLUMNS) + "\n"
    for day, purpose in ((1, "research"), (2, "biobank")):
        row = {"consent_id": "c1", **SIGNED, "purpose": purpose, "updated_at": f"2026-10-{day:02}T08:00:00Z"}
        drop.put(f"consents/{day}.csv", (head + ",".join(row.get(c, "") for c in COLUMNS) + "\n").encode())
        assert taken(alone, drop, "study") == ["done", "done"]
    assert [r["decision_code"] for r in core(alone, "study", "core.consent")] == ["deny"]


def test_each_source_says_for_what_its_people_may_be_tied_to_others() -> None:
    found = {name: {str(p) for p in source.link_purposes} for name, source in catalog().sources.items()}
    assert found["study"] == {"research"} and found["community"] == {"patient_education", "research"}
    for product in catalog().products.values():
        assert not {str(p) for p in product.purposes} <= found["study"], "no product of today rests on links of the study"
