"""Values of payloads by their paths, read and written."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from tests.landing import Raw

Path = tuple[str | int, ...]


def content(record: Raw) -> Any:
    """What a payload says."""
    return json.loads(record.content)


def is_alive(record: Raw) -> bool:
    """Whether the payload is no tombstone of the app's."""
    said = content(record)
    return not (isinstance(said.get("header"), dict) and said["header"].get("deleted"))


def version(record: Raw) -> str:
    """When the source last changed a record, as it writes it; empty where it does not say."""
    said = content(record)
    return str(get(said, ("header", "modified_date_time")) or get(said, ("meta", "lastUpdated")) or said.get("created_at") or "")


def day_of(record: Raw, path: Path) -> str:
    """The day (UTC) of an instant of a payload."""
    text = get(content(record), path)
    return str(datetime.fromisoformat(text).astimezone(UTC).date()) if text else ""


def named(path: Path) -> str:
    """A path as people write it."""
    return ".".join(map(str, path))


def get(said: Any, path: Path) -> Any:
    """The value at a path; None where there is none."""
    for step in path:
        if isinstance(step, str) and isinstance(said, dict):
            said = said.get(step)
        elif isinstance(step, int) and isinstance(said, list) and step < len(said):
            said = said[step]
        else:
            return None
    return said


def put(said: Any, path: Path, value: Any) -> None:
    """Set the value at a path."""
    for step in path[:-1]:
        said = said[step]
    said[path[-1]] = value


def hash_of(record: Raw) -> int:
    """A number of a person: who keeps a holiday keeps all of it."""
    return sum(str(get(content(record), ("header", "user_id"))).encode())
