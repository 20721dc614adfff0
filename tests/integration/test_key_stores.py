"""The master secret in AWS Secrets Manager and under AWS KMS, by boto3 against a server that answers as they do; and their failures."""

from __future__ import annotations

import base64
import logging
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
import requests
from moto.server import ThreadedMotoServer

from contracts import catalog
from contracts.exit_codes import ExitCode
from jobs import key_stores, keys
from jobs.errors import ConfigurationError, KeysUnreadable
from jobs.lake import Lake
from jobs.run.people import resolve
from jobs.run.product import build
from jobs.settings import Settings
from tests import small_lake

SECRET, ALIAS = "secretsmanager:concord/master", "kms:alias/concord"


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    made = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    made.start()
    yield "http://{}:{}".format(*made.get_host_and_port())
    made.stop()


@pytest.fixture
def aws(server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An account with nothing in it but a key of KMS."""
    requests.post(f"{server}/moto-api/reset", timeout=30).raise_for_status()
    for name, value in (("AWS_ENDPOINT_URL", server), ("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b"), ("AWS_REGION", "eu-central-1")):
        monkeypatch.setenv(name, value)
    kms = boto3.client("kms", region_name="eu-central-1")
    kms.create_alias(AliasName="alias/concord", TargetKeyId=kms.create_key()["KeyMetadata"]["KeyId"])
    return server


@pytest.fixture(autouse=True)
def nothing_said(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> Iterator[None]:
    """Whatever is logged, at any level: no secret is in it."""
    caplog.set_level(logging.DEBUG)
    seen: list[bytes] = []
    original = key_stores.master

    def watched(folder: Path, place: str) -> bytes:
        seen.append(original(folder, place))
        return seen[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(key_stores, "master", watched)
        yield
    text = "".join(r.getMessage() + str(r.exc_text or "") for r in caplog.records)
    assert not [s for s in seen if s.hex() in text or base64.b64encode(s).decode() in text or repr(s) in text]


@pytest.mark.parametrize("place", [SECRET, ALIAS])
def test_a_master_secret_is_made_once_and_read_again(aws: str, tmp_path: Path, place: str) -> None:
    assert keys.create(tmp_path / "keys", place)
    assert not keys.create(tmp_path / "keys", place)
    made = keys.reference_key(tmp_path / "keys", "engagement", place)
    assert made == keys.reference_key(tmp_path / "keys", "engagement", place) and len(made) == 32
    assert made != keys.reference_key(tmp_path / "keys", "glycemia_institute", place)
    master = key_stores.master(tmp_path / "keys", place)
    files = {path.name: path.read_bytes() for path in (tmp_path / "keys").iterdir()}
    assert set(files) == {"signing.pem", "signing.pub.pem", *(["master.kms"] if place == ALIAS else [])}
    assert not [name for name, content in files.items() if master in content or master.hex().encode() in content]
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "keys").iterdir()} == {0o600}


def test_a_secret_that_moves_from_its_file_gives_the_same_pseudonyms(aws: str, tmp_path: Path) -> None:
    keys.create(tmp_path / "keys")
    boto3.client("secretsmanager", region_name="eu-central-1").create_secret(
        Name="concord/master", SecretString=(tmp_path / "keys" / key_stores.MASTER).read_text("ascii"))
    assert keys.reference_key(tmp_path / "keys", "engagement", SECRET) == keys.reference_key(tmp_path / "keys", "engagement")


def test_a_key_that_wraps_for_another_use_unwraps_nothing(aws: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys.create(tmp_path / "keys", ALIAS)
    monkeypatch.setattr(key_stores, "CONTEXT", {"concord": "another"})
    with pytest.raises(KeysUnreadable, match=r"AWS KMS refuses alias/concord \(InvalidCiphertextException\)"):
        keys.reference_key(tmp_path / "keys", "engagement", ALIAS)


def test_a_lost_key_a_missing_and_a_wrong_secret_are_said(aws: str, tmp_path: Path) -> None:
    keys.create(tmp_path / "keys", ALIAS)
    kms = boto3.client("kms", region_name="eu-central-1")
    kms.delete_alias(AliasName="alias/concord")
    with pytest.raises(KeysUnreadable, match=r"AWS KMS refuses alias/concord \(NotFoundException\)"):
        keys.reference_key(tmp_path / "keys", "engagement", ALIAS)
    with pytest.raises(KeysUnreadable, match=r"AWS Secrets Manager refuses concord/master \(ResourceNotFoundException\)"):
        keys.reference_key(tmp_path / "keys", "engagement", SECRET)
    for wrong in ("short", "not hexadecimal" * 9, "ab" * 31):
        boto3.client("secretsmanager", region_name="eu-central-1").create_secret(Name=f"x{len(wrong)}", SecretString=wrong)
        with pytest.raises(KeysUnreadable, match="holds no secret of 32 bytes; restore it from its backup") as refused:
            keys.reference_key(tmp_path / "keys", "engagement", f"secretsmanager:x{len(wrong)}")
        assert wrong not in str(refused.value)
    with pytest.raises(KeysUnreadable, match=r"master.kms cannot be read \(No such file or directory\)"):
        keys.reference_key(tmp_path / "empty", "engagement", ALIAS)


@pytest.mark.parametrize("place", ["", "kms", "secretsmanager:", "vault:x", "file:x"])
def test_a_place_that_there_is_not_is_refused(tmp_path: Path, place: str) -> None:
    with pytest.raises(ConfigurationError, match="write file, secretsmanager:NAME or kms:KEY"):
        keys.create(tmp_path / "keys", place)


@pytest.mark.parametrize("place", [SECRET, ALIAS])
def test_while_the_store_is_down_nothing_flows(aws: str, engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    home = Settings(home=tmp_path / "home", lake="", engine=engine, actor="test", master=place)
    keys.create(home.keys, place)
    small_lake.fill(home, people=9, days=1)
    resolve(home)
    lake = Lake(home.lake_root, catalog().tables)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free.getsockname()[1]}")
        with pytest.raises(KeysUnreadable, match="does not answer for .*; nothing flows until it does") as refused:
            build(home, "glucose_daily")
    assert refused.value.exit_code == ExitCode.CONSENT and lake.version("product.glucose_daily") <= 0
    assert lake.arrow("vault.pseudonym").num_rows == 0
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws)
    assert build(home, "glucose_daily").result == "done" and lake.arrow("vault.pseudonym").num_rows == 9
