"""Zone rights on S3: a moto server with its IAM enforcement on, users with keys, and the policy that `concord zones policy` prints.

What moto enforces: signatures, a user's own policies (actions and resources), and a bucket policy's denials of objects, for
everybody. It grants nothing by a bucket policy and knows neither its principals nor its conditions. So the printed allows are the
reader's own policy here, the printed denials stand against a user who may do everything, and each request that a reader made is
put to the whole policy (`tests/s3_decision.py`).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
import requests
from botocore.exceptions import ClientError
from typer.testing import CliRunner

from contracts import catalog, consent_loss
from jobs.cli import app
from jobs.errors import NotReadable
from jobs.lake import Lake
from jobs.ledger import releases
from jobs.read import released
from jobs.settings import Settings
from tests import small_lake
from tests.integration.test_lake_s3 import answers, free_port, wait_for
from tests.s3_decision import allows

BUCKET, LAKE = "hospital", "s3://hospital/concord"
PRODUCT = "glucose_daily"
READER, GENEROUS = (f"arn:aws:iam::123456789012:user/{name}" for name in ("reader", "generous"))
CLOSED = ("core.consent", "vault.link", "safety.candidate", "raw.crm", "raw.crm__rejected", "ledger.audit")
REQUEST = re.compile(r'"(?:\x1b\[[\d;]*m)*(GET|HEAD|PUT|POST|DELETE) (\S+) HTTP/[\d.]+(?:\x1b\[[\d;]*m)*" (\d+)')
# moto asks for this where AWS asks for s3:GetObject; AWS knows no such action and refuses a policy that names it.
HEAD = {"Effect": "Allow", "Action": "s3:HeadObject", "Resource": "*"}
Request = tuple[str, str, int]


@dataclass(frozen=True)
class Store:
    """The server: its log, the printed policy, and the keys of its users."""

    log: Path
    policy: dict[str, Any]
    keys: dict[str, dict[str, str]]

    def requests(self, since: int) -> list[Request]:
        """Method, target and status of what was asked since that character of the log."""
        return [(found[1], found[2], int(found[3])) for found in REQUEST.finditer(self.log.read_text()[since:])]


@pytest.fixture(scope="module")
def store(small_release: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A lake on S3 with a release, made before enforcement begins; from then on every request needs keys and rights."""
    port, log, before = free_port(), tmp_path_factory.mktemp("store") / "log", dict(os.environ)
    with log.open("w") as output:
        server = subprocess.Popen([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
                                  stdout=output, stderr=output)
    try:
        wait_for(server, lambda: answers(port))
        os.environ.update(AWS_ENDPOINT_URL=f"http://127.0.0.1:{port}", AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test",
                          AWS_REGION="eu-central-1", AWS_DEFAULT_REGION="eu-central-1", AWS_ALLOW_HTTP="true")
        boto3.client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        printed = CliRunner().invoke(app, ["zones", "policy", "--lake", LAKE, "--reader", READER, "--reader", GENEROUS])
        policy = json.loads(printed.output)
        filled(small_release)
        everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
        keys = {"nobody": user("nobody"), "generous": user("generous", everything), "platform": user("platform", everything),
                "reader": user("reader", HEAD, *(s for s in policy["Statement"] if s["Effect"] == "Allow"))}
        requests.post(f"http://127.0.0.1:{port}/moto-api/reset-auth", data="0", timeout=10).raise_for_status()
        yield Store(log, policy, keys)
    finally:
        os.environ.clear()
        os.environ.update(before)
        server.terminate()
        server.wait(30)


def filled(local: Settings) -> None:
    """The released product of a lake on a disk, with its report and its pin, written to S3 as the platform writes."""
    lake, product = Lake(LAKE, catalog().tables), released(PRODUCT, settings=local)
    report = consent_loss.table_of(PRODUCT)
    lake.append_arrow(report, product.consent_loss().arrow())
    lake.append_arrow(f"product.{PRODUCT}", product.arrow(), note={consent_loss.NOTED: lake.version(report)})
    pins = releases.of(Lake(local.lake_root, catalog().tables), catalog().products[PRODUCT].release_group)
    pin = next(pin for pin in pins if pin["product"] == PRODUCT)
    releases.pin(lake, pin["release_group"], 1, [{**pin, "table_version": lake.version(f"product.{PRODUCT}")}], datetime.now(UTC))
    small_lake.append(lake, "core.consent", [small_lake.statement("p1", "research")])
    for name in (*CLOSED, "ledger.superseded"):
        lake.ensure(name)


def user(name: str, *statements: dict[str, Any]) -> dict[str, str]:
    """Make a user with these statements as its own policy; the environment of who has its keys."""
    iam = boto3.client("iam")
    iam.create_user(UserName=name)
    if statements:
        own = [{word: said for word, said in statement.items() if word != "Principal"} for statement in statements]
        iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": own}))
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}


