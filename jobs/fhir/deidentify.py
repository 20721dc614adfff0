"""De-identify: a FHIR resource under a profile. What a profile does not name is dropped, whatever it is called."""

from __future__ import annotations

import re
import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from contracts.areas import AREAS, MERGED
from contracts.deidentification import Profile
from contracts.vocabulary import Treatment
from jobs.fhir.elements import RESOURCE, Element, elements
from jobs.stages.pseudonymise import digest

REFERENCE = re.compile(r"(?:^|/)([A-Z][A-Za-z]+)/([A-Za-z0-9.-]{1,64})(?:/_history/[A-Za-z0-9.-]{1,64})?$")
YEAR = re.compile(r"^([0-9]{4})(?:-|$)")
# UCUM units of time and the words that are written for them, in years.
YEARS = {**dict.fromkeys(("a", "yr", "year", "years"), Decimal(1)), **dict.fromkeys(("mo", "month", "months"), Decimal(1) / 12),
         "wk": Decimal(7) / 365, "d": Decimal(1) / 365, "h": Decimal(1) / 8760, "min": Decimal(1) / 525600}
UCUM = "http://unitsofmeasure.org"
DEEPEST = 64


class Refused(ValueError):
    """A record that is not passed on; its text is the reason, a word without a value of the record."""


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
        try:
            known = elements(kind)
        except KeyError:
            raise Refused("unknown_type") from None
        if "meta" not in known or kind in self.profile.fhir.resources:
            raise Refused("rejected_type" if kind in self.profile.fhir.resources else "unknown_type")
        return {"resourceType": kind, **self._inside(kind, content, depth + 1)}

    def _inside(self, kind: str, content: dict[str, Any], depth: int) -> dict[str, Any]:
        if depth > DEEPEST:
            raise Refused("nested_too_deeply")
        known, left = elements(kind), {}
        content = self._without_ages(kind, content)
        for name, value in content.items():
            if name == "resourceType":
                continue
            element = known.get(name)
            many = value if isinstance(value, list) else [value]
            made = [m for v in many if (m := self._element(kind, name, element, v, depth)) is not None]
            if made:
                left[name] = made if isinstance(value, list) else made[0]
        return left

    def _element(self, kind: str, name: str, element: Element | None, value: Any, depth: int) -> Any:
        """What is left of one value of an element; None for nothing."""
        if element is None:
            return self._counted(Treatment.DROP, None)
        treatment = self.profile.fhir.of(kind, name, element.type, element.is_primitive)
        if isinstance(value, (dict, list)) is element.is_primitive:
            return self._counted(Treatment.DROP, None)  # Not what the element is: it cannot be told what it holds.
        if treatment is Treatment.KEEP and not element.is_primitive:
            return self._nested(element, value, depth)
        return self._counted(treatment, self._treated(treatment, value))

    def _nested(self, element: Element, value: Any, depth: int) -> Any:
        if not isinstance(value, dict):
            return self._counted(Treatment.DROP, None)
        if element.type != RESOURCE:
            return self._inside(element.type, value, depth + 1) or None
        try:
            return self.resource(value, depth)
        except Refused:
            return self._counted(Treatment.REJECT, None)

    def _treated(self, treatment: Treatment, value: Any) -> Any:
        match treatment:
            case Treatment.KEEP:
                return value
            case Treatment.PSEUDONYM:
                return self._reference(value) if isinstance(value, str) else None
            case Treatment.YEAR:
                return self._year(value)
            case Treatment.AREA:
                return area(value, self.profile.area_scheme)
        return None

    def _counted(self, treatment: Treatment, left: Any) -> Any:
        self.counts[str(treatment if left is not None or treatment is Treatment.REJECT else Treatment.DROP)] += 1
        return left

    def _year(self, value: Any) -> str | None:
        """The year, unless it tells of an age above the highest that is told apart."""
        found = YEAR.match(value) if isinstance(value, str) else None
        return found[1] if found and int(found[1]) >= self.on.year - self.profile.oldest else None

    def _reference(self, value: str) -> str | None:
        """An id or a reference under pseudonyms: what pointed to one another still does, and to no server."""
        if value.startswith("#"):
            return "#" + self._pseudonym(value[1:])
        if value.lower().startswith("urn:"):
            return f"urn:uuid:{uuid.UUID(hex=self._pseudonym(value.rpartition(':')[2]))}"
        found = REFERENCE.search(value)
        if found:
            return f"{found[1]}/{self._pseudonym(found[2])}"
        return self._pseudonym(value) if re.fullmatch(r"[A-Za-z0-9.-]{1,64}", value) else None

    def _pseudonym(self, text: str) -> str:
        if text not in self._known:
            self._known[text] = digest(self.key, [text])[0]
        return self._known[text]

    def _without_ages(self, kind: str, content: dict[str, Any]) -> dict[str, Any]:
        """The same with ages above the highest as one more than it: of the type Age, and of observations that are an age."""
        if kind == "Age":
            return self._capped(content)
        if not self._is_age(content.get("code")):
            return content
        left = {name: value for name, value in content.items() if name != "valueRange"}
        if isinstance(left.get("valueQuantity"), dict):
            left["valueQuantity"] = self._capped(left["valueQuantity"])
        if isinstance(left.get("valueInteger"), int):
            left["valueInteger"] = min(left["valueInteger"], self.profile.oldest + 1)
        return left

    def _is_age(self, code: Any) -> bool:
        codings = code.get("coding") if isinstance(code, dict) else None
        return any(isinstance(c, dict) and c.get("code") in self.profile.fhir.age_codes for c in codings or [])

    def _capped(self, age: dict[str, Any]) -> dict[str, Any]:
        unit = YEARS.get(str(age.get("code") or age.get("unit") or "a").lower())
        value = age.get("value")
        if unit is None or isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
            return {}
        if Decimal(value) * unit < self.profile.oldest + 1:
            return age
        return {"value": self.profile.oldest + 1, "comparator": ">=", "unit": "a", "system": UCUM, "code": "a"}


def area(value: Any, scheme: str) -> str | None:
    """The area of a code as ``jobs.stages.treat`` makes it of a column: None for a code of another form."""
    rules = AREAS[scheme]
    code = value.strip(" ") if isinstance(value, str) else ""
    if not re.fullmatch(rules.written, code):
        return None
    cut = code[:rules.signs]
    return MERGED if cut in rules.too_small else cut
