"""A FHIR Bundle from a file: its Consents, and the identifiers of whom they refer to."""

from __future__ import annotations

from typing import Any

from jobs.errors import ConsentUnreadable
from jobs.fhir import consent
from jobs.fhir.codes import Coding
from jobs.fhir.consent import Actor, Consent


class Bundle:
    """The resources of a Bundle. Raises ConsentUnreadable naming the entry that cannot be read."""

    def __init__(self, content: Any) -> None:
        if not isinstance(content, dict) or content.get("resourceType") != "Bundle":
            raise ConsentUnreadable("the bundle is no FHIR Bundle: resourceType must be Bundle")
        entries = content.get("entry") or []
        if not isinstance(entries, list) or not all(isinstance(e, dict) and isinstance(e.get("resource"), dict) for e in entries):
            raise ConsentUnreadable("Bundle.entry is not a list of entries that each hold a resource")
        self._identifiers: dict[str, tuple[Coding, ...]] = {}
        self.consents: list[Consent] = []
        for number, entry in enumerate(entries):
            resource, place = entry["resource"], f"entry[{number}].resource"
            if resource.get("resourceType") == "Consent":
                self.consents.append(consent.read(resource, place))
            else:
                self._keep(entry, resource)

    def identifiers(self, actor: Actor) -> tuple[Coding, ...] | None:
        """Every identifier an actor is known by; None when the reference leads nowhere in the bundle."""
        own = (actor.identifier,) if actor.identifier else ()
        held = self._identifiers.get(_name(actor.reference))
        return None if held is None and not own else (*own, *(held or ()))

    def _keep(self, entry: dict[str, Any], resource: dict[str, Any]) -> None:
        listed = resource.get("identifier")
        held = tuple(Coding(str(i.get("system") or ""), str(i["value"])) for i in
                     (listed if isinstance(listed, list) else [listed]) if isinstance(i, dict) and i.get("value"))
        names = [str(entry["fullUrl"])] if entry.get("fullUrl") else []
        if resource.get("id"):
            names.append(f"{resource.get('resourceType')}/{resource['id']}")
        for name in {_name(n) for n in names}:
            if self._identifiers.setdefault(name, held) != held:
                raise ConsentUnreadable("the bundle holds two resources of one type and id with different identifiers, so that "
                                        "nobody can tell which one a consent means; leave one of them in it")


def _name(reference: str) -> str:
    """Type/id of a reference, without the server and the version; urn:uuid: references stay as they are."""
    if reference.startswith("urn:"):
        return reference
    parts = reference.split("/_history/")[0].split("/")
    return "/".join(parts[-2:])
