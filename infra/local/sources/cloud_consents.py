"""What members of the device cloud consented to, as FHIR R4 Consents: half of the yeses and noes are plain, others nest.

Nested rules never change what a Consent says to the purposes that products made of readings need: they are about the
partner, about purposes besides these, or about data that there is in any case.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from .app_records import PARTNER, PURPOSES
from .hashing import dice, mix
from .population import DAY_MS, Person, Settings
from .versions import Record, Version, history, moment, utc

PURPOSE_SYSTEM = "https://concord.example/purpose"
TERMS = "http://terminology.hl7.org/CodeSystem"
RESEARCH, LETTERS, LESSONS = "research", "brand_communication", "patient_education"


def consents(settings: Settings, patient: str, person: Person, joined: int) -> Iterator[Version]:
    """The Consent of a member, where there is one; some are changed later."""
    roll = dice(settings.seed, "cloud.consent", person.index)
    if roll.random() > 0.3 and not person.is_canary:
        return iter(())
    name = f"c{int(mix(settings.seed, 'cloud.consent', person.index)[0]):016x}"
    given = joined + 60_000
    purposes = [p for p in PURPOSES if person.is_canary or roll.random() < 0.6] or ["adherence_monitoring"]
    permits, changes = roll.random() < 0.8 or person.is_canary, roll.random() < 0.3 and not person.is_canary
    said = [(given, permits)]
    if changes:
        said.append((max(given, settings.start_ms) + int(roll.uniform(0.5, 90) * DAY_MS), not permits))
    states = []
    for version, (at, is_yes) in enumerate(said, 1):
        rule = _rule("permit" if is_yes else "deny", *purposes)
        if not person.is_canary:
            rule |= _more(settings, dice(settings.seed, "cloud.provision", person.index, version), is_yes, purposes, (joined, at))
        states.append((at, _consent(name, patient, (at, version), rule)))
    return history(name, states)


def _more(settings: Settings, roll: random.Random, is_yes: bool, purposes: list[str], times: tuple[int, int]) -> Record:
    """What the outer rule says besides its type and purposes: nothing for half of them."""
    if roll.random() < 0.5:
        return {}
    joined, at = (f"{moment(time):%Y-%m-%d}" for time in times)
    if not is_yes:
        return {"provision": [_rule("permit", LESSONS)]} if LESSONS in purposes else {}
    partner = {"actor": [{"role": {"coding": [{"system": f"{TERMS}/v3-ParticipationType", "code": "IRCP"}]},
                          "reference": {"reference": f"Organization/{PARTNER}"}}]}
    readings = {"class": [{"system": "http://hl7.org/fhir/resource-types", "code": "Observation"}]}
    glucose = {"code": [{"coding": [{"system": "http://loinc.org", "code": "2339-0"}]}]}
    until = {"period": {"start": at, "end": f"{int(at[:4]) + 3}-12-31"}}
    match roll.randrange(7):
        case 0:  # not to the partner
            return {"provision": [_rule("deny", RESEARCH) | partner]}
        case 1:  # to the partner too, for some years
            return {"provision": [_rule("permit", RESEARCH) | partner | until]}
        case 2:  # no letters because of readings
            return {"provision": [_rule("deny", LETTERS) | readings]}
        case 3:  # no letters and lessons because of glucose
            return {"provision": [_rule("deny", LETTERS, LESSONS) | glucose]}
        case 4:  # data of this year and the two before
            return {"dataPeriod": {"start": f"{settings.start.year - 2}"}}
        case 5:  # no lessons, but of readings
            return {"provision": [_rule("deny", LESSONS) | {"provision": [_rule("permit") | readings]}]}
        case _:  # to the partner readings only, and to no other purpose of theirs
            return {"provision": [_rule("deny", RESEARCH, LETTERS) | partner | {
                "provision": [_rule("permit", RESEARCH) | readings | {"dataPeriod": {"start": joined}}]}]}


def _rule(kind: str, *purposes: str) -> Record:
    named = {"purpose": [{"system": PURPOSE_SYSTEM, "code": code} for code in purposes]} if purposes else {}
    return {"type": kind, **named}


def _consent(name: str, patient: str, state: tuple[int, int], provision: Record) -> Record:
    at, version = state
    return {
        "resourceType": "Consent", "id": name, "meta": {"versionId": str(version), "lastUpdated": utc(at)},
        "status": "active", "scope": {"coding": [{"system": f"{TERMS}/consentscope", "code": "patient-privacy"}]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "patient": {"reference": f"Patient/{patient}"}, "dateTime": utc(at),
        "policyRule": {"coding": [{"system": f"{TERMS}/v3-ActCode", "code": "OPTIN"}]}, "provision": provision}
