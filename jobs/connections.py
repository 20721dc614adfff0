"""Where a source is and how to log in: one environment variable a connection, put there by the scheduler."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from jobs.errors import ConfigurationError

SHAPE = '{"base_url": "https://...", "login": "...", "password": "...", "ca_file": null}'
LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class Access:
    """Address and credentials of one source; ``ca_file`` is a CA to trust instead of the public ones."""

    base_url: str
    login: str
    password: str = field(repr=False)
    ca_file: str | None


class _Given(msgspec.Struct, forbid_unknown_fields=True):
    base_url: str
    login: str = ""
    password: str = ""
    ca_file: str | None = None


def access(connection_id: str) -> Access:
    """Read ``CONCORD_CONNECTION_<ID>``.

    Raises ConfigurationError when it is missing, not the JSON object it should be, neither https nor loopback, or
    names a CA file that is not there. The value is never part of the message.
    """
    name = f"CONCORD_CONNECTION_{connection_id.upper()}"
    text = os.environ.get(name)
    if not text:
        raise ConfigurationError(f"{name} is not set; set it to {SHAPE}")
    try:
        given = msgspec.json.decode(text.encode(), type=_Given)
    except (msgspec.MsgspecError, UnicodeError):
        raise ConfigurationError(f"{name} is not of the form {SHAPE}; correct it") from None
    if not _is_safe(given.base_url):
        raise ConfigurationError(f"base_url in {name} is not an https address (http is only for loopback); write for "
                                 "example https://crm.example")
    if given.ca_file and not Path(given.ca_file).is_file():
        raise ConfigurationError(f"ca_file in {name} names no file; give the path of a PEM file, or null")
    return Access(given.base_url.rstrip("/"), given.login, given.password, given.ca_file or None)


def _is_safe(address: str) -> bool:
    """https, or http to this machine itself, where nobody else can listen."""
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        return False
    plain = not (parts.username or parts.password or parts.query or parts.fragment)
    is_local = parts.scheme == "http" and parts.hostname in LOOPBACK
    return (is_local or parts.scheme == "https") and bool(parts.hostname) and plain
