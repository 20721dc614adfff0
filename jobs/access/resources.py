"""Rows of core and of safety as FHIR R4 resources, where FHIR has a place for what they say.

A person is named by the identifier that a source has for them, so that each resource stands alone. What FHIR has no place for
(batches, hashes, evidence) is in the copy of the row beside it; an element that a value does not fit is left out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from contracts.vocabulary import Purpose

LOINC, UCUM, SNOMED = "http://loinc.org", "http://unitsofmeasure.org", "http://snomed.info/sct"
ICD10, TERMS = "http://hl7.org/fhir/sid/icd-10", "http://terminology.hl7.org/CodeSystem"
OURS = "urn:concord"
CODE = re.compile(r"[^\s]+( [^\s]+)*")
Row = dict[str, Any]
Resource = dict[str, Any]


def resource(table: str, version: int, row: Row) -> Resource | None:
    """The resource of a row of a table, with where it comes from in ``meta.source``; None where FHIR has no place for it."""
    made = MADE.get(table)
    if made is None:
        return None
    found = made(row)
    kind = found.pop("resourceType")
    return dict(_said({"resourceType": kind, "meta": {"source": f"{OURS}:table:{table}:version:{version}"}, **found}))


def _patient(row: Row) -> Resource:
    numbers = [(f"{OURS}:source:{row['source']}", row["source_person_id"])]
    numbers += [(f"{OURS}:{name}:{row['source']}", row[name]) for name in ("patient_number", "device_id", "handle")]
    name = {"family": _text(row["family_name"]), "given": _listed(_text(row["given_name"]))}
    address = {"city": _text(row["city"]), "postalCode": _text(row["postcode"]), "country": _text(row["country_code"])}
    telecom = [{"system": kind, "value": _text(row[kind])} for kind in ("phone", "email") if _text(row[kind])]
    return {"resourceType": "Patient", "identifier": [_identifier(*number) for number in numbers if _text(number[1])],
            "name": _listed(_full(name)), "gender": row["sex_code"], "birthDate": _time(row["birth_on"]), "telecom": telecom,
            "address": _listed(_full(address))}


def _observation(row: Row) -> Resource:
    quantity = {"value": row["value"], "unit": _text(row["unit_code"]), **_coded(UCUM, row["unit_code"])}
    has_value = row["value"] is not None and math.isfinite(row["value"])
    device = _identifier(f"{OURS}:device_id:{row['source']}", row["device_id"])
    return {"resourceType": "Observation", "identifier": [_record(row)], "status": row["status_code"],
            "code": _concept(LOINC, row["code"]), "device": {"identifier": device} if device["value"] else None,
            "subject": _subject(row), "effectiveDateTime": _time(row["effective_at"]), "issued": _time(row["recorded_at"]),
            "valueQuantity": _full(quantity) if has_value else None,
            "dataAbsentReason": None if has_value else _concept(f"{TERMS}/data-absent-reason", "error")}


def _condition(row: Row) -> Resource:
    codings = [_full(_coded(system, row[name])) for system, name in ((ICD10, "icd10_code"), (SNOMED, "snomed_code"))]
    verification = row["verification_status_code"]
    clinical = None if verification == "entered-in-error" else row["clinical_status_code"]  # FHIR's rule con-5.
    return {"resourceType": "Condition", "identifier": [_record(row)], "subject": _subject(row),
            "clinicalStatus": _concept(f"{TERMS}/condition-clinical", clinical),
            "verificationStatus": _concept(f"{TERMS}/condition-ver-status", verification),
            "code": _full({"coding": [coding for coding in codings if coding], "text": _text(row["condition_name"])}),
            "onsetDateTime": _time(row["onset_at"]), "recordedDate": _time(row["recorded_at"])}


def _consent(row: Row) -> Resource:
    decision = row["decision_code"]
    status = "inactive" if row["superseded_at"] else "proposed" if decision == "asked" else "active"
    reasons = Purpose(row["purpose_code"]).act_reasons if row["purpose_code"] in list(Purpose) else ()
    purposes = [{"system": f"{OURS}:purpose", "code": row["purpose_code"]},
                *({"system": f"{TERMS}/v3-ActReason", "code": code} for code in reasons)]
    recipient = {"role": _concept(f"{TERMS}/v3-ParticipationType", "PRCP"),
                 "reference": {"display": _text(row["recipient_id"])}} if _text(row["recipient_id"]) else None
    provision = {"type": "permit" if decision == "permit" else "deny", "purpose": purposes, "actor": _listed(recipient),
                 "period": _period(row["valid_from_at"], row["valid_to_at"]),
                 "dataPeriod": _period(row["data_from_at"], row["data_to_at"]),
                 "class": _listed(_full(_coded(f"{OURS}:data_category", row["data_category_code"]))),
                 "action": _listed(_concept(f"{OURS}:channel", row["channel_code"]))}
    return {"resourceType": "Consent", "identifier": [_record(row)], "status": status,
            "scope": _concept(f"{TERMS}/consentscope", "patient-privacy"), "category": [_concept(LOINC, "59284-0")],
            "patient": _subject(row), "dateTime": _time(row["recorded_at"]),
            "policyRule": _concept(f"{TERMS}/v3-ActCode", "OPTIN" if decision == "permit" else "OPTOUT"),
            "provision": _full(provision)}


def _medication(row: Row) -> Resource:
    dose = {"value": row["dose_value"], "unit": _text(row["dose_unit_code"])} if math.isfinite(row["dose_value"]) else None
    return {"resourceType": "MedicationStatement", "identifier": [_record(row)], "subject": _subject(row),
            "status": "completed" if row["status_code"] == "taken" else "not-taken",
            "medicationCodeableConcept": {"text": _text(row["medication_name"]) or "-"},
            "effectiveDateTime": _time(row["effective_at"]), "dateAsserted": _time(row["recorded_at"]),
            "dosage": [{"doseAndRate": [{"doseQuantity": _full(dose)}]}] if dose else None}


def _message(row: Row) -> Resource:
    sender = None if row["is_from_brand"] else _subject(row)
    return {**_communication(row, row["channel_code"], row["posted_at"]), "sender": sender}


def _interaction(row: Row) -> Resource:
    return {**_communication(row, row["channel_code"], row["occurred_at"]),
            "category": _listed(_concept(f"{OURS}:interaction", row["kind_code"])), "sender": _subject(row)}


def _communication(row: Row, channel: str, at: datetime) -> Resource:
    text = _text(row["text"])
    return {"resourceType": "Communication", "identifier": [_record(row)], "status": "completed", "subject": _subject(row),
            "medium": _listed(_concept(f"{OURS}:channel", channel)), "sent": _time(at),
            "payload": [{"contentString": text}] if text else None}


def _event(row: Row) -> Resource:
    return {"resourceType": "AdverseEvent", "identifier": _record(row), "actuality": "potential", "subject": _subject(row),
            "event": _concept(f"{OURS}:safety", row["reason_code"]), "date": _time(row["occurred_at"]),
            "detected": _time(row["found_at"])}


MADE: dict[str, Callable[[Row], Resource]] = {
    "core.identity": _patient, "core.observation": _observation, "core.condition": _condition, "core.consent": _consent,
    "core.medication_event": _medication, "core.message": _message, "core.interaction": _interaction, "safety.candidate": _event}


def _said(value: Any) -> Any:
    """A resource without what is empty, at whatever depth: FHIR has no place for it."""
    if isinstance(value, dict):
        found = {name: inner for name, part in value.items() if (inner := _said(part)) is not None}
        return found or None
    if isinstance(value, list):
        return [inner for part in value if (inner := _said(part)) is not None] or None
    return value


def _full(values: dict[str, Any] | None) -> dict[str, Any] | None:
    """What has a value; None where nothing has."""
    return {name: value for name, value in (values or {}).items() if value not in (None, [], {})} or None


def _listed(value: Any) -> list[Any] | None:
    return None if value in (None, {}) else [value]


def _text(value: str | None) -> str | None:
    """A text that says something, without the signs that FHIR's strings have no place for."""
    if value and value.isprintable() and not value.isspace():
        return value
    kept = "".join(sign for sign in value or "" if sign >= " " or sign in "\t\r\n")
    return kept if kept.strip() else None


def _coded(system: str, code: str | None) -> dict[str, Any]:
    return {"system": system, "code": code} if code and CODE.fullmatch(code) else {}


def _concept(system: str, code: str | None) -> dict[str, Any] | None:
    """A concept of one code; of its text alone where that is no code."""
    return {"coding": [coding]} if (coding := _coded(system, code)) else _full({"text": _text(code)})


def _identifier(system: str, value: str | None) -> dict[str, Any]:
    return {"system": system, "value": _text(value)}


def _record(row: Row) -> dict[str, Any]:
    return _identifier(f"{OURS}:record:{row['source']}", row["record_id"])


def _subject(row: Row) -> dict[str, Any]:
    return {"type": "Patient", "identifier": _identifier(f"{OURS}:source:{row['source']}", row["source_person_id"])}


def _period(start: datetime | None, end: datetime | None) -> dict[str, Any] | None:
    return _full({"start": _time(start), "end": _time(end)})


def _time(value: date | None) -> str | None:
    return value.isoformat() if value is not None else None
