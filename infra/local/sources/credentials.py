"""Client credentials and bearer tokens: one client for each source, secrets drawn anew at every start."""

from __future__ import annotations

import base64
import binascii
import json
import os
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, unquote_plus

from starlette.requests import Request

CLIENTS = {"app": "concord-app", "crm": "concord-crm", "social": "concord-social", "device_cloud": "concord-cloud"}


class Refused(Exception):
    """A token request that is refused, with OAuth2's error code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def write_private(path: Path, content: object) -> None:
    """Write JSON that only the owner may read, in one step."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
        json.dump(content, handle, ensure_ascii=False, indent=1)
    draft.replace(path)


@dataclass(slots=True)
class Tokens:
    """Who may ask for tokens, and the tokens given out. `lifetime` is in seconds; 0 means without end."""

    lifetime: float = 300.0
    secret: dict[str, str] = field(default_factory=lambda: {s: secrets.token_urlsafe(32) for s in CLIENTS})
    control: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    given: dict[str, tuple[str, float]] = field(default_factory=dict)

    def as_json(self) -> dict[str, dict[str, str]]:
        """The content of the credentials file."""
        clients = {s: {"client_id": name, "client_secret": self.secret[s]} for s, name in CLIENTS.items()}
        return {**clients, "control": {"token": self.control}}

    async def grant(self, request: Request, source: str) -> tuple[str, float]:
        """A new token for a client-credentials request, form-encoded, with Basic or body credentials, and its life."""
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode("utf-8", "replace")).items()}
        name, secret = _basic(request) or (form.get("client_id", ""), form.get("client_secret", ""))
        if form.get("grant_type") != "client_credentials":
            raise Refused("unsupported_grant_type")
        known = secrets.compare_digest(name.encode(), CLIENTS[source].encode())
        if not (secrets.compare_digest(secret.encode(), self.secret[source].encode()) and known):
            raise Refused("invalid_client")
        token = secrets.token_urlsafe(32)
        lifetime = 0.0 if source == "social" else self.lifetime
        self.given[token] = (source, time.monotonic() + lifetime if lifetime else float("inf"))
        return token, lifetime

    def accepts(self, request: Request, source: str) -> bool:
        """Whether a request carries a token of this source that has not expired."""
        owner, expires = self.given.get(bearer(request), ("", 0.0))
        return owner == source and time.monotonic() < expires

    def revoke(self, request: Request) -> None:
        """Make the token of a request void."""
        self.given.pop(bearer(request), None)

    def controls(self, request: Request) -> bool:
        """Whether a request carries the control token."""
        return secrets.compare_digest(bearer(request).encode(), self.control.encode())


def bearer(request: Request) -> str:
    """The bearer token of a request, or an empty text."""
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else ""


def _basic(request: Request) -> tuple[str, str] | None:
    kind, _, text = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        name, _, secret = base64.b64decode(text, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return unquote_plus(name), unquote_plus(secret)
