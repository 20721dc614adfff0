"""FHIR resources as others published them, and what a plain reading of one says must become of it.

The reading is written without the contract's expressions, from the words of FHIR R4 and of core.observation: an
Observation with a LOINC code, a quantity and a UCUM unit is a reading, whatever else it says; any other one is not.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.external.published import files, read_json

LOINC, UCUM = "http://loinc.org", "http://unitsofmeasure.org"
Resource = dict[str, Any]


@dataclass(frozen=True)
class Reading:
    """A row of core.observation as a resource's own words give it."""

    person: str | None
    code: str
    value: float
    unit: str
    effective: datetime | None
    recorded: datetime | None
    status: str


@dataclass(frozen=True)
class Refusal:
    """Why an Observation is no reading, and which column cannot be filled."""

    reason: str
    field: str


def export_lines() -> dict[str, list[bytes]]:
    """The lines of the export in fhir/smart_bulk_10 by resource type; its log is none."""
    found: dict[str, list[bytes]] = {}
    for path in files("fhir/smart_bulk_10/*.ndjson"):
        if path.stem != "log":
            found.setdefault(path.name.split(".")[0], []).extend(path.read_bytes().splitlines())
    return found


def bundle_lines() -> dict[str, list[bytes]]:
    """The resources of the patients in fhir/synthea_bundles as lines of an export, by resource type."""
    found: dict[str, list[bytes]] = {}
    for path in files("fhir/synthea_bundles/*.json"):
        for entry in read_json(path)["entry"]:
            resource = entry["resource"]
            found.setdefault(resource["resourceType"], []).append(json.dumps(resource).encode())
    return found


def examples(kind: str) -> list[Path]:
    """The examples of a resource type in fhir/r4_examples."""
    return files(f"fhir/r4_examples/{kind}-*.json")


def read_observation(resource: Resource) -> Reading | Refusal:
    """What must become of an Observation."""
    codes = [c["code"] for c in resource.get("code", {}).get("coding", []) if c.get("system") == LOINC and c.get("code")]
    quantity = resource.get("valueQuantity", {})
    if not codes:
        return Refusal("missing", "code")
    if not re.fullmatch(r"\d{1,7}-\d", codes[0]):
        return Refusal("bad_format", "code")
    if "value" not in quantity:
        return Refusal("missing", "value")
    if quantity.get("system") != UCUM:
        return Refusal("wrong_unit", "unit_code")
    if "code" not in quantity:
        return Refusal("missing", "unit_code")
    return Reading(person(resource.get("subject", {})), codes[0], float(quantity["value"]), quantity["code"],
                   effective(resource), instant(resource.get("issued")), resource["status"])


def person(subject: Resource) -> str | None:
    """The id of the patient a reference names; None for a group, a contained resource and a reference by UUID."""
    kind, _, name = str(subject.get("reference", "")).rpartition("/")
    return name if kind.rpartition("/")[2] == "Patient" else None


def effective(resource: Resource) -> datetime | None:
    """When an Observation applies, by whichever of its four forms it has; of a period its start, else its end."""
    period, timing = resource.get("effectivePeriod", {}), resource.get("effectiveTiming", {})
    said = [resource.get("effectiveDateTime"), resource.get("effectiveInstant"), period.get("start"), period.get("end"),
            *timing.get("event", [])]
    return next((instant(text) for text in said if text), None)


def instant(text: str | None) -> datetime | None:
    """A FHIR dateTime; a year, a month or a day counts from its first instant in UTC."""
    if text is None:
        return None
    if "T" in text:
        return datetime.fromisoformat(text).astimezone(UTC)
    year, month, day = (*(int(part) for part in text.split("-")), 1, 1)[:3]
    return datetime(year, month, day, tzinfo=UTC)


def row(found: dict[str, Any]) -> Reading:
    """A row of core.observation in the same words."""
    return Reading(found["source_person_id"], found["code"], found["value"], found["unit_code"], found["effective_at"],
                   found["recorded_at"], found["status_code"])
