"""The true people: who they are, which systems they are in, and under which unrelated identifier.

Nothing here is served. What a system knows of a person goes through `noise.known` first; the truth itself is only
written to a file for whoever measures record linkage.
"""

from __future__ import annotations

import datetime as dt
import random
import unicodedata
from dataclasses import dataclass
from functools import cached_property

from .hashing import dice, mix, uuids
from .names import BY_CODE, COUNTRIES, MAIL_DOMAINS, WORK_DOMAINS, Country

DAY_MS = 86_400_000
SYSTEMS = ("app", "crm", "device_cloud", "social")
EXPORTED = ("community", "study")
PRESENCE = {"app": 0.70, "crm": 0.80, "device_cloud": 0.50, "social": 0.10, "community": 0.25, "study": 0.15}
RELATIVES, SHARED_MAIL, DOUBLE_CONTACTS, LATE_JOINERS = 0.04, 0.35, 0.03, 0.06
PARENTS, PARENTS_AGE = 0.30, (26, 56)
_SPELLED = {ord(letter): text for letter, text in (("ß", "ss"), ("ı", "i"), ("ö", "oe"), ("ü", "ue"), ("ä", "ae"))}
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Person:
    """One true person. `phone` is the national number without trunk digit; `handle` a social user name."""

    index: int
    given: str
    family: str
    sex: str
    birth: dt.date
    country: str
    city: str
    postcode: str
    email: str
    second_email: str
    phone: str
    handle: str
    serial: str
    systems: frozenset[str]
    is_canary: bool = False

    @property
    def home(self) -> Country:
        """Phone rules, time zone and language of the country of residence."""
        return BY_CODE[self.country]


@dataclass(frozen=True, slots=True)
class Settings:
    """What a world is made from. `start` is midnight UTC of the first day of readings."""

    people: int = 2000
    days: int = 30
    seed: int = 7
    start: dt.date = dt.date(2026, 10, 1)
    canary: bool = False

    @property
    def start_ms(self) -> int:
        """The first instant of the world, in milliseconds since 1970."""
        return int(dt.datetime.combine(self.start, dt.time(), dt.UTC).timestamp() * 1000)


def plain(text: str) -> str:
    """Lower-case ASCII letters and digits of a name, as mail addresses and handles use it."""
    spelled = text.translate(_SPELLED)
    folded = unicodedata.normalize("NFKD", spelled).encode("ascii", "ignore").decode().lower()
    return "".join(letter for letter in folded if letter.isalnum())


def salesforce_id(prefix: str, *parts: int | str) -> str:
    """An 18-character record id: three-letter type, twelve random characters, three that encode the letter case."""
    word, letters = int(mix(*parts, 1)[0]) << 64 | int(mix(*parts, 2)[0]), []
    for _ in range(12 - len(prefix) + 3):
        word, digit = divmod(word, 62)
        letters.append(_BASE62[digit])
    body = prefix + "".join(letters)
    cases = ("".join("1" if c.isupper() else "0" for c in reversed(body[i : i + 5])) for i in (0, 5, 10))
    return body + "".join("ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"[int(case, 2)] for case in cases)


