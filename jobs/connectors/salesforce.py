"""A Salesforce-compatible CRM, by simple-salesforce: one SOQL query a stream, deleted records included."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from urllib.parse import urlsplit

import msgspec
from simple_salesforce.api import Salesforce

from contracts.expressions import Call, Path
from contracts.model import Source, Stream
from jobs.connectors.boundary import Boundary, stamp
from jobs.connectors.explain import not_promised
from jobs.connectors.pages import Pages, cut
from jobs.connectors.records import Cursor, Record, look
from jobs.connectors.session import Session
from jobs.connectors.tokens import Fetched
from jobs.errors import SourceUnavailable


class _Page(msgspec.Struct, rename="camel"):
    total_size: int
    done: bool
    next_records_url: str | None = None


def read(source: Source, stream: Stream, http: Session, cursor: Cursor,
         now: datetime) -> Iterator[Record | tuple[str, Cursor]]:
    """The records changed since the cursor, by change time, then the new cursor.

    Raises SourceRefused for a next address elsewhere or in a circle, SourceUnavailable when fewer records come than
    the query found.
    """
    boundary, count, total = Boundary(cursor, now), 0, 0
    query = soql(stream, fields(source, stream), boundary.since)
    for page in _pages(http, query, source.connection.page_size):
        payloads = cut(http.last.content, "records")
        count, total = count + len(payloads), page.total_size
        for payload in payloads:
            seen = look(stream, payload)
            if boundary.is_new(seen):
                yield seen.record
    if count < total:
        raise SourceUnavailable(f"{http.place}: {count} of {total} records came; try again later")
    yield stream.name, boundary.cursor()


def fields(source: Source, stream: Stream) -> tuple[str, ...]:
    """The fields the contract's expressions read of a stream, without twice the same, in order of appearance."""
    calls: list[Call | None] = [stream.version, stream.deleted]
    for feed in source.feeds:
        if feed.stream == stream.name:
            calls += feed.calls
    paths: list[Path] = [stream.record_id, *(path for call in calls if call for path in call.paths())]
    names = [".".join(str(step) for step in path.steps) for path in paths]
    return tuple(dict.fromkeys([*names, *([stream.since] if stream.since else [])]))


def soql(stream: Stream, names: tuple[str, ...], since: datetime | None) -> str:
    """The query of a stream; everything in it is from the contract, but for the instant."""
    text = f"SELECT {', '.join(names)} FROM {stream.path}"  # noqa: S608 - nothing of it comes from outside
    if stream.since and since:
        text += f" WHERE {stream.since} >= {stamp(since)}"
    return text + (f" ORDER BY {stream.since}" if stream.since else "")


def _pages(http: Session, query: str, size: int) -> Iterator[_Page]:
    client, pages = _client(http), Pages(http.place)
    head = {"Sforce-Query-Options": f"batchSize={size}"}
    answer = client.query(query, include_deleted=True, headers=head)
    while True:
        page = msgspec.convert(answer, type=_Page)
        yield page
        if page.done:
            return
        if not page.next_records_url:
            raise not_promised(http.place, "a page says that there are more, but not where")
        following = page.next_records_url
        http.allow(following if urlsplit(following).scheme else f"https://{client.sf_instance}{following}")
        answer = client.query_more(pages.follow(following), identifier_is_url=True, headers=head)


def _client(http: Session) -> Salesforce:
    """The vendor's client; our session puts the real token on each request, in place of the one given here."""
    if isinstance(http.bearer, Fetched):
        http.bearer.ready()
        http.allow(http.bearer.said("instance_url") or http.base_url)
    return Salesforce(instance_url=http.base_url, session_id="-", session=http, version="59.0")
