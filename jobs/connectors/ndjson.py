"""Files of one JSON text a line, read as they come, and read on where a connection was cut."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

import msgspec
import requests

from jobs.connectors.pages import is_json
from jobs.connectors.session import Session
from jobs.errors import SourceUnavailable

CHUNK = 2**16


class File(msgspec.Struct):
    """A file of an export's manifest; ``count`` is its number of lines, where the source says it."""

    type: str
    url: str
    count: int | None = None


class _Cut(Exception):
    """The file ended before its time."""


def lines(http: Session, file: File) -> Iterator[bytes]:
    """The lines of a file, without their line ends, broken ones too; empty lines are left out.

    A file that is cut off or has fewer lines than its count is read again, and the lines already handed on are passed
    over. Raises SourceUnavailable when it stays incomplete, or when it is another file the second time.
    """
    done, prefix = 0, hashlib.sha256()
    for attempt in range(http.patience.repeats):
        if attempt:
            http.patience.pause(attempt)
        number, again = 0, hashlib.sha256()
        try:
            for line in _split(http, file.url):
                number += 1
                if number <= done:
                    again.update(line + b"\n")
                    continue
                if number == done + 1 and again.digest() != prefix.digest():
                    raise SourceUnavailable(f"{http.place}: a file of the export changed while it was read; try again")
                yield line
                done = number
                prefix.update(line + b"\n")
                again.update(line + b"\n")
            if number >= max(done, file.count or 0):
                return
        except (_Cut, requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError):
            continue
    raise SourceUnavailable(f"{http.place}: a file of the export stayed incomplete; try again later")


def split(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The lines that bytes hold, without their line ends; what stands behind the last end comes last, if only as b""."""
    parts: list[bytes] = []
    for chunk in chunks:
        first, *rest = chunk.split(b"\n")
        parts.append(first)
        for following in rest:
            yield b"".join(parts)
            parts = [following]
    yield b"".join(parts)


def whole(line: bytes) -> Iterator[bytes]:
    """The line without a carriage return at its end; nothing where it is empty."""
    if line.strip():
        yield line.removesuffix(b"\r")


def _split(http: Session, url: str) -> Iterator[bytes]:
    """The lines of one download. Raises _Cut when the last one has no end and is not whole."""
    head = {"Accept": "application/fhir+ndjson"}
    last = b""
    with http.get(http.url(url), stream=True, headers=head) as answer:
        for line in split(answer.iter_content(CHUNK)):
            yield from whole(last)
            last = line
    if last.strip() and not is_json(last):
        raise _Cut
    yield from whole(last)