class Population:
    """All true people of a world and their identifiers in each system."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.people: list[Person] = []
        self._mailboxes: set[str] = set()
        for index in range(settings.people):
            self.people.append(self._person(index))

    def members(self, system: str) -> list[Person]:
        """The people who are in a system, in order of their index."""
        return [person for person in self.people if system in person.systems]

    def identifiers(self, system: str, person: Person) -> list[str]:
        """The identifiers of one person in one system: none, one, or two where the CRM holds the person twice."""
        if system not in person.systems:
            return []
        seed, index = self.settings.seed, person.index
        match system:
            case "app":
                return [self.app_ids[index]]
            case "crm":
                twice = not person.is_canary and dice(seed, "double", index).random() < DOUBLE_CONTACTS
                return [salesforce_id("003", seed, "contact", index, copy) for copy in range(1 + twice)]
            case "device_cloud":
                return [self.cloud_ids[index]]
            case "community" | "study":
                return [f"{system[0]}-{int(mix(seed, system, index)[0]) >> 12:013x}"]
            case _:
                return [str(10**17 + int(mix(seed, "account", index)[0]) % 10**17)]

    @cached_property
    def app_ids(self) -> list[str]:
        """App user id of every person, in the app or not."""
        return uuids(self.settings.seed, "app.user", list(range(self.settings.people)))

    @cached_property
    def cloud_ids(self) -> list[str]:
        """Device-cloud patient id of every person, in the cloud or not."""
        return [f"p{word:016x}" for word in mix(self.settings.seed, "patient", list(range(self.settings.people)))]

    def joined(self, system: str, person: Person) -> int:
        """When a person came to a system, in ms: mostly in the two years before the start, a few after it."""
        roll = dice(self.settings.seed, "joined", system, person.index)
        late = roll.random() < LATE_JOINERS and not person.is_canary
        days = roll.uniform(0, 60) if late else -roll.uniform(15, 730)
        return self.settings.start_ms + int(days * DAY_MS)

    def has_child(self, person: Person) -> bool:
        """Whether a participant of the study brought a child, who is in no other system."""
        age = (self.settings.start - person.birth).days / 365.25
        return PARENTS_AGE[0] < age < PARENTS_AGE[1] and dice(self.settings.seed, "parent", person.index).random() < PARENTS

    def truth(self) -> dict[str, object]:
        """Which identifiers belong to the same person: {"people": [{"person", "app": [..], "crm": [..], ...}]}.

        Children in the study are persons of their own, known by the participant's identifier with a C behind it.
        """
        rows = [{"person": p.index, "canary": p.is_canary, **{s: self.identifiers(s, p) for s in (*SYSTEMS, *EXPORTED)}}
                for p in self.people]
        return {"seed": self.settings.seed, "start": str(self.settings.start), "people": rows}

    def _own_mailbox(self, address: str, index: int) -> str:
        """An address that nobody has yet: strangers may have one name, never one mailbox; relatives share theirs later."""
        local, _, domain = address.partition("@")
        made = f"{local}.{index}@{domain}" if address in self._mailboxes else address
        self._mailboxes.add(made)
        return made

    def _person(self, index: int) -> Person:
        if self.settings.canary and index == 0:
            return CANARY
        roll = dice(self.settings.seed, "person", index)
        country = roll.choices(COUNTRIES, [c.weight for c in COUNTRIES])[0]
        relative = self.people[index - 1] if index > 1 and roll.random() < RELATIVES else None
        if relative is not None:
            country = relative.home
        sex = roll.choice(("female", "male"))
        given = roll.choice(country.female if sex == "female" else country.male)
        family = relative.family if relative else roll.choice(country.family)
        city, pattern = roll.choice(country.cities)
        postcode = "".join(roll.choice("0123456789") if c == "#" else c for c in pattern)
        birth = dt.date(1928, 1, 1) + dt.timedelta(days=int(roll.betavariate(2.2, 2.2) * 365.25 * 78))
        email, second = (self._own_mailbox(address, index) for address in _mails(roll, given, family, birth))
        if relative and roll.random() < SHARED_MAIL:
            email = relative.email
        return Person(
            index, given, family, sex, birth, country.code,
            relative.city if relative else city, relative.postcode if relative else postcode, email, second,
            country.mobile + "".join(roll.choice("0123456789") for _ in range(country.digits)),
            _handle(roll, given, family, index), f"GM{roll.randrange(10**9):09d}",
            _systems(roll) | _exported(self.settings.seed, index))


def _mails(roll: random.Random, given: str, family: str, birth: dt.date) -> tuple[str, str]:
    first, last = plain(given), plain(family)
    local = roll.choice((f"{first}.{last}", f"{first[0]}.{last}", f"{first}{last}", f"{last}.{first}"))
    tail = roll.choice(("", "", str(birth.year), str(birth.year)[2:], str(roll.randrange(1, 100))))
    other = roll.choice((f"{first}{roll.randrange(10, 9999)}", f"{last}{first[0]}{roll.randrange(1, 999)}"))
    return f"{local}{tail}@{roll.choice(MAIL_DOMAINS)}", f"{other}@{roll.choice(MAIL_DOMAINS + WORK_DOMAINS)}"


def _handle(roll: random.Random, given: str, family: str, index: int) -> str:
    first, last = plain(given), plain(family)
    stem = roll.choice((f"{first}_{last[0]}", f"{first}{last}", f"sweet_{first}", f"t1d_{last}", f"{last}{first[:2]}"))
    return f"{stem}{index * 7 % 1000}"


def _systems(roll: random.Random) -> frozenset[str]:
    inside = frozenset(system for system in SYSTEMS if roll.random() < PRESENCE[system])
    return inside or frozenset({"crm"})


def _exported(seed: int, index: int) -> frozenset[str]:
    """The systems that give files: by a roll of their own, so that the others hold what they hold without them."""
    roll = dice(seed, "exported", index)
    return frozenset(system for system in EXPORTED if roll.random() < PRESENCE[system])


CANARY = Person(
    0, "Canaryna", "Kanarienvogel", "female", dt.date(1931, 1, 7), "DE", "Canaryville", "99998",
    "canaryna.kanarienvogel@canary.example", "canaryna.kanarienvogel@canary.example", "15550000001", "canaryna_k",
    "CANARY-SN-0001", frozenset((*SYSTEMS, *EXPORTED)), is_canary=True)
CANARY_TEXT = "CANARYTEXT"
