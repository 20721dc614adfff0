"""The guards of a session: one origin, one certificate authority, bounded answers; against servers that cheat."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from infra.local.sources.process import Sources, running
from jobs.connections import Access, access
from jobs.connectors import fetch, session
from jobs.connectors.adapter import Patience
from jobs.errors import ConfigurationError, SourceRefused, SourceUnavailable
from tests.integration.connecting import NAMES, NOW, Listener, contract, odd_server, plain, read, reader, say


@pytest.fixture
def listener() -> Iterator[Listener]:
    opened = Listener()
    yield opened
    opened.socket.close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "PATIENCE", Patience(backoff=0.01, longest=0.05))


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sources]:
    with running(tmp_path_factory.mktemp("guards"), "--people", "80", "--days", "6", "--polls", "0") as started:
        yield started


@pytest.mark.parametrize("source_id", list(NAMES))
def test_a_foreign_link_is_not_followed(sources: Sources, source_id: str, listener: Listener) -> None:
    sources.control("reset")
    sources.control("faults", source=NAMES[source_id], kind="foreign_next", host=f"127.0.0.1:{listener.port}")
    again = reader(sources, contract(source_id))
    with pytest.raises(SourceRefused, match=f"https://127.0.0.1:{listener.port}"):
        again.fetch()
    assert listener.got == []


def test_a_host_behind_an_at_sign_is_foreign(sources: Sources, listener: Listener) -> None:
    sources.control("reset")
    sources.control("faults", source="crm", kind="foreign_next", host=f"@127.0.0.1:{listener.port}")
    with pytest.raises(SourceRefused, match=f"https://127.0.0.1:{listener.port}"):
        reader(sources, contract("crm")).fetch()
    assert listener.got == []


@pytest.mark.parametrize("form", [
    "https://127.0.0.1:{own}@127.0.0.1:{other}/x", "http://127.0.0.1:{own}/x", "https://127.0.0.1:{other}/x",
    "//127.0.0.1:{other}/x", "https://127.0.0.1:{own}1/x", "https://localhost:{own}/x", "ftp://127.0.0.1:{own}/x",
    "https://127.0.0.1:{other}\\@127.0.0.1:{own}/x", "file:///etc/hostname", "https://127.0.0.1:{own}.example/"])
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_elsewhere_is_not_followed(tmp_path: Path, listener: Listener, form: str, status: int) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        own = handler.server.server_address[1]  # type: ignore[index]
        location = form.format(own=own, other=listener.port)
        say(handler, b"", status, Location=location)

    with odd_server(tmp_path, answer) as odd, pytest.raises(SourceRefused):
        read(odd, plain())
    assert listener.got == [] and len(odd.requests) == 1


def test_a_redirect_at_home_is_followed_and_the_token_goes_along(tmp_path: Path) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        if handler.path.startswith("/app"):
            say(handler, b"", 307, Location="/elsewhere")
        else:
            say(handler, b'{"data":[{"id":"u1"}]}')

    with odd_server(tmp_path, answer) as odd:
        assert len(read(odd, plain())) == 2
    assert [r[2] for r in odd.requests] == ["Bearer SECRETPASSWORD"] * 2


BOMB = gzip.compress(b'{"data":[' + b" " * (64 * 2**20) + b"]}", 9)


@pytest.mark.parametrize(("body", "headers", "error"), [
    (BOMB, {"Content_Encoding": "gzip"}, "more than 4 MB"),
    (b'{"data":[' + b" " * (5 * 2**20) + b"]}", {}, "more than 4 MB"),
    (gzip.compress(gzip.compress(b'{"data":[]}')), {"Content_Encoding": "gzip, gzip"}, "compressed"),
    (b"x", {"Content_Encoding": "br"}, "compressed"),
    (b"<html>log in</html>", {"Content_Type": "text/html"}, "web page"),
    (b'{"data":{"id":1}}', {}, "could not be read"), (b'{"rows":[]}', {}, "could not be read"),
    (b"[]", {}, "could not be read"), (b'"data"', {}, "could not be read"),
    (b'{"data":[],"next_cursor":{"a":1}}', {}, "neither text nor number"),
    (b'{"data":[],"next_cursor":"same"}', {}, "circle")],
    ids=["bomb", "large", "packed twice", "unknown packing", "page", "object", "other key", "list", "text", "odd cursor", "circle"])
def test_answers_that_were_not_promised(tmp_path: Path, body: bytes, headers: dict[str, str], error: str) -> None:
    with odd_server(tmp_path, lambda handler: say(handler, body, 200, **headers)) as odd:
        with pytest.raises(SourceRefused, match=error):
            read(odd, plain())
        assert len(odd.requests) < 10


@pytest.mark.parametrize("body", [b"", b"not json", b'{"data":[', b'{"data":[]} {"data":[]}', b"\xff\xfe{\x00}\x00",
                                  b'{"data":' + b"[" * 200_000 + b"]" * 200_000 + b"}"])
def test_answers_that_are_not_json(tmp_path: Path, body: bytes) -> None:
    with odd_server(tmp_path, lambda handler: say(handler, body)) as odd:
        with pytest.raises(SourceUnavailable, match="not whole JSON"):
            read(odd, plain())
        assert len(odd.requests) == session.PATIENCE.repeats


@pytest.mark.parametrize(("status", "error", "tries"), [
    (400, SourceRefused, 1), (401, SourceRefused, 1), (403, SourceRefused, 1), (404, SourceRefused, 1),
    (410, SourceRefused, 1), (422, SourceRefused, 1), (304, SourceRefused, 1), (501, SourceUnavailable, 1),
    (429, SourceUnavailable, 6), (500, SourceUnavailable, 6), (503, SourceUnavailable, 6)])
def test_statuses(tmp_path: Path, status: int, error: type[Exception], tries: int) -> None:
    body = b'{"error":"invalid_token","message":"CANARYTEXT"}'
    with odd_server(tmp_path, lambda handler: say(handler, body if status != 304 else b"", status)) as odd:
        with pytest.raises(error) as failure:
            read(odd, plain())
        assert len(odd.requests) == tries and "CANARYTEXT" not in str(failure.value)
        assert ("credentials" in str(failure.value)) == (status in (401, 403))


@pytest.mark.parametrize("left_out", [b"nothing", b"\\ud8", b"\xff"])
def test_records_nobody_would_expect_are_handed_on(tmp_path: Path, left_out: bytes) -> None:
    """Any JSON may stand where a record should; each comes as its own bytes, blanks and double keys included."""
    cases: list[tuple[bytes, str | None]] = [
        (b'{"id":1}', "1"), (b'{"id": "a" , "id":"b"}', "b"), (b"null", None), (b"[]", None), (b'"text"', None),
        (b"12", None), (b"{}", None), (b'{"id":null}', None), (b'{"id":{}}', None), (b'{"id":true}', None),
        (b'{"id":""}', None), (b'{"id":1.50}', None), (b'{"id":"\xff"}', None), (b'{"id":"\\ud800"}', None),
        (b'{"id":123456789012345678901}', "123456789012345678901"), ('{"id":"ä/../b"}'.encode(), "ä/../b"),
        (b'{"id":4,"text":"\\ud83d"}', "4"), (b'{"id":"a\\u0000b"}', None)]
    cases = [case for case in cases if left_out not in case[0] and (left_out != b"\xff" or b"\\ud8" not in case[0])]
    items = [item for item, _ in cases]
    page = b'{"data":[' + b" ,\n".join(items) + b"]}"
    with odd_server(tmp_path, lambda handler: say(handler, page)) as odd:
        records = read(odd, plain())[:-1]
    assert [r.payload for r in records] == items
    names = [f"users/{name}" if name else None for _, name in cases]
    assert [r.record_id for r in records] == names


def test_nothing_of_the_environment_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                            listener: Listener) -> None:
    """Neither a proxy, nor a netrc entry for the host, nor another CA bundle."""
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login other password OTHERPASSWORD\n")
    proxy = f"http://127.0.0.1:{listener.port}"
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, proxy)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "nothing.pem"))
    with odd_server(tmp_path, lambda handler: say(handler, b'{"data":[{"id":"u"}]}')) as odd:
        assert len(read(odd, plain())) == 2
    assert [r[2] for r in odd.requests] == ["Bearer SECRETPASSWORD"] and listener.got == []


def test_a_source_is_not_asked_in_the_clear(listener: Listener) -> None:
    found = Access(f"http://127.0.0.1:{listener.port}", "someone", "SECRETPASSWORD", None)
    with pytest.raises(ConfigurationError, match="over https only"):
        list(fetch(plain(), found, {}, lambda stream, days: {}, NOW))
    assert listener.got == []


def test_no_caller_can_switch_verification_off(tmp_path: Path) -> None:
    with odd_server(tmp_path, lambda handler: say(handler, b"{}")) as odd:
        http = session.session(Access(odd.base_url, "", "", None), "x", 1)
        http.verify = False
        with pytest.raises(SourceRefused, match="certificate"):
            http.get(odd.base_url, verify=False)
        assert odd.requests == []


@pytest.mark.parametrize("value", ["", "no json", "[]", '{"login":"a"}', '{"base_url":"http://x.example"}',
                                   '{"base_url":"https://"}', '{"base_url":"https://u:p@x.example"}',
                                   '{"base_url":"https://x.example","pasword":"PASSWORD"}', '{"base_url":"https://x:y"}',
                                   '{"base_url":"https://x.example","ca_file":"missing.pem"}'])
def test_a_connection_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("CONCORD_CONNECTION_CONCORD_CRM", value)
    with pytest.raises(ConfigurationError, match="CONCORD_CONNECTION_CONCORD_CRM") as failure:
        access("concord_crm")
    assert failure.value.exit_code == 2 and "PASSWORD" not in str(failure.value)


def test_a_connection_hides_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    value = {"base_url": "https://crm.example/", "login": "me", "password": "PASSWORD", "ca_file": ""}
    monkeypatch.setenv("CONCORD_CONNECTION_CONCORD_CRM", json.dumps(value))
    found = access("concord_crm")
    assert (found.base_url, found.password, found.ca_file) == ("https://crm.example", "PASSWORD", None)
    assert "PASSWORD" not in repr(found)
