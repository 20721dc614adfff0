"""Files that others drop into a bucket: NDJSON (.ndjson, .jsonl) and CSV (.csv), plain or as gzip (.gz).

A store can be asked for what lies there, not for what is new, and an object may appear long after the time it bears (an upload
in parts bears that of its beginning). So the cursor is no time: it holds a fingerprint of key and ETag of every object that lies
there, which is what a listing brings anyway. An object that is overwritten has a new ETag and is read again, one that is gone is
forgotten, and the cursor grows with what lies there and not with what ever lay there: 27 bytes an object.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from datetime import datetime

from contracts.model import Source, Stream
from jobs.connectors.bucket import CHUNK, Bucket, Found
from jobs.connectors.ndjson import split, whole
from jobs.connectors.records import Cursor, Record, look
from jobs.connectors.rows import BadHeader, rows
from jobs.connectors.session import MEGABYTE
from jobs.errors import SourceRefused

BOM = b"\xef\xbb\xbf"
GZIP = zlib.MAX_WBITS | 16


class _Bad(Exception):
    """A file that is not what its name promises; the text says why."""


def read(source: Source, stream: Stream, bucket: Bucket, cursor: Cursor,
         now: datetime) -> Iterator[Record | tuple[str, Cursor]]:
    """The records of each object below the stream's prefix that was not read before, oldest first, then the new cursor.

    Raises SourceRefused for an object of another kind, of more than maxAnswerMb, or that is not what its name says;
    SourceUnavailable for one that changes or stays incomplete. An object is named by when it was dropped and by its number in
    that order: its key may hold a person's name.
    """
    found, seen = bucket.objects(stream.path), frozenset(cursor.get("seen", ()))
    limit = source.connection.max_answer_mb * MEGABYTE
    for number, thing in enumerate(found, 1):
        if thing.fingerprint in seen:
            continue
        try:
            yield from _records(stream, _bytes(bucket, thing, limit), _kind(thing))
        except (_Bad, BadHeader) as error:
            raise SourceRefused(f"{bucket.place}: the object dropped at {thing.at:%Y-%m-%dT%H:%M:%SZ}, number {number} of "
                                f"{len(found)} by time, cannot be taken: {error}; have it corrected or moved away") from None
    yield stream.name, {"seen": sorted(thing.fingerprint for thing in found)}


def _kind(thing: Found) -> str:
    kind = thing.key.lower().removesuffix(".gz").rpartition("/")[2].rpartition(".")[2]
    if kind not in ("ndjson", "jsonl", "csv"):
        raise _Bad("it is of another kind than .ndjson, .jsonl or .csv, plain or with .gz behind")
    return kind


def _bytes(bucket: Bucket, thing: Found, limit: int) -> Iterator[bytes]:
    """The content of an object, unpacked. Raises _Bad where it is larger than the limit, packed or not."""
    large = _Bad(f"it holds more than {limit // MEGABYTE} MB; raise maxAnswerMb in the contract if that is meant")
    if thing.size > limit:
        raise large
    total, chunks = 0, bucket.chunks(thing)
    for chunk in _unpacked(chunks) if thing.key.lower().endswith(".gz") else chunks:
        total += len(chunk)
        if total > limit:
            raise large
        yield chunk


def _records(stream: Stream, content: Iterable[bytes], kind: str) -> Iterator[Record]:
    lines = _without_mark(split(content))
    if kind == "csv":
        for payload, is_sound in rows(lines, stream.record_id.steps[0]):
            yield look(stream, payload).record if is_sound else Record(stream.name, None, payload, False)
        return
    for line in lines:
        for payload in whole(line):
            yield look(stream, payload).record


def _without_mark(lines: Iterator[bytes]) -> Iterator[bytes]:
    """The lines without a byte order mark before the first."""
    yield next(lines, b"").removeprefix(BOM)
    yield from lines


def _unpacked(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """What gzip packed, in pieces of bounded size; several members may follow one another. Raises _Bad when it is not whole."""
    unpack = zlib.decompressobj(GZIP)
    for chunk in chunks:
        while chunk:
            if unpack.eof:
                unpack = zlib.decompressobj(GZIP)
            try:
                yield unpack.decompress(chunk, CHUNK)
            except zlib.error:
                raise _Bad("it is no gzip, or a broken one") from None
            chunk = unpack.unused_data.lstrip(b"\0") if unpack.eof else unpack.unconsumed_tail
    if not unpack.eof:
        raise _Bad("its gzip ends before its time")
