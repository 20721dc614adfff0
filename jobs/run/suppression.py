"""Who is not to come back: asked of each record before it lands."""

from __future__ import annotations

import re
from collections.abc import Iterable

from contracts.model import Source
from jobs import keys
from jobs.connectors import Record
from jobs.connectors.owners import owners
from jobs.connectors.records import parsed
from jobs.lake import Lake
from jobs.ledger import erasures
from jobs.settings import Settings
from jobs.stages.pseudonymise import digest

REFERENCES = "suppressions"
WORD = re.compile(r"[^\W_](?:[\w.@+-]*[^\W_])?")


def references(settings: Settings, identities: Iterable[str]) -> list[tuple[str, str]]:
    """(source, reference) of identities ``source/source_person_id``. Raises KeysUnreadable."""
    names = sorted(identities)
    key = keys.reference_key(settings.keys, REFERENCES, settings.master)
    return [(name.split("/", 1)[0], found) for name, found in zip(names, digest(key, names), strict=True)]


class Suppression:
    """The list of a source, read once; ``count``: how many records it stopped. Raises KeysUnreadable where there is a list and
    nobody can tell who is on it."""

    def __init__(self, settings: Settings, lake: Lake, source: Source) -> None:
        self._source, self._held = source, erasures.suppressed(lake, source.id)
        self._key = keys.reference_key(settings.keys, REFERENCES, settings.master) if self._held else b""
        self._known: dict[str, bool] = {}
        self.count = 0

    def stops(self, record: Record) -> bool:
        """Whether a record is about somebody who is not to come back: by whom its payload names; where that is nobody, as in a
        notice of a deletion or what cannot be read, by its own name and every word in it."""
        if not self._held:
            return False
        named = owners(self._source, record.stream, parsed(record.payload))
        is_held = any(map(self._is_held, named or _words(record)))
        self.count += is_held
        return is_held

    def _is_held(self, name: str) -> bool:
        if name not in self._known:
            self._known[name] = digest(self._key, [f"{self._source.id}/{name}"])[0] in self._held
        return self._known[name]


def _words(record: Record) -> set[str]:
    """What of a record may be the name of a person."""
    content = record.payload.decode(errors="replace")
    return {(record.record_id or "").partition("/")[2], *WORD.findall(content)} - {""}
