"""What the connector tests share: a reader that keeps its cursor as the platform does, and a server that misbehaves."""

from __future__ import annotations

import hashlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import trustme

from contracts.load import catalog
from contracts.model import Source
from infra.local.sources.process import Sources
from jobs.connections import Access
from jobs.connectors import Record, fetch

NOW = datetime(2026, 11, 1, tzinfo=UTC)
NAMES = {"adherence_app": "app", "crm": "crm", "social": "social", "device_cloud": "device_cloud"}
STREAMS = {"data_points": "data-points", "contacts": "Contact", "emails": "ContactPointEmail", "posts": "statuses",
           "phones": "ContactPointPhone", "optins": "ContactPointTypeConsent", "cases": "Case"}
PAGE = {"adherence_app": 40, "crm": 200, "social": 7, "device_cloud": 1000}


def contract(source_id: str, page_size: int | None = None, max_answer_mb: int | None = None,
             streams: tuple[str, ...] = ()) -> Source:
    """A source's contract, with small pages, and with some of its streams only where they are named."""
    source: Source = catalog().sources[source_id]
    connection = source.connection.model_copy(update={
        "page_size": page_size or PAGE[source_id], "max_answer_mb": max_answer_mb or source.connection.max_answer_mb})
    kept = tuple(s for s in source.streams if not streams or s.name in streams)
    return source.model_copy(update={"connection": connection, "streams": kept})


@dataclass
class Reader:
    """Fetches a source again and again, keeping cursors and what was landed."""

    source: Source
    access: Access
    clock: Callable[[], datetime]
    state: dict[str, dict[str, Any]] = field(default_factory=dict)
    landed: dict[str, str] = field(default_factory=dict)

    def items(self) -> Iterator[Record]:
        """The records of one fetch, as they come."""
        for item in fetch(self.source, self.access, dict(self.state), self._known, self.clock()):
            if isinstance(item, tuple):
                self.state[item[0]] = item[1]
                continue
            if item.is_deleted:
                self.landed.pop(str(item.record_id), None)
            elif item.record_id:
                self.landed[item.record_id] = hashlib.sha256(item.payload).hexdigest()
            yield item

    def fetch(self) -> list[Record]:
        """All records of one fetch."""
        return list(self.items())

    def _known(self, stream: str, days: int) -> Mapping[str, str]:
        return {name: sha for name, sha in self.landed.items() if name.startswith(f"{stream}/")}


def access_to(sources: Sources, source_id: str) -> Access:
    """Address and credentials of a simulated source."""
    client = sources.credentials[NAMES[source_id]]
    return Access(sources.base_url, client["client_id"], client["client_secret"], sources.ca)


def reader(sources: Sources, source: Source, **changes: Any) -> Reader:
    """A reader of a simulated source, whose clock is the source's own."""
    access = replace(access_to(sources, source.id), **changes)
    return Reader(source, access, lambda: datetime.fromisoformat(sources.control("state")["clock"]))


def counts(sources: Sources, source_id: str) -> dict[str, int]:
    """What the simulator says a full read returns, by its own names of the streams."""
    found: dict[str, int] = sources.control("state")["records"][NAMES[source_id]]
    return found


def requests_served(sources: Sources, source_id: str) -> int:
    """How many requests a simulated source has answered."""
    return int(sources.control("state")["requests"].get(NAMES[source_id], 0))


class Odd:
    """A TLS server whose answers a test writes; it keeps the request lines and the Authorization headers it got."""

    def __init__(self, directory: Path, answer: Callable[[BaseHTTPRequestHandler], None]) -> None:
        self.requests: list[tuple[str, str, str]] = []
        odd = self

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                size = int(self.headers.get("Content-Length") or 0)
                self.rfile.read(size)
                odd.requests.append((self.command, self.path, self.headers.get("Authorization", "")))
                answer(self)

            do_GET = do_POST = do_DELETE = handle_any

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        authority = trustme.CA()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        self.ca = str(directory / "odd.pem")
        authority.cert_pem.write_to_path(self.ca)
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.base_url = f"https://127.0.0.1:{self.port}"

    @property
    def access(self) -> Access:
        """How to reach it; its password is its token."""
        return Access(self.base_url, "someone", "SECRETPASSWORD", self.ca)


@contextmanager
def odd_server(directory: Path, answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[Odd]:
    """Run an odd server until the block ends."""
    odd = Odd(directory, answer)
    thread = threading.Thread(target=odd.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield odd
    finally:
        odd.server.shutdown()
        odd.server.server_close()
        thread.join()


def say(handler: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> None:
    """Answer a request; header names are written with underscores."""
    handler.send_response(status)
    for name, value in ({"Content_Type": "application/json", "Content_Length": str(len(body))} | headers).items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(body)


def free_port() -> int:
    """A port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


class Listener:
    """A socket that accepts anyone and keeps every byte it is sent."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.got: list[bytes] = []
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        while True:
            try:
                peer, _ = self.socket.accept()
            except OSError:
                return
            peer.settimeout(0.5)
            try:
                self.got.append(peer.recv(4096))
            except OSError:
                self.got.append(b"")
            peer.close()


def plain(page_size: int = 10, max_answer_mb: int = 4) -> Source:
    """The app's contract with a fixed token and one stream."""
    source = contract("adherence_app", page_size, max_answer_mb, ("users",))
    return source.model_copy(update={"connection": source.connection.model_copy(update={"token_path": None})})


def read(odd: Odd, source: Source) -> list[Any]:
    """One fetch of an odd server, cursors included."""
    return list(fetch(source, odd.access, {}, lambda stream, days: {}, NOW))
