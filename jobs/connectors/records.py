"""Records as the source sent them, and what a stream's contract says of each."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from contracts.expressions import Call, Path
from contracts.model import Stream
from jobs.connectors.pages import NOT_JSON
from jobs.errors import ConfigurationError

Cursor = dict[str, Any]



@dataclass(frozen=True)
class Record:
    """One record as it came; ``record_id`` is ``stream/id``, None where the payload names none or is not JSON."""

    stream: str
    record_id: str | None
    payload: bytes
    is_deleted: bool


@dataclass(frozen=True)
class Seen:
    """A record and when the source last changed it, None where it does not say so in a way one can read."""

    record: Record
    version: datetime | None


def digest(payload: bytes) -> str:
    """SHA-256 of a payload, in hex."""
    return hashlib.sha256(payload).hexdigest()


def look(stream: Stream, payload: bytes) -> Seen:
    """A payload with the id, the version and the deletion mark that the stream's contract points to."""
    content = parsed(payload)
    name = at(content, stream.record_id)
    record = Record(stream.name, f"{stream.name}/{name}" if _is_name(name) else None, payload,
                    bool(stream.deleted and _truth(stream.deleted, content)))
    return Seen(record, _version(stream.version, content))


def parsed(payload: bytes) -> Any:
    """The payload's content; None when it is not JSON in UTF-8."""
    for decode in (msgspec.json.decode, json.loads):  # the second takes half of an emoji, as scripts cut them off
        with suppress(*NOT_JSON):
            return decode(payload.decode())
    return None


def at(content: Any, path: Path) -> Any:
    """The value at a path of a payload's content, None where there is none."""
    for step in path.steps:
        if isinstance(step, str) and isinstance(content, dict):
            content = content.get(step)
        elif isinstance(step, int) and isinstance(content, list) and step < len(content):
            content = content[step]
        else:
            return None
    return content


def instant(text: Any) -> datetime | None:
    """A text as an instant; None when it is no date-time with an offset."""
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else None


def _is_name(value: Any) -> bool:
    """Whether a value may name a record: a number, or a text that can be written down."""
    if isinstance(value, str):
        return value != "" and value.isprintable()
    return isinstance(value, int) and not isinstance(value, bool)


def _version(call: Call | None, content: Any) -> datetime | None:
    moments = (instant(at(content, path)) for path in (call.paths() if call else ()))
    return next((moment for moment in moments if moment), None)


def _truth(call: Call, content: Any) -> bool:
    """Whether a condition of the contract holds. Raises ConfigurationError for a call that is no condition."""
    values = [at(content, path) for path in call.paths()]
    match call.function:
        case "boolean":
            return values[0] is True
        case "exists":
            return values[0] is not None
        case "missing":
            return values[0] is None
        case "equals":
            return values[0] in call.arguments[1:]
        case "any_of" | "all_of":
            parts = [_truth(part, content) for part in call.arguments if isinstance(part, Call)]
            return any(parts) if call.function == "any_of" else all(parts)
        case name:
            raise ConfigurationError(f"deleted of a stream uses {name}; write a condition such as boolean or exists")
