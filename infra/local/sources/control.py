"""The control routes: move the clock, order faults, look at counts. They need the control token."""

from __future__ import annotations

import msgspec
from fastapi import APIRouter, Request, Response

from .faults import FOREIGN, Fault
from .site import Site
from .versions import utc


class Advance(msgspec.Struct, forbid_unknown_fields=True):
    """How many days to move the clock on; parts of days are allowed."""

    days: float


class FaultOrder(msgspec.Struct, forbid_unknown_fields=True):
    """A fault: which source, what, how often; `stream` limits it, `host` is where foreign links point."""

    source: str
    kind: str
    times: int = 1
    host: str = FOREIGN
    stream: str | None = None


class ControlApi:
    """The routes under /_control."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.router = APIRouter(prefix="/_control")
        for path, handler, method in (
                ("/advance", self.advance, "POST"), ("/reset", self.reset, "POST"), ("/faults", self.order, "POST"),
                ("/state", self.state, "GET")):
            self.router.add_api_route(path, handler, methods=[method], response_model=None)

    async def advance(self, request: Request) -> Response:
        """Move the clock on by {"days": n}; answers the new clock."""
        if not self.site.tokens.controls(request):
            return _answer({"error": "the control token is needed"}, 401)
        try:
            days = msgspec.json.decode(await request.body(), type=Advance).days
        except msgspec.DecodeError as error:
            return _answer({"error": str(error)}, 400)
        if not 0 < days <= 366:
            return _answer({"error": "days must be more than 0 and at most 366"}, 400)
        self.site.world.advance(days)
        self.site.drop()
        return _answer({"clock": utc(self.site.world.clock)})

    async def reset(self, request: Request) -> Response:
        """Set the clock back to where it began and drop all waiting faults."""
        if not self.site.tokens.controls(request):
            return _answer({"error": "the control token is needed"}, 401)
        self.site.world.reset()
        self.site.drop()
        self.site.faults.waiting.clear()
        return _answer({"clock": utc(self.site.world.clock)})

    async def order(self, request: Request) -> Response:
        """Queue a fault; answers the faults that are waiting."""
        if not self.site.tokens.controls(request):
            return _answer({"error": "the control token is needed"}, 401)
        try:
            wanted = msgspec.json.decode(await request.body(), type=FaultOrder)
            self.site.faults.add(Fault(wanted.source, wanted.kind, wanted.times, wanted.host, wanted.stream))
        except (msgspec.DecodeError, ValueError) as error:
            return _answer({"error": str(error)}, 400)
        return _answer({"waiting": self._waiting()})

    async def state(self, request: Request) -> Response:
        """The clock, records by source and stream, requests served by source, and waiting faults."""
        if not self.site.tokens.controls(request):
            return _answer({"error": "the control token is needed"}, 401)
        served = {name.removeprefix("requests."): n for name, n in self.site.served.items() if name[:9] == "requests."}
        return _answer({"clock": utc(self.site.world.clock), "records": self.site.world.counts(), "requests": served,
                        "faults": self._waiting()})

    def _waiting(self) -> list[dict[str, object]]:
        return [{"source": f.source, "kind": f.kind, "times": f.times, "stream": f.stream}
                for f in self.site.faults.waiting]


def _answer(content: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(content), status, media_type="application/json")
