"""Every fault of the simulated sources does what it says, once for each time it was ordered, and then is over."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from infra.local.sources.client import Client
from infra.local.sources.faults import HUGE, KINDS, RECORDS
from infra.local.sources.process import Sources, running

SOURCES = ("app", "crm", "social", "device_cloud")
CONSENTS = "SELECT Id, CaptureDate, CaptureSource, PrivacyConsentStatus FROM ContactPointTypeConsent ORDER BY Id"


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sources]:
    with running(tmp_path_factory.mktemp("faults"), "--people", "90", "--days", "5", "--polls", "0") as started:
        yield started


@pytest.fixture
def client(sources: Sources) -> Client:
    sources.control("reset")
    return Client(sources)


def one_page(client: Client, source: str) -> requests.Response:
    """A request of a page with records."""
    match source:
        case "app":
            return client.get("app", "/app/v1/data-points", limit=50)
        case "crm":
            sized = {"Sforce-Query-Options": "batchSize=200"}
            return client.get("crm", "/services/data/v59.0/query", sized, q=CONSENTS)
        case "social":
            return client.get("social", "/api/v1/timelines/tag/glucoflow", limit=10)
        case _:
            return client.get("device_cloud", observations(client))


def observations(client: Client) -> str:
    output = client.export(_type="Observation")["output"]
    return str(output[0]["url"])


def records(source: str, answer: requests.Response) -> list[Any]:
    """The records of a page; a line that is no JSON stays as it is."""
    if source == "device_cloud":
        return [loaded(line) for line in answer.content.split(b"\n")[:-1]]
    content = json.loads(answer.content)
    return list(content["data"] if source == "app" else content["records"] if source == "crm" else content)


def loaded(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return line


def everything(client: Client, source: str) -> list[str]:
    """A full read, as texts, in the order read."""
    match source:
        case "app":
            found = client.feed("data-points", limit=100)
        case "crm":
            found = client.query(CONSENTS, 200)
        case "social":
            found = client.timeline(10)
        case _:
            found = [line for entry in client.export()["output"] for line in client.lines(entry)]
    return [json.dumps(record, sort_keys=True) for record in found]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(("kind", "status"), [("429", 429), ("500", 500), ("expired_token", 401)])
def test_refusals(client: Client, source: str, kind: str, status: int) -> None:
    before = one_page(client, source)
    client.fault(source, kind, times=2, stream="Observation" if source == "device_cloud" else None)
    url = before.url
    for _ in range(2):
        answer = client.get(source, url)
        assert answer.status_code == status and answer.json()
        if kind == "429":
            assert answer.headers["Retry-After"] == "1"
        if kind == "expired_token":
            assert client.get(source, url).status_code == 401
            client.held.clear()
    assert client.get(source, url).status_code == 200
    assert client.sources.control("state")["faults"] == []


@pytest.mark.parametrize("source", SOURCES)
def test_cut_and_truncated_and_oversized(client: Client, source: str) -> None:
    url, stream = one_page(client, source).url, "Observation" if source == "device_cloud" else None
    plain = client.get(source, url).content
    client.fault(source, "cut", stream=stream)
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError)):
        client.get(source, url)
    client.fault(source, "truncated", stream=stream)
    short = client.get(source, url).content
    assert len(short) < len(plain) and short[:50] == plain[:50]
    with pytest.raises(ValueError, match=r".+"):
        [json.loads(line) for line in (short.split(b"\n") if source == "device_cloud" else [short])]
    client.fault(source, "oversized", stream=stream)
    head = {"Authorization": f"Bearer {client.token(source)}"}
    with client.session.get(url, headers=head, stream=True, timeout=60) as answer:
        size, last = 0, b""
        for chunk in answer.iter_content(2**20):
            size, last = size + len(chunk), chunk
    assert size > 64 * 2**20 and last.rstrip()[-1:] == plain.rstrip()[-1:]
    assert len(client.get(source, url).content) == len(plain)


def _time(record: Any) -> str:
    for path in (("body", "effective_time_frame", "date_time"), ("CaptureDate",), ("created_at",),
                 ("effectiveDateTime",)):
        found = record
        for key in path:
            found = found.get(key) if isinstance(found, dict) else None
        if found:
            return str(found)
    return ""


CHECKS: dict[str, Callable[[Any, Any, Any], bool]] = {  # (the record, what it was, the page's first record)
    "malformed": lambda new, old, first: isinstance(new, bytes) or _time(new) == "31-31-2026T99:99",
    "wrong_encoding": lambda new, old, first: True,
    "huge_string": lambda new, old, first: len(json.dumps(new)) > HUGE,
    "duplicate_id": lambda new, old, first: _id(new) == _id(first) != _id(old),
    "future_date": lambda new, old, first: int(_time(new)[:4]) == int(_time(old)[:4]) + 10,
    "wrong_unit": lambda new, old, first: "mm[Hg]" in json.dumps(new),
    "wrong_type": lambda new, old, first: '"twelve"' in json.dumps(new) or ": 12" in json.dumps(new),
    "unknown_field": lambda new, old, first: set(new) - set(old) == {"surprise_field"},
}


def _id(record: Any) -> str:
    return str(record["header"]["id"] if "header" in record else record.get("Id") or record["id"])


@pytest.mark.parametrize("kind", RECORDS)
@pytest.mark.parametrize("source", SOURCES)
def test_one_record_is_altered(client: Client, source: str, kind: str) -> None:
    if kind == "wrong_unit" and source in ("crm", "social"):
        with pytest.raises(requests.HTTPError):
            client.fault(source, kind)
        return
    plain = one_page(client, source)
    client.fault(source, kind)
    altered = one_page(client, source)
    assert client.sources.control("state")["faults"] == []
    if kind == "wrong_encoding":
        with pytest.raises(UnicodeDecodeError):
            altered.content.decode()
        return
    old, new = records(source, plain), records(source, altered)
    assert len(new) == len(old)
    places = [i for i, pair in enumerate(zip(new, old, strict=True)) if pair[0] != pair[1]]
    assert len(places) == 1
    assert CHECKS[kind](new[places[0]], old[places[0]], old[0])
    assert records(source, one_page(client, source)) == old


@pytest.mark.parametrize("source", SOURCES)
def test_a_page_comes_twice_or_empty(client: Client, source: str) -> None:
    plain = everything(client, source)
    client.fault(source, "duplicate_page", times=2)
    doubled = everything(client, source)
    assert len(doubled) > len(plain) and sorted(set(doubled)) == sorted(set(plain))
    client.sources.control("reset")
    client.fault(source, "empty_page")
    emptied = everything(client, source)
    if source == "device_cloud":  # the manifest's count tells; another download has the lines
        assert set(emptied) < set(plain)
    else:
        assert emptied == plain
    assert everything(client, source) == plain


def test_next_links_to_a_foreign_host(client: Client) -> None:
    for source in SOURCES:
        client.fault(source, "foreign_next", host="evil.example")
    assert one_page(client, "app").json()["next_cursor"].startswith("https://evil.example/app/v1/data-points?cursor=")
    assert one_page(client, "crm").json()["nextRecordsUrl"].startswith("https://evil.example/services/data/")
    assert one_page(client, "social").links["next"]["url"].startswith("https://evil.example/")
    assert all(entry["url"].startswith("https://evil.example/fhir/") for entry in client.export()["output"])
    client.fault("crm", "foreign_next", host="@evil.example")
    assert one_page(client, "crm").json()["nextRecordsUrl"].startswith("@evil.example/services/data/")
    assert one_page(client, "app").json()["next_cursor"].isalnum()


@pytest.mark.parametrize("order", [
    {"source": "app", "kind": "pony"}, {"source": "pony", "kind": "429"}, {"source": "app"},
    {"source": "app", "kind": "429", "times": 0}, {"source": "app", "kind": "429", "sometimes": 1}])
def test_orders_nobody_could_mean_are_refused(client: Client, order: dict[str, object]) -> None:
    with pytest.raises(requests.HTTPError) as refusal:
        client.sources.control("faults", **order)
    assert refusal.value.response is not None
    assert refusal.value.response.status_code == 400


def test_every_kind_of_fault_is_tested_here() -> None:
    assert set(KINDS) == {"429", "500", "expired_token", "cut", "truncated", "oversized", "duplicate_page",
                          "empty_page", "foreign_next", *CHECKS}
