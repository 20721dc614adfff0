"""What the device cloud knows of its members' diagnoses, as FHIR R4 Conditions: diabetes mostly, and what comes with it.

Some were taken back, are only suspected or are over; codes are of the systems used where a person lives, or just text.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator
from dataclasses import dataclass

from .hashing import dice, mix
from .population import DAY_MS, Person, Settings
from .versions import Record, Version, history, moment, utc

TERMS = "http://terminology.hl7.org/CodeSystem"
SNOMED = "http://snomed.info/sct"
ICD_10 = {"DE": "http://fhir.de/CodeSystem/bfarm/icd-10-gm", "FR": "http://hl7.org/fhir/sid/icd-10",
          "ES": "http://hl7.org/fhir/sid/icd-10-cm", "IT": "http://hl7.org/fhir/sid/icd-10-cm"}
YEAR = 365.25
Told = tuple[str | None, str | None]  # Clinical and verification status.
HAS, HAD, SUSPECTED, UNSAID = ("active", "confirmed"), ("resolved", "confirmed"), ("active", "provisional"), (None, None)
REFUTED, ERROR = ("inactive", "refuted"), (None, "entered-in-error")


@dataclass(frozen=True, slots=True)
class Illness:
    """A condition by its name and its codes of ICD-10 and SNOMED CT."""

    name: str
    icd_10: str
    snomed: str


TYPE_1 = Illness("Type 1 diabetes", "E10.9", "46635009")
TYPE_2 = Illness("Type 2 diabetes", "E11.9", "44054006")
PREGNANCY = Illness("Gestational diabetes", "O24.4", "11687002")
OTHER = Illness("Diabetes, other specified", "E13.9", "73211009")
PRESSURE = Illness("High blood pressure", "I10", "38341003")
# What is told of an illness where a roll is at least that.
SURE: tuple[tuple[float, list[Told]], ...] = ((0.11, [HAS]), (0.06, [UNSAID]), (0.03, [SUSPECTED, HAS]), (0.0, [SUSPECTED]))
PAST, EVER, LAST = 35, 20, 42  # Age from which type 2 is the usual one; ages between which a pregnancy is told of.


def conditions(settings: Settings, patient: str, person: Person, joined: int) -> Iterator[Version]:
    """The Conditions of a member, recorded within an hour of joining; some are told otherwise later."""
    roll = dice(settings.seed, "cloud.condition", person.index)
    age = (moment(joined).date() - person.birth).days / YEAR
    for number, (illness, began, told) in enumerate(_had(roll, person, age)):
        name = f"n{int(mix(settings.seed, 'cloud.condition', person.index, number)[0]):016x}"
        first = joined + 120_000 * (number + 1)
        onset = person.birth + dt.timedelta(days=began * YEAR)
        base = _coded(roll, illness, person) | _began(roll, onset, began) | {
            "resourceType": "Condition", "id": name, "subject": {"reference": f"Patient/{patient}"}, "recordedDate": utc(first)}
        times = [first, max(first, settings.start_ms) + int(roll.uniform(0.1, 60) * DAY_MS)]
        yield from history(name, [(at, base | _told(at, version, status))
                                  for version, (at, status) in enumerate(zip(times, told, strict=False), 1)])


def _had(roll: random.Random, person: Person, age: float) -> Iterator[tuple[Illness, float, list[Told]]]:
    """Each illness, at which age it began, and what is told of it: at first, and perhaps later."""
    if person.is_canary:
        yield TYPE_2, 55.0, [HAS]
        return
    kind, sure, twice, more = (roll.random() for _ in range(4))
    young = age < PAST
    illness = TYPE_1 if kind < (0.7 if young else 0.12) else OTHER if kind > 0.97 else TYPE_2
    began = roll.uniform(1, min(age, 40)) if illness is TYPE_1 else roll.uniform(min(age, 18 if young else 30), age)
    if sure < 0.94:
        yield illness, began, next(told for least, told in SURE if sure >= least)
    if illness is TYPE_1 and twice < 0.15:
        yield TYPE_2, began, [HAS, REFUTED] if twice < 0.08 else [REFUTED]
    elif twice > 0.97:
        yield TYPE_1, began, [ERROR]
    if person.sex == "female":
        yield from _expected(roll, age)
    if more < age / 150:
        yield PRESSURE, roll.uniform(min(age, 30), age), [HAS]


def _expected(roll: random.Random, age: float) -> Iterator[tuple[Illness, float, list[Told]]]:
    """Diabetes of a pregnancy: of one that lasts, or may end soon, or of one in the past."""
    if age < LAST and roll.random() < 0.3:
        yield PREGNANCY, age - roll.uniform(0.05, 0.3), [HAS, HAD] if roll.random() < 0.4 else [HAS]
    elif age > EVER and roll.random() < 0.12:
        yield PREGNANCY, roll.uniform(EVER, min(age, LAST)), [HAD]


def _coded(roll: random.Random, illness: Illness, person: Person) -> Record:
    """By the country's ICD-10, by SNOMED CT (in Great Britain always), by both, or in words only."""
    words, both = roll.random() < 0.03 and not person.is_canary, roll.random() < 0.4
    coding = [{"system": SNOMED, "code": illness.snomed}] if both or person.country not in ICD_10 else []
    if person.country in ICD_10:
        coding.append({"system": ICD_10[person.country], "code": illness.icd_10, "display": illness.name})
    return {"code": {"text": illness.name} if words else {"coding": coding, "text": illness.name}}


def _began(roll: random.Random, onset: dt.date, age: float) -> Record:
    form = roll.randrange(10)
    if form < 5:
        return {"onsetDateTime": f"{onset}"}
    if form < 7:
        return {"onsetDateTime": f"{onset.year}"}
    if form == 7:
        return {"onsetPeriod": {"start": f"{onset:%Y-%m}"}}
    return {"onsetAge": {"value": int(age), "unit": "a", "system": "http://unitsofmeasure.org", "code": "a"}} if form == 8 else {}


def _told(at: int, version: int, told: Told) -> Record:
    found: Record = {"meta": {"versionId": str(version), "lastUpdated": utc(at)}}
    systems = (("clinicalStatus", "condition-clinical"), ("verificationStatus", "condition-ver-status"))
    for (field, system), code in zip(systems, told, strict=True):
        if code:
            found[field] = {"coding": [{"system": f"{TERMS}/{system}", "code": code}]}
    return found
