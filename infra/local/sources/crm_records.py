"""What the CRM holds: contacts, contact points, consent per channel and purpose, and cases with response times."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from .app_records import PARTNER
from .hashing import dice, unit
from .noise import Known, known, phone
from .population import CANARY_TEXT, DAY_MS, Person, Population, salesforce_id
from .readings import HOUR_MS
from .texts import POSTS, SUBJECTS
from .versions import FOREVER, Log, Record, Version, history, moment, salesforce_time

CHANNELS = {"Email": 0.90, "Phone": 0.50, "Web": 0.35, "MailingAddress": 0.25, "Social": 0.10}
CHANNEL_PURPOSES = {"brand_communication": 0.80, "patient_education": 0.60, "personalised_services": 0.35,
                    "research": 0.30}
OPT_IN = {"Email": 0.78, "Phone": 0.66, "Web": 0.85, "MailingAddress": 0.70, "Social": 0.68}
COUNTRY_BIAS = {"DE": -0.04, "FR": 0.0, "IT": 0.03, "ES": 0.05, "GB": -0.02}
CASE_PER_DAY = 1 / 60
Scope = tuple[str | None, str, str | None]


class CrmRecords:
    """The five objects of the CRM. Every record is {field: value}; times are Salesforce's text form."""

    def __init__(self, population: Population) -> None:
        self.population, self.settings = population, population.settings
        self.logs: dict[str, Log] = {name: Log() for name in (
            "Contact", "ContactPointEmail", "ContactPointPhone", "ContactPointTypeConsent", "Case")}
        self.contacts: list[tuple[Person, int, str, int, int]] = []
        made: dict[str, list[Version]] = {name: [] for name in self.logs}
        for person in population.members("crm"):
            for copy, contact in enumerate(population.identifiers("crm", person)):
                created, gone = self._span(person, copy)
                self.contacts.append((person, copy, contact, created, gone))
                who = known(self.settings, "crm", person, copy)
                made["Contact"].extend(self._contact(person, contact, who, (created, gone)))
                made["ContactPointEmail"].extend(self._email(contact, who, (created, gone)))
                made["ContactPointPhone"].extend(self._phone(contact, who, (created, gone)))
                made["ContactPointTypeConsent"].extend(self._consents(person, copy, contact, created))
        for name, versions in made.items():
            self.logs[name].extend(versions)

    def grow(self, first_day: int, last_day: int) -> None:
        """Generate the cases opened on some days."""
        people = np.array([person.index * 2 + copy for person, copy, *_ in self.contacts], dtype=np.int64)
        if not len(people) or last_day <= first_day:
            return
        days = np.arange(first_day, last_day, dtype=np.int64)
        opened = unit(self.settings.seed, "case", people[:, None], days[None, :]) < CASE_PER_DAY
        canaries = [i for i, contact in enumerate(self.contacts) if contact[0].is_canary]
        opened[canaries, :] |= days[None, :] % 7 == 0
        who, when = np.nonzero(opened)
        self.logs["Case"].extend(
            v for i, day in zip(who.tolist(), when.tolist(), strict=True) for v in self._case(i, int(days[day])))

    def _span(self, person: Person, copy: int) -> tuple[int, int]:
        roll = dice(self.settings.seed, "crm.span", person.index, copy)
        created = self.population.joined("crm", person) + copy * int(roll.uniform(5, 14) * DAY_MS)
        gone = max(created, self.settings.start_ms) + int(roll.uniform(1, 2000) * DAY_MS)
        return created, FOREVER if person.is_canary or roll.random() > 0.6 else gone

    def _contact(self, person: Person, contact: str, who: Known, span: tuple[int, int]) -> Iterator[Version]:
        roll, (created, gone) = dice(self.settings.seed, "contact", contact), span
        first = {"Id": contact, "FirstName": who.given, "LastName": who.family, "Birthdate": who.birth,
                 "GenderIdentity": who.sex.title() if who.sex else None, "Email": who.email, "MobilePhone": who.phone,
                 "MailingPostalCode": who.postcode, "MailingCity": who.city, "MailingCountryCode": who.country}
        states = [(created, first)]
        changed = max(created, self.settings.start_ms) + int(roll.uniform(0.1, 250) * DAY_MS)
        if not person.is_canary and changed < gone:
            known_now = {"Birthdate": person.birth.isoformat(), "MobilePhone": phone(roll, person)}
            states.append((changed, {**first, **known_now}))
        return _stored(contact, states, gone)

    def _email(self, contact: str, who: Known, span: tuple[int, int]) -> Iterator[Version]:
        if who.email is None:
            return iter(())
        name = salesforce_id("9Vl", self.settings.seed, "email", contact)
        record = {"Id": name, "ParentId": contact, "EmailAddress": who.email, "IsPrimary": True,
                  "IsVerified__c": who.email_verified}
        roll, states = dice(self.settings.seed, "email", contact), [(span[0] + 5000, record)]
        checked = max(span[0], self.settings.start_ms) + int(roll.uniform(1, 300) * DAY_MS)
        if not who.email_verified and checked < span[1]:
            states.append((checked, {**record, "IsVerified__c": True}))
        return _stored(name, states, span[1])

    def _phone(self, contact: str, who: Known, span: tuple[int, int]) -> Iterator[Version]:
        if who.phone is None:
            return iter(())
        name = salesforce_id("9Vp", self.settings.seed, "phone", contact)
        record = {"Id": name, "ParentId": contact, "TelephoneNumber": who.phone, "IsPrimary": True,
                  "IsSmsCapable": True, "IsVerified__c": who.phone_verified, "CountryCode__c": who.country}
        return _stored(name, [(span[0] + 6000, record)], span[1])

    def _consents(self, person: Person, copy: int, contact: str, created: int) -> Iterator[Version]:
        roll = dice(self.settings.seed, "crm.consent", person.index, copy)
        scopes: list[Scope] = [(c, p, None) for c, a in CHANNELS.items() if roll.random() < a or person.is_canary
                               for p, b in CHANNEL_PURPOSES.items() if roll.random() < b or person.is_canary]
        if roll.random() < 0.60 or person.is_canary:
            scopes += [(None, "adherence_monitoring", None), (None, "decision_support", None)]
        if roll.random() < 0.12 or person.is_canary:
            scopes += [(None, "research", None), (None, "research", PARTNER)]
        for number, scope in enumerate(scopes):
            yield from self._consent(person, (contact, created), number, scope)

    def _consent(self, person: Person, contact: tuple[str, int], number: int, scope: Scope) -> Iterator[Version]:
        seed, (channel, purpose, recipient) = self.settings.seed, scope
        roll = dice(seed, "opt", contact[0], number)
        captured = contact[1] if person.is_canary else max(
            contact[1], self.settings.start_ms + int((45 - 240 * roll.betavariate(1.2, 1.6)) * DAY_MS)) + number * 1000
        chance = (OPT_IN[channel] if channel else 0.8) + COUNTRY_BIAS[person.country]
        status = "OptIn" if person.is_canary or roll.random() < chance else roll.choices(
            ("OptOut", "Seen", "NotSeen"), (80, 12, 8))[0]
        name = salesforce_id("0ZY", seed, "consent", contact[0], number)
        ends = captured + 730 * DAY_MS if roll.random() < 0.15 and not person.is_canary else None
        first = {"Id": name, "PartyId": contact[0], "ContactPointType": channel, "DataUsePurpose__c": purpose,
                 "Recipient__c": recipient, "PrivacyConsentStatus": status, "EffectiveFrom": salesforce_time(captured),
                 "EffectiveTo": salesforce_time(ends) if ends and status == "OptIn" else None,
                 "CaptureDate": salesforce_time(captured),
                 "CaptureSource": roll.choice(("Web form", "Call centre", "Paper form", "Event", "Salesforce")),
                 "Country__c": person.country}
        if status != "OptIn" or person.is_canary or roll.random() > 0.5:
            return _stored(name, [(captured, first)], FOREVER)
        return self._withdrawn(first, captured, roll, number)

    def _withdrawn(self, first: Record, captured: int, roll: random.Random, number: int) -> Iterator[Version]:
        """An opt-in that is withdrawn, in place or by a second statement beside the one that it ends."""
        out = max(captured, self.settings.start_ms) + int(roll.uniform(0.2, 400) * DAY_MS)
        when = salesforce_time(out)
        if roll.random() < 0.5:
            changed = {**first, "PrivacyConsentStatus": "OptOut", "EffectiveFrom": when, "EffectiveTo": None,
                       "CaptureDate": when}
            yield from _stored(first["Id"], [(captured, first), (out, changed)], FOREVER)
            return
        yield from _stored(first["Id"], [(captured, first), (out, {**first, "EffectiveTo": when})], FOREVER)
        other = salesforce_id("0ZY", self.settings.seed, "withdrawal", first["PartyId"], number)
        statement = {**first, "Id": other, "PrivacyConsentStatus": "OptOut", "EffectiveFrom": when,
                     "EffectiveTo": None, "CaptureDate": when}
        yield from _stored(other, [(out, statement)], FOREVER)

    def _case(self, position: int, day: int) -> Iterator[Version]:
        person, _, contact, joined, gone = self.contacts[position]
        roll = dice(self.settings.seed, "case", contact, day)
        opened = self.settings.start_ms + day * DAY_MS + int(roll.uniform(6, 21) * HOUR_MS)
        if not joined <= opened < gone:
            return iter(())
        kind = roll.choices(("effect", "complaint", "question", "talk"), (8, 40, 37, 15))[0]
        name = salesforce_id("500", self.settings.seed, "case", contact, day)
        text = " ".join(roll.sample(POSTS[person.home.language][kind], 2))
        if roll.random() < 0.15:
            text += f" Call me: {phone(roll, person)}, {person.given} {person.family}."
        if person.is_canary:
            text = f"{CANARY_TEXT} {text}"
        record = {"Id": name, "ContactId": contact,
                  "Type": {"complaint": "Complaint", "talk": "Request", "effect": "Complaint"}.get(kind, "Question"),
                  "Origin": roll.choices(("Phone", "Email", "Web", "Social"), (45, 30, 20, 5))[0],
                  "Subject": roll.choice(SUBJECTS[kind]), "Description": text, "FirstResponseAt__c": None,
                  "ClosedDate": None}
        return _stored(name, _answers(opened, record, roll), FOREVER)


