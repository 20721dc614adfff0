"""FHIR Bulk Data exports: one export a stream, its files read line by line, its job deleted at the end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from http import HTTPStatus

import msgspec

from contracts.model import Source, Stream
from jobs.connectors.boundary import Boundary
from jobs.connectors.explain import not_promised
from jobs.connectors.ndjson import File, lines
from jobs.connectors.pages import NOT_JSON
from jobs.connectors.records import Cursor, Record, Seen, instant, look
from jobs.connectors.session import Session
from jobs.errors import ConcordError, SourceUnavailable


class _Manifest(msgspec.Struct, rename="camel"):
    transaction_time: str
    output: list[File]
    deleted: list[File] = []
    error: list[File] = []


class _Request(msgspec.Struct):
    url: str = ""


class _Entry(msgspec.Struct):
    request: _Request = msgspec.field(default_factory=_Request)


class _Bundle(msgspec.Struct):
    entry: list[msgspec.Raw] = []


class _Issue(msgspec.Struct):
    severity: str = "fatal"


class _Outcome(msgspec.Struct):
    issue: list[_Issue]


def read(source: Source, stream: Stream, http: Session, cursor: Cursor,
         now: datetime) -> Iterator[Record | tuple[str, Cursor]]:
    """Resources changed since the cursor, then deletions, then the new cursor: the export's own transactionTime.

    The contract's path is the address of the resource type, for example /fhir/Patient. The payload of a deletion is
    the entry of the Bundle that names it. Raises SourceUnavailable when the export fails or a file stays incomplete,
    SourceRefused for files elsewhere or of other types.
    """
    boundary = Boundary(cursor, now)
    job = _begin(stream, http, cursor.get("since"))
    try:
        manifest = _manifest(http, job)
        _check(stream, http, manifest)
        for seen in _seen(stream, http, manifest):
            if boundary.is_new(seen):
                yield seen.record
    finally:
        with suppress(ConcordError):  # the source forgets jobs by itself; what was read is none the worse
            http.delete(job)
    # The text itself, not our reading of it: the source may be more exact than we are.
    yield stream.name, boundary.cursor(instant(manifest.transaction_time)) | {"since": manifest.transaction_time}


def _begin(stream: Stream, http: Session, since: str | None) -> str:
    base, _, kind = stream.path.rpartition("/")
    query = {"_type": kind, "_outputFormat": "application/fhir+ndjson"} | ({"_since": since} if since else {})
    head = {"Prefer": "respond-async", "Accept": "application/fhir+json"}
    answer = http.get(http.url(f"{base}/$export"), params=query, headers=head)
    if answer.status_code != HTTPStatus.ACCEPTED or "Content-Location" not in answer.headers:
        raise not_promised(http.place, "the export was not accepted")
    return http.url(answer.headers["Content-Location"])


def _manifest(http: Session, job: str) -> _Manifest:
    until = time.monotonic() + http.patience.export
    while (answer := http.get(job)).status_code == HTTPStatus.ACCEPTED:
        if time.monotonic() > until:
            raise SourceUnavailable(f"{http.place}: no export after {http.patience.export:.0f} s; try later")
        time.sleep(http.patience.after(answer.headers.get("Retry-After")))
    manifest = msgspec.json.decode(answer.content, type=_Manifest)
    if instant(manifest.transaction_time) is None:
        raise not_promised(http.place, "the export's transactionTime is not an instant")
    return manifest


def _check(stream: Stream, http: Session, manifest: _Manifest) -> None:
    """Refuse foreign files before any is read, and an export that says itself that it is not complete."""
    kind = stream.path.rpartition("/")[2]
    for file in (*manifest.output, *manifest.deleted, *manifest.error):
        http.url(file.url)
    if any(file.type != kind for file in manifest.output):
        raise not_promised(http.place, "the export holds files of types that were not asked for")
    for file in manifest.error:
        if any(_is_error(line) for line in lines(http, file)):
            raise SourceUnavailable(f"{http.place}: the export reports errors and is not complete; try later")


def _is_error(line: bytes) -> bool:
    try:
        return any(i.severity in ("error", "fatal") for i in msgspec.json.decode(line, type=_Outcome).issue)
    except NOT_JSON:
        return True


def _seen(stream: Stream, http: Session, manifest: _Manifest) -> Iterator[Seen]:
    for file in manifest.output:
        for line in lines(http, file):
            yield look(stream, line)
    for file in manifest.deleted:
        for line in lines(http, file):
            yield from _deletions(stream, line)


def _deletions(stream: Stream, line: bytes) -> Iterator[Seen]:
    """A deletion for each entry of a Bundle; a line that is none is handed on as it is, to be set apart later."""
    try:
        entries = msgspec.json.decode(line, type=_Bundle).entry
    except NOT_JSON:
        yield look(stream, line)
        return
    for entry in entries:
        payload = bytes(entry)
        yield Seen(Record(stream.name, _gone(stream, payload), payload, True), None)


def _gone(stream: Stream, payload: bytes) -> str | None:
    try:
        url = msgspec.json.decode(payload, type=_Entry).request.url
    except NOT_JSON:
        return None
    kind, _, name = url.rpartition("/")
    return f"{stream.name}/{name}" if kind.rpartition("/")[2] == stream.path.rpartition("/")[2] and name else None
