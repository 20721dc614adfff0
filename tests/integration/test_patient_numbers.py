"""Which of a FHIR Patient's identifiers are patient numbers: those of national systems, whoever else gave the person one."""

from __future__ import annotations

from pathlib import Path

from jobs.run.conform import conform
from jobs.run.people import resolve
from jobs.settings import Settings
from tests.integration.people_lake import lake, links
from tests.landing import Raw, core, land

KVNR, NHS = "http://fhir.de/sid/gkv/kvid-10", "https://fhir.nhs.uk/Id/nhs-number"
# name -> its identifiers (system, value), and its patient number.
PATIENTS: dict[str, tuple[list[tuple[str | None, str]], str | None]] = {
    "german": ([("urn:hospital", "17"), (KVNR, "X110411319")], "X110411319"),
    "german-again": ([(KVNR, "x110411319")], "x110411319"),
    "british": ([(NHS, "9990548609")], "9990548609"),
    "local": ([("urn:hospital", "17"), (None, "X110411319")], None),
    "nobody": ([], None),
}


def test_numbers_of_national_systems_are_known_and_tie_identities(engine: str, tmp_path: Path) -> None:
    made = Settings(home=tmp_path, lake="", engine=engine, actor="test")
    land(made, "device_cloud", [Raw(f"Patient/{name}", {
        "resourceType": "Patient", "id": name, "meta": {"lastUpdated": "2026-10-01T00:00:00Z"},
        "identifier": [{**({"system": system} if system else {}), "value": value} for system, value in given]}, "Patient")
        for name, (given, _) in PATIENTS.items()])
    conform(made, "device_cloud")
    lake(made).ensure("core.contact_point")
    known = {row["source_person_id"]: row["patient_number"] for row in core(made, "device_cloud", "core.identity")}
    assert known == {name: number for name, (_, number) in PATIENTS.items()}
    resolve(made)
    found = links(made)
    assert {row["evidence"] for name, row in found.items() if "german" in name} == {"national_id"}
    assert len({row["person_key"] for row in found.values()}) == len(PATIENTS) - 1
