"""The device cloud's FHIR R4 Bulk Data API: asynchronous export into NDJSON files, with deletions.

An export shows the resources as they were at its transactionTime, however the clock moves while files are fetched.
"""

from __future__ import annotations

import gzip
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import parse_qs

import msgspec
from fastapi import APIRouter, Request, Response

from .cloud_records import TYPES, CloudRecords
from .faults import PAGES, Shape
from .hashing import uuids
from .readings import Rows
from .site import Site, problem
from .versions import Record, instant, utc

NDJSON, FHIR = "application/fhir+ndjson", "application/fhir+json"
KEPT, PER_BUNDLE = 20, 200
SHAPES = {
    "Patient": Shape(("id",), ("birthDate",), ("name", 0, "family"), ("name", 0, "family")),
    "Device": Shape(("id",), ("meta", "lastUpdated"), ("serialNumber",), ("serialNumber",)),
    "Condition": Shape(("id",), ("recordedDate",), ("code", "text"), ("code", "text")),
    "Consent": Shape(("id",), ("dateTime",), ("status",), ("status",)),
    "Observation": Shape(("id",), ("effectiveDateTime",), ("valueQuantity", "unit"), ("valueQuantity", "value"),
                         ("valueQuantity", "code")),
}


@dataclass(slots=True)
class Export:
    """One export: its request, the instant it shows, how often it was polled, and its files by name.

    A file is (type, number of lines, function that renders the lines).
    """

    request: str
    clock: int
    files: OrderedDict[str, tuple[str, int, Callable[[], list[Record]]]] = field(default_factory=OrderedDict)
    deleted: OrderedDict[str, tuple[str, int, Callable[[], list[Record]]]] = field(default_factory=OrderedDict)
    polled: int = 0


