"""Clients of object stores: the region that requests are signed for, and whose credentials they carry."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.connections import Access
from jobs.storage import client


@pytest.mark.parametrize(("address", "expected"), [
    ("https://s3.eu-central-1.amazonaws.com", "eu-central-1"), ("https://s3-us-west-2.amazonaws.com", "us-west-2"),
    ("https://s3.dualstack.ap-southeast-1.amazonaws.com", "ap-southeast-1"), ("https://s3.cn-north-1.amazonaws.com.cn", "cn-north-1"),
    ("https://s3.us-gov-west-1.amazonaws.com", "us-gov-west-1"), ("https://s3.amazonaws.com", "sa-east-1"),
    ("https://s3.eu-central-1.amazonaws.com.example", "sa-east-1"), ("http://127.0.0.1:9000", "sa-east-1")])
def test_the_region_is_that_of_the_address_else_that_of_the_chain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, address: str,
                                                                  expected: str) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_DEFAULT_REGION", "sa-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ENVIRONMENT")
    made = client(Access(address, "me", "secret", None), address)
    assert (made.meta.region_name, made.meta.endpoint_url) == (expected, address)
    assert made._request_signer._credentials.access_key == "me"
