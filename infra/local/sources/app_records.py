"""What the adherence and glucose app holds: users, devices, consents, and Open mHealth data points."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from . import readings
from .hashing import dice, unit, uuids
from .noise import known, phone
from .population import DAY_MS, Person, Population
from .readings import HOUR_MS, Member, Rows, Table
from .versions import FOREVER, Log, Record, Version, history, local, utc

PURPOSES = ("brand_communication", "patient_education", "adherence_monitoring", "research", "decision_support",
            "personalised_services")
GRANTED = {"brand_communication": 0.45, "patient_education": 0.60, "adherence_monitoring": 0.78,
           "research": 0.40, "decision_support": 0.78, "personalised_services": 0.50}
PARTNER = "glycemia_institute"
MEALS = ("fasting", "after breakfast", "before lunch", "after lunch", "before dinner", "after dinner", "not fasting")
MEDICINES = (("metformin", "tablet", 1, "mg", 500), ("metformin", "tablet", 1, "mg", 1000),
             ("sitagliptin", "tablet", 1, "mg", 100), ("empagliflozin", "tablet", 1, "mg", 10),
             ("insulin glargine", "U", 18, "U", 300), ("gliclazide", "tablet", 1, "mg", 60))


class Feed(Protocol):
    """A change feed: changes at fixed places in order of change time."""

    def position(self, since: int) -> int:
        """The place of the first change at or after `since`."""

    def end(self, clock: int) -> int:
        """The place after the last change that the clock shows."""

    def page(self, first: int, last: int) -> list[Record]:
        """The changes at the places first..last-1."""


class DataPoints:
    """The feed of glucose points and doses, rendered from arrays page by page."""

    def __init__(self, population: Population) -> None:
        self.population, self.table = population, Table()
        self.seed = population.settings.seed
        self.british = np.array([p.country == "GB" for p in population.people], dtype=bool)

    def grow(self, members: list[Member], first_day: int, last_day: int) -> None:
        """Add the items of some days. Doses take slots from 100 on, so that one order holds both kinds."""
        start = self.population.settings.start_ms
        glucose = readings.grow(readings.APP_GLUCOSE, self.seed, start, members, first_day, last_day)
        doses = readings.grow(readings.APP_DOSE, self.seed, start, members, first_day, last_day)
        doses["slot"] += 100
        self.table.extend(np.concatenate([glucose, doses]))

    def position(self, since: int) -> int:
        """The place of the first change at or after `since`."""
        return self.table.position(since)

    def end(self, clock: int) -> int:
        """The place after the last change that the clock shows."""
        return self.table.end(clock)

    def page(self, first: int, last: int) -> list[Record]:
        """Open mHealth data points, or tombstones, at the places first..last-1."""
        rows = self.table.rows[first:last]
        names = uuids(self.seed, "point", rows["person"], rows["day"], rows["slot"])
        doses = rows["slot"] >= 100
        bodies = iter(self._glucose(rows[~doses])), iter(self._doses(rows[doses]))
        page = []
        for row, name, dose in zip(rows, names, doses, strict=True):
            schema, body, modality = next(bodies[int(dose)])
            if row["deleted"]:
                header = {"id": name, "deleted": True, "modified_date_time": utc(int(row["at"]))}
                page.append({"header": header})
                continue
            header = {
                "id": name, "creation_date_time": utc(int(row["first"])), "modified_date_time": utc(int(row["at"])),
                "user_id": self.population.app_ids[row["person"]], "schema_id": schema,
                "acquisition_provenance": {"source_name": "GlucoFlow App", "modality": modality}}
            page.append({"header": header, "body": body})
        return page

    def _glucose(self, rows: Rows) -> Iterator[tuple[Record, Record, str]]:
        values = readings.glucose_mg_dl(self.seed, rows)
        mmol = readings.uses_mmol(self.seed, rows["person"], self.british)
        meals = unit(self.seed, "meal", rows["person"], rows["day"], rows["slot"])
        sensed = unit(self.seed, "sensed", rows["person"], rows["day"], rows["slot"]) < 0.8
        schema = {"namespace": "omh", "name": "blood-glucose", "version": "4.0"}
        for row, value, in_mmol, meal, by_meter in zip(rows, values, mmol, meals, sensed, strict=True):
            amount = round(float(value) / 18.016, 1) if in_mmol else int(value)
            body: Record = {"blood_glucose": {"unit": "mmol/L" if in_mmol else "mg/dL", "value": amount},
                            "effective_time_frame": self._frame(row)}
            if meal < 0.4:
                body["temporal_relationship_to_meal"] = MEALS[int(row["slot"])]
            yield schema, body, "sensed" if by_meter else "self-reported"

    def _doses(self, rows: Rows) -> Iterator[tuple[Record, Record, str]]:
        choice = unit(self.seed, "medicine", rows["person"])
        schema = {"namespace": "omh", "name": "single-medication-dose-taken", "version": "1.0"}
        for row, pick in zip(rows, choice, strict=True):
            name, unit_name, amount, strength_unit, strength = MEDICINES[int(pick * len(MEDICINES))]
            dose = amount * 2 if row["version"] == 1 else amount
            ingredient = {"ingredient_name": name, "unit": strength_unit, "value": strength}
            yield schema, {"medication": {"generic_name": name, "strength": [ingredient]},
                           "dose": {"unit": unit_name, "value": dose},
                           "effective_time_frame": self._frame(row)}, "self-reported"

    def _frame(self, row: Rows) -> Record:
        zone = self.population.people[row["person"]].home.zone
        return {"date_time": local(int(row["occurred"]), zone)}


class AppRecords:
    """The four streams of the app."""

    def __init__(self, population: Population) -> None:
        self.population, self.settings = population, population.settings
        self.users, self.devices, self.consents = Log(), Log(), Log()
        self.points = DataPoints(population)
        self.members: list[Member] = []
        users: list[Version] = []
        for person in population.members("app"):
            joined, left = self._span(person)
            self.members.append(Member(person.index, joined, left))
            users.extend(self._user(person, joined, left))
        self.users.extend(users)
        people = list(zip(population.members("app"), self.members, strict=True))
        self.devices.extend(v for person, member in people for v in self._device(person, member.since))
        self.consents.extend(v for person, member in people for v in self._consents(person, member.since))

    @property
    def streams(self) -> dict[str, Feed]:
        """The feeds by the last part of their path."""
        return {"users": self.users, "devices": self.devices, "consents": self.consents, "data-points": self.points}

    def grow(self, first_day: int, last_day: int) -> None:
        """Generate the readings of some days."""
        self.points.grow(self.members, first_day, last_day)

    def _span(self, person: Person) -> tuple[int, int]:
        joined = self.population.joined("app", person)
        roll = dice(self.settings.seed, "app.left", person.index)
        left = max(joined, self.settings.start_ms) + int(roll.uniform(1, 1500) * DAY_MS)
        return joined, FOREVER if person.is_canary or roll.random() > 0.5 else left

    def _user(self, person: Person, joined: int, left: int) -> Iterator[Version]:
        name, roll = self.population.app_ids[person.index], dice(self.settings.seed, "app.user", person.index)
        who = known(self.settings, "app", person)
        first = {"id": name, "created_at": utc(joined), "updated_at": utc(joined), "given_name": who.given,
                 "family_name": who.family, "birth_date": who.birth, "sex": who.sex, "email": who.email,
                 "email_verified": who.email_verified, "phone": who.phone, "phone_verified": who.phone_verified,
                 "country": who.country, "postcode": who.postcode, "city": who.city}
        states = [(joined, first)]
        changed = max(joined, self.settings.start_ms) + int(roll.uniform(0.1, 300) * DAY_MS)
        if changed < left and not person.is_canary:
            number = phone(roll, person)
            states.append((changed, {**first, "updated_at": utc(changed), "phone": number, "phone_verified": True}))
        gone = (left, {"id": name, "deleted": True, "updated_at": utc(left)}) if left < FOREVER else None
        return history(name, states, gone)

    def _device(self, person: Person, joined: int) -> Iterator[Version]:
        roll = dice(self.settings.seed, "app.device", person.index)
        if roll.random() < 0.12 and not person.is_canary:
            return
        bound = joined + int(roll.uniform(0, 3 * DAY_MS)) if not person.is_canary else joined
        exact = roll.random() < 0.95 or person.is_canary
        serial = person.serial if exact else person.serial[:-1] + roll.choice("0123456789")
        name = uuids(self.settings.seed, "device", person.index)[0]
        record = {"id": name, "user_id": self.population.app_ids[person.index], "device_serial": serial,
                  "bound_at": utc(bound), "updated_at": utc(bound), "unbound_at": None}
        states = [(bound, record)]
        if roll.random() < 0.1 and not person.is_canary:
            off = max(bound, self.settings.start_ms) + int(roll.uniform(1, 200) * DAY_MS)
            states.append((off, {**record, "updated_at": utc(off), "unbound_at": utc(off)}))
        yield from history(name, states)

    def _consents(self, person: Person, joined: int) -> Iterator[Version]:
        roll = dice(self.settings.seed, "app.consent", person.index)
        asked = joined + int(roll.uniform(0.02, 2) * HOUR_MS)
        scopes: list[tuple[str, str | None, float]] = [(purpose, None, GRANTED[purpose]) for purpose in PURPOSES]
        scopes.append(("research", PARTNER, 0.12))
        grants_all = roll.random() < 0.15
        for number, (purpose, recipient, share) in enumerate(scopes):
            silent, granted = roll.random() < 0.08, roll.random() < share
            withdraws, after, late = roll.random() < 0.10, roll.uniform(1, 60), roll.random() < 0.05
            if person.is_canary:
                silent, granted, withdraws, late = False, True, False, False
            elif grants_all:
                granted = True
            if silent and not (granted and recipient):
                continue
            at = asked + number * 7000
            yield from self._statement(person, (purpose, recipient, number), "granted" if granted else "refused", at,
                                       at + (int(after * HOUR_MS) if late else 2000))
            if granted and withdraws:
                end = max(at, self.settings.start_ms) + int(after * DAY_MS)
                yield from self._statement(person, (purpose, recipient, number + 50), "withdrawn", end, end + 2000)

    def _statement(self, person: Person, scope: tuple[str, str | None, int], decision: str, recorded: int,
                   received: int) -> Iterator[Version]:
        purpose, recipient, number = scope
        name = uuids(self.settings.seed, "statement", person.index, number)[0]
        ends = dice(self.settings.seed, "valid", person.index, number).random() < 0.1 and not person.is_canary
        until = utc(recorded + 730 * DAY_MS) if ends and decision == "granted" else None
        record = {"id": name, "user_id": self.population.app_ids[person.index], "purpose": purpose,
                  "recipient": recipient, "decision": decision, "recorded_at": utc(recorded), "valid_until": until,
                  "form_version": "2.1" if recorded >= self.settings.start_ms - 200 * DAY_MS else "1.4",
                  "language": person.home.language, "updated_at": utc(received)}
        return history(name, [(received, record)])
