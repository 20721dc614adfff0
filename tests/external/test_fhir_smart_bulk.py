"""FHIR Bulk exports of synthetic patients, fetched over TLS by the real connector: fhir/smart_bulk_10 (patients and
devices; it has no Observation) and the patients of fhir/synthea_bundles as an export (with their Observations)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from contracts.load import catalog
from jobs.ledger import batches
from jobs.run.conform import conform
from jobs.run.land import land
from jobs.settings import Settings
from tests.external.bulk_server import Exports, exporting
from tests.external.fhir import Reading, Refusal, bundle_lines, export_lines, person, read_observation, row
from tests.external.published import needs
from tests.landing import account, apart, core, lake_of, tolerate

SOURCE = "device_cloud"
BATCH = batches.batch_id(SOURCE, 1)
SETS: dict[str, Callable[[], dict[str, list[bytes]]]] = {"smart_bulk_10": export_lines, "synthea_bundles": bundle_lines}
pytestmark = needs("fhir/smart_bulk_10", "fhir/synthea_bundles")


@dataclass(frozen=True)
class Done:
    """An export that was landed and conformed twice, and what the second time said."""

    settings: Settings
    exports: Exports
    raw: list[dict[str, Any]]
    again: tuple[str, str]

    @property
    def resources(self) -> Iterator[tuple[int, str, str, dict[str, Any]]]:
        """Position, stream, record id and content of what was landed."""
        for envelope in self.raw:
            yield envelope["position"], envelope["stream"], envelope["record_id"], json.loads(envelope["payload"])


@pytest.fixture(scope="module", params=SETS)
def done(request: pytest.FixtureRequest, engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Done]:
    home: Path = tmp_path_factory.mktemp(request.param)
    settings = Settings(home=home, lake="", engine=engine, actor="test")
    with exporting(home, SETS[request.param]()) as (exports, odd), pytest.MonkeyPatch.context() as patch:
        connection = {"base_url": odd.base_url, "login": "a", "password": "b", "ca_file": odd.ca}
        patch.setenv("CONCORD_CONNECTION_CONCORD_DEVICE_CLOUD", json.dumps(connection))
        tolerate(patch, SOURCE)
        land(settings, SOURCE)
        conform(settings, SOURCE)
        rows = lake_of(settings).arrow(f"raw.{SOURCE}").to_pylist()
        yield Done(settings, exports, rows, (land(settings, SOURCE).result, conform(settings, SOURCE).result))


def identities(done: Done, stream: str) -> dict[str, dict[str, Any]]:
    return {r["record_id"]: r for r in core(done.settings, SOURCE, "core.identity") if r["record_id"].startswith(f"{stream}/")}


def test_every_line_lands_untouched_and_once(done: Done) -> None:
    """Types that the contract does not name are not asked for; a type that the export does not have is asked for."""
    asked = [stream.name for stream in catalog().sources[SOURCE].streams]
    served = {kind: done.exports.lines.get(kind, []) for kind in asked}
    landed: dict[str, list[bytes]] = {kind: [] for kind in asked}
    for envelope in sorted(done.raw, key=lambda e: e["position"]):
        landed[envelope["stream"]].append(envelope["payload"])
    assert landed == served and len(landed["Patient"]) >= 8
    assert set(done.exports.asked) == set(asked) and set(done.exports.polled.values()) == {2}
    assert {name.split(".")[0] for name in done.exports.sent} <= set(asked) < done.exports.lines.keys() | set(asked)
    assert sorted(done.exports.deleted) == sorted([*asked, *[f"{kind}-since" for kind in asked]])
    assert {e["batch_id"] for e in done.raw} == {BATCH} and done.again == ("unchanged", "unchanged")


def test_every_record_has_exactly_one_outcome(done: Done) -> None:
    accepted = Counter(r["record_id"] for table in catalog().sources[SOURCE].tables for r in core(done.settings, SOURCE, table))
    rejected = {position for (_, position) in apart(done.settings, SOURCE)}
    for position, _, record_id, _ in done.resources:
        assert accepted[record_id] + (position in rejected) == 1
    counted = account(done.settings, BATCH)
    assert sum(counted.values()) == len(done.raw)
    assert counted["accepted", "-"] == len(accepted) and len(accepted) + len(rejected) == len(done.raw)


def test_every_observation_with_code_value_and_unit_is_accepted_and_the_others_have_their_reason(done: Done) -> None:
    expected = {(position, record_id): read_observation(resource)
                for position, stream, record_id, resource in done.resources if stream == "Observation"}
    rows = {r["record_id"]: row(r) for r in core(done.settings, SOURCE, "core.observation")}
    assert rows == {record_id: wanted for (_, record_id), wanted in expected.items() if isinstance(wanted, Reading)}
    reasons = {position: Refusal(reason, str(field)) for (_, position), (reason, field) in apart(done.settings, SOURCE).items()}
    assert reasons == {position: wanted for (position, _), wanted in expected.items() if isinstance(wanted, Refusal)}
    assert len(expected) == len(done.exports.lines.get("Observation", []))


def test_every_patient_and_device_is_accepted(done: Done) -> None:
    patients, devices = identities(done, "Patient"), identities(done, "Device")
    found = {"Patient": 0, "Device": 0}
    for _, stream, record_id, resource in done.resources:
        if stream == "Patient":
            assert_patient(patients[record_id], resource)
        elif stream == "Device":
            held = devices[record_id]
            assert held["source_person_id"] == person(resource.get("patient", {}))
            assert held["device_id"] == resource.get("serialNumber")
        found[stream] = found.get(stream, 0) + 1
    assert (len(patients), len(devices)) == (found["Patient"], found["Device"]) and found["Patient"] >= 8


def assert_patient(held: Mapping[str, Any], resource: Mapping[str, Any]) -> None:
    name, address = resource["name"][0], resource["address"][0]
    phones = [t["value"] for t in resource.get("telecom", []) if t["system"] == "phone"]
    assert (held["source_person_id"], held["given_name"], held["family_name"]) == \
        (resource["id"], name["given"][0], name["family"])
    assert (str(held["birth_on"]), held["sex_code"]) == (resource["birthDate"], resource["gender"])
    assert (held["country_code"], held["city"]) == (address["country"], address["city"])
    digits = "".join(c for c in phones[0] if c.isdigit()) if phones else ""
    assert held["phone"] is None or held["phone"].endswith(digits[-10:])
