"""Which region a delivery is signed for: the one boto3's chain names."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from contracts import catalog
from jobs.delivery import upload


@pytest.mark.parametrize(("name", "expected"), [
    ("AWS_DEFAULT_REGION", "ap-south-1"), ("AWS_REGION", "ap-south-1"), ("OTHER", "us-east-1")])
def test_a_delivery_is_signed_for_the_region_of_the_chain(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, expected: str) -> None:
    signed: list[str] = []

    class Bucket(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            signed.append(self.headers["Authorization"].split("/")[2])
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    for variable in ("AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv(name, "ap-south-1")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Bucket)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    recipient = catalog().recipients["glycemia_institute"]
    monkeypatch.setenv(f"CONCORD_CONNECTION_{recipient.connection.upper()}", json.dumps(
        {"base_url": f"http://127.0.0.1:{server.server_port}", "login": "a", "password": "b", "ca_file": None}))
    try:
        upload(recipient, "s3://bucket/x", {"data.parquet": b"rows"})
    finally:
        server.shutdown()
        server.server_close()
    assert signed == [expected]
