"""What an online patient community and a study hold, which give their data as files: people, and what they agreed to."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator

from .app_records import PARTNER
from .hashing import dice
from .noise import known
from .population import DAY_MS, Person, Population
from .readings import HOUR_MS
from .versions import FOREVER, Log, Record, Version, history, utc

# No purposes that the company's own products need by consent: a community or a study is not asked about them.
COMMUNITY_PURPOSES = {"patient_education": 0.75, "research": 0.65, "brand_communication": 0.35, "personalised_services": 0.30}
WITHDRAWN, UNKNOWN_PURPOSE, GUARDED = 0.12, 0.03, 0.25
YEAR_MS = 365 * DAY_MS


class CommunityRecords:
    """Members and their answers, as records of JSON."""

    def __init__(self, population: Population) -> None:
        self.population, self.settings = population, population.settings
        people = [(p, population.identifiers("community", p)[0], population.joined("community", p))
                  for p in population.members("community")]
        self.logs = {"members": Log(), "consents": Log()}
        self.logs["members"].extend(v for person in people for v in self._member(*person))
        self.logs["consents"].extend(v for person in people for v in self._consents(*person))

    def _member(self, person: Person, name: str, joined: int) -> Iterator[Version]:
        roll, who = dice(self.settings.seed, "member", person.index), known(self.settings, "community", person)
        first: Record = {"member_id": name, "username": f"{person.handle}_gc", "email": who.email,
                         "email_verified": who.email_verified, "born_on": who.birth, "country": who.country,
                         "language": person.home.language, "joined_at": utc(joined), "updated_at": utc(joined)}
        states, left = [(joined, first)], max(joined, self.settings.start_ms) + int(roll.uniform(1, 900) * DAY_MS)
        checked = max(joined, self.settings.start_ms) + int(roll.uniform(0.5, 60) * DAY_MS)
        if who.email and not who.email_verified and checked < left:
            states.append((checked, {**first, "email_verified": True, "updated_at": utc(checked)}))
        if person.is_canary or roll.random() > 0.3:
            return history(name, states)
        return history(name, states, (left, {"member_id": name, "closed": True, "updated_at": utc(left)}))

    def _consents(self, person: Person, name: str, joined: int) -> Iterator[Version]:
        roll = dice(self.settings.seed, "member.consent", person.index)
        for number, (purpose, share) in enumerate(COMMUNITY_PURPOSES.items()):
            at, granted = joined + number * 9000 + int(roll.uniform(0.1, 3) * HOUR_MS), roll.random() < share or person.is_canary
            answer = "yes" if granted else roll.choices(("no", "shown"), (80, 20))[0]
            asked = purpose if person.is_canary or roll.random() > UNKNOWN_PURPOSE else "newsletter"
            first: Record = {
                "consent_id": f"{name}-{number}", "member_id": name, "purpose": asked, "shared_with": None,
                "channel": "mail" if purpose == "brand_communication" else None, "answer": answer, "answered_at": utc(at),
                "expires_at": utc(at + 2 * YEAR_MS) if granted and roll.random() < 0.2 and not person.is_canary else None,
                "country": person.country, "updated_at": utc(at),
                "form": {"name": "community-terms", "version": "3.0", "language": person.home.language}}
            yield from _kept(roll, person, at, first, granted, self.settings.start_ms, ("answer", "answered_at"))


class StudyRecords:
    """Participants and what they signed, as rows of text; some are children, for whom a guardian signs."""

    def __init__(self, population: Population) -> None:
        self.population, self.settings = population, population.settings
        people = [(p, population.identifiers("study", p)[0], population.joined("study", p)) for p in population.members("study")]
        children = [(p, name + "C", at) for p, name, at in people if population.has_child(p)]
        self.logs = {"participants": Log(), "consents": Log()}
        self.logs["participants"].extend(v for person in people for v in self._participant(*person))
        self.logs["participants"].extend(v for child in children for v in self._child(*child))
        self.logs["consents"].extend(v for person in people for v in self._consents(*person, "participant"))
        self.logs["consents"].extend(v for child in children for v in self._consents(*child, "guardian"))

    def _participant(self, person: Person, name: str, enrolled: int) -> Iterator[Version]:
        who = known(self.settings, "study", person)
        roll = dice(self.settings.seed, "participant", person.index)
        first = {"participant_id": name, "given_name": who.given, "family_name": who.family, "birth_date": who.birth,
                 "sex": {"female": "F", "male": "M"}.get(who.sex or "", "U"), "email": who.email,
                 "email_verified": "yes" if who.email_verified else "no", "phone": who.phone,
                 "phone_verified": "yes" if who.phone_verified else "no", "country": who.country, "postcode": who.postcode,
                 "enrolled_at": utc(enrolled), "updated_at": utc(enrolled), "deleted_at": None}
        gone = max(enrolled, self.settings.start_ms) + int(roll.uniform(1, 2000) * DAY_MS)
        gone = FOREVER if person.is_canary or roll.random() > 0.2 else gone
        end = (gone, {"participant_id": name, "updated_at": utc(gone), "deleted_at": utc(gone)}) if gone < FOREVER else None
        return history(name, [(enrolled, first)], end)

    def _child(self, parent: Person, name: str, enrolled: int) -> Iterator[Version]:
        roll = dice(self.settings.seed, "child", parent.index)
        sex = roll.choice(("female", "male"))
        born = self.settings.start - dt.timedelta(days=roll.randint(8 * 365, 16 * 365))
        record = {"participant_id": name, "given_name": roll.choice(parent.home.female if sex == "female" else parent.home.male),
                  "family_name": parent.family, "birth_date": born.isoformat(), "sex": sex[0].upper(), "email": None,
                  "email_verified": "no", "phone": None, "phone_verified": "no", "country": parent.country,
                  "postcode": parent.postcode, "enrolled_at": utc(enrolled), "updated_at": utc(enrolled), "deleted_at": None}
        return history(name, [(enrolled, record)])

    def _consents(self, person: Person, name: str, enrolled: int, signs: str) -> Iterator[Version]:
        roll = dice(self.settings.seed, "study.consent", name)
        for number, (recipient, share) in enumerate(((None, 0.88), (PARTNER, 0.55))):
            at, agreed = enrolled + number * 60_000, roll.random() < share or person.is_canary
            has_window = roll.random() < 0.5 and not person.is_canary
            decision = "agreed" if agreed else roll.choices(("declined", "pending"), (80, 20))[0]
            purpose = "research" if person.is_canary or roll.random() > UNKNOWN_PURPOSE else "biobank"
            first = {"consent_id": f"{name}-{number}", "participant_id": name, "purpose": purpose, "recipient": recipient,
                     "data_category": "health" if roll.random() < 0.3 and not person.is_canary else None, "decision": decision,
                     "given_by": signs, "basis": "explicit", "signed_at": utc(at), "valid_from": utc(at)[:10],
                     "valid_to": utc(at + 5 * YEAR_MS) if roll.random() < 0.6 and not person.is_canary else None,
                     "data_from": utc(at - YEAR_MS)[:10] if has_window else None,
                     "data_to": utc(at + 2 * YEAR_MS)[:10] if has_window else None,
                     "form": "eConsent, main study" if recipient is None else 'eConsent, "sharing with partners"',
                     "form_version": "2.0", "form_language": person.home.language, "country": person.country,
                     "updated_at": utc(at)}
            yield from _kept(roll, person, at, first, agreed, self.settings.start_ms, ("decision", "signed_at"))


def _kept(roll: random.Random, person: Person, at: int, first: Record, granted: bool, start: int,
          fields: tuple[str, str]) -> Iterator[Version]:
    """A statement, withdrawn later by some who said yes; the fields are those of the answer and of its time."""
    states, later = [(at, first)], max(at, start) + int(roll.uniform(0.5, 40) * DAY_MS)
    if granted and roll.random() < WITHDRAWN and not person.is_canary:
        states.append((later, {**first, fields[0]: "withdrawn", fields[1]: utc(later), "updated_at": utc(later)}))
    return history(str(first["consent_id"]), states)