class CloudApi:
    """The routes under /fhir."""

    def __init__(self, site: Site) -> None:
        self.site, self.exports = site, OrderedDict[str, Export]()
        self.router = APIRouter(prefix="/fhir")
        for path, handler, method in (
                ("/token", self.token, "POST"), ("/$export", self.kick_off, "GET"),
                ("/Patient/$export", self.kick_off, "GET"), ("/jobs/{job}", self.status, "GET"),
                ("/jobs/{job}", self.cancel, "DELETE"), ("/files/{job}/{name}", self.file, "GET"),
                ("/metadata", self.metadata, "GET")):
            self.router.add_api_route(path, handler, methods=[method], response_model=None)

    async def token(self, request: Request) -> Response:
        """A bearer token for client credentials."""
        return await self.site.token(request, "device_cloud", {"scope": "system/*.read"})

    async def metadata(self) -> Response:
        """What the server can do."""
        rest = {"mode": "server", "operation": [{"name": "export", "definition":
                "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/export"}]}
        return self.site.answer("device_cloud", "metadata", {
            "resourceType": "CapabilityStatement", "status": "active", "date": "2026-01-01", "kind": "instance",
            "fhirVersion": "4.0.1", "format": ["json"], "rest": [rest]})

    async def kick_off(self, request: Request) -> Response:
        """Begin an export: 202 with the address to poll."""
        refusal = self.site.gate(request, "device_cloud", "export")
        if refusal is not None:
            return refusal
        query = parse_qs(request.url.query)
        types = [t for text in query.get("_type", [",".join(TYPES)]) for t in text.split(",")]
        try:
            since = instant(query["_since"][0]) if "_since" in query else None
        except ValueError:
            return problem("device_cloud", 400, "_since must be a FHIR instant")
        if "respond-async" not in request.headers.get("prefer", ""):
            return problem("device_cloud", 400, "Prefer: respond-async is needed")
        if unknown := [t for t in types if t not in TYPES]:
            message = f"{len(unknown)} types in _type are not served here"
            return problem("device_cloud", 400, message, code="not-supported")
        job = uuids(self.site.world.settings.seed, "export", self.site.served["exports"])[0]
        self.site.served["exports"] += 1
        export = Export(str(request.url), self.site.world.clock)
        for name in TYPES:
            if name in types:
                _fill(export, self.site.world.cloud, name, since)
        self.exports[job] = export
        while len(self.exports) > KEPT:
            self.exports.popitem(last=False)
        return Response(status_code=202, headers={"Content-Location": f"{_base(request)}/fhir/jobs/{job}"})

    async def status(self, request: Request, job: str) -> Response:
        """Not yet (202), or the manifest (200)."""
        refusal = self.site.gate(request, "device_cloud", "status")
        if refusal is not None:
            return refusal
        export = self.exports.get(job)
        if export is None:
            return problem("device_cloud", 404, "no such export")
        export.polled += 1
        if export.polled <= self.site.polls:
            done = 100 * export.polled // (self.site.polls + 1)
            return Response(status_code=202, headers={"X-Progress": f"{done} % done",
                                                      "Retry-After": str(self.site.retry_after)})
        manifest = self._manifest(export, job, _base(request))
        body = msgspec.json.encode(manifest)
        return self.site.raw("device_cloud", "manifest", body, ("application/json", {}))

    async def cancel(self, request: Request, job: str) -> Response:
        """Forget an export and its files."""
        refusal = self.site.gate(request, "device_cloud", "status")
        if refusal is not None:
            return refusal
        if self.exports.pop(job, None) is None:
            return problem("device_cloud", 404, "no such export")
        return Response(status_code=202)

    async def file(self, request: Request, job: str, name: str) -> Response:
        """One NDJSON file of an export."""
        export = self.exports.get(job)
        found = {**export.files, **export.deleted}.get(name) if export else None
        stream = found[0] if found else "file"
        refusal = self.site.gate(request, "device_cloud", stream)
        if refusal is not None:
            return refusal
        if export is None or found is None:
            return problem("device_cloud", 404, "no such file")
        is_output = name in export.files
        fault = self.site.faults.take("device_cloud", ("empty_page",), stream) if is_output else None
        records = [] if fault else found[2]()
        altered = self.site.alter("device_cloud", stream, records, SHAPES[stream]) if is_output else None
        lines = [msgspec.json.encode(record) for record in records]
        if altered == "malformed" and lines:
            lines[0] = lines[0][: len(lines[0]) // 2]
        body, headers = b"".join(line + b"\n" for line in lines), {}
        waiting = any(f.source == "device_cloud" and f.kind in ("cut", "truncated", "oversized")
                      for f in self.site.faults.waiting)
        if "gzip" in request.headers.get("accept-encoding", "") and not altered and not waiting:
            body, headers = gzip.compress(body, 1, mtime=0), {"Content-Encoding": "gzip"}
        return self.site.raw("device_cloud", stream, body, (NDJSON, headers), altered)

    def _manifest(self, export: Export, job: str, base: str) -> Record:
        foreign = self.site.faults.take("device_cloud", ("foreign_next",), "manifest")
        host = f"https://{foreign.host}" if foreign else base
        output = [{"type": kind, "url": f"{host}/fhir/files/{job}/{name}", "count": count}
                  for name, (kind, count, _) in export.files.items()]
        if output and self.site.faults.take("device_cloud", PAGES[:1], "manifest"):
            output.insert(0, dict(output[0]))
        deleted = [{"type": "Bundle", "url": f"{host}/fhir/files/{job}/{name}", "count": count}
                   for name, (_, count, _) in export.deleted.items()]
        return {"transactionTime": utc(export.clock), "request": export.request, "requiresAccessToken": True,
                "output": output, "deleted": deleted, "error": []}


def _base(request: Request) -> str:
    return f"https://{request.url.netloc}"


def _fill(export: Export, cloud: CloudRecords, kind: str, since: int | None) -> None:
    """Divide what an export shows of one type into at least three files where there is enough of it."""
    after, gone = -1 if since is None else since, list[str]()
    if kind == "Observation":
        rows = cloud.observations.current(export.clock, after)
        shown, gone = rows[~rows["deleted"]], cloud.observation_ids(rows[rows["deleted"]])
        for number, first in _pieces(len(shown)):
            piece = shown[first : first + _per_file(len(shown))]
            export.files[f"{kind}.{number:04d}.ndjson"] = kind, len(piece), partial(_rendered, cloud, piece)
    else:
        versions = list(cloud.logs[kind].current(export.clock, after))
        records, gone = [v.record for v in versions if not v.deleted], [v.id for v in versions if v.deleted]
        for number, first in _pieces(len(records)):
            part = records[first : first + _per_file(len(records))]
            export.files[f"{kind}.{number:04d}.ndjson"] = kind, len(part), partial(list, part)
    if gone and since is not None:
        bundles = [_bundle(kind, gone[i : i + PER_BUNDLE]) for i in range(0, len(gone), PER_BUNDLE)]
        export.deleted[f"{kind}.deleted.ndjson"] = kind, len(bundles), lambda: bundles


def _rendered(cloud: CloudRecords, rows: Rows) -> list[Record]:
    return list(cloud.render(rows))


def _per_file(total: int) -> int:
    return min(5000, max(50, -(-total // 3)))


def _pieces(total: int) -> list[tuple[int, int]]:
    return list(enumerate(range(0, total, _per_file(total)), start=1))


def _bundle(kind: str, names: list[str]) -> Record:
    entries = [{"request": {"method": "DELETE", "url": f"{kind}/{name}"}} for name in names]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}
