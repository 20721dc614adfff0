"""What is known about a person, found in a text however it is cased, accented or spaced."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

from jobs.freetext.spans import Kind, Span, folded, folded_sign

Said = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]
UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue"})
SHORTEST_PART = 2  # letters of a part of a name: an initial alone would be found everywhere
SHORTEST_PHONE = 6  # digits; of longer numbers all but the last nine may be written otherwise
COUNTED = 9
DIGITS = re.compile(r"\d(?:[\s()/.\-]{0,3}\d){5,19}")


class Known(BaseModel):
    """One line of what is known: of ``person``, or of everybody who writes where no person is named."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    person: Said | None = None
    names: tuple[Said, ...] = ()
    handles: tuple[Said, ...] = ()
    emails: tuple[Said, ...] = ()
    phones: tuple[Said, ...] = ()
    addresses: tuple[Said, ...] = ()
    ids: tuple[Said, ...] = ()
    birth_dates: tuple[date, ...] = ()


class KnownIdentities:
    """Finds what is known of persons. ``is_word``: whether a part of a name is a word of the text's language too."""

    def __init__(self, known: list[Known]) -> None:
        self._exact = re.compile("|".join(_patterns(known)) or r"(?!)")
        self._kinds = tuple(Kind)
        parts = {part for one in known for name in one.names for part in _parts(name)}
        self._parts = re.compile(rf"(?<!\w)(?:{_any(parts)})(?:'?s)?(?!\w)" if parts else r"(?!)")
        self._phones = {digits[-COUNTED:] for one in known for phone in one.phones
                        if len(digits := _digits(phone)) >= SHORTEST_PHONE}

    def find(self, text: str, is_word: Callable[[str], bool]) -> Iterator[Span]:
        """Spans of the text that tell what is known; a part of a name that is a word as well, only with a capital."""
        plain, places = _folded_with_places(text)
        for match in self._exact.finditer(plain):
            yield Span(places[match.start()], places[match.end() - 1] + 1, Kind(match.lastgroup))
        for match in self._parts.finditer(plain):
            start, end = places[match.start()], places[match.end() - 1] + 1
            if text[start].isupper() or not is_word(text[start:end].lower()):
                yield Span(start, end, Kind.NAME)
        for match in DIGITS.finditer(text):
            found = _digits(match[0])
            if any(found.endswith(phone) or (len(found) >= COUNTED and phone in found) for phone in self._phones):
                yield Span(match.start(), match.end(), Kind.PHONE)


def _patterns(known: list[Known]) -> Iterator[str]:
    """Patterns over folded text, one a kind, each in a group of the kind's name."""
    values: dict[Kind, set[str]] = {
        Kind.EMAIL: {e for one in known for e in one.emails},
        Kind.HANDLE: {h.lstrip("@") for one in known for h in (*one.handles, *(e.partition("@")[0] for e in one.emails))},
        Kind.ID: {i for one in known for i in one.ids},
        Kind.ADDRESS: {part.strip() for one in known for a in one.addresses for part in (a, *re.split(r"[,;\n]", a))},
        Kind.DATE: {form for one in known for day in one.birth_dates for form in _forms(day)},
        Kind.NAME: {name for one in known for name in one.names}}
    for kind, said in values.items():
        if any(len(value) > 2 for value in said):
            yield rf"(?P<{kind}>(?<!\w)@?(?:{_any({v for v in said if len(v) > 2})})(?!\w))"


def _any(values: set[str]) -> str:
    """A pattern for any of the values, the longest first, also with umlauts written as two letters; blanks as they come."""
    forms = {" ".join(folded(form).split()) for value in values for form in (value, value.translate(UMLAUTS))}
    longest_first = sorted(filter(None, forms), key=lambda form: (-len(form), form))
    return "|".join(re.escape(form).replace(r"\ ", r"\s+") for form in longest_first) or "(?!)"


def _parts(name: str) -> list[str]:
    return [part for part in re.split(r"[\s,.\-]+", name) if len(part) > SHORTEST_PART - 1 and part[:1].isupper()]


def _forms(day: date) -> Iterator[str]:
    d, m, y = day.day, day.month, day.year
    yield from (f"{y}{m:02}{d:02}", f"{d:02}{m:02}{y}", f"{d:02}{m:02}{y % 100:02}", f"{y % 100:02}{m:02}{d:02}")
    for sign in "./- ":
        for one, two in ((d, m), (m, d)):
            yield from (f"{one}{sign}{two}{sign}{y}", f"{one:02}{sign}{two:02}{sign}{y}",
                        f"{one}{sign}{two}{sign}{y % 100:02}", f"{one:02}{sign}{two:02}{sign}{y % 100:02}")


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text).lstrip("0")


def _folded_with_places(text: str) -> tuple[str, list[int]]:
    """The folded text, and for each of its signs the place in the text that it comes from."""
    signs: list[str] = []
    places: list[int] = []
    for place, sign in enumerate(text):
        for part in folded_sign(sign):
            signs.append(part)
            places.append(place)
    return "".join(signs), places
