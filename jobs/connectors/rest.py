"""JSON over HTTP, page by page, by dlt's REST client: the contract's items, cursor and since say where and how."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from dlt.common.configuration.specs.runtime_configuration import RuntimeConfiguration
from dlt.sources.helpers.rest_client import RESTClient
from dlt.sources.helpers.rest_client.paginators import BasePaginator, JSONResponseCursorPaginator, SinglePagePaginator

from contracts.expressions import Path
from contracts.model import Source, Stream
from jobs.connectors.boundary import Boundary, stamp
from jobs.connectors.explain import not_promised
from jobs.connectors.pages import Pages, cut
from jobs.connectors.records import Cursor, Record, at, look
from jobs.connectors.session import Session


def read(source: Source, stream: Stream, http: Session, cursor: Cursor,
         now: datetime) -> Iterator[Record | tuple[str, Cursor]]:
    """The changes of a stream since its cursor, in the order the source gives them, then the new cursor.

    Raises SourceRefused for a next cursor that is an address elsewhere or goes in a circle, and for a page whose
    records are not where the contract's ``items`` points to.
    """
    boundary, pages = Boundary(cursor, now), Pages(http.place)
    query: dict[str, str | int] = {"limit": source.connection.page_size}
    if stream.since and boundary.since:
        query[stream.since] = stamp(boundary.since)
    client = RESTClient(http.base_url, session=http, config=RuntimeConfiguration())
    found = client.paginate(stream.path, params=query, paginator=_paginator(stream), data_selector=stream.items or "$")
    for page in found:
        for payload in cut(page.response.content, stream.items):
            seen = look(stream, payload)
            if boundary.is_new(seen):
                yield seen.record
        if stream.cursor:
            _check(stream.cursor, page.response.json(), http, pages)
    yield stream.name, boundary.cursor()


def _paginator(stream: Stream) -> BasePaginator:
    return JSONResponseCursorPaginator(stream.cursor, "cursor") if stream.cursor else SinglePagePaginator()


def _check(cursor: str, content: object, http: Session, pages: Pages) -> None:
    following = at(content, Path(tuple(cursor.split("."))))
    if following is None or following == "":
        return
    if not isinstance(following, str | int):
        raise not_promised(http.place, "the next cursor is neither text nor number")
    if "://" in str(following):
        http.allow(str(following))
    pages.follow(str(following))
