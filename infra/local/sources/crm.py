"""The CRM's REST API, compatible with Salesforce: token, SOQL query with locators, deleted records by queryAll."""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from . import soql
from .faults import PAGES, Shape
from .population import salesforce_id
from .site import Site, problem
from .versions import Record

VERSION, PAGE, KEPT = "v59.0", 2000, 40
DATA = f"/services/data/{VERSION}"
SHAPES = {
    "Contact": Shape(("Id",), ("SystemModstamp",), ("LastName",), ("LastName",)),
    "ContactPointEmail": Shape(("Id",), ("SystemModstamp",), ("EmailAddress",), ("IsVerified__c",)),
    "ContactPointPhone": Shape(("Id",), ("SystemModstamp",), ("TelephoneNumber",), ("IsVerified__c",)),
    "ContactPointTypeConsent": Shape(("Id",), ("CaptureDate",), ("CaptureSource",), ("PrivacyConsentStatus",)),
    "Case": Shape(("Id",), ("CreatedDate",), ("Description",), ("Subject",)),
}


@dataclass(frozen=True, slots=True)
class Result:
    """The whole answer to a query, kept for its later pages."""

    name: str
    query: soql.Query
    records: list[Record]
    size: int
    path: str


class CrmApi:
    """The routes under /services, also under /crm/services; clients that keep only the host find the former."""

    def __init__(self, site: Site, prefix: str, results: OrderedDict[str, Result]) -> None:
        self.site, self.results = site, results
        self.router = APIRouter(prefix=prefix)
        for path, handler, method in (
                ("/services/oauth2/token", self.token, "POST"),
                (f"{DATA}/query", self.query, "GET"), (f"{DATA}/query/", self.query, "GET"),
                (f"{DATA}/queryAll", self.query_all, "GET"), (f"{DATA}/queryAll/", self.query_all, "GET"),
                (f"{DATA}/query/{{locator}}", self.more, "GET"), (f"{DATA}/queryAll/{{locator}}", self.more, "GET"),
                (f"{DATA}/sobjects/{{name}}/describe", self.describe, "GET")):
            self.router.add_api_route(path, handler, methods=[method], response_model=None)

    async def token(self, request: Request) -> Response:
        """A session for client credentials, as Salesforce's token answer."""
        host = f"https://{request.url.netloc}"
        extra: Record = {"instance_url": host, "id": f"{host}/id/00D/005", "scope": "api", "issued_at": "0",
                         "signature": ""}
        return await self.site.token(request, "crm", extra)

    async def query(self, request: Request) -> Response:
        """The first page of a query over records that are not deleted."""
        return self._first(request, deleted_too=False)

    async def query_all(self, request: Request) -> Response:
        """The first page of a query over all records, deleted ones included."""
        return self._first(request, deleted_too=True)

    async def more(self, request: Request, locator: str) -> Response:
        """A later page of a query, by the address that the page before it gave."""
        found = re.fullmatch(r"(\w+)-(\d+)", locator)
        result = self.results.get(found.group(1)) if found else None
        refusal = self.site.gate(request, "crm", result.query.entity if result else "")
        if refusal is not None:
            return refusal
        if found is None or result is None:
            return problem("crm", 400, "invalid query locator", code="INVALID_QUERY_LOCATOR")
        return self._page(result, int(found.group(2)))

    async def describe(self, request: Request, name: str) -> Response:
        """Names and types of the fields of an object."""
        refusal = self.site.gate(request, "crm", name)
        if refusal is not None:
            return refusal
        if name not in soql.OBJECTS:
            return problem("crm", 404, "The requested resource does not exist")
        fields = [{"name": field, "type": kind, "nillable": field not in soql.SYSTEM, "custom": field.endswith("__c")}
                  for field, kind in soql.OBJECTS[name].items()]
        return self.site.answer("crm", name, {"name": name, "queryable": True, "fields": fields})

    def _first(self, request: Request, *, deleted_too: bool) -> Response:
        try:
            query: soql.Query | soql.SoqlError = soql.parse(request.query_params.get("q", ""))
        except soql.SoqlError as error:
            query = error
        refusal = self.site.gate(request, "crm", query.entity if isinstance(query, soql.Query) else "")
        if refusal is not None:
            return refusal
        if isinstance(query, soql.SoqlError):
            return problem("crm", 400, query.message, code=query.code)
        shown = self.site.world.crm.logs[query.entity].current(self.site.world.clock)
        records = query.run(version.record for version in shown if deleted_too or not version.deleted)
        if query.is_count:
            return self.site.answer("crm", query.entity, {"totalSize": len(records), "done": True, "records": []})
        asked = re.search(r"batchSize\s*=\s*(\d+)", request.headers.get("sforce-query-options", ""))
        size = min(max(int(asked.group(1)), 200), PAGE) if asked else PAGE
        name = salesforce_id("01g", "locator", self.site.served["locators"])
        self.site.served["locators"] += 1
        result = Result(name, query, records, size, "queryAll" if deleted_too else "query")
        self.results[name] = result
        while len(self.results) > KEPT:
            self.results.popitem(last=False)
        return self._page(result, 0)

    def _page(self, result: Result, first: int) -> Response:
        entity, last = result.query.entity, min(first + result.size, len(result.records))
        fault = self.site.faults.take("crm", PAGES, entity) if first < len(result.records) else None
        records = [] if fault and fault.kind == "empty_page" else [
            _picked(entity, result.query.fields, record) for record in result.records[first:last]]
        altered = self.site.alter("crm", entity, records, SHAPES[entity])
        following = first if fault else last if last < len(result.records) else None
        content: Record = {"totalSize": len(result.records), "done": following is None, "records": records}
        if following is not None:
            content["nextRecordsUrl"] = self._next(f"{DATA}/{result.path}/{result.name}-{following}", entity)
        return self.site.answer("crm", entity, content, {"Sforce-Limit-Info": "api-usage=25/15000"}, altered)

    def _next(self, path: str, entity: str) -> str:
        """The next page's address; a foreign host that begins with @ stays a bare suffix to the client's own host."""
        foreign = self.site.faults.take("crm", ("foreign_next",), entity)
        if foreign is None:
            return path
        return f"{foreign.host}{path}" if foreign.host.startswith("@") else f"https://{foreign.host}{path}"


def _picked(entity: str, fields: tuple[str, ...], record: Record) -> Record:
    url = f"{DATA}/sobjects/{entity}/{record['Id']}"
    return {"attributes": {"type": entity, "url": url}, **{field: record[field] for field in fields}}
