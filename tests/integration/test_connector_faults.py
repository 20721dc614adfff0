"""Every fault of the simulated sources: what is healed by asking again, what is handed on, and what ends a fetch."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator

import pytest

from infra.local.sources.credentials import CLIENTS
from infra.local.sources.process import Sources, running
from jobs.connectors import Record, session
from jobs.connectors.adapter import Patience
from jobs.errors import ConcordError, SourceRefused, SourceUnavailable
from tests.integration.connecting import NAMES, STREAMS, Reader, contract, free_port, reader, requests_served

STREAM = {"adherence_app": "data_points", "crm": "optins", "social": "posts", "device_cloud": "Observation"}
SOURCES = tuple(STREAM)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sources]:
    arguments = ("--people", "80", "--days", "6", "--retry-after", "30", "--polls", "1", "--canary")
    with running(tmp_path_factory.mktemp("faults"), *arguments) as started:
        yield started


@pytest.fixture(autouse=True)
def fresh(sources: Sources, monkeypatch: pytest.MonkeyPatch) -> None:
    """No faults waiting; and a Retry-After of 30 s that is capped, or these tests would take an hour."""
    sources.control("reset")
    monkeypatch.setattr(session, "PATIENCE", Patience(backoff=0.01, longest=0.05))


def reading(sources: Sources, source_id: str, max_answer_mb: int | None = None, stream: str = "") -> Reader:
    return reader(sources, contract(source_id, None, max_answer_mb, (stream or STREAM[source_id],)))


def order(sources: Sources, source_id: str, kind: str, times: int = 1, stream: str = "") -> None:
    name = stream or STREAM[source_id]
    name = STREAMS.get(name, name)
    sources.control("faults", source=NAMES[source_id], kind=kind, times=times, stream=name)


def is_spent(sources: Sources) -> bool:
    return sources.control("state")["faults"] == []


@pytest.mark.parametrize("kind", ["429", "500", "expired_token", "cut", "truncated", "empty_page"])
@pytest.mark.parametrize("source_id", SOURCES)
def test_healed_by_asking_again(sources: Sources, source_id: str, kind: str) -> None:
    plain = reading(sources, source_id).fetch()
    order(sources, source_id, kind, times=1 if kind == "expired_token" else 2)
    again = reading(sources, source_id)
    assert again.fetch() == plain and is_spent(sources)
    assert again.fetch() == []


@pytest.mark.parametrize(("stream", "kind"), [
    ("status", "429"), ("status", "500"), ("status", "expired_token"), ("manifest", "cut"), ("manifest", "truncated")])
def test_an_export_is_waited_for(sources: Sources, stream: str, kind: str) -> None:
    plain = reading(sources, "device_cloud").fetch()
    order(sources, "device_cloud", kind, stream=stream)
    assert reading(sources, "device_cloud").fetch() == plain and is_spent(sources)


@pytest.mark.parametrize("source_id", SOURCES)
def test_a_page_that_comes_twice_is_handed_on_twice(sources: Sources, source_id: str) -> None:
    plain = reading(sources, source_id).fetch()
    order(sources, source_id, "duplicate_page", 2, "manifest" if source_id == "device_cloud" else "")
    again = reading(sources, source_id)
    doubled = Counter(again.fetch())
    assert set(doubled) == set(plain) and set(doubled.values()) >= {2 if source_id == "device_cloud" else 3}
    assert again.fetch() == [] or source_id == "device_cloud"


@pytest.mark.parametrize("kind", ["malformed", "wrong_encoding", "huge_string", "duplicate_id", "future_date",
                                  "wrong_type", "unknown_field"])
@pytest.mark.parametrize("source_id", SOURCES)
def test_a_strange_record_is_handed_on_untouched(sources: Sources, source_id: str, kind: str) -> None:
    stream = "contacts" if source_id == "crm" else STREAM[source_id]
    plain = reading(sources, source_id, stream=stream).fetch()
    order(sources, source_id, kind, stream=stream)
    strange = reading(sources, source_id, stream=stream).fetch()
    assert is_spent(sources)
    changed = [(new, old) for new, old in zip(strange, plain, strict=True) if new != old]
    assert changed and (len(changed) == 1 or kind == "wrong_encoding")
    new, old = changed[0]
    match kind:
        case "wrong_encoding":
            assert "Münchner Straße".encode("latin-1") in b"".join(r.payload for r in strange)
            assert all((r.record_id is None) == (not _is_utf8(r.payload)) for r in strange)
        case "huge_string":
            assert len(new.payload) > 2_000_000 and new.record_id == old.record_id
        case "duplicate_id":
            assert new.record_id == plain[0].record_id != old.record_id
        case "malformed" if source_id == "device_cloud":
            assert new.record_id is None and old.payload.startswith(new.payload)
        case _:
            assert new.record_id == old.record_id


def _is_utf8(payload: bytes) -> bool:
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True


@pytest.mark.parametrize("source_id", SOURCES)
def test_a_strange_record_comes_once_and_its_correction_too(sources: Sources, source_id: str) -> None:
    stream = "contacts" if source_id == "crm" else STREAM[source_id]
    order(sources, source_id, "wrong_encoding", stream=stream)
    again = reading(sources, source_id, stream=stream)
    again.fetch()
    again.fetch()
    assert is_spent(sources) and again.fetch() == []


@pytest.mark.parametrize(("source_id", "stream"), [("adherence_app", "users"), ("crm", "contacts"),
                                                   ("device_cloud", "Device"), ("social", "posts")])
@pytest.mark.parametrize("kind", ["future_date", "malformed"])
def test_a_wrong_date_hides_nothing_that_comes_later(sources: Sources, source_id: str, stream: str, kind: str) -> None:
    order(sources, source_id, kind, stream=stream)
    again = reading(sources, source_id, stream=stream)
    records = again.fetch()
    assert is_spent(sources)
    sources.control("advance", days=20)
    records += again.fetch()
    whole = reading(sources, source_id, stream=stream).fetch()
    assert len(whole) > 20 and len({r.payload for r in whole} - {r.payload for r in records}) <= 1  # the altered one
    assert again.fetch() == []


@pytest.mark.parametrize(("kind", "error"), [("429", SourceUnavailable), ("500", SourceUnavailable),
                                             ("cut", SourceUnavailable), ("truncated", SourceUnavailable),
                                             ("expired_token", SourceRefused)])
@pytest.mark.parametrize("source_id", SOURCES)
def test_what_does_not_heal_ends_the_fetch(sources: Sources, source_id: str, kind: str,
                                           error: type[ConcordError]) -> None:
    order(sources, source_id, kind, times=10_000)
    again = reading(sources, source_id)
    before = requests_served(sources, source_id)
    with pytest.raises(ConcordError) as failure:
        again.fetch()
    assert type(failure.value) is error and again.state == {}
    assert f"source {source_id}, stream {STREAM[source_id]}, host 127.0.0.1:" in str(failure.value)
    assert requests_served(sources, source_id) - before <= 30


@pytest.mark.parametrize("source_id", SOURCES)
def test_pages_in_a_circle_end(sources: Sources, source_id: str) -> None:
    order(sources, source_id, "empty_page", times=10_000)
    again = reading(sources, source_id)
    with pytest.raises(SourceUnavailable if source_id == "device_cloud" else SourceRefused) as failure:
        again.fetch()
    assert again.state == {} and ("circle" in str(failure.value) or source_id == "device_cloud")


@pytest.mark.parametrize("source_id", SOURCES)
def test_an_oversized_answer_is_cut_off(sources: Sources, source_id: str) -> None:
    order(sources, source_id, "oversized")
    again = reading(sources, source_id, max_answer_mb=8)
    with pytest.raises(SourceRefused, match="more than 8 MB was cut off") as failure:
        again.fetch()
    assert failure.value.exit_code == 6 and again.state == {}
    order(sources, source_id, "oversized")
    assert reading(sources, source_id, max_answer_mb=80).fetch()


@pytest.mark.parametrize("source_id", SOURCES)
def test_wrong_credentials(sources: Sources, source_id: str) -> None:
    again = reader(sources, contract(source_id), password="NOTTHEPASSWORD")
    with pytest.raises(SourceRefused, match="credentials are not accepted") as failure:
        again.fetch()
    assert "NOTTHEPASSWORD" not in _told(failure.value)


@pytest.mark.parametrize("source_id", SOURCES)
def test_a_ca_that_is_not_trusted(sources: Sources, source_id: str) -> None:
    before = requests_served(sources, source_id)
    with pytest.raises(SourceRefused, match="certificate is not trusted"):
        reader(sources, contract(source_id), ca_file=None).fetch()
    assert requests_served(sources, source_id) == before


@pytest.mark.parametrize("source_id", SOURCES)
def test_a_source_that_is_down(sources: Sources, source_id: str) -> None:
    with pytest.raises(SourceUnavailable, match="no connection") as failure:
        reader(sources, contract(source_id), base_url=f"https://127.0.0.1:{free_port()}").fetch()
    assert failure.value.exit_code == 75


@pytest.mark.parametrize("kind", ["none", "429", "500", "cut", "truncated", "expired_token", "oversized", "empty_page",
                                  "malformed", "wrong_encoding", "foreign_next"])
@pytest.mark.parametrize("source_id", SOURCES)
def test_nothing_secret_is_told(sources: Sources, source_id: str, kind: str, caplog: pytest.LogCaptureFixture,
                                capfd: pytest.CaptureFixture[str]) -> None:
    """No token, secret, query or value of the canary in an error, a log record of any level, or the output."""
    caplog.set_level(logging.DEBUG)
    if kind != "none":
        sources.control("faults", source=NAMES[source_id], kind=kind, times=10_000)
    again = reader(sources, contract(source_id, max_answer_mb=8))
    told, values = "", list[str]()
    try:
        values = _values(again.items())
    except ConcordError as error:
        told = _told(error)
    else:
        assert kind in ("none", "malformed", "wrong_encoding", "foreign_next")
    output = capfd.readouterr()
    told += output.out + output.err + "".join(r.getMessage() + str(r.exc_text or "") for r in caplog.records)
    secrets = [sources.credentials[NAMES[source_id]]["client_secret"], "Bearer ", "SELECT", "cursor=", "max_id=",
               "Canary", "CANARY", "canary", "Kanarienvogel", *values]
    assert [s for s in secrets if s in told] == []
    assert all(client not in told for client in CLIENTS.values())


def _values(records: Iterator[Record]) -> list[str]:
    return [str(r.record_id).partition("/")[2] for r in records if r.record_id]


def _told(error: BaseException) -> str:
    """The text of an error as a log would show it, with those that it admits to come from."""
    import traceback

    return "".join(traceback.format_exception(error))
