"""Files and stores that are not what they should be: a clear error, no cursor, and nothing told of what lies there."""

from __future__ import annotations

import gzip
import logging
import traceback
import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import requests

from jobs.connections import Access
from jobs.connectors import bucket, fetch, session
from jobs.connectors.adapter import Patience
from jobs.errors import ConcordError, ConfigurationError, SourceRefused, SourceUnavailable
from tests.integration.connecting import NOW, Reader, free_port
from tests.integration.dropping import LOGIN, Drop, Shelf, address, drop, dropped, shelf
from tests.integration.test_object_drop import HEADER, ids, member

__all__ = ["address", "drop"]

NAME = "Kanarienvogel"
WHOLE = gzip.compress(b"\n".join(member(f"m{n}") for n in range(9_000)))


@pytest.fixture
def bent() -> Iterator[Shelf]:
    with shelf() as started:
        yield started


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "PATIENCE", Patience(backoff=0.01, longest=0.05))


def refused(reading: Reader, error: type[ConcordError] = SourceRefused) -> str:
    """What a fetch that fails says, with everything that a log would show of it; its cursor stays."""
    state = dict(reading.state)
    with pytest.raises(ConcordError) as failure:
        reading.fetch()
    assert type(failure.value) is error and reading.state == state
    told = "".join(traceback.format_exception(failure.value))
    assert NAME not in told and LOGIN[1] not in told
    return str(failure.value)


BAD: dict[str, tuple[bytes, str]] = {
    "letter.txt": (b"Dear study", "another kind than .ndjson, .jsonl or .csv"), "csv": (HEADER, "another kind"),
    "data.csv.zip": (b"PK", "another kind"), "none.csv": (b"", "empty, without even a header"), "blank.csv": (b"\r\n\r\n", "without even a header"),
    "twice.csv": (b"participant_id,sex,sex\r\np,F,F\r\n", "names a column twice"), "unnamed.csv": (b"participant_id,,sex\r\n", "without a name"),
    "headless.csv": (b"p1,Anna,F\r\n", "its header is missing, or lacks the column"),
    "semicolons.csv": (b"participant_id;given_name\r\n", "lacks the column"), "latin.csv": ("participant_id,Größe\r\n".encode("latin-1"), "not CSV in UTF-8"),
    "utf16.csv": ("participant_id,sex\r\n".encode("utf-16"), "not CSV in UTF-8"), "quotes.csv": (b'participant_id,"a"b\r\n', "not CSV in UTF-8"),
    "no.csv.gz": (HEADER, "no gzip"), "empty.csv.gz": (b"", "gzip ends before its time"), "short.csv.gz": (gzip.compress(HEADER)[:-9], "ends before its time"),
    "wrong.csv.gz": (gzip.compress(HEADER)[:-8] + bytes(8), "no gzip, or a broken one"),
    "large.csv": (HEADER + b"x" * 2**20, "holds more than 1 MB"), "bomb.csv.gz": (gzip.compress(HEADER + b"\n" * 2**26), "holds more than 1 MB")}


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_cannot_be_taken_is_named_by_its_place_until_it_is_corrected(drop: Drop, name: str) -> None:
    content, said = BAD[name]
    reading = drop.reader(dropped("study", "participants", max_answer_mb=1))
    drop.put("participants/A.csv", HEADER + b"p1,Anna,F\r\n")
    assert ids(reading.fetch()) == ["p1"]
    drop.put(f"participants/{NAME} {name}", content)
    told = refused(reading)
    assert said in told and "number 2 of 2 by time" in told and f"source study, stream participants, host {drop.store[7:]}" in told
    drop.remove(f"participants/{NAME} {name}")
    drop.put(f"participants/{NAME}.csv", HEADER + b"p2,Bert,M\r\n")
    assert ids(reading.fetch()) == ["p2"]


def test_a_large_object_is_refused_before_it_is_asked_for(bent: Shelf) -> None:
    bent.objects = {"members/a.ndjson": (b"x" * (2**20 + 1), "2026-10-01T00:00:00Z")}
    assert "more than 1 MB" in refused(bent.drop.reader(dropped("community", "members", max_answer_mb=1)))
    assert bent.asked == []


def test_an_unpacked_piece_is_never_large() -> None:
    from jobs.connectors.object_drop import _unpacked
    pieces = [len(piece) for piece in _unpacked([zlib.compress(bytes(2**26), 9, zlib.MAX_WBITS | 16)])]
    assert sum(pieces) == 2**26 and max(pieces) <= bucket.CHUNK


@pytest.mark.parametrize("change", ["overwritten", "taken away"])
def test_an_object_that_changes_while_the_others_are_read(drop: Drop, change: str) -> None:
    reading = drop.reader(dropped("community", "members"))
    drop.put("members/A.ndjson", member("a"))
    drop.put(f"members/{NAME}.ndjson", member("b"))
    found = reading.items()
    assert next(found).record_id == "members/a"
    if change == "overwritten":
        drop.put(f"members/{NAME}.ndjson", member("c"))
    else:
        drop.remove(f"members/{NAME}.ndjson")
    with pytest.raises(SourceUnavailable, match="changed or taken away while it was read; try again") as failure:
        next(found)
    assert failure.value.exit_code == 75 and NAME not in "".join(traceback.format_exception(failure.value))
    assert reading.state == {} and ids(reading.fetch()) == (["a", "c"] if change == "overwritten" else ["a"])


