"""A FHIR Bulk Data server on loopback that exports lines it is given; an export is ready at the second poll."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tests.integration.connecting import Odd, odd_server, say

TRANSACTION = "2026-10-31T00:00:00.000Z"


@dataclass
class Exports:
    """What is exported, by resource type, and what was asked for: types of exports, names of files, jobs deleted."""

    lines: Mapping[str, list[bytes]]
    asked: list[str] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    polled: dict[str, int] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)
    base_url: str = ""

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        url = urlsplit(handler.path)
        last = url.path.rpartition("/")[2]
        if url.path == "/fhir/token":
            say(handler, json.dumps({"access_token": "t", "token_type": "bearer", "expires_in": 300}).encode())
        elif handler.headers.get("Authorization") != "Bearer t":
            say(handler, b"{}", 401)
        elif last == "$export" and handler.headers.get("Prefer") == "respond-async":
            self._begin(handler, parse_qs(url.query))
        elif url.path.startswith("/fhir/jobs/"):
            self._job(handler, last)
        elif url.path.startswith("/fhir/files/"):
            self.sent.append(last)
            say(handler, b"".join(line + b"\n" for line in self._files()[last]), Content_Type="application/fhir+ndjson")
        else:
            say(handler, b"{}", 400)

    def _begin(self, handler: BaseHTTPRequestHandler, query: Mapping[str, list[str]]) -> None:
        kind = query["_type"][0]
        job = f"{kind}-since" if "_since" in query else kind
        self.asked.append(kind)
        self.polled[job] = 0
        say(handler, b"", 202, Content_Location=f"{self.base_url}/fhir/jobs/{job}")

    def _job(self, handler: BaseHTTPRequestHandler, job: str) -> None:
        if handler.command == "DELETE":
            self.deleted.append(job)
            say(handler, b"", 202)
            return
        self.polled[job] += 1
        if self.polled[job] == 1:
            say(handler, b"", 202, Retry_After="0")
            return
        output = [{"type": job, "url": f"{self.base_url}/fhir/files/{name}", "count": len(lines)}
                  for name, lines in self._files().items() if name.startswith(f"{job}.")]
        say(handler, json.dumps({"transactionTime": TRANSACTION, "request": handler.path, "requiresAccessToken": True,
                                 "output": output, "error": []}).encode())

    def _files(self) -> dict[str, list[bytes]]:
        """Two files a type. A job that asks for what is new has none: nothing is."""
        halves = {kind: -(-len(lines) // 2) for kind, lines in self.lines.items()}
        return {f"{kind}.{part}.ndjson": chunk for kind, lines in self.lines.items()
                for part, chunk in enumerate((lines[:halves[kind]], lines[halves[kind]:])) if chunk}


@contextmanager
def exporting(directory: Path, lines: Mapping[str, list[bytes]]) -> Iterator[tuple[Exports, Odd]]:
    """Serve an export until the block ends."""
    exports = Exports(lines)
    with odd_server(directory, exports.answer) as odd:
        exports.base_url = odd.base_url
        yield exports, odd
