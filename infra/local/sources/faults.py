"""Faults on demand: what a source does wrong for the next few requests that the fault applies to.

refuse: 429, 500, expired_token. page: duplicate_page, empty_page. record: one record of the page is altered.
body: cut, truncated, oversized. link: foreign_next. A fault waits until a request comes that it can be shown in.
"""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from .versions import Record
from .world import SOURCES

REFUSALS, PAGES = ("429", "500", "expired_token"), ("duplicate_page", "empty_page")
BODIES = ("cut", "truncated", "oversized")
RECORDS = ("malformed", "wrong_encoding", "huge_string", "duplicate_id", "future_date", "wrong_unit", "wrong_type",
           "unknown_field")
KINDS = (*REFUSALS, *PAGES, *RECORDS, *BODIES, "foreign_next")
HUGE, OVERSIZED, CHUNK = 2_000_000, 66 * 2**20, 2**20
FOREIGN = "elsewhere.example"


@dataclass(slots=True)
class Fault:
    """One ordered fault; `stream` limits it to one stream of the source, `host` is where foreign links point."""

    source: str
    kind: str
    times: int = 1
    host: str = FOREIGN
    stream: str | None = None


@dataclass(frozen=True, slots=True)
class Shape:
    """Where a record has its id, time, a text, a typed value and a unit: paths of keys and list places."""

    id: tuple[str | int, ...]
    time: tuple[str | int, ...]
    text: tuple[str | int, ...]
    value: tuple[str | int, ...]
    unit: tuple[str | int, ...] = ()


@dataclass(slots=True)
class Faults:
    """The faults that are waiting, in the order they were asked for."""

    waiting: list[Fault] = field(default_factory=list)

    def add(self, fault: Fault) -> None:
        """Queue a fault. Raises ValueError when the source or the kind is unknown, or the two do not fit."""
        if fault.source not in SOURCES or fault.kind not in KINDS:
            raise ValueError(f"source must be one of {', '.join(SOURCES)} and kind one of {', '.join(KINDS)}")
        if fault.kind == "wrong_unit" and fault.source not in ("app", "device_cloud"):
            raise ValueError("wrong_unit needs a source with units: app or device_cloud")
        if not 1 <= fault.times <= 10_000:
            raise ValueError("times must be between 1 and 10000")
        self.waiting.append(fault)

    def take(self, source: str, kinds: tuple[str, ...], stream: str) -> Fault | None:
        """The first waiting fault of these kinds that applies to this stream, used up by one."""
        for fault in self.waiting:
            if fault.source == source and fault.kind in kinds and fault.stream in (None, stream):
                return self._use(fault)
        return None

    def alter(self, source: str, stream: str, records: list[Record], shape: Shape) -> str | None:
        """Alter one record in the list by the first waiting record fault that can be shown in it; returns its kind."""
        for fault in self.waiting:
            if fault.source == source and fault.kind in RECORDS and fault.stream in (None, stream):
                place = _suitable(fault.kind, records, shape)
                if place is not None:
                    records[place] = _altered(fault.kind, records[place], records[0], shape)
                    return self._use(fault).kind
        return None

    def _use(self, fault: Fault) -> Fault:
        fault.times -= 1
        if fault.times == 0:
            self.waiting.remove(fault)
        return fault


def from_text(text: str) -> list[Fault]:
    """Faults written as app:429:3,crm:500:1."""
    faults = []
    for part in filter(None, text.split(",")):
        source, kind, *times = part.strip().split(":")
        faults.append(Fault(source, kind, int(times[0]) if times else 1))
    return faults


def _suitable(kind: str, records: list[Record], shape: Shape) -> int | None:
    """The place of the first record that the fault can be shown in."""
    path = {"future_date": shape.time, "malformed": shape.time, "wrong_unit": shape.unit, "wrong_type": shape.value,
            "huge_string": shape.text, "wrong_encoding": shape.text}.get(kind, shape.id)
    first = 1 if kind == "duplicate_id" else 0
    if kind == "duplicate_id" and (not records or _get(records[0], shape.id) is None):
        return None
    return next((i for i in range(first, len(records)) if path and _get(records[i], path) is not None), None)


def _altered(kind: str, record: Record, first: Record, shape: Shape) -> Record:
    changed = copy.deepcopy(record)
    match kind:
        case "malformed":
            _set(changed, shape.time, "31-31-2026T99:99")
        case "future_date":
            text = str(_get(changed, shape.time))
            _set(changed, shape.time, f"{int(text[:4]) + 10}{text[4:]}".replace("-02-29", "-02-28"))
        case "wrong_unit":
            _set(changed, shape.unit, "mm[Hg]")
        case "wrong_type":
            value = _get(changed, shape.value)
            _set(changed, shape.value, "twelve" if isinstance(value, int | float) else 12)
        case "huge_string":
            _set(changed, shape.text, "x" * HUGE)
        case "wrong_encoding":
            _set(changed, shape.text, "Münchner Straße, déjà vu")
        case "duplicate_id":
            _set(changed, shape.id, _get(first, shape.id))
        case _:
            changed["surprise_field"] = {"note": "added without notice"}
    return changed


def _get(record: Any, path: tuple[str | int, ...]) -> Any:
    for key in path:
        if isinstance(key, int) and isinstance(record, list) and len(record) > key:
            record = record[key]
        elif isinstance(key, str) and isinstance(record, dict):
            record = record.get(key)
        else:
            return None
    return record


def _set(record: Any, path: tuple[str | int, ...], value: Any) -> None:
    for key in path[:-1]:
        record = record[key]
    record[path[-1]] = value


class CutResponse(Response):
    """Announces the whole body, sends half of it, and ends; the server then closes the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the head and half of the body."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        half = bytes(self.body)[: max(1, len(self.body) // 2)]
        await send({"type": "http.response.body", "body": half, "more_body": True})


def deliver(body: bytes, media_type: str, headers: dict[str, str], kind: str | None) -> Response:
    """The answer as the body fault asks: cut off, truncated but complete for HTTP, blown up, or in Latin-1."""
    match kind:
        case "cut":
            return CutResponse(body, media_type=media_type, headers=headers)
        case "truncated":
            return Response(body[: max(1, len(body) * 2 // 3)], media_type=media_type, headers=headers)
        case "oversized":
            return StreamingResponse(_padded(body), media_type=media_type, headers=headers)
        case "wrong_encoding":
            return Response(body.decode().encode("latin-1", "replace"), media_type=media_type, headers=headers)
        case _:
            return Response(body, media_type=media_type, headers=headers)


async def _padded(body: bytes) -> AsyncIterator[bytes]:
    """The body with white space before its last bracket: valid, and larger than anyone should read."""
    inner = body.rstrip()
    yield inner[:-1]
    for _ in range(OVERSIZED // CHUNK):
        yield b" " * CHUNK
    yield inner[-1:] + b"\n"