@pytest.mark.parametrize("name", ["a.ndjson", "a.ndjson.gz"])
@pytest.mark.parametrize(("cuts", "shorts"), [(2, 0), (0, 2)])
def test_a_read_that_was_cut_goes_on_where_it_was(bent: Shelf, name: str, cuts: int, shorts: int) -> None:
    content = WHOLE if name.endswith("gz") else gzip.decompress(WHOLE)
    bent.objects, bent.cuts, bent.shorts = {f"members/{name}": (content, "2026-10-01T00:00:00Z")}, cuts, shorts
    assert ids(bent.drop.reader(dropped("community", "members")).fetch()) == [f"m{n}" for n in range(9_000)]
    assert len(bent.asked) == len(set(bent.asked)) == 3


def test_a_read_that_stays_cut_ends_the_fetch(bent: Shelf) -> None:
    bent.objects, bent.cuts = {f"members/{NAME}.ndjson": (gzip.decompress(WHOLE), "2026-10-01T00:00:00Z")}, 99
    assert "stayed incomplete; try again later" in refused(bent.drop.reader(dropped("community", "members")), SourceUnavailable)
    assert len(bent.asked) == session.PATIENCE.repeats


def test_pages_of_a_listing_in_a_circle_end(bent: Shelf) -> None:
    bent.token = NAME
    assert "its pages go in a circle" in refused(bent.drop.reader(dropped("community", "members")))


def test_what_is_no_store_is_said(bent: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bent, "listing", lambda: f"<html>{NAME}".encode())
    told = refused(bent.drop.reader(dropped("community", "members")), SourceUnavailable)
    assert "failed (status 500)" in told, "boto's own word for it"


def test_more_objects_than_a_cursor_may_hold(bent: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket, "MOST", 3)
    bent.objects = {f"members/{n}.ndjson": (member(str(n)), "2026-10-01T00:00:00Z") for n in range(3)}
    assert len(bent.drop.reader(dropped("community", "members")).fetch()) == 3
    bent.objects["members/4.ndjson"] = (member("4"), "2026-10-01T00:00:00Z")
    assert "more than 3 objects lie there" in refused(bent.drop.reader(dropped("community", "members")))


def test_a_bucket_that_does_not_exist(drop: Drop) -> None:
    told = refused(drop.reader(dropped("community"), base_url=f"{drop.store}/nowhere"))
    assert "there is no such bucket; correct base_url of the connection" in told


def test_a_store_that_is_down(drop: Drop) -> None:
    told = refused(drop.reader(dropped("community"), base_url=f"http://127.0.0.1:{free_port()}/x-y"), SourceUnavailable)
    assert "no connection" in told


def test_access_denied(drop: Drop, address: str) -> None:
    reading = drop.reader(dropped("community", "members"))
    drop.put(f"members/{NAME}.ndjson", member("a"))
    with requests.Session() as http:
        http.trust_env = False
        try:
            assert http.post(f"{address}/moto-api/reset-auth", data="0").ok
            told = refused(reading)
        finally:
            http.post(f"{address}/moto-api/reset-auth", data="inf")
    assert "the credentials are not accepted (status 403, InvalidAccessKeyId)" in told
    assert len(reading.fetch()) == 1


@pytest.mark.parametrize(("change", "said"), [
    ({"base_url": "http://127.0.0.1:1"}, "ends in no bucket"), ({"base_url": "http://127.0.0.1:1/a-bucket/members"}, "ends in no bucket"),
    ({"base_url": "http://127.0.0.1:1/UPPER_CASE"}, "ends in no bucket"), ({"login": ""}, "lacks login or password"),
    ({"password": ""}, "lacks login or password")])
def test_a_connection_that_leads_to_no_bucket(change: dict[str, Any], said: str) -> None:
    found = replace(Access("http://127.0.0.1:1/a-bucket", *LOGIN, None), **change)
    with pytest.raises(ConfigurationError, match=said) as failure:
        list(fetch(dropped("community"), found, {}, lambda stream, days: {}, NOW))
    assert LOGIN[1] not in str(failure.value)


def test_credentials_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch, bent: Shelf) -> None:
    seen: list[str] = []
    listing = bent.listing
    monkeypatch.setattr(bent, "listing", lambda: seen.append("asked") or listing())
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ENVIRONMENT")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{free_port()}")
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    assert bent.drop.reader(dropped("community", "members")).fetch() == [] and seen == ["asked"]


@pytest.mark.parametrize("kind", ["none", "bad file", "cut", "no bucket"])
def test_nothing_is_told_of_keys_rows_or_secrets(bent: Shelf, kind: str, caplog: pytest.LogCaptureFixture,
                                                 capfd: pytest.CaptureFixture[str]) -> None:
    caplog.set_level(logging.DEBUG)
    content = b"" if kind == "bad file" else HEADER + f"p1,{NAME},F\r\np2,{NAME}\r\n".encode()
    bent.objects, bent.cuts = {f"participants/{NAME}.csv": (content, "2026-10-01T00:00:00Z")}, 99 if kind == "cut" else 0
    reading, told = bent.drop.reader(dropped("study", "participants"), password="SECRETOFTHISTEST"), ""
    if kind == "no bucket":
        reading.access = replace(reading.access, base_url=f"{bent.drop.store}/not-there")
    try:
        assert len(reading.fetch()) == 2 and kind == "none"
    except ConcordError as error:
        told = "".join(traceback.format_exception(error))
    output = capfd.readouterr()
    told += output.out + output.err + "".join(r.getMessage() + str(r.exc_text or "") for r in caplog.records)
    assert not [s for s in (NAME, "SECRETOFTHISTEST", "Signature", "participants/") if s in told]
