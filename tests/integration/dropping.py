"""What tests of dropped files share: a real object store on loopback, a bucket in it, and a source that reads from there."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any
from urllib.parse import unquote, urlsplit

import boto3
import pytest
from botocore.config import Config

from contracts.load import catalog
from contracts.model import Source
from jobs.connections import Access
from jobs.connectors.records import digest
from tests.integration.connecting import NOW, Reader, free_port, say

LOGIN = ("dropper-id", "SECRETPASSWORD")
NUMBER = count()


@dataclass(frozen=True)
class Drop:
    """A bucket of a store, as those see it who drop files there."""

    store: str
    bucket: str

    @property
    def client(self) -> Any:
        return boto3.client("s3", endpoint_url=self.store, aws_access_key_id=LOGIN[0], aws_secret_access_key=LOGIN[1],
                            region_name="us-east-1", config=Config(proxies={}))

    @property
    def access(self) -> Access:
        return Access(f"{self.store}/{self.bucket}", *LOGIN, None)

    def put(self, key: str, content: bytes) -> None:
        self.client.put_object(Bucket=self.bucket, Key=key, Body=content)

    def remove(self, key: str) -> None:
        self.client.delete_object(Bucket=self.bucket, Key=key)

    def reader(self, source: Source, **changes: Any) -> Reader:
        return Reader(source, replace(self.access, **changes), lambda: NOW)


@contextmanager
def store() -> Iterator[str]:
    """The address of an object store: moto's server, as a process of its own."""
    port = free_port()
    server = subprocess.Popen([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        await_store(server, address)
        yield address
    finally:
        server.terminate()
        server.wait(30)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Of one store for a file of tests."""
    with store() as started:
        yield started


@pytest.fixture
def drop(address: str) -> Drop:
    """An empty bucket of its own."""
    return made(address, f"bucket-{next(NUMBER)}")


def await_store(server: subprocess.Popen[bytes], address: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        assert server.poll() is None and time.monotonic() < deadline, "the store did not start"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", urlsplit(address).port or 0)) == 0:
                return
        time.sleep(0.1)


def made(address: str, bucket: str) -> Drop:
    """A new, empty bucket."""
    drop = Drop(address, bucket)
    drop.client.create_bucket(Bucket=bucket)
    return drop


def dropped(source_id: str, *streams: str, page_size: int = 1000, max_answer_mb: int = 4) -> Source:
    """A source's contract, with some of its streams only where they are named."""
    source: Source = catalog().sources[source_id]
    connection = source.connection.model_copy(update={"page_size": page_size, "max_answer_mb": max_answer_mb})
    kept = tuple(s for s in source.streams if not streams or s.name in streams)
    return source.model_copy(update={"connection": connection, "streams": kept})


class Shelf:
    """A store of one bucket that a test bends: objects bear the times it says, and answers break off where it says."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, str]] = {}
        self.cuts, self.shorts, self.asked = 0, 0, list[str]()
        self.token = ""
        shelf = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                key = unquote(urlsplit(self.path).path).removeprefix("/shelf").strip("/")
                if key:
                    shelf.serve(self, key)
                else:
                    say(self, shelf.listing(), 200, Content_Type="application/xml")

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.drop = Drop(f"http://127.0.0.1:{self.server.server_address[1]}", "shelf")

    def listing(self) -> bytes:
        rows = "".join(f"<Contents><Key>{key}</Key><LastModified>{at}</LastModified><ETag>&quot;{digest(body)}&quot;</ETag>"
                       f"<Size>{len(body)}</Size></Contents>" for key, (body, at) in self.objects.items())
        more = f"<NextContinuationToken>{self.token}</NextContinuationToken>" if self.token else ""
        return (f"<ListBucketResult><IsTruncated>{'true' if self.token else 'false'}</IsTruncated>{more}{rows}"
                "</ListBucketResult>").encode()

    def serve(self, handler: BaseHTTPRequestHandler, key: str) -> None:
        """An object, or half of it while ``cuts`` or ``shorts`` are left, these announced as all; what was asked for is kept."""
        body, only = self.objects[key][0], handler.headers.get("Range", "bytes=0-")
        self.asked.append(only)
        first = int(only.removeprefix("bytes=").removesuffix("-"))
        part = body[first:]
        if self.shorts:
            self.shorts, part = self.shorts - 1, part[:len(part) // 2]
        handler.send_response(206 if first else 200)
        handler.send_header("Content-Length", str(len(part)))
        handler.send_header("ETag", f'"{digest(body)}"')
        handler.end_headers()
        if self.cuts:
            self.cuts, part = self.cuts - 1, part[:len(part) // 2]
            handler.close_connection = True
        handler.wfile.write(part)


@contextmanager
def shelf() -> Iterator[Shelf]:
    """Run a bent store until the block ends."""
    bent = Shelf()
    thread = threading.Thread(target=bent.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield bent
    finally:
        bent.server.shutdown()
        bent.server.server_close()
        thread.join()
