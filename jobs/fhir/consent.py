"""A FHIR R4 Consent as this platform reads it: its base rule and its provisions, or an error that names the place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from jobs.errors import ConsentUnreadable
from jobs.fhir import dates
from jobs.fhir.codes import ACT_CODE, OPT_IN, OPT_OUT, Coding

DEEPEST = 16  # Provisions may nest; what is nested deeper than this is refused, not followed.
TYPES = ("permit", "deny")


@dataclass(frozen=True)
class Actor:
    """Whom a provision is about: the role's code and a reference, or an identifier, or both."""

    role: str
    reference: str
    identifier: Coding | None


@dataclass(frozen=True)
class Provision:
    """One rule: what it says, and the conditions under which it does. Empty conditions are none."""

    place: str
    type: str | None
    period: dict[str, Any]
    purposes: tuple[Coding, ...]
    actors: tuple[Actor, ...]
    actions: tuple[str, ...]
    labels: tuple[Coding, ...]
    classes: tuple[Coding, ...]
    codes: tuple[Coding, ...]
    data: tuple[str, ...]
    data_period: dict[str, Any]
    provisions: tuple[Provision, ...]

    @property
    def what(self) -> tuple[Coding, ...]:
        """The labels, classes and codes of the data it is about, each once."""
        return tuple(dict.fromkeys((*self.labels, *self.classes, *self.codes)))

    @property
    def is_partial(self) -> bool:
        """Whether it is about some data only."""
        return bool(self.what or self.data or self.data_period)


@dataclass(frozen=True)
class Consent:
    """One Consent resource. ``policy`` is permit, deny or None as its policyRule says; ``said_at`` is None when it is undated."""

    name: str
    status: str
    patient: Actor
    subjects: tuple[Coding, ...]
    source: tuple[str, ...]
    said_at: datetime | None
    policy: str | None
    root: Provision
    performers: tuple[str, ...]
    form: str | None
    language: str | None

    @property
    def scope(self) -> tuple[object, ...]:
        """What makes two consents be about the same: source, categories, purposes and actors of the base rule."""
        return (self.source, frozenset(self.subjects), frozenset(p.code for p in self.root.purposes),
                frozenset(a.reference or a.identifier for a in self.root.actors))


