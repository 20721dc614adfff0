"""What a system knows of a person: misspelt, formatted its own way, and partly missing."""

from __future__ import annotations

import random
import unicodedata
from dataclasses import dataclass

from .hashing import dice
from .population import Person, Settings

MISSING = {  # share of people for whom a system lacks the field
    "app": {"birth": 0.25, "email": 0.03, "phone": 0.35, "sex": 0.20, "postcode": 0.30, "city": 0.30},
    "crm": {"birth": 0.15, "email": 0.08, "phone": 0.20, "sex": 0.30, "postcode": 0.05, "city": 0.05},
    "device_cloud": {"birth": 0.04, "email": 0.25, "phone": 0.30, "sex": 0.03, "postcode": 0.10, "city": 0.12},
    "social": {"birth": 1.0, "email": 0.75, "phone": 1.0, "sex": 1.0, "postcode": 1.0, "city": 0.6},
    "community": {"birth": 0.60, "email": 0.02, "phone": 1.0, "sex": 1.0, "postcode": 1.0, "city": 1.0},
    "study": {"birth": 0.0, "email": 0.10, "phone": 0.30, "sex": 0.02, "postcode": 0.10, "city": 1.0},
}
TYPO, ACCENTS_LOST, NAMES_SWAPPED, OTHER_MAIL = 0.05, 0.15, 0.01, 0.20


@dataclass(frozen=True, slots=True)
class Known:
    """One person as one system has them. Every field but the names may be missing."""

    given: str
    family: str
    birth: str | None
    sex: str | None
    email: str | None
    email_verified: bool
    phone: str | None
    phone_verified: bool
    country: str
    postcode: str | None
    city: str | None


def known(settings: Settings, system: str, person: Person, copy: int = 0) -> Known:
    """A person's identifiers in a system; `copy` tells a second record of the same person apart."""
    if person.is_canary:
        return Known(person.given, person.family, person.birth.isoformat(), person.sex, person.email, True,
                     f"+{person.home.dial}{person.phone}", True, person.country, person.postcode, person.city)
    roll = dice(settings.seed, "known", system, person.index, copy)
    gaps = {field: roll.random() < share for field, share in MISSING[system].items()}
    given, family = _name(roll, person.given), _name(roll, person.family)
    if roll.random() < NAMES_SWAPPED:
        given, family = family, given
    if system == "crm" and roll.random() < 0.04:
        family = family.upper()
    email = person.second_email if roll.random() < OTHER_MAIL else person.email
    return Known(
        given, family,
        None if gaps["birth"] else _birth(roll, person),
        None if gaps["sex"] else person.sex,
        None if gaps["email"] else _mail(roll, email),
        roll.random() < 0.7 and not gaps["email"],
        None if gaps["phone"] else phone(roll, person),
        roll.random() < 0.5 and not gaps["phone"],
        person.country,
        None if gaps["postcode"] else person.postcode,
        None if gaps["city"] else person.city)


def phone(roll: random.Random, person: Person) -> str:
    """A mobile number, national, with + or with 00, with or without separators."""
    home, number = person.home, person.phone
    match roll.randrange(6):
        case 0:
            return f"{home.trunk}{number}"
        case 1:
            return f"{home.trunk}{number[:3]} {number[3:]}"
        case 2:
            return f"+{home.dial}{number}"
        case 3:
            return f"+{home.dial} {number[:3]} {number[3:6]} {number[6:]}"
        case 4:
            return f"00{home.dial}{number}"
        case _:
            return f"+{home.dial} (0){number[:3]}/{number[3:]}" if home.trunk else f"{number[:3]}-{number[3:]}"


def misspell(roll: random.Random, text: str) -> str:
    """One typing error: two letters swapped, one lost, or one doubled."""
    if len(text) < 4:
        return text
    at = roll.randrange(1, len(text) - 1)
    match roll.randrange(3):
        case 0:
            return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
        case 1:
            return text[:at] + text[at + 1 :]
        case _:
            return text[:at] + text[at] + text[at:]


def _name(roll: random.Random, name: str) -> str:
    if roll.random() < TYPO:
        name = misspell(roll, name)
    if roll.random() < ACCENTS_LOST:
        name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode() or name
    match roll.randrange(40):
        case 0:
            return f"{name} "
        case 1:
            return name.lower()
        case _:
            return name


def _birth(roll: random.Random, person: Person) -> str:
    birth = person.birth
    if roll.random() < 0.02 and birth.day <= 12:
        return f"{birth.year:04d}-{birth.day:02d}-{birth.month:02d}"
    if roll.random() < 0.01:
        return f"{birth.year - 1:04d}-{birth.month:02d}-{min(birth.day, 28):02d}"
    return birth.isoformat()


def _mail(roll: random.Random, mail: str) -> str:
    if roll.random() < 0.03:
        local, _, domain = mail.partition("@")
        mail = f"{misspell(roll, local)}@{domain}"
    match roll.randrange(12):
        case 0:
            return mail.upper()
        case 1:
            return mail.title()
        case 2:
            return f" {mail}"
        case 3:
            return f"{mail} "
        case _:
            return mail
