"""The four connectors against the simulated source systems, over TLS: everything once, then only what is new."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from infra.local.sources.client import Client
from infra.local.sources.process import Sources, running
from jobs.connectors import Record, session
from jobs.connectors.adapter import Patience
from jobs.connectors.salesforce import fields, soql
from tests.integration.connecting import NAMES, STREAMS, contract, counts, reader, requests_served

SOURCES = tuple(NAMES)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sources]:
    arguments = ("--people", "80", "--days", "3", "--retry-after", "30", "--polls", "1")
    with running(tmp_path_factory.mktemp("connectors"), *arguments) as started:
        yield started


@pytest.fixture(autouse=True)
def fresh(sources: Sources, monkeypatch: pytest.MonkeyPatch) -> None:
    sources.control("reset")
    monkeypatch.setattr(session, "PATIENCE", Patience(backoff=0.01, longest=0.05))


def latest(records: list[Record]) -> dict[str | None, bytes]:
    """The newest payload of each record, deletions taken out."""
    found: dict[str | None, bytes] = {}
    for record in records:
        if record.is_deleted:
            found.pop(record.record_id, None)
        else:
            found[record.record_id] = record.payload
    return found


@pytest.mark.parametrize("source_id", SOURCES)
def test_a_first_fetch_brings_everything(sources: Sources, source_id: str) -> None:
    reading = reader(sources, contract(source_id))
    records = reading.fetch()
    found = Counter(STREAMS.get(r.stream, r.stream) for r in records)
    expected = counts(sources, source_id)
    assert sum(expected.values()) > 10
    if source_id == "crm":  # the simulator counts what is not deleted
        assert {n: sum(not r.is_deleted for r in records if STREAMS[r.stream] == n) for n in found} == expected
    else:
        assert found == expected
    assert set(reading.state) == {s.name for s in reading.source.streams}
    assert all(r.record_id and r.record_id.startswith(f"{r.stream}/") and len(r.record_id) > 12 for r in records)


@pytest.mark.parametrize("source_id", SOURCES)
def test_a_second_fetch_brings_nothing(sources: Sources, source_id: str) -> None:
    reading = reader(sources, contract(source_id))
    assert reading.fetch()
    state = dict(reading.state)
    assert reading.fetch() == []
    assert reading.state == state


@pytest.mark.parametrize("source_id", SOURCES)
def test_increments_add_up_to_a_full_fetch(sources: Sources, source_id: str) -> None:
    reading = reader(sources, contract(source_id))
    records = reading.fetch()
    for _ in range(4):
        sources.control("advance", days=5.3)
        news = reading.fetch()
        assert news and reading.fetch() == []
        records += news
    whole = reader(sources, contract(source_id)).fetch()
    if source_id == "adherence_app":  # a feed of all changes: nothing twice, nothing missing
        assert Counter(records) == Counter(whole) and sum(r.is_deleted for r in records) > 2
    else:
        assert latest(records) == latest(whole)
        assert Counter(r.payload for r in records).most_common(1)[0][1] == 1


@pytest.mark.parametrize(("source_id", "stream"), [("social", "posts"), ("device_cloud", "Observation")])
def test_edits_and_deletions_come_once(sources: Sources, source_id: str, stream: str) -> None:
    sources.control("advance", days=12)
    reading = reader(sources, contract(source_id, streams=(stream,)))
    first = {r.record_id: r.payload for r in reading.fetch()}
    sources.control("advance", days=16)
    later = reading.fetch()
    gone = [r for r in later if r.is_deleted]
    edited = [r for r in later if r.record_id in first and not r.is_deleted]
    assert edited and any(r.record_id in first for r in gone)
    assert all(first[r.record_id] != r.payload for r in edited)
    assert not {r.record_id for r in gone} & {r.record_id for r in reader(sources, reading.source).fetch()}
    assert reading.fetch() == []


def test_a_deletion_is_known_by_its_mark(sources: Sources) -> None:
    sources.control("advance", days=300)
    users = reader(sources, contract("adherence_app", streams=("users",))).fetch()
    contacts = reader(sources, contract("crm", streams=("contacts",))).fetch()
    for records, mark in ((users, b'"deleted":true'), (contacts, b'"IsDeleted":true')):
        assert any(r.is_deleted for r in records) and any(not r.is_deleted for r in records)
        assert all(r.is_deleted == (mark in r.payload) for r in records)


def test_payloads_are_the_bytes_of_the_page(sources: Sources) -> None:
    client = Client(sources)
    page = client.get("app", "/app/v1/data-points", limit=40).content
    records = reader(sources, contract("adherence_app", streams=("data_points",))).fetch()
    joined = b",".join(r.payload for r in records[:40])
    assert page.startswith(b'{"data":[' + joined + b'],"next_cursor"')
    source = contract("crm", streams=("optins",))
    query = soql(source.streams[0], fields(source, source.streams[0]), None)
    answer = client.get("crm", "/services/data/v59.0/queryAll", {"Sforce-Query-Options": "batchSize=200"}, q=query)
    joined = b",".join(r.payload for r in reader(sources, source).fetch()[:200])
    assert b'"records":[' + joined + b"]" in answer.content and b'{"attributes":{' in joined
    timeline = client.get("social", "/api/v1/timelines/tag/glucoflow?limit=7").content
    assert b"[" + b",".join(r.payload for r in reader(sources, contract("social")).fetch()[:7]) + b"]" == timeline
    patients = b"".join(client.get("device_cloud", e["url"]).content for e in client.export(_type="Patient")["output"])
    cloud = reader(sources, contract("device_cloud", streams=("Patient",))).fetch()
    assert b"".join(r.payload + b"\n" for r in cloud) == patients


def test_the_crm_is_asked_for_the_fields_of_the_contract(sources: Sources) -> None:
    source = contract("crm")
    for stream in source.streams:
        names = fields(source, stream)
        assert names[0] == "Id" and stream.since in names and len(set(names)) == len(names)
        record = msgspec.json.decode(reader(sources, contract("crm", streams=(stream.name,))).fetch()[0].payload)
        assert set(record) == {"attributes", *names}
    assert set(fields(source, source.stream("contacts"))) == {
        "Id", "SystemModstamp", "IsDeleted", "FirstName", "LastName", "Birthdate", "GenderIdentity", "Email",
        "MobilePhone", "MailingCountryCode", "MailingPostalCode", "MailingCity"}


@pytest.mark.parametrize("source_id", ["adherence_app", "crm", "social"])
def test_pages_are_handed_on_as_they_arrive(sources: Sources, source_id: str) -> None:
    stream = {"adherence_app": "data_points", "crm": "optins", "social": "posts"}[source_id]
    source = contract(source_id, streams=(stream,))
    before = requests_served(sources, source_id)
    whole = reader(sources, source).fetch()
    all_of_them = requests_served(sources, source_id) - before
    before = requests_served(sources, source_id)
    items = reader(sources, source).items()
    assert next(items) == whole[0]
    assert requests_served(sources, source_id) - before < all_of_them
    items.close()


@pytest.mark.parametrize("source_id", SOURCES)
def test_a_stream_without_end_has_no_cursor(sources: Sources, source_id: str) -> None:
    """The last stream fails; those before it keep their cursors, and the next fetch brings the rest, nothing twice."""
    source = contract(source_id)
    last = source.streams[-1].name
    reading = reader(sources, source)
    sources.control("faults", source=NAMES[source_id], kind="truncated", stream=STREAMS.get(last, last), times=20)
    with pytest.raises(Exception, match=f"stream {last}") as failure:
        reading.fetch()
    assert failure.value.exit_code == 75  # type: ignore[attr-defined]
    assert list(reading.state) == [s.name for s in source.streams[:-1]]
    sources.control("reset")
    assert {r.stream for r in reading.fetch()} == {last}


def test_an_export_is_deleted_at_the_source(sources: Sources) -> None:
    client, asked = Client(sources), list[str]()
    source = contract("device_cloud", streams=("Patient",))
    original = session.Session.delete

    def watched(self: session.Session, url: str, **more: Any) -> object:
        asked.append(url)
        return original(self, url, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session.Session, "delete", watched)
        reader(sources, source).fetch()
    assert len(asked) == 1 and client.get("device_cloud", asked[0]).status_code == 404


def test_posts_of_a_long_pause_are_not_lost(sources: Sources) -> None:
    """Of posts older than revisit_days, changes are not looked for; but none that is new is missed."""
    reading = reader(sources, contract("social"))
    records = reading.fetch()
    sources.control("advance", days=75)
    records += reading.fetch()
    whole = reader(sources, contract("social")).fetch()
    assert len(whole) > 100 and {r.record_id for r in whole} <= {r.record_id for r in records}
    before = requests_served(sources, "social")
    assert reading.fetch() == []
    assert requests_served(sources, "social") - before < len(whole) / 7 + 2
