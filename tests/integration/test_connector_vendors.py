"""What single vendors' servers may do wrong: bulk exports, CRM pages and log-ins, and posts that vanish."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from contracts.model import Source
from jobs.connectors import fetch, session
from jobs.connectors.adapter import Patience
from jobs.errors import SourceRefused, SourceUnavailable
from tests.integration.connecting import NOW, Listener, contract, odd_server, plain, read, say


@pytest.fixture
def listener() -> Iterator[Listener]:
    opened = Listener()
    yield opened
    opened.socket.close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "PATIENCE", Patience(backoff=0.01, longest=0.05))


def exports(manifest: Callable[[str], dict[str, object]], files: dict[str, list[bytes]]) -> Callable[
        [BaseHTTPRequestHandler], None]:
    """A bulk export server; each file has a list of answers, the last of which is repeated."""
    def answer(handler: BaseHTTPRequestHandler) -> None:
        base = f"https://127.0.0.1:{handler.server.server_address[1]}"  # type: ignore[index]
        if "$export" in handler.path:
            say(handler, b"", 202, Content_Location=f"{base}/job")
        elif handler.path == "/job":
            say(handler, json.dumps(manifest(base)).encode(), 202 if handler.command == "DELETE" else 200)
        else:
            answers = files[handler.path]
            say(handler, answers.pop(0) if len(answers) > 1 else answers[0], Content_Type="application/fhir+ndjson")
    return answer


def bulk(base: str, **more: object) -> dict[str, object]:
    return {"transactionTime": "2026-10-31T00:00:00.123456Z",
            "output": [{"type": "Patient", "url": f"{base}/a", "count": 3}], **more}


def cloud() -> Source:
    source = contract("device_cloud", streams=("Patient",))
    return source.model_copy(update={"connection": source.connection.model_copy(update={"token_path": None})})


LINES = b'{"id":"1"}\n{"id":"2"\n\n\r\n{"id":"3"}'


def test_lines_are_handed_on_as_they_are_and_the_cursor_is_the_servers_own(tmp_path: Path) -> None:
    with odd_server(tmp_path, exports(bulk, {"/a": [LINES]})) as odd:
        *records, cursor = read(odd, cloud())
    assert [r.payload for r in records] == [b'{"id":"1"}', b'{"id":"2"', b'{"id":"3"}']
    assert cursor[1]["since"] == "2026-10-31T00:00:00.123456Z"


def test_a_file_is_read_on_where_it_ended(tmp_path: Path) -> None:
    parts = [LINES[:12], b"", LINES]
    with odd_server(tmp_path, exports(bulk, {"/a": parts})) as odd:
        *records, _ = read(odd, cloud())
    assert [r.record_id for r in records] == ["Patient/1", None, "Patient/3"]


@pytest.mark.parametrize(("more", "files", "error"), [
    ({}, [LINES[:12], LINES.replace(b"1", b"9")], SourceUnavailable), ({}, [LINES[:12]], SourceUnavailable),
    ({"output": [{"type": "Device", "url": "/a"}]}, [LINES], SourceRefused),
    ({"output": "none"}, [LINES], SourceRefused), ({"transactionTime": "yesterday"}, [LINES], SourceRefused),
    ({"error": [{"type": "OperationOutcome", "url": "/a"}]}, [b'{"issue":[{"severity":"error"}]}'], SourceUnavailable),
    ({"output": [], "error": [{"type": "OperationOutcome", "url": "/a"}]}, [b"?\n"], SourceUnavailable)])
def test_exports_that_cannot_be_taken(tmp_path: Path, more: dict[str, object], files: list[bytes],
                                      error: type[Exception]) -> None:
    with odd_server(tmp_path, exports(lambda base: bulk(base, **more), {"/a": files})) as odd:
        with pytest.raises(error):
            read(odd, cloud())
        assert odd.requests[-1][:2] == ("DELETE", "/job")


def test_warnings_of_an_export_do_no_harm(tmp_path: Path) -> None:
    note = {"error": [{"type": "OperationOutcome", "url": "/b"}]}
    files = {"/a": [LINES], "/b": [b'{"issue":[{"severity":"warning"}]}\n']}
    with odd_server(tmp_path, exports(lambda base: bulk(base, **note), files)) as odd:
        assert len(read(odd, cloud())) == 4


@pytest.mark.parametrize(("body", "error"), [
    (b'{"totalSize":3,"done":true,"records":[{"Id":"1"}]}', SourceUnavailable),
    (b'{"totalSize":3,"done":false,"records":[{"Id":"1"}]}', SourceRefused),
    (b'{"totalSize":1,"records":[{"Id":"1"}]}', SourceRefused),
    (b'{"totalSize":1,"done":true,"rows":[]}', SourceRefused), (b'[]', SourceRefused),
    (b'{"totalSize":9,"done":false,"records":[],"nextRecordsUrl":"/services/data/v59.0/query/1"}', SourceRefused)])
def test_crm_pages_that_were_not_promised(tmp_path: Path, body: bytes, error: type[Exception]) -> None:
    source = contract("crm", streams=("cases",))
    source = source.model_copy(update={"connection": source.connection.model_copy(update={"token_path": None})})
    with odd_server(tmp_path, lambda handler: say(handler, body)) as odd, pytest.raises(error):
        read(odd, source)


def test_a_log_in_without_a_token(tmp_path: Path) -> None:
    with odd_server(tmp_path, lambda handler: say(handler, b'{"token_type":"Bearer"}')) as odd:
        with pytest.raises(SourceRefused, match="holds no token"):
            read(odd, contract("crm"))
        assert len(odd.requests) == 1


def test_a_connection_that_breaks_tells_no_cursor(tmp_path: Path) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        if "cursor" not in handler.path:
            say(handler, b'{"data":[{"id":1}],"next_cursor":"SECRETCURSOR"}')
        handler.close_connection = True

    with odd_server(tmp_path, answer) as odd:
        with pytest.raises(SourceUnavailable, match="no connection") as failure:
            read(odd, plain())
        assert "SECRET" not in str(failure.value) and len(odd.requests) == 1 + session.PATIENCE.tries


def test_a_crm_that_lives_elsewhere_is_not_asked(tmp_path: Path, listener: Listener) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        say(handler, json.dumps({"access_token": "T", "instance_url": f"https://127.0.0.1:{listener.port}"}).encode())

    with odd_server(tmp_path, answer) as odd, pytest.raises(SourceRefused, match=str(listener.port)):
        read(odd, contract("crm"))
    assert listener.got == [] and len(odd.requests) == 1


def posts(shown: list[dict[str, object]], alone: dict[str, tuple[int, dict[str, object]]]) -> Callable[
        [BaseHTTPRequestHandler], None]:
    """A social network: its timeline, and what it says of single posts."""
    def answer(handler: BaseHTTPRequestHandler) -> None:
        name = handler.path.rpartition("/")[2]
        if "/timelines/tag/" in handler.path:
            say(handler, json.dumps(shown).encode())
        else:
            status, content = alone.get(name, (404, {"error": "Record not found"}))
            say(handler, json.dumps(content).encode(), status)
    return answer


def test_known_posts_that_are_not_shown_are_asked_for(tmp_path: Path) -> None:
    """One is gone, one deleted for good, one has lost its hashtag, one is as it was; one is older than all that."""
    def post(number: int, day: int = 20) -> dict[str, object]:
        return {"id": str(number), "created_at": f"2026-10-{day:02d}T00:00:00.000Z"}

    source = contract("social")
    source = source.model_copy(update={"connection": source.connection.model_copy(update={"token_path": None})})
    alone = {"13": (410, {}), "14": (200, {**post(14), "content": "no tag"}), "15": (200, post(15))}
    same = hashlib.sha256(json.dumps(post(15)).encode()).hexdigest()
    landed = {f"posts/{name}": same for name in ("10", "12", "13", "14", "15", "../../admin", "16?x=1")}
    with odd_server(tmp_path, posts([post(16), post(11, 1)], alone)) as odd:
        *records, cursor = fetch(source, odd.access, {"posts": {"last_id": "16"}}, lambda stream, days: landed, NOW)
    found = [(r.record_id, r.is_deleted) for r in records if not isinstance(r, tuple)]
    assert found == [("posts/16", False), ("posts/12", True), ("posts/13", True), ("posts/14", False)]
    assert [r.payload for r in records if not isinstance(r, tuple)][1] == b'{"id":"12"}'
    assert [path for _, path, _ in odd.requests if "statuses" in path] == [
        f"/api/v1/statuses/{name}" for name in ("12", "13", "14", "15")]
    assert cursor == ("posts", {"last_id": "16", "nameless": []})
