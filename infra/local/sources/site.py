"""What the four APIs share: the world, tokens, faults, counters, and each vendor's way of saying no."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from .credentials import Refused, Tokens
from .export_files import write
from .faults import BODIES, REFUSALS, Faults, Shape, deliver
from .versions import Record
from .world import World

MEDIA = {"app": "application/json", "crm": "application/json;charset=UTF-8",
         "social": "application/json; charset=utf-8", "device_cloud": "application/fhir+json"}
_SALESFORCE_CODES = {401: "INVALID_SESSION_ID", 429: "REQUEST_LIMIT_EXCEEDED", 404: "NOT_FOUND"}


@dataclass(slots=True)
class Site:
    """One running program. `polls` is how often an export answers "not yet"; `retry_after` is in seconds."""

    world: World
    tokens: Tokens
    faults: Faults = field(default_factory=Faults)
    polls: int = 2
    retry_after: int = 1
    served: Counter[str] = field(default_factory=Counter)
    exports: Path | None = None

    def drop(self) -> None:
        """Put the files that the world drops up to its clock into the folder of exports, if there is one."""
        if self.exports:
            write(self.world, self.exports)

    def gate(self, request: Request, source: str, stream: str) -> Response | None:
        """A refusal, for want of a token or by a waiting fault, or None when the request may go on."""
        if not self.tokens.accepts(request, source):
            return problem(source, 401, "The access token is invalid or has expired")
        fault = self.faults.take(source, REFUSALS, stream)
        match fault.kind if fault else None:
            case "429":
                return problem(source, 429, "Too many requests", self._patience())
            case "500":
                return problem(source, 500, "Something went wrong on our side")
            case "expired_token":
                self.tokens.revoke(request)
                return problem(source, 401, "The access token is invalid or has expired")
            case _:
                return None

    def answer(self, source: str, stream: str, content: Any, headers: dict[str, str] | None = None,
               altered: str | None = None) -> Response:
        """A JSON answer, with a waiting fault of the body if there is one."""
        return self.raw(source, stream, msgspec.json.encode(content), (MEDIA[source], headers or {}), altered)

    def raw(self, source: str, stream: str, body: bytes, head: tuple[str, dict[str, str]], altered: str | None = None
            ) -> Response:
        """An answer of bytes; `head` is media type and headers."""
        fault = self.faults.take(source, BODIES, stream)
        kind = fault.kind if fault else "wrong_encoding" if altered == "wrong_encoding" else None
        return deliver(body, *head, kind)

    def alter(self, source: str, stream: str, records: list[Record], shape: Shape) -> str | None:
        """Let a waiting record fault change one of the records."""
        return self.faults.alter(source, stream, records, shape)

    async def token(self, request: Request, source: str, extra: dict[str, object] | None = None) -> Response:
        """An OAuth2 token answer, or its refusal."""
        try:
            token, lifetime = await self.tokens.grant(request, source)
        except Refused as refusal:
            status = 401 if refusal.code == "invalid_client" else 400
            content: dict[str, object] = {"error": refusal.code, "error_description": "client credentials are needed"}
            return Response(msgspec.json.encode(content), status, media_type="application/json")
        content = {"access_token": token, "token_type": "Bearer", **(extra or {})}
        if lifetime and source != "crm":
            content["expires_in"] = int(lifetime)
        return Response(msgspec.json.encode(content), media_type="application/json",
                        headers={"Cache-Control": "no-store"})

    def _patience(self) -> dict[str, str]:
        reset = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=self.retry_after)
        return {"Retry-After": str(self.retry_after), "X-RateLimit-Limit": "300", "X-RateLimit-Remaining": "0",
                "X-RateLimit-Reset": reset.isoformat(timespec="milliseconds").replace("+00:00", "Z")}


def problem(source: str, status: int, message: str, headers: dict[str, str] | None = None, code: str | None = None
            ) -> Response:
    """An error answer in the vendor's own shape."""
    content: object
    match source:
        case "crm":
            content = [{"message": message, "errorCode": code or _SALESFORCE_CODES.get(status, "UNKNOWN_EXCEPTION")}]
        case "device_cloud":
            kind = {401: "login", 404: "not-found", 429: "throttled", 400: "invalid"}.get(status, "exception")
            issue = {"severity": "error", "code": code or kind, "diagnostics": message}
            content = {"resourceType": "OperationOutcome", "issue": [issue]}
        case "social":
            content = {"error": message}
        case _:
            content = {"error": code or {401: "invalid_token", 429: "rate_limited", 400: "invalid_request"}.get(
                status, "server_error"), "message": message}
    head = ({"WWW-Authenticate": "Bearer"} if status == 401 else {}) | (headers or {})
    return Response(msgspec.json.encode(content), status, media_type=MEDIA[source], headers=head)