def become(monkeypatch: pytest.MonkeyPatch, store: Store, name: str) -> Settings:
    for variable, value in store.keys[name].items():
        monkeypatch.setenv(variable, value)
    return Settings(lake=LAKE)


def lake_of(settings: Settings) -> Lake:
    return Lake(settings.lake_root, catalog().tables)


@pytest.fixture
def guarded(store: Store) -> Iterator[None]:
    """The printed policy as the bucket's, put there and taken away by the platform."""
    s3 = boto3.client("s3", **{word.lower(): said for word, said in store.keys["platform"].items()})
    s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(store.policy))
    yield
    s3.delete_bucket_policy(Bucket=BUCKET)


def test_without_a_policy_a_user_reads_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = become(monkeypatch, store, "nobody")
    with pytest.raises(NotReadable, match="zones policy"):
        released(PRODUCT, settings=settings)
    for name in (f"product.{PRODUCT}", *CLOSED):
        with pytest.raises(NotReadable, match=name.replace(".", "/")):
            lake_of(settings).arrow(name)


def test_a_reader_reads_the_release_and_nothing_else(store: Store, guarded: None, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = become(monkeypatch, store, "reader")
    found = released(PRODUCT, settings=settings)
    assert (found.arrow().num_rows, found.release) == (24, 1) and found.consent_loss().arrow().num_rows > 0
    for name in CLOSED:
        with pytest.raises(NotReadable, match=name.replace(".", "/")):
            lake_of(settings).arrow(name)


def test_the_denials_stand_against_a_user_who_may_do_everything(store: Store, monkeypatch: pytest.MonkeyPatch,
                                                                request: pytest.FixtureRequest) -> None:
    settings = become(monkeypatch, store, "generous")
    assert lake_of(settings).arrow("core.consent").num_rows == 1
    request.getfixturevalue("guarded")
    assert released(PRODUCT, settings=settings).arrow().num_rows == 24
    for name in CLOSED:
        with pytest.raises(NotReadable, match=name.replace(".", "/")):
            lake_of(settings).arrow(name)
    s3 = boto3.Session().client("s3")
    key = next(o["Key"] for o in s3.list_objects_v2(Bucket=BUCKET)["Contents"] if "/product/" in o["Key"])
    for change in (lambda: s3.put_object(Bucket=BUCKET, Key=key, Body=b""), lambda: s3.delete_object(Bucket=BUCKET, Key=key)):
        with pytest.raises(ClientError) as refused:
            change()
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_each_request_of_a_reader_is_one_that_the_whole_policy_allows(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, since = become(monkeypatch, store, "reader"), len(store.log.read_text())
    found = released(PRODUCT, settings=settings)
    found.arrow()
    found.consent_loss().arrow()
    asked = store.requests(since)
    assert {"list-type" in target for _, target, _ in asked} == {True, False}
    assert [one for one in asked if not allowed(store.policy, one)] == []
    # S3 says 403 instead of 404 to whom it lists some prefixes only, so a reader must not ask for what is not there.
    assert [one for one in asked if one[2] >= 400] == []


def allowed(policy: dict[str, Any], one: Request) -> bool:
    method, target, _ = one
    split = urlsplit(target)
    if split.path.strip("/") == BUCKET:
        prefix = parse_qs(split.query).get("prefix", [None])[0]
        return method == "GET" and allows(policy, READER, "s3:ListBucket", f"arn:aws:s3:::{BUCKET}", prefix) is True
    return method in ("GET", "HEAD") and allows(policy, READER, "s3:GetObject", f"arn:aws:s3::{split.path.replace('/', ':', 1)}") is True