@dataclass
class Reader:
    """Reads one resource and knows the place it is at."""

    place: str
    _at: list[str] = field(default_factory=list)

    def fail(self, where: str, wanted: str) -> ConsentUnreadable:
        """What is wrong where, without its value."""
        return ConsentUnreadable(f"{'.'.join([self.place, *self._at, where])} is not {wanted}; nothing was decided")

    def thing(self, holder: dict[str, Any], name: str) -> dict[str, Any]:
        """The object of that name; empty when it is not there."""
        value = holder.get(name)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise self.fail(name, "an object")
        return value

    def things(self, holder: dict[str, Any], name: str) -> list[dict[str, Any]]:
        """The objects of that name; one that stands alone counts as a list of it."""
        value = holder.get(name)
        listed = [] if value is None else value if isinstance(value, list) else [value]
        if not all(isinstance(v, dict) for v in listed):
            raise self.fail(name, "a list of objects")
        return listed

    def text(self, holder: dict[str, Any], name: str, within: str = "") -> str:
        """The text of that name; empty when it is not there."""
        value = holder.get(name)
        if value is not None and not isinstance(value, str):
            raise self.fail(f"{within}{name}", "a text")
        return value or ""

    def coding(self, holder: dict[str, Any], where: str) -> Coding:
        """A Coding; its code must be there."""
        code = self.text(holder, "code")
        if not code:
            raise self.fail(f"{where}.code", "a code")
        return Coding(self.text(holder, "system"), code)

    def concepts(self, holder: dict[str, Any], name: str) -> tuple[Coding, ...]:
        """All codings of a list of CodeableConcepts."""
        return tuple(self.coding(c, name) for concept in self.things(holder, name) for c in self.things(concept, "coding"))

    def codings(self, holder: dict[str, Any], name: str) -> tuple[Coding, ...]:
        """A list of Codings."""
        return tuple(self.coding(c, name) for c in self.things(holder, name))

    def period(self, holder: dict[str, Any], name: str) -> dict[str, Any]:
        """A Period whose dates can be read and whose end is not before its start."""
        period = self.thing(holder, name)
        for bound in ("start", "end"):
            if text := self.text(period, bound, f"{name}."):
                self.date(text, f"{name}.{bound}")
        if period.get("start") and period.get("end") and dates.first(period["start"]) >= dates.last(period["end"]):
            raise self.fail(name, "a period, for it ends before it begins")
        return period

    def date(self, text: str, where: str) -> datetime:
        """The first instant of a FHIR date or dateTime."""
        try:
            return dates.first(text)
        except ValueError:
            raise self.fail(where, "a FHIR date or dateTime") from None

    def reference(self, holder: dict[str, Any], role: str) -> Actor:
        """A Reference as an actor of that role."""
        held = self.thing(holder, "identifier")
        found = Coding(self.text(held, "system"), self.text(held, "value")) if held else None
        return Actor(role, self.text(holder, "reference"), found)

    def provision(self, holder: dict[str, Any], depth: int = 0) -> Provision:
        """A provision with those nested in it."""
        if depth > DEEPEST:
            raise self.fail("provision", f"nested at most {DEEPEST} deep")
        if holder.get("modifierExtension"):
            raise self.fail("modifierExtension", "known here, and it may change what the provision says")
        kind = self.text(holder, "type") or None
        if kind not in (None, *TYPES):
            raise self.fail("type", "permit or deny")
        return Provision(
            ".".join(self._at), kind, self.period(holder, "period"), self.codings(holder, "purpose"), self._actors(holder),
            tuple(c.code for c in self.concepts(holder, "action")), self.codings(holder, "securityLabel"),
            self.codings(holder, "class"), self.concepts(holder, "code"), self._data(holder), self.period(holder, "dataPeriod"),
            tuple(self._nested(holder, depth)))

    def _actors(self, holder: dict[str, Any]) -> tuple[Actor, ...]:
        found = []
        for actor in self.things(holder, "actor"):
            roles = self.things(self.thing(actor, "role"), "coding")
            found.append(self.reference(self.thing(actor, "reference"), self.text(roles[0], "code") if roles else ""))
        return tuple(found)

    def _data(self, holder: dict[str, Any]) -> tuple[str, ...]:
        return tuple(self.text(self.thing(d, "reference"), "reference") or "?" for d in self.things(holder, "data"))

    def _nested(self, holder: dict[str, Any], depth: int) -> Iterator[Provision]:
        for number, nested in enumerate(self.things(holder, "provision")):
            self._at.append(f"provision[{number}]")
            yield self.provision(nested, depth + 1)
            self._at.pop()


def read(resource: dict[str, Any], place: str) -> Consent:
    """A Consent resource; ``place`` names it in errors. Raises ConsentUnreadable naming the element that cannot be read."""
    reader = Reader(place)
    if resource.get("modifierExtension") or resource.get("implicitRules"):
        raise reader.fail("modifierExtension", "known here, and it may change what the consent says")
    root = Reader(f"{place}.provision").provision(reader.thing(resource, "provision"))
    meta = reader.thing(resource, "meta")
    said = reader.text(resource, "dateTime") or reader.text(meta, "lastUpdated")
    organizations = sorted(reader.text(o, "reference") for o in reader.things(resource, "organization"))
    rules = {c.code for c in reader.concepts(resource, "policyRule") if c.system in ("", ACT_CODE)}
    own = reader.text(resource, "id")
    return Consent(
        name=f"Consent/{own}" if own else place, status=reader.text(resource, "status"),
        patient=reader.reference(reader.thing(resource, "patient"), ""),
        subjects=(*reader.concepts(resource, "scope"), *reader.concepts(resource, "category")),
        source=tuple(organizations), said_at=reader.date(said, "dateTime") if said else None,
        policy="deny" if rules & set(OPT_OUT) else "permit" if rules & set(OPT_IN) else None, root=root,
        performers=tuple(reader.text(p, "reference") for p in reader.things(resource, "performer")),
        form=_form(reader, resource), language=reader.text(resource, "language") or None)


def _form(reader: Reader, resource: dict[str, Any]) -> str | None:
    """What was signed: the policy's address, or the title of the form, or the code of the rule."""
    policies = [reader.text(p, "uri") for p in reader.things(resource, "policy")]
    title = reader.text(reader.thing(resource, "sourceAttachment"), "title")
    rules = [c.code for c in reader.concepts(resource, "policyRule")]
    return next((text for text in (*policies, title, *rules) if text), None)
