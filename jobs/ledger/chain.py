"""The chain of the audit: each entry seals the one before it, so that none can be changed, left out or put in between unseen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

FIRST = "0" * 64  # What the first entry seals.
SEAL = "sha256"


@dataclass(frozen=True)
class Verdict:
    """What looking at a chain told: how many entries it has, the seal of its last, and what is wrong, entry by entry."""

    entries: int
    head: str
    faults: tuple[str, ...]


def sealed(entry: dict[str, Any], previous: str) -> dict[str, Any]:
    """An entry with the seal of the one before it, and its own."""
    entry = {**entry, "previous": previous}
    return {**entry, SEAL: seal(entry)}


def seal(entry: dict[str, Any]) -> str:
    """SHA-256 of all columns of an entry but the seal, as JSON of RFC 8785; a moment is ISO 8601 in UTC, with microseconds.

    Values are whole numbers below 2^53 and strings, names are ASCII: sorted compact JSON of these is that of the RFC.
    """
    plain = {name: _plain(value) for name, value in entry.items() if name != SEAL}
    return hashlib.sha256(json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()).hexdigest()


def verify(entries: Iterable[dict[str, Any]], head: str | None = None) -> Verdict:
    """Look whether entries, by number, are one whole chain; with ``head`` also whether an entry with that seal is in it still."""
    faults, count, number, previous, met = list[str](), 0, 0, FIRST, set[str]()
    for entry in entries:
        count += 1
        if entry["number"] != number + 1:
            is_ahead = entry["number"] > number
            faults.append(f"entry {number + 1} is missing" if is_ahead else f"entry {number} is there more than once")
        elif entry["previous"] != previous:
            faults.append(f"entry {entry['number']} does not seal the one before it")
        if seal(entry) != entry[SEAL]:
            faults.append(f"entry {entry['number']} was changed")
        number, previous = entry["number"], entry[SEAL]
        met.add(previous)
    if head is not None and head not in met:
        faults.append("no entry has the seal that was given, so entries were left out or all of them made anew")
    return Verdict(count, previous, tuple(faults))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC).isoformat(timespec="microseconds")
    return value
