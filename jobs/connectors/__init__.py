"""How bytes arrive: one connector for each kind of source, all behind ``fetch``.

A connector hands on every record as the source sent it, byte for byte, and after a stream is complete its cursor.
What is wrong with a record is decided later, by conform; only an answer that as a whole is not what the API promises
ends a fetch, with SourceUnavailable or SourceRefused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from contracts.model import Source, Stream
from jobs.connections import Access
from jobs.connectors.explain import Reading, explained
from jobs.connectors.records import Cursor, Record
from jobs.connectors.session import Session
from jobs.connectors.session import session as open_session

State = dict[str, dict[str, Any]]
Item = Record | tuple[str, Cursor]
Way = TypeVar("Way", bound=Reading)
Reader = Callable[[Source, Stream, Way, Cursor, datetime], Iterator[Item]]
Known = Callable[[str, int], Mapping[str, str]]

__all__ = ["Cursor", "Known", "Record", "State", "fetch"]


def fetch(source: Source, access: Access, state: State, known: Known,
          now: datetime) -> Iterator[Item]:
    """What is new at a source since ``state``: records, and after each stream's last one ``(stream, cursor)``.

    ``known(stream, days)`` gives, for streams with ``revisit_days``, the SHA-256 of the payload last landed of each
    record of the last days. ``now`` is a time with a zone: a record dated later never moves a cursor beyond it.
    With the cursors of a complete fetch and nothing changed at the source, nothing is yielded but cursors.
    Raises SourceUnavailable when the source is down or cut off, SourceRefused when it answers what it may not,
    ConfigurationError when its address is not https, or names no bucket where files are dropped.
    """
    if source.connection.connector == "object_drop":
        from jobs.connectors import object_drop
        from jobs.connectors.bucket import Bucket
        yield from _streams(source, Bucket(access, source), lambda stream: object_drop.read, state, now)
        return

    def reader(stream: Stream) -> Reader[Session]:
        return _reader(source, known(stream.name, stream.revisit_days + 1) if stream.revisit_days else {})

    with open_session(access, source.id, source.connection.max_answer_mb) as http:
        with explained(http):
            http.authorise(access, source.connection.token_path)
        yield from _streams(source, http, reader, state, now)


def _streams(source: Source, way: Way, reader: Callable[[Stream], Reader[Way]], state: State,
             now: datetime) -> Iterator[Item]:
    """Every stream of a source, read over one way to it by the reader that a stream has."""
    for stream in source.streams:
        way.place.stream = stream.name
        read = reader(stream)
        with explained(way):
            yield from read(source, stream, way, dict(state.get(stream.name, {})), now)


def _reader(source: Source, landed: Mapping[str, str]) -> Reader[Session]:
    """The reader of an API."""
    match source.connection.connector:  # a vendor's client is imported only where it is used: some take seconds
        case "rest":
            from jobs.connectors import rest
            return rest.read
        case "salesforce":
            from jobs.connectors import salesforce
            return salesforce.read
        case "mastodon":
            from jobs.connectors import mastodon
            return partial(mastodon.read, landed=landed)
        case "fhir_bulk":
            from jobs.connectors import fhir_bulk
            return fhir_bulk.read
    raise NotImplementedError(f"connector {source.connection.connector} speaks to no API")
