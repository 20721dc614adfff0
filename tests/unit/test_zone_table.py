"""The one table of who may read what, and the bucket policy that follows from it."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from contracts import catalog
from contracts.vocabulary import Zone
from contracts.zones import PINS, READERS, Role, is_open, readers
from jobs.bucket_policy import bucket_policy
from jobs.cli import app
from jobs.errors import ConfigurationError
from tests.s3_decision import allows

ARN = "arn:aws:iam::123456789012:role/scientist"
OTHER = "arn:aws:iam::123456789012:role/platform"
ROOTS = pytest.mark.parametrize("root", ["s3://hospital/concord/eu", "s3://hospital"])


def test_every_zone_has_an_entry_and_every_pin_is_a_table():
    assert set(READERS) == set(Zone)
    assert set(PINS) <= set(catalog().tables)


def test_data_scientists_read_products_and_pins_alone():
    tables = catalog().tables
    assert {name for name in tables if is_open(name)} == {*(n for n in tables if n.startswith("product.")), *PINS}
    assert readers("vault.link") == (Role.PLATFORM,) and readers("product.x") == (Role.PLATFORM, Role.DATA_SCIENTIST)


@ROOTS
def test_the_policy_decides_for_each_table_what_the_table_says(root: str):
    policy, below = bucket_policy(root, catalog().tables, [ARN]), root.removeprefix("s3://")
    bucket, _, prefix = below.partition("/")
    for name in catalog().tables:
        folder = name.replace(".", "/")
        for key in (f"{folder}/part-0.parquet", f"{folder}/_delta_log/00000000000000000000.json"):
            assert allows(policy, ARN, "s3:GetObject", f"arn:aws:s3:::{below}/{key}") is is_open(name), key
            assert allows(policy, ARN, "s3:PutObject", f"arn:aws:s3:::{below}/{key}") is False, key
            assert allows(policy, ARN, "s3:DeleteObject", f"arn:aws:s3:::{below}/{key}") is False, key
        listed = f"{prefix}/{folder}/_delta_log/".lstrip("/")
        assert allows(policy, ARN, "s3:ListBucket", f"arn:aws:s3:::{bucket}", listed) is is_open(name), name
        assert allows(policy, OTHER, "s3:GetObject", f"arn:aws:s3:::{below}/{folder}/part-0.parquet") is None


@ROOTS
def test_nothing_beside_the_zones_is_read_or_listed(root: str):
    policy, below = bucket_policy(root, catalog().tables, [ARN]), root.removeprefix("s3://")
    bucket, _, prefix = below.partition("/")
    for key in ("_work/job/part-0.parquet", "_extracts/partner/e1/data.parquet", "vault/later/part-0.parquet"):
        assert allows(policy, ARN, "s3:GetObject", f"arn:aws:s3:::{below}/{key}") is False, key
    for listed in (None, "", f"{prefix}/".lstrip("/"), f"{prefix}/ledger/".lstrip("/"), f"{prefix}/core/".lstrip("/"), "elsewhere/"):
        for action in ("s3:ListBucket", "s3:ListBucketVersions"):
            assert allows(policy, ARN, action, f"arn:aws:s3:::{bucket}", listed) is False, listed


@ROOTS
def test_what_is_allowed_is_no_more_than_that_without_the_denials_too(root: str):
    policy, below = bucket_policy(root, catalog().tables, [ARN]), root.removeprefix("s3://")
    alone = {"Statement": [statement for statement in policy["Statement"] if statement["Effect"] == "Allow"]}
    bucket, _, prefix = below.partition("/")
    for name in (name for name in catalog().tables if not is_open(name)):
        folder = name.replace(".", "/")
        assert allows(alone, ARN, "s3:GetObject", f"arn:aws:s3:::{below}/{folder}/part-0.parquet") is None
        assert allows(alone, ARN, "s3:ListBucket", f"arn:aws:s3:::{bucket}", f"{prefix}/{folder}/".lstrip("/")) is None
    assert allows(alone, ARN, "s3:ListBucket", f"arn:aws:s3:::{bucket}") is None


@pytest.mark.parametrize(("root", "arns", "said"), [
    ("/data/lake", [ARN], "CONCORD_READERS_GROUP"), ("s3://b", [], "--reader"), ("s3://b", ["arn:aws:iam::123456789012:root"], "root"),
    ("s3://b", ["*"], "no ARN"), ("s3://b", [ARN, ARN.replace("aws:", "aws-cn:")], "one partition")])
def test_what_makes_no_policy_is_refused(root: str, arns: list[str], said: str):
    with pytest.raises(ConfigurationError, match=said):
        bucket_policy(root, catalog().tables, arns)


def test_the_commands(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CONCORD_LAKE", "s3://hospital/concord")
    policy = CliRunner().invoke(app, ["zones", "policy", "--reader", ARN], catch_exceptions=False)
    assert json.loads(policy.output) == bucket_policy("s3://hospital/concord", catalog().tables, [ARN])
    shown = json.loads(CliRunner().invoke(app, ["zones", "show", "--json"], catch_exceptions=False).output)
    rights = {row["name"]: row["readers"] for row in shown["rights"]}
    assert rights["vault.*"] == rights["ledger.*"] == ["platform"]
    assert rights["product.*"] == rights["ledger.release"] == ["platform", "data_scientist"]
    assert "safety.*" in CliRunner().invoke(app, ["zones", "show"], catch_exceptions=False).output
