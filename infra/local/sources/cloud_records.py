"""What the device cloud holds as FHIR R4: patients, their glucose meters, observations, conditions, and a few consents."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from . import readings
from .cloud_consents import consents
from .conditions import conditions
from .hashing import dice, mix
from .noise import Known, known, phone
from .population import DAY_MS, Person, Population
from .readings import Member, Rows, Table
from .versions import FOREVER, Log, Record, Version, history, local, utc

CODES = {"2339-0": "Glucose [Mass/volume] in Blood", "15074-8": "Glucose [Moles/volume] in Blood",
         "14743-9": "Glucose [Moles/volume] in Capillary blood by Glucometer"}
TERMS = "http://terminology.hl7.org/CodeSystem"
TYPES = ("Patient", "Device", "Observation", "Condition", "Consent")


class CloudRecords:
    """Patient, Device, Condition and Consent as logs of versions; Observation as arrays, rendered when a file is asked for."""

    def __init__(self, population: Population) -> None:
        self.population, self.settings = population, population.settings
        self.seed = population.settings.seed
        self.logs = {name: Log() for name in ("Patient", "Device", "Condition", "Consent")}
        self.observations, self.members = Table(), list[Member]()
        self.british = np.array([p.country == "GB" for p in population.people], dtype=bool)
        made: dict[str, list[Version]] = {name: [] for name in self.logs}
        for person in population.members("device_cloud"):
            joined, left = self._span(person)
            self.members.append(Member(person.index, joined, left))
            made["Patient"].extend(self._patient(person, joined, left))
            made["Device"].extend(self._device(person, joined))
            made["Condition"].extend(conditions(self.settings, self.patient_id(person.index), person, joined))
            made["Consent"].extend(consents(self.settings, self.patient_id(person.index), person, joined))
        for name, versions in made.items():
            self.logs[name].extend(versions)

    def grow(self, first_day: int, last_day: int) -> None:
        """Generate the observations of some days."""
        self.observations.extend(readings.grow(
            readings.CLOUD_GLUCOSE, self.seed, self.settings.start_ms, self.members, first_day, last_day))

    def patient_id(self, person: int) -> str:
        """The device cloud's id of a person."""
        return self.population.cloud_ids[person]

    def device_id(self, person: int) -> str:
        """The device cloud's id of a person's meter."""
        return f"d{int(mix(self.seed, 'cloud.device', person)[0]):016x}"

    def observation_ids(self, rows: Rows) -> list[str]:
        """The ids of the observations behind rows."""
        return [f"o{name}" for name in readings.ids(self.seed, "cloud.glucose", rows)]

    def render(self, rows: Rows) -> Iterator[Record]:
        """Observation resources for rows that are no deletions."""
        values = readings.glucose_mg_dl(self.seed, rows)
        mmol = readings.uses_mmol(self.seed, rows["person"], self.british)
        fate = mix(self.seed, "fate", rows["person"], rows["day"], rows["slot"]) % np.uint64(10)
        for row, name, value, in_mmol, luck in zip(
                rows, self.observation_ids(rows), values, mmol, fate.tolist(), strict=True):
            person, version = int(row["person"]), int(row["version"])
            code = ("15074-8" if luck < 3 else "14743-9") if in_mmol else "2339-0"
            amount, shown, ucum = ((round(float(value) / 18.016, 1), "mmol/L", "mmol/L") if in_mmol
                                   else (int(value), "mg/dL", "mg/dL"))
            yield {
                "resourceType": "Observation", "id": name,
                "meta": {"versionId": str(version + 1), "lastUpdated": utc(int(row["at"]))},
                "status": "final" if version == 0 else "entered-in-error" if luck < 3 else "amended",
                "category": [{"coding": [{"system": f"{TERMS}/observation-category", "code": "laboratory"}]}],
                "code": {"coding": [{"system": "http://loinc.org", "code": code, "display": CODES[code]}]},
                "subject": {"reference": f"Patient/{self.patient_id(person)}"},
                "effectiveDateTime": local(int(row["occurred"]), self.population.people[person].home.zone),
                "issued": utc(int(row["first"])),
                "valueQuantity": {"value": amount, "unit": shown, "system": "http://unitsofmeasure.org", "code": ucum},
                "device": {"reference": f"Device/{self.device_id(person)}"}}

    def _span(self, person: Person) -> tuple[int, int]:
        joined = self.population.joined("device_cloud", person)
        roll = dice(self.seed, "cloud.left", person.index)
        left = max(joined, self.settings.start_ms) + int(roll.uniform(2, 1800) * DAY_MS)
        return joined, FOREVER if person.is_canary or roll.random() > 0.5 else left

    def _patient(self, person: Person, joined: int, left: int) -> Iterator[Version]:
        who, roll = known(self.settings, "device_cloud", person), dice(self.seed, "patient", person.index)
        name = self.patient_id(person.index)
        states = [(joined, _patient(name, who, joined, 1))]
        changed = max(joined, self.settings.start_ms) + int(roll.uniform(0.1, 300) * DAY_MS)
        if changed < left and not person.is_canary:
            newer = _patient(name, who, changed, 2)
            newer["telecom"] = [*newer.get("telecom", []),
                                {"system": "phone", "value": phone(roll, person), "use": "mobile", "rank": 1}]
            states.append((changed, newer))
        return history(name, states, (left, {}) if left < FOREVER else None)

    def _device(self, person: Person, joined: int) -> Iterator[Version]:
        name = self.device_id(person.index)
        device = {"resourceType": "Device", "id": name, "meta": {"versionId": "1", "lastUpdated": utc(joined)},
                  "status": "active", "manufacturer": "Glycotronic", "serialNumber": person.serial,
                  "deviceName": [{"name": "GlucoMeter 3", "type": "model-name"}],
                  "patient": {"reference": f"Patient/{self.patient_id(person.index)}"}}
        return history(name, [(joined, device)])


def _patient(name: str, who: Known, at: int, version: int) -> Record:
    telecom = [{"system": system, "value": value, "use": use} for system, value, use in
               (("email", who.email, "home"), ("phone", who.phone, "mobile")) if value]
    address = {"postalCode": who.postcode, "city": who.city, "country": who.country, "use": "home"}
    found: Record = {
        "resourceType": "Patient", "id": name, "meta": {"versionId": str(version), "lastUpdated": utc(at)},
        "identifier": [{"system": "https://device-cloud.example/patient", "value": name.upper()}], "active": True,
        "name": [{"use": "official", "family": who.family, "given": [who.given]}], "telecom": telecom,
        "gender": who.sex, "birthDate": who.birth, "address": [{k: v for k, v in address.items() if v}]}
    return {field: value for field, value in found.items() if value not in (None, [])}
