"""A plain client of all four sources over requests, for tests and trials; the platform brings its own connectors."""

from __future__ import annotations

import json
from typing import Any

import requests

from .process import Sources
from .versions import Record

TIMEOUT = 60


class Client:
    """Fetches a token of each source when first needed and keeps it."""

    def __init__(self, sources: Sources) -> None:
        self.sources, self.session, self.held = sources, sources.session(), dict[str, str]()

    def token(self, source: str) -> str:
        """The token held for a source."""
        if source not in self.held:
            self.held[source] = self.sources.token(source)
        return self.held[source]

    def get(self, source: str, path: str, headers: dict[str, str] | None = None, **query: Any) -> requests.Response:
        """One request with the source's token; `path` may be a whole address."""
        url = path if path.startswith("https:") else self.sources.base_url + path
        head = {"Authorization": f"Bearer {self.token(source)}"} | (headers or {})
        return self.session.get(url, headers=head, params=query, timeout=TIMEOUT)

    def fault(self, source: str, kind: str, **more: object) -> None:
        """Order a fault."""
        self.sources.control("faults", source=source, kind=kind, **more)

    def feed(self, stream: str, **query: Any) -> list[Record]:
        """A whole change feed of the app."""
        found: list[Record] = []
        while True:
            page = self.get("app", f"/app/v1/{stream}", **query).json()
            found += page["data"]
            if page["next_cursor"] is None:
                return found
            query["cursor"] = page["next_cursor"]

    def query(self, text: str, size: int = 2000) -> list[Record]:
        """All rows of a SOQL query, page by page."""
        found: list[Record] = []
        path: str | None = "/services/data/v59.0/query"
        more: dict[str, str] = {"q": text}
        while path:
            page = self.get("crm", path, {"Sforce-Query-Options": f"batchSize={size}"}, **more).json()
            found, path, more = found + page["records"], page.get("nextRecordsUrl"), {}
        return found

    def timeline(self, limit: int = 40) -> list[Record]:
        """All statuses with the hashtag, by the links to older pages."""
        found: list[Record] = []
        address: str | None = f"/api/v1/timelines/tag/glucoflow?limit={limit}"
        while address:
            answer = self.get("social", address)
            found, address = found + answer.json(), answer.links.get("next", {}).get("url")
        return found

    def export(self, **query: str) -> Record:
        """The manifest of a finished export, its status address added as `job`; does not wait between polls."""
        begun = self.get("device_cloud", "/fhir/$export", {"Prefer": "respond-async"}, **query)
        begun.raise_for_status()
        job = begun.headers["Content-Location"]
        while (answer := self.get("device_cloud", job)).status_code == 202:
            pass
        answer.raise_for_status()
        return {**answer.json(), "job": job}

    def lines(self, entry: Record) -> list[Record]:
        """The resources of one file of a manifest."""
        return [json.loads(line) for line in self.get("device_cloud", entry["url"]).content.splitlines()]
