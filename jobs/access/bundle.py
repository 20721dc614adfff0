"""A FHIR Bundle of the type collection, written entry by entry."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

import msgspec

from jobs.access.folder import Folder

NAME = "fhir-bundle.json"


class Bundle:
    """The Bundle of one access; entries are named by numbers of it, which say nothing about anybody."""

    def __init__(self, folder: Folder, access_id: str, at: datetime) -> None:
        self._part, self.entries = folder.part(NAME), 0
        self._space = uuid.uuid5(uuid.NAMESPACE_URL, f"urn:concord:access:{access_id}")
        head = {"resourceType": "Bundle", "type": "collection", "timestamp": at.isoformat()}
        self._part.write(msgspec.json.encode(head)[:-1])

    def add(self, resource: dict[str, Any]) -> None:
        """Append a resource."""
        entry = {"fullUrl": f"urn:uuid:{uuid.uuid5(self._space, str(self.entries))}", "resource": resource}
        self._part.write((b",\n" if self.entries else b',"entry":[\n') + msgspec.json.encode(entry))
        self.entries += 1

    def end(self) -> None:
        """Close it; FHIR knows no empty list."""
        self._part.write(b"\n]}\n" if self.entries else b"}\n")
