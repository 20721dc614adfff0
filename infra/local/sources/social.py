"""The social network's API, compatible with Mastodon: hashtag timeline, single statuses, instance description."""

from __future__ import annotations

from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from .faults import PAGES, Shape
from .site import Site, problem
from .social_records import BRAND, HASHTAG, SECOND, SITE, Status
from .versions import Record

MAX_LIMIT, LIMIT = 40, 20
SHAPE = Shape(("id",), ("created_at",), ("content",), ("account", "acct"))
VERSION = "4.4.0"


class SocialApi:
    """The routes under /api and /oauth, also under /social."""

    def __init__(self, site: Site, prefix: str) -> None:
        self.site = site
        self.router = APIRouter(prefix=prefix)
        for path, handler, method in (
                ("/oauth/token", self.token, "POST"), ("/api/v1/timelines/tag/{hashtag}", self.timeline, "GET"),
                ("/api/v1/statuses/{status_id}", self.status, "GET"),
                ("/api/v1/statuses/{status_id}/context", self.context, "GET"),
                ("/api/v1/instance", self.instance_v1, "GET"), ("/api/v1/instance/", self.instance_v1, "GET"),
                ("/api/v2/instance", self.instance_v2, "GET"), ("/api/v2/instance/", self.instance_v2, "GET"),
                ("/.well-known/nodeinfo", self.nodeinfo, "GET"), ("/nodeinfo/2.0", self.nodeinfo_2, "GET")):
            self.router.add_api_route(path, handler, methods=[method], response_model=None)

    async def token(self, request: Request) -> Response:
        """An application token for client credentials; it does not expire."""
        return await self.site.token(request, "social", {"scope": "read", "created_at": 0})

    async def timeline(self, request: Request, hashtag: str) -> Response:
        """Public statuses with a hashtag, newest first, with links to the pages beside this one."""
        refusal = self.site.gate(request, "social", "statuses")
        if refusal is not None:
            return refusal
        try:
            places = {name: int(request.query_params[name]) for name in ("max_id", "since_id", "min_id", "limit")
                      if request.query_params.get(name)}
        except ValueError:
            return problem("social", 422, "ids and limit must be whole numbers")
        limit = min(max(places.get("limit", LIMIT), 1), MAX_LIMIT)
        clock, records = self.site.world.clock, self.site.world.social
        page = self._select(places, hashtag.lower(), limit)
        fault = self.site.faults.take("social", PAGES, "statuses") if page else None
        shown = [] if fault and fault.kind == "empty_page" else [records.render(status, clock) for status in page]
        altered = self.site.alter("social", "statuses", shown, SHAPE)
        links = self._links(request, page, places, limit, repeats=fault is not None)
        return self.site.answer("social", "statuses", shown, {"Link": links} if links else {}, altered)

    async def status(self, request: Request, status_id: str) -> Response:
        """One status as it is now; 404 once it is deleted."""
        refusal = self.site.gate(request, "social", "statuses")
        if refusal is not None:
            return refusal
        found = self._shown(status_id)
        if found is None:
            return problem("social", 404, "Record not found")
        records = [self.site.world.social.render(found, self.site.world.clock)]
        altered = self.site.alter("social", "statuses", records, SHAPE)
        return self.site.answer("social", "statuses", records[0], altered=altered)

    async def context(self, request: Request, status_id: str) -> Response:
        """What a status answers to, and the answers to it."""
        refusal = self.site.gate(request, "social", "statuses")
        if refusal is not None:
            return refusal
        found, world = self._shown(status_id), self.site.world
        if found is None:
            return problem("social", 404, "Record not found")
        above = self._shown(str(found.replied_id))
        below = [s for s in world.social.statuses if s.replied_id == found.id and s.is_shown(world.clock)]
        return self.site.answer("social", "statuses", {
            "ancestors": [world.social.render(above, world.clock)] if above else [],
            "descendants": [world.social.render(status, world.clock) for status in below]})

    async def instance_v2(self) -> Response:
        """The server's description, version 2."""
        statuses = {"max_characters": 500, "max_media_attachments": 4, "characters_reserved_per_url": 23}
        access = {"local": "authenticated", "remote": "authenticated"}
        return self.site.answer("social", "instance", {
            "domain": SITE.removeprefix("https://"), "title": "Social", "version": VERSION, "source_url": SITE,
            "description": "A simulated server", "languages": ["en", "de", "fr", "it", "es"],
            "usage": {"users": {"active_month": 100}}, "thumbnail": {"url": f"{SITE}/thumbnail.png"}, "icon": [],
            "configuration": {"statuses": statuses, "urls": {"streaming": "wss://social.example"},
                              "timelines_access": {"live_feeds": access, "hashtag_feeds": access}},
            "registrations": {"enabled": False, "approval_required": True, "message": None},
            "api_versions": {"mastodon": 6}, "rules": [],
            "contact": {"email": "admin@social.example", "account": None}})

    async def instance_v1(self) -> Response:
        """The server's description, version 1."""
        return self.site.answer("social", "instance", {
            "uri": SITE.removeprefix("https://"), "title": "Social", "short_description": "A simulated server",
            "description": "A simulated server", "email": "admin@social.example", "version": VERSION,
            "urls": {"streaming_api": "wss://social.example"}, "languages": ["en"], "registrations": False,
            "stats": {"user_count": 100, "status_count": 1000, "domain_count": 1}, "approval_required": True,
            "invites_enabled": False, "contact_account": None, "rules": [], "thumbnail": None})

    async def nodeinfo(self, request: Request) -> Response:
        """Where the server says which software it runs."""
        href = f"https://{request.url.netloc}/nodeinfo/2.0"
        rel = "http://nodeinfo.diaspora.software/ns/schema/2.0"
        return self.site.answer("social", "instance", {"links": [{"rel": rel, "href": href}]})

    async def nodeinfo_2(self) -> Response:
        """Which software the server runs."""
        return self.site.answer("social", "instance", {
            "version": "2.0", "software": {"name": "mastodon", "version": VERSION}, "protocols": ["activitypub"],
            "services": {"outbound": [], "inbound": []}, "usage": {"users": {"total": 100}},
            "openRegistrations": False, "metadata": {"account": BRAND}})

    def _shown(self, status_id: str) -> Status | None:
        found = self.site.world.social.by_id.get(int(status_id)) if status_id.isdecimal() else None
        return found if found and found.is_shown(self.site.world.clock) else None

    def _select(self, places: dict[str, int], hashtag: str, limit: int) -> list[Status]:
        """The page: the newest below max_id and above since_id, or the oldest above min_id; newest first."""
        records, clock = self.site.world.social, self.site.world.clock
        floor = places.get("min_id", places.get("since_id", 0))
        inside = records.statuses[records.before(floor + 1) : records.before(places.get("max_id"))]
        walk = inside if "min_id" in places else reversed(inside)
        page: list[Status] = []
        for status in walk:
            if len(page) == limit:
                break
            if status.is_shown(clock) and (hashtag == HASHTAG or (hashtag == SECOND and status.has_second_tag)):
                page.append(status)
        return page[::-1] if "min_id" in places else page

    def _links(self, request: Request, page: list[Status], places: dict[str, int], limit: int, *, repeats: bool
               ) -> str:
        """The Link header: next goes to older statuses, prev to newer ones."""
        if not page:
            return ""
        older, newer = (page[0].id + 1 if repeats else page[-1].id), page[0].id
        foreign = self.site.faults.take("social", ("foreign_next",), "statuses")
        host = foreign.host if foreign else request.url.netloc
        base: Record = {"limit": limit} if "limit" in places else {}
        address = f"https://{host}{request.url.path}"
        links = [f'<{address}?{urlencode({**base, "max_id": older})}>; rel="next"'] if (
            len(page) == limit or repeats) else []
        links.append(f'<{address}?{urlencode({**base, "min_id": newer})}>; rel="prev"')
        return ", ".join(links)
