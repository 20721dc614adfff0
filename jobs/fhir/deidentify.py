"""De-identify: a FHIR resource under a profile. What a profile does not name is dropped, whatever it is called.

So is a value that is not what its element holds: a text where a number belongs, a word that the element is not bound to.
"""

from __future__ import annotations

import re
import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from contracts.areas import AREAS, MERGED
from contracts.deidentification import Profile
from contracts.places import near
from contracts.reading import ContractError
from contracts.vocabulary import Treatment
from jobs.fhir.ages import capped
from jobs.fhir.elements import PRIMITIVES, RESOURCE, Element, elements, is_resource, is_type
from jobs.freetext.scrub import scrub
from jobs.stages.pseudonymise import digest

ID = r"[A-Za-z0-9.-]{1,64}"
REFERENCE = re.compile(rf"(?:.*/)?([A-Z][A-Za-z]+)/({ID})(?:/_history/{ID})?")
YEAR = re.compile(r"([0-9]{4})(-[0-9]{2}(-[0-9]{2}(T.*)?)?)?")
# How values of kept types are written: no code has blanks, and a system of codes is no page about somebody.
FORMS = {"code": re.compile(r"[!-~]{1,64}"), "uri": re.compile(r"(https?://|urn:)[!-~]{1,200}")}
NO_SYSTEM = re.compile(r"[?#@]")
DEEPEST = 64
REMEMBERED = 100_000  # pseudonyms, so that those of one file are computed once


class Refused(ValueError):
    """A record that is not passed on; its text is the reason, a word without a value of the record."""


def refuse_unknown(profile: Profile) -> None:
    """Raise ContractError where a profile names a type or an element that FHIR does not have: it would protect nothing."""
    for place in profile.fhir.elements:
        owner, name = place.split(".")
        try:
            known = elements(owner)
        except KeyError:
            raise ContractError(f"profile {profile.id}: fhir.elements {place}: FHIR has no type {owner}") from None
        if name not in known:
            raise ContractError(f"profile {profile.id}: fhir.elements {place}: FHIR has no such element{near(name, known)}")
    for kind in profile.fhir.types:
        if kind not in (*PRIMITIVES.values(), "boolean") and not is_type(kind):
            raise ContractError(f"profile {profile.id}: fhir.types {kind}: FHIR has no such type")
    for kind in profile.fhir.resources:
        if not is_resource(kind):
            raise ContractError(f"profile {profile.id}: fhir.resources {kind}: FHIR has no such resource")


@dataclass
class Deidentifier:
    """Treats resources by a profile on a day, with the key of a pseudonym domain; ``counts``: elements by treatment."""

    profile: Profile
    key: bytes
    on: date
    counts: Counter[str] = field(default_factory=Counter)
    _known: dict[str, str] = field(default_factory=dict)

    def resource(self, content: Any, depth: int = 0) -> dict[str, Any]:
        """What may leave of a resource. Raises Refused for what is none, or may not leave at all."""
        kind = content.get("resourceType") if isinstance(content, dict) else None
        if not isinstance(kind, str):
            raise Refused("no_resource")
        if kind in self.profile.fhir.resources:
            raise Refused("rejected_type")
        if not is_resource(kind):
            raise Refused("unknown_type")
        return {"resourceType": kind, **self._inside(kind, content, depth + 1)}

    def _inside(self, kind: str, content: dict[str, Any], depth: int) -> dict[str, Any]:
        if depth > DEEPEST:
            raise Refused("nested_too_deeply")
        known, left = elements(kind), {}
        for name, value in capped(kind, content, self.profile, self.on).items():
            if name == "resourceType":
                continue
            element = known.get(name)
            if element is None or isinstance(value, list) is not element.is_list:
                self._counted(Treatment.DROP, None)
                continue
            many = value if isinstance(value, list) else [value]
            made = [m for v in many if (m := self._element(kind, name, element, v, depth)) is not None]
            if made:
                left[name] = made if isinstance(value, list) else made[0]
        return left

    def _element(self, kind: str, name: str, element: Element, value: Any, depth: int) -> Any:
        """What is left of one value of an element; None for nothing."""
        treatment = self.profile.fhir.of(kind, name, element.type, element.is_primitive)
        if not element.holds(value):
            return self._counted(Treatment.DROP, None)
        if treatment is Treatment.KEEP and not element.is_primitive:
            return self._nested(element, value, depth)
        return self._counted(treatment, self._treated(treatment, f"{kind}.{name}", element, value))

    def _nested(self, element: Element, value: dict[str, Any], depth: int) -> Any:
        if element.type != RESOURCE:
            return self._inside(element.type, value, depth + 1) or None
        try:
            return self.resource(value, depth)
        except Refused:
            return self._counted(Treatment.REJECT, None)

    def _treated(self, treatment: Treatment, place: str, element: Element, value: Any) -> Any:
        match treatment:
            case Treatment.KEEP:
                return value if self._is_well_formed(place, element, value) else None
            case Treatment.PSEUDONYM:
                return self._pseudonym(value) if element.type == "id" else self._reference(value)
            case Treatment.YEAR:
                return self._year(value)
            case Treatment.AREA:
                return area(value, self.profile.area_scheme)
            case Treatment.SCRUB:
                return scrub(value).text if isinstance(value, str) else None
        return None

    def _is_well_formed(self, place: str, element: Element, value: Any) -> bool:
        form = self.profile.fhir.forms.get(place)
        if form is not None:
            return re.fullmatch(form, value) is not None
        if element.type == "uri" and NO_SYSTEM.search(value):
            return False
        return element.type not in FORMS or FORMS[element.type].fullmatch(value) is not None

    def _counted(self, treatment: Treatment, left: Any) -> Any:
        self.counts[str(treatment if left is not None or treatment is Treatment.REJECT else Treatment.DROP)] += 1
        return left

    def _year(self, value: str) -> str | None:
        """The year, unless it tells of an age above the highest that is told apart."""
        found = YEAR.fullmatch(value)
        return found[1] if found and int(found[1]) >= self.on.year - self.profile.oldest else None

    def _reference(self, value: str) -> str | None:
        """A reference under pseudonyms: what pointed to one another still does, and to no server."""
        if value.startswith("#"):
            return "#" + self._pseudonym(value[1:])
        if value.lower().startswith("urn:"):
            return f"urn:uuid:{uuid.UUID(hex=self._pseudonym(value.rpartition(':')[2]))}"
        found = REFERENCE.fullmatch(value)
        return f"{found[1]}/{self._pseudonym(found[2])}" if found and is_resource(found[1]) else None

    def _pseudonym(self, text: str) -> str:
        if text not in self._known:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[text] = digest(self.key, [text])[0]
        return self._known[text]


def area(value: str, scheme: str) -> str | None:
    """The area of a code as ``jobs.stages.treat`` makes it of a column: None for a code of another form."""
    rules = AREAS[scheme]
    code = value.strip(" ")
    if not re.fullmatch(rules.written, code):
        return None
    cut = code[:rules.signs]
    return MERGED if cut in rules.too_small else cut
