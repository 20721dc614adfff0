"""What becomes of FHIR Conditions: none is lost for a code we do not know, none counts by a status we cannot read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from jobs.ledger.batches import batch_id
from jobs.run.conform import conform
from jobs.settings import Settings
from tests.landing import Raw, apart, core, land

SOURCE = "device_cloud"
SNOMED, CM, WHO = "http://snomed.info/sct", "http://hl7.org/fhir/sid/icd-10-cm", "http://hl7.org/fhir/sid/icd-10"
GM = "http://fhir.de/CodeSystem/bfarm/icd-10-gm"
CLINICAL, SURE = (f"http://terminology.hl7.org/CodeSystem/condition-{name}" for name in ("clinical", "ver-status"))


def concept(*codings: tuple[str, str], text: str | None = None) -> dict[str, Any]:
    """A CodeableConcept."""
    return {"coding": [{"system": system, "code": code} for system, code in codings], **({"text": text} if text else {})}


E11 = concept((CM, "E11.9"))
# name -> what is said beside the patient, and some columns of what becomes of it; or reason and column.
ACCEPTED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "ICD-10-CM": ({"code": E11}, {"icd10_code": "E11.9", "snomed_code": None, "condition_name": "E11.9"}),
    "ICD-10": ({"code": concept((WHO, "E10"))}, {"icd10_code": "E10"}),
    "ICD-10-GM": ({"code": concept((GM, "E14.90"))}, {"icd10_code": "E14.90"}),
    "SNOMED CT": ({"code": concept((SNOMED, "44054006"))}, {"icd10_code": None, "snomed_code": "44054006"}),
    "both": ({"code": concept((SNOMED, "44054006"), (CM, "E11.9"), text="Typ 2")},
             {"icd10_code": "E11.9", "snomed_code": "44054006", "condition_name": "Typ 2"}),
    "another system": ({"code": concept(("urn:local", "T2"))}, {"icd10_code": None, "snomed_code": None, "condition_name": "T2"}),
    "a code of no system": ({"code": {"coding": [{"code": "E11"}]}}, {"icd10_code": None, "condition_name": "E11"}),
    "words": ({"code": {"text": "Zucker"}}, {"icd10_code": None, "condition_name": "Zucker"}),
    "nothing": ({}, {"icd10_code": None, "snomed_code": None, "condition_name": None, "clinical_status_code": None,
                     "verification_status_code": None, "onset_at": None, "recorded_at": None}),
    "statuses": ({"clinicalStatus": concept((CLINICAL, "remission")), "verificationStatus": concept((SURE, "refuted"))},
                 {"clinical_status_code": "remission", "verification_status_code": "refuted"}),
    "ours among others": ({"verificationStatus": concept(("urn:local", "x"), (SURE, "entered-in-error"))},
                          {"verification_status_code": "entered-in-error"}),
    "a status of an older FHIR": ({"verificationStatus": concept(("http://hl7.org/fhir/condition-ver-status", "refuted"))},
                                  {"verification_status_code": "refuted"}),
    "a day": ({"onsetDateTime": "2019-03-02", "recordedDate": "2020"}, {
        "onset_at": datetime(2019, 3, 2, tzinfo=UTC), "recorded_at": datetime(2020, 1, 1, tzinfo=UTC)}),
    "a period": ({"onsetPeriod": {"start": "2019-03"}}, {"onset_at": datetime(2019, 3, 1, tzinfo=UTC)}),
    "an age": ({"onsetAge": {"value": 7}}, {"onset_at": None}),
    "a herd": ({"subject": {"reference": "Group/herd"}, "code": E11}, {"source_person_id": None}),
}
REJECTED: dict[str, tuple[dict[str, Any], tuple[str, str]]] = {
    "a status nobody knows": ({"code": E11, "verificationStatus": concept((SURE, "maybe"))}, ("unknown_code", "verification_status_code")),
    "a local status": ({"code": E11, "clinicalStatus": concept(("urn:local", "gone"))}, ("unknown_code", "clinical_status_code")),
    "a status in words": ({"code": E11, "verificationStatus": {"text": "Ruled out"}}, ("unknown_code", "verification_status_code")),
    "a date that is none": ({"code": E11, "onsetDateTime": "in spring"}, ("bad_format", "onset_at")),
    "tomorrow": ({"code": E11, "onsetDateTime": "2033-01-01"}, ("in_future", "onset_at")),
}


def raw(name: str, said: dict[str, Any], **more: Any) -> Raw:
    """A Condition as an export has it."""
    return Raw(f"Condition/{name}", {"resourceType": "Condition", "id": name, "subject": {"reference": "Patient/p1"},
                                     "meta": {"lastUpdated": "2026-10-01T00:00:00Z"}, **said, **more}, "Condition")


@pytest.fixture(scope="module")
def settings(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    made = Settings(home=tmp_path_factory.mktemp("conditions"), lake="", engine=engine, actor="test")
    names = [*ACCEPTED, *REJECTED]
    land(made, SOURCE, [*(raw(f"c{names.index(name)}", cases[name][0]) for cases in (ACCEPTED, REJECTED) for name in cases),
                        raw("edited", {"code": E11}), raw("deleted", {"code": E11})])
    land(made, SOURCE, [raw("edited", {"code": E11, "verificationStatus": concept((SURE, "refuted"))}, meta={
        "lastUpdated": "2026-10-02T00:00:00Z"}), Raw("Condition/deleted", {}, "Condition", is_deleted=True)], 2)
    conform(made, SOURCE)
    return made


def test_a_condition_is_read_as_it_says(settings: Settings) -> None:
    rows = {row["record_id"]: row for row in core(settings, SOURCE, "core.condition")}
    names = list(ACCEPTED)
    assert rows.keys() == {*(f"Condition/c{n}" for n in range(len(names))), "Condition/edited"}
    for n, (name, (_, wanted)) in enumerate(ACCEPTED.items()):
        row = rows[f"Condition/c{n}"]
        assert (name, {column: row[column] for column in wanted}) == (name, wanted)
        assert row["source_person_id"] == (None if name == "a herd" else "p1")


def test_a_status_or_a_date_that_cannot_be_read_is_no_condition(settings: Settings) -> None:
    assert sorted(apart(settings, SOURCE).items()) == [
        ((batch_id(SOURCE, 1), len(ACCEPTED) + n), why) for n, (_, why) in enumerate(REJECTED.values())]


def test_what_is_taken_back_later_is_taken_back(settings: Settings) -> None:
    rows = {row["record_id"]: row for row in core(settings, SOURCE, "core.condition")}
    assert rows["Condition/edited"]["verification_status_code"] == "refuted" and "Condition/deleted" not in rows
