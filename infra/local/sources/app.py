"""The app vendor's REST API: OAuth2 client credentials and change feeds with opaque cursors.

Each answer is {"data": [...], "next_cursor": text or null}. `updated_since` is inclusive; an edited item comes again
with the same id and a later change time; a deleted one as a tombstone.
"""

from __future__ import annotations

import base64
import binascii

from fastapi import APIRouter, Request, Response

from .faults import PAGES, Shape
from .site import Site, problem
from .versions import instant

MAX_LIMIT, LIMIT = 1000, 500
SHAPES = {
    "users": Shape(("id",), ("updated_at",), ("given_name",), ("given_name",)),
    "devices": Shape(("id",), ("bound_at",), ("device_serial",), ("device_serial",)),
    "consents": Shape(("id",), ("recorded_at",), ("form_version",), ("purpose",)),
    "data-points": Shape(("header", "id"), ("body", "effective_time_frame", "date_time"),
                         ("header", "acquisition_provenance", "source_name"), ("body", "blood_glucose", "value"),
                         ("body", "blood_glucose", "unit")),
}


class AppApi:
    """The routes under /app."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.router = APIRouter(prefix="/app")
        self.router.add_api_route("/oauth/token", self.token, methods=["POST"], response_model=None)
        self.router.add_api_route("/v1/{stream}", self.feed, methods=["GET"], response_model=None)

    async def token(self, request: Request) -> Response:
        """A bearer token for client credentials."""
        return await self.site.token(request, "app")

    async def feed(self, request: Request, stream: str) -> Response:
        """One page of a change feed."""
        if stream not in SHAPES:
            return problem("app", 404, "no such stream", code="not_found")
        refusal = self.site.gate(request, "app", stream)
        if refusal is not None:
            return refusal
        try:
            first, limit = self._place(request, stream)
        except ValueError as error:
            return problem("app", 400, str(error))
        feed = self.site.world.app.streams[stream]
        end = feed.end(self.site.world.clock)
        last = min(first + limit, end)
        fault = self.site.faults.take("app", PAGES, stream) if first < end else None
        if fault is not None and fault.kind == "empty_page":
            return self.site.answer("app", stream, {"data": [], "next_cursor": _cursor(stream, first)})
        records = feed.page(first, last)
        altered = self.site.alter("app", stream, records, SHAPES[stream])
        following = _cursor(stream, first if fault else last) if last < end or fault else None
        if following is not None:
            foreign = self.site.faults.take("app", ("foreign_next",), stream)
            following = f"https://{foreign.host}/app/v1/{stream}?cursor={following}" if foreign else following
        return self.site.answer("app", stream, {"data": records, "next_cursor": following}, altered=altered)

    def _place(self, request: Request, stream: str) -> tuple[int, int]:
        """Where the page starts and how long it may be. Raises ValueError for parameters nobody could mean."""
        query = request.query_params
        try:
            limit = int(query.get("limit", LIMIT))
        except ValueError as error:
            raise ValueError("limit must be a whole number") from error
        if not 1 <= limit <= MAX_LIMIT:
            raise ValueError(f"limit must be between 1 and {MAX_LIMIT}")
        feed = self.site.world.app.streams[stream]
        if query.get("cursor"):
            return min(_read(query["cursor"], stream), feed.end(self.site.world.clock)), limit
        if not query.get("updated_since"):
            return 0, limit
        try:
            return min(feed.position(instant(query["updated_since"])), feed.end(self.site.world.clock)), limit
        except ValueError as error:
            raise ValueError("updated_since must be an ISO 8601 date-time") from error


def _cursor(stream: str, place: int) -> str:
    return base64.urlsafe_b64encode(f"{stream}:{place}".encode()).decode().rstrip("=")


def _read(cursor: str, stream: str) -> int:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        name, _, place = text.partition(":")
        if name == stream and place.isdecimal():
            return int(place)
    except (binascii.Error, UnicodeDecodeError, ValueError):
        pass
    raise ValueError("cursor is not one of ours")