def _answers(opened: int, record: Record, roll: random.Random) -> list[tuple[int, Record]]:
    """A case as it is opened, answered (median two hours, one in fourteen never) and closed."""
    states = [(opened, record)]
    if roll.random() < 0.07:
        return states
    answered = opened + int(roll.lognormvariate(0.7, 1.5) * HOUR_MS) + 60_000
    states.append((answered, {**record, "FirstResponseAt__c": salesforce_time(answered)}))
    if roll.random() < 0.85:
        closed = answered + int(roll.uniform(1, 120) * HOUR_MS)
        states.append((closed, {**states[1][1], "ClosedDate": salesforce_time(closed)}))
    return states


def _stored(name: str, states: list[tuple[int, Record]], gone: int) -> Iterator[Version]:
    """Versions with the system fields: a deleted record stays, with IsDeleted set, until it is purged."""
    created = salesforce_time(states[0][0])
    stamped = [(at, {**record, "IsDeleted": False, "CreatedDate": created, "SystemModstamp": salesforce_time(at)})
               for at, record in states if at < gone]
    if not stamped:
        return iter(())
    if any(later[0] < earlier[0] for earlier, later in pairwise(stamped)):
        raise ValueError(f"states of a record are not in order of time, at {moment(stamped[0][0])}")
    if gone >= FOREVER:
        return history(name, stamped)
    last = {**stamped[-1][1], "IsDeleted": True, "SystemModstamp": salesforce_time(gone)}
    return history(name, stamped, (gone, last))
