"""When consent, a contract or a key cannot be read, nothing flows."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from contracts import ContractError, catalog
from contracts.exit_codes import ExitCode
from jobs.errors import ConsentUnreadable, KeysUnreadable, LostRace
from jobs.keys import reference_key, signing_key
from jobs.lake import Lake
from jobs.run.people import resolve
from jobs.run.product import build
from jobs.settings import Settings
from tests import small_lake


@pytest.fixture
def home(tmp_path: Path, engine: str) -> Settings:
    made = small_lake.settings(tmp_path / "home", engine)
    small_lake.fill(made, people=9, days=1)
    resolve(made)
    return made


def version(home: Settings) -> int:
    return Lake(home.lake_root, catalog().tables).version("product.glucose_daily")


@pytest.mark.parametrize("absent", ["core/consent", "vault/link", "core/observation"])
def test_a_product_waits_for_its_inputs(home, absent):
    shutil.rmtree(f"{home.lake_root}/{absent}")
    report = build(home, "glucose_daily")
    assert report.result == "unchanged" and report.facts["waiting_for"] == [absent.replace("/", ".")]
    assert version(home) <= 0


def test_without_a_consent_table_nothing_is_built_any_more(home):
    build(home, "glucose_daily")
    before = version(home)
    shutil.rmtree(f"{home.lake_root}/core/consent")
    with pytest.raises(ConsentUnreadable, match="does not exist"):
        build(home, "glucose_daily")
    assert version(home) == before > 0
    assert ConsentUnreadable.exit_code == ExitCode.CONSENT and not ExitCode.CONSENT.is_retried


def test_with_a_spoiled_consent_table_nothing_is_built(home):
    files = sorted(Path(home.lake_root, "core", "consent").glob("*.parquet"))
    assert files
    for file in files:
        file.write_bytes(b"not parquet")
    with pytest.raises(ConsentUnreadable, match="cannot be read"):
        build(home, "glucose_daily")
    assert version(home) <= 0


def test_a_table_that_is_being_written_is_asked_for_again_later(home, monkeypatch):
    read = Lake.read

    def racing(self, name, version=None):
        if name == "core.consent":
            raise RuntimeError("Missing commit file: expected version 0, found 8")
        return read(self, name, version)

    monkeypatch.setattr(Lake, "read", racing)
    with pytest.raises(LostRace, match="running it again helps"):
        build(home, "glucose_daily")
    assert version(home) <= 0
    assert ExitCode(LostRace.exit_code).is_retried


def test_without_links_nothing_is_built_any_more(home):
    build(home, "glucose_daily")
    shutil.rmtree(f"{home.lake_root}/vault/link")
    with pytest.raises(ConsentUnreadable, match=r"vault.link"):
        build(home, "glucose_daily")


@pytest.mark.parametrize("spoil", ["gone", "open", "empty"])
def test_without_a_good_key_nothing_is_built(home, spoil):
    master = home.keys / "master.key"
    match spoil:
        case "gone":
            master.unlink()
        case "open":
            master.chmod(0o644)
        case "empty":
            master.write_bytes(b"")
    with pytest.raises(KeysUnreadable):
        build(home, "glucose_daily")
    assert version(home) <= 0


def test_keys_of_two_domains_differ_and_are_stable(home):
    assert reference_key(home.keys, "engagement") == reference_key(home.keys, "engagement")
    assert reference_key(home.keys, "engagement") != reference_key(home.keys, "glycemia_institute")
    assert len(reference_key(home.keys, "engagement")) == 32


def test_a_spoiled_signing_key_signs_nothing(home):
    (home.keys / "signing.pem").write_bytes(b"nothing")
    with pytest.raises(KeysUnreadable, match="private key"):
        signing_key(home.keys)


def test_a_broken_contract_stops_every_stage(home, tmp_path, monkeypatch):
    own = tmp_path / "own" / "products"
    own.mkdir(parents=True)
    (own / "broken.yaml").write_text("apiVersion: v3.1.0\nkind: DataContract\nid: broken\n", encoding="utf-8")
    with monkeypatch.context() as patch:
        patch.setenv("CONCORD_CONTRACTS", str(tmp_path / "own"))
        with pytest.raises(ContractError, match=r"broken\.yaml"):
            build(home, "glucose_daily")
    assert version(home) <= 0
