"""The lake on s3://, against a moto server on loopback; Sail as a process of its own that gets its access by environment."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from jobs.errors import IntegrityError
from jobs.files import Files
from jobs.lake import Lake
from jobs.schema import spark_schema
from jobs.storage import storage_options
from jobs.versions import HINT
from jobs.workspace import workspace
from tests.integration.test_lake import NAME, THING, arrow, row, words

BUCKET = "lake"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(process: subprocess.Popen[bytes], ready: Any) -> None:
    deadline = time.monotonic() + 60
    while not ready():
        assert process.poll() is None and time.monotonic() < deadline, "it did not start"
        time.sleep(0.1)


def answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    """Address of a bucket; the environment of this process leads to the server while the tests of this module run."""
    port = free_port()
    server = subprocess.Popen([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    before = dict(os.environ)
    try:
        wait_for(server, lambda: answers(port))
        os.environ.update(AWS_ENDPOINT_URL=f"http://127.0.0.1:{port}", AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test",
                          AWS_REGION="eu-central-1", AWS_DEFAULT_REGION="eu-central-1", AWS_ALLOW_HTTP="true")
        boto3.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        yield f"s3://{BUCKET}"
    finally:
        os.environ.clear()
        os.environ.update(before)
        server.terminate()
        server.wait(30)


@pytest.fixture(scope="module")
def remote(store: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """A session on ``concord engine``, started as its own process."""
    ready = tmp_path_factory.mktemp("engine") / "address"
    engine = subprocess.Popen([sys.executable, "-m", "jobs", "engine", "--port", "0", "--ready-file", str(ready)],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, **(storage_options(store) or {})})
    try:
        wait_for(engine, ready.exists)
        session = SparkSession.builder.remote(ready.read_text()).create()
        session.conf.set("spark.sql.session.timeZone", "UTC")
        yield session
        session.stop()
    finally:
        engine.terminate()
        engine.wait(30)


def test_the_lake_does_on_s3_what_it_does_on_a_disk(store: str, remote: SparkSession) -> None:
    lake = Lake(f"{store}/concord", {NAME: THING}, remote)

    def frame(*rows: dict[str, Any]) -> Any:
        return remote.createDataFrame([tuple(r[c.name] for c in THING.columns) for r in rows], spark_schema(THING))

    assert not lake.exists(NAME) and lake.ensure(NAME).version() == 0 and lake.version(NAME) == 0
    lake.append_arrow(NAME, arrow(row(1), row(2)).to_reader(), note={"batch": 1}, once=("batch", 1))
    assert (lake.done(NAME, "batch"), lake.note(NAME)) == (1, {"batch": 1})
    with pytest.raises(IntegrityError, match="number 1 of batch"):
        lake.append_arrow(NAME, arrow(row(3)), once=("batch", 1))
    with pytest.raises(IntegrityError, match="more than once"):
        lake.merge(NAME, frame(row(1), row(1)))
    lake.merge(NAME, frame(row(2, "b"), row(3), row(1)).selectExpr("*", "id = 1 AS gone"), gone="gone")
    assert {r["id"]: r["word"] for r in lake.read(NAME).collect()} == words(lake) == {2: "b", 3: "a"}
    version = lake.replace(NAME, frame(row(9, "z")))
    assert {r["id"] for r in lake.read(NAME, version).collect()} == {9}
    assert {r["id"] for r in lake.read(NAME, version - 1).collect()} == {2, 3} == words(lake, version - 1).keys()
    lake.restore(NAME, version - 1)
    assert words(lake) == {2: "b", 3: "a"}
    protocol = DeltaTable(lake.path(NAME), storage_options=storage_options(store)).protocol()
    assert (protocol.min_reader_version, protocol.min_writer_version) == (1, 2)


def test_versions_before_a_checkpoint_are_read_on_s3_too(store: str, remote: SparkSession) -> None:
    lake = Lake(f"{store}/versions", {NAME: THING}, remote)
    for number in range(1, 5):
        lake.append_arrow(NAME, arrow(row(number)))
    lake.ensure(NAME).create_checkpoint()
    lake.append_arrow(NAME, arrow(row(5)))
    assert [lake.read(NAME, version).count() for version in range(6)] == [0, 1, 2, 3, 4, 5]
    hint = Files(f"{lake.path(NAME)}/_delta_log").read(HINT)
    assert hint and json.loads(hint)["version"] == 0, "readers who may list some prefixes only are refused one that is missing"


def test_files_and_the_workspace_lie_there_too(store: str, remote: SparkSession) -> None:
    files = Files(f"{store}/concord/_extracts/e1")
    assert files.read("manifest.json") is None
    files.write("manifest.json", b"{}")
    files.write("manifest.json", b"[]")
    assert files.read("manifest.json") == b"[]"
    with workspace(f"{store}/concord", "job", remote) as work:
        kept = work.keep("numbers", remote.range(3))
        assert [r["id"] for r in kept.orderBy("id").collect()] == [0, 1, 2]
    found = [o["Key"] for o in boto3.client("s3").list_objects_v2(Bucket=BUCKET).get("Contents", [])]
    assert "concord/_extracts/e1/manifest.json" in found
    assert not [key for key in found if key.startswith("concord/_work/job") or key.endswith(".part")], "an empty marker of _work/ may stay"
    files.clear()
    files.clear()
    assert files.read("manifest.json") is None


def test_the_work_folder_of_a_disk_is_emptied_after_a_failure_and_before_a_run(spark: SparkSession, tmp_path: Path) -> None:
    left = tmp_path / "_work" / "job" / "left"
    left.parent.mkdir(parents=True)
    left.write_text("from a run that was killed")
    with pytest.raises(ZeroDivisionError), workspace(str(tmp_path), "job", spark) as work:
        assert not left.exists()
        work.keep("numbers", spark.range(3))
        raise ZeroDivisionError
    assert not (tmp_path / "_work" / "job").exists()
