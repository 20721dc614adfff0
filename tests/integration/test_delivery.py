"""How a delivery reaches a bucket: signed for the region that boto3's chain names, what vouches for the rest last."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from contracts import catalog
from jobs.delivery import upload

RECIPIENT = catalog().recipients["glycemia_institute"]


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, str]]]:
    """What a bucket was asked to keep: the name of each file and the region it was signed for."""
    found: list[tuple[str, str]] = []

    class Bucket(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            found.append((self.path.rsplit("/", 1)[1].partition("?")[0], self.headers["Authorization"].split("/")[2]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    for variable in ("AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.delenv(variable, raising=False)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Bucket)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv(f"CONCORD_CONNECTION_{RECIPIENT.connection.upper()}", json.dumps(
        {"base_url": f"http://127.0.0.1:{server.server_port}", "login": "a", "password": "b", "ca_file": None}))
    yield found
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(("name", "expected"), [
    ("AWS_DEFAULT_REGION", "ap-south-1"), ("AWS_REGION", "ap-south-1"), ("OTHER", "us-east-1")])
def test_a_delivery_is_signed_for_the_region_of_the_chain(
        asked: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch, name: str, expected: str) -> None:
    monkeypatch.setenv(name, "ap-south-1")
    upload(RECIPIENT, "s3://bucket/x", {"data.parquet": b"rows"})
    assert asked == [("data.parquet", expected)]


def test_what_vouches_for_the_rest_goes_last(asked: list[tuple[str, str]]) -> None:
    upload(RECIPIENT, "s3://bucket/x", dict.fromkeys(("manifest.json", "manifest.sig", "data.parquet"), b"x"))
    upload(RECIPIENT, "s3://bucket/x", dict.fromkeys(("recall-1.json", "recall-1.sig"), b"x"), last="recall-1.json")
    assert [name for name, _ in asked] == ["data.parquet", "manifest.sig", "manifest.json", "recall-1.sig", "recall-1.json"]
