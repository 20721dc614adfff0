"""The official examples of FHIR R4 in fhir/r4_examples as payloads: odd but legal, none crashes, none is dropped.

One of them is also landed in every other legal form of its time and with every status, which no example shows.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from contracts.load import catalog
from jobs.ledger.batches import batch_id
from jobs.run.conform import conform
from jobs.settings import Settings
from tests.external.fhir import Reading, Refusal, Resource, examples, instant, read_observation, row
from tests.external.published import needs, read_json
from tests.landing import Raw, account, apart, collection, core, land

SOURCE = "device_cloud"
ONE = "Observation-f001"
TIMES: dict[str, Resource] = {
    "no time": {}, "a year": {"effectiveDateTime": "2013"}, "a month": {"effectiveDateTime": "2013-04"},
    "a day": {"effectiveDateTime": "2013-04-02"}, "milliseconds": {"effectiveDateTime": "2013-04-02T09:30:10.123-05:00"},
    "an instant": {"effectiveInstant": "2013-04-02T09:30:10.5Z"}, "a period that began": {"effectivePeriod": {"start": "2013-04"}},
    "a period that ended": {"effectivePeriod": {"end": "2013-04-02T09:30:10+01:00"}},
    "a timing": {"effectiveTiming": {"event": ["2013-04-02T09:30:10+01:00", "2013-04-03T09:30:10+01:00"]}},
    "a timing by the day": {"effectiveTiming": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}}},
}
STATUSES = ("registered", "preliminary", "final", "amended", "corrected", "cancelled", "entered-in-error", "unknown")
EXTRAS: dict[str, Resource] = {
    "a group": {"subject": {"reference": "Group/herd1"}}, "nobody": {"subject": {}},
    "an address": {"subject": {"reference": "https://example.org/fhir/Patient/f001"}},
    "a UUID": {"subject": {"reference": "urn:uuid:7f0b1c3e-1f0a-4c3e-9d63-0d5c1ac0a001"}},
    "components": {"component": [{"code": {"text": "x"}, "valueString": "y"}]},
    "a reason besides": {"dataAbsentReason": {"text": "not known"}}, "a comparator": {"valueQuantity": {
        "value": 1.1, "comparator": "<", "unit": "mmol/l", "system": "http://unitsofmeasure.org", "code": "mmol/L"}},
    "no value": {"valueQuantity": {"comparator": "<", "system": "http://unitsofmeasure.org", "code": "mmol/L"}},
    "no code of the unit": {"valueQuantity": {"value": 6.3, "unit": "mmol/l", "system": "http://unitsofmeasure.org"}},
    "no system of the unit": {"valueQuantity": {"value": 6.3, "unit": "mmol/l", "code": "mmol/L"}},
    "an integer": {"valueQuantity": None, "valueInteger": 6},
}
pytestmark = needs("fhir/r4_examples")


@dataclass(frozen=True)
class Done:
    """The examples as they were landed, by record id, and what became of them."""

    settings: Settings
    resources: dict[str, Resource]
    rows: dict[str, dict[str, dict[str, Any]]]
    statements: list[dict[str, Any]]
    refusals: dict[str, Refusal]
    counted: dict[tuple[str, str], int]

    def of(self, kind: str) -> dict[str, Resource]:
        """The resources of a type."""
        return {name: resource for name, resource in self.resources.items() if resource["resourceType"] == kind}


def variants() -> Iterator[Resource]:
    """One example in other forms, each with an id of its own."""
    one = next(read_json(path) for path in examples("Observation") if path.stem == ONE)
    timeless = {key: value for key, value in one.items() if not key.startswith("effective")}
    changed = [(name, timeless | changes) for name, changes in TIMES.items()]
    changed += [(status, one | {"status": status}) for status in STATUSES] + [(n, one | changes) for n, changes in EXTRAS.items()]
    for name, resource in changed:
        yield {key: value for key, value in resource.items() if value is not None} | {"id": name.replace(" ", "-")}


def landed(settings: Settings, contents: list[bytes], number: int) -> dict[tuple[str, str], int]:
    """The account of a batch of resources, landed and conformed."""
    records = [Raw(f"{r['resourceType']}/{r['id']}", content, r["resourceType"]) for content, r in zip(
        contents, map(json.loads, contents), strict=True)]
    batch = land(settings, SOURCE, records, number)
    with pytest.MonkeyPatch.context() as patch:
        collection(patch, SOURCE)
        conform(settings, SOURCE)
    return account(settings, batch)


@pytest.fixture(scope="module")
def done(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Done:
    settings = Settings(home=tmp_path_factory.mktemp("examples"), lake="", engine=engine, actor="test")
    kinds = [stream.name for stream in catalog().sources[SOURCE].streams]
    first = [path.read_bytes() for kind in kinds if kind != "Consent" for path in examples(kind)]
    first += [json.dumps(resource).encode() for resource in variants()]
    # Behind the others: some of the people say no to everything, and their readings would not be taken in.
    batches = [first, [path.read_bytes() for path in examples("Consent")]]
    resources = {f"{r['resourceType']}/{r['id']}": r for batch in batches for r in map(json.loads, batch)}
    counted = Counter[tuple[str, str]]()
    for number, contents in enumerate(batches, 1):
        counted.update(landed(settings, contents, number))
    rows = {table: {r["record_id"]: r for r in core(settings, SOURCE, table)} for table in catalog().sources[SOURCE].tables}
    names, starts = list(resources), {batch_id(SOURCE, 1): 0, batch_id(SOURCE, 2): len(first)}
    refusals = {names[starts[b] + p]: Refusal(reason, str(field)) for (b, p), (reason, field) in apart(settings, SOURCE).items()}
    return Done(settings, resources, rows, core(settings, SOURCE, "core.consent"), refusals, counted)


def test_every_example_has_exactly_one_outcome(done: Done) -> None:
    assert len(done.of("Observation")) == 64 + len(TIMES) + len(STATUSES) + len(EXTRAS)
    accepted = [name for rows in done.rows.values() for name in rows]
    assert sorted([*accepted, *done.refusals]) == sorted(done.resources)
    assert sum(done.counted.values()) == len(done.resources)
    assert {outcome for outcome, _ in done.counted} == {"accepted", "rejected"}


def test_observations_are_read_as_they_say(done: Done) -> None:
    """With a LOINC code, a value and a UCUM unit it is accepted, whatever its time, subject, status and components."""
    expected = {name: read_observation(resource) for name, resource in done.of("Observation").items()}
    rows = {name: row(found) for name, found in done.rows["core.observation"].items()}
    assert rows == {name: wanted for name, wanted in expected.items() if isinstance(wanted, Reading)}
    refusals = {name: why for name, why in done.refusals.items() if name in expected}
    assert refusals == {name: wanted for name, wanted in expected.items() if isinstance(wanted, Refusal)}
    assert {refusal.reason for refusal in refusals.values()} == {"missing", "wrong_unit"}


def test_conditions_are_read_as_they_say(done: Done) -> None:
    """None is refused for its code, its status or the form of its onset; what it is not, its statuses say."""
    rows, conditions = done.rows["core.condition"], done.of("Condition")
    assert len(conditions) == 12 and rows.keys() == conditions.keys()
    for name, resource in conditions.items():
        coding, held = resource["code"].get("coding", [{}])[0], rows[name]
        said = [resource.get(field, {}).get("coding", [{}])[0].get("code") for field in ("clinicalStatus", "verificationStatus")]
        assert [held["clinical_status_code"], held["verification_status_code"]] == said
        assert (held["snomed_code"], held["icd10_code"]) == (coding.get("code"), None) and held["condition_name"]
        assert held["source_person_id"] == resource["subject"]["reference"].rpartition("/")[2]
        assert (held["onset_at"], held["recorded_at"]) == (instant(resource.get("onsetDateTime")), instant(resource.get("recordedDate")))
    assert {held["verification_status_code"] for held in rows.values()} == {"confirmed", "differential", None}


def test_every_patient_and_device_is_known(done: Done) -> None:
    identities = done.rows["core.identity"]
    assert identities.keys() == done.of("Patient").keys() | done.of("Device").keys()
    for name, resource in done.of("Patient").items():
        held = identities[name]
        said = (resource["id"], resource.get("birthDate"), resource.get("gender"))
        assert (held["source_person_id"], held["birth_on"] and str(held["birth_on"]), held["sex_code"]) == said


def test_no_consent_example_is_a_yes_to_one_of_our_purposes(done: Done) -> None:
    """Three opt in and name no purpose, so they say nothing; the others refuse, whom they name or everybody."""
    consents, said = done.of("Consent"), done.statements
    silent = {f"Consent/consent-example-{name}" for name in ("basic", "notTime", "smartonfhir")}
    assert len(consents) == 12
    assert {name: done.refusals[name] for name in consents if name in done.refusals} == {
        name: Refusal("missing", "purpose_code") for name in silent}
    assert {row["record_id"] for row in said} == consents.keys() - silent
    assert {row["decision_code"] for row in said} == {"deny"}
    named = {row["record_id"].rpartition("-")[2]: row["recipient_id"] for row in said if row["recipient_id"]}
    assert named == {"notAuthor": "f001", "notOrg": "f001", "notThem": "Practitioner/f204", "grantor": "Patient/example",
                     "pkb": "f001", "signature": "Practitioner/13", "Out": "f001"}
    everybody = {row["record_id"].rpartition("-")[2] for row in said if not row["recipient_id"]}
    assert everybody == {"Emergency", "Out", "grantor", "notThis", "pkb"}


def test_who_opts_out_in_a_published_consent_is_taken_in_no_further(done: Done) -> None:
    """HL7's example of a patient who withholds everything: the readings of that patient that come behind it are refused."""
    again = [json.dumps(resource | {"id": "later"}).encode() for name, resource in done.of("Observation").items() if name.endswith("/a-day")]
    assert landed(done.settings, again, 3) == {("refused", "every_purpose_denied"): 1}
