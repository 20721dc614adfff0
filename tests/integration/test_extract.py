"""Extracts: only what was approved leaves, and only for people who permit the recipient."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pyarrow.parquet as pq
import pytest
import requests
from moto.server import ThreadedMotoServer

from contracts import catalog
from contracts.anonymity import Anonymity
from contracts.model import Column
from jobs import keys
from jobs.errors import NotApproved
from jobs.files import Files
from jobs.ledger import accounts, extracts
from jobs.run.delivered import folder
from jobs.run.extract import deliver, prepare, record
from jobs.settings import Settings
from jobs.stages import extract as stage
from tests import small_lake
from tests.integration.airflow_stand_in import Run, serving

RUN = ("extract_glycemia_institute", "manual__1")
RECIPIENT = "glycemia_institute"
BY_READINGS = Anonymity.model_validate({"quasiIdentifiers": {"readings": "made"}, "k": 7, "suppressPercent": 0, "sensitive": {}, "reason": None})


@pytest.fixture(scope="module")
def home(small_release: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return small_lake.copy(small_release, tmp_path_factory.mktemp("extract") / "home")


@pytest.fixture
def airflow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    run = Run()
    with serving(run) as address:
        monkeypatch.setenv("CONCORD_CONNECTION_CONCORD_AIRFLOW",
                           json.dumps({"base_url": address, "login": "concord", "password": "x", "ca_file": ""}))
        yield run


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    requests.post(f"http://{host}:{port}/moto-api/reset", timeout=30).raise_for_status()  # What other tests of the process left.
    yield f"http://{host}:{port}"
    server.stop()


@contextmanager
def filled(bucket: str, patch: pytest.MonkeyPatch, objects: Mapping[str, bytes]) -> Iterator[Any]:
    """The partner's bucket with these objects in it; it is gone afterwards."""
    client = boto3.client("s3", endpoint_url=bucket, aws_access_key_id="a", aws_secret_access_key="b",
                          region_name="eu-central-1")
    client.create_bucket(Bucket="glycemia-institute", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    patch.setenv("CONCORD_CONNECTION_CONCORD_GLYCEMIA_INSTITUTE",
                 json.dumps({"base_url": bucket, "login": "a", "password": "b", "ca_file": ""}))
    for key, content in objects.items():
        client.put_object(Bucket="glycemia-institute", Key=key, Body=content)
    yield client
    for item in client.list_objects_v2(Bucket="glycemia-institute").get("Contents", []):
        client.delete_object(Bucket="glycemia-institute", Key=item["Key"])
    client.delete_bucket(Bucket="glycemia-institute")


@pytest.fixture
def store(bucket: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with filled(bucket, monkeypatch, {}) as client:
        yield client


def names(store) -> list[str]:
    return [o["Key"] for o in store.list_objects_v2(Bucket="glycemia-institute").get("Contents", [])]


def prepared(home: Settings, airflow: Run, run_id: str) -> dict:
    report = prepare(home, RECIPIENT, (RUN[0], run_id))
    airflow.body = f"Extract {report.facts['extract_id']}, manifest_sha256 {report.facts['manifest_sha256']}"
    return report.facts


def held(home: Settings, extract_id: str) -> Files:
    return Files(folder(home, catalog().recipients[RECIPIENT], extract_id))


def test_only_people_who_permit_the_recipient_are_in_it(home, airflow):
    facts = prepared(home, airflow, "who")
    rows = pq.read_table(io.BytesIO(held(home, facts["extract_id"]).read(stage.DATA) or b""))
    assert rows.column_names == [c.name for c in catalog().recipients[RECIPIENT].table.columns]
    assert len(set(rows["person_id"].to_pylist())) == 10
    assert rows.num_rows == 20
    lake = small_lake.Lake(home.lake_root, catalog().tables)
    count = {(e["stage"], e["outcome"]): e["rows"] for e in accounts.of(lake, {facts["extract_id"]})}
    assert count == {("permit", "permitted"): 20, ("permit", "withheld"): 4, ("protect", "released"): 20}
    product = set(lake.arrow("product.glucose_daily")["person_id"].to_pylist())
    assert not product & set(rows["person_id"].to_pylist()), "the partner's pseudonyms must be its own"


def test_dates_of_a_person_are_moved_together_and_the_manifest_says_so(home, airflow, monkeypatch):
    recipient = catalog().recipients[RECIPIENT]
    moved = Column.model_validate({**recipient.table.column("observed_on").model_dump(), "treatment": "date_shift",
                                   "treatment_options": {"max_days": 30, "keep_weekday": False}})
    table = recipient.table.model_copy(update={"columns": tuple(
        moved if c.name == moved.name else c for c in recipient.table.columns)})
    monkeypatch.setitem(catalog().recipients, RECIPIENT, recipient.model_copy(update={"table": table, "anonymity": BY_READINGS, "hierarchies": ()}))
    files = held(home, prepared(home, airflow, "moved")["extract_id"])
    rows = pq.read_table(io.BytesIO(files.read(stage.DATA) or b"")).to_pylist()
    lake = small_lake.Lake(home.lake_root, catalog().tables)
    seeds = {r["pseudonym"]: r["date_seed"] for r in lake.arrow("vault.pseudonym").to_pylist() if r["domain"] == RECIPIENT}
    days = {r["observed_on"] for r in lake.arrow("product.glucose_daily").to_pylist()}
    expected = {(person, day + timedelta(days=seeds[person] % 61 - 30)) for person in {r["person_id"] for r in rows} for day in days}
    assert {(r["person_id"], r["observed_on"]) for r in rows} == expected and len(expected) == 20
    assert len({r["observed_on"] for r in rows}) > len(days), "not all by the same number"
    said = {c["name"]: c for c in json.loads(files.read(stage.MANIFEST) or b"")["schema"]}
    assert said["observed_on"]["treatment_options"] == {"maxDays": 30, "keepWeekday": False}
    assert (said["readings"]["treatment"], said["person_id"]["treatment"]) == ("keep", "pseudonym")
    assert json.loads(files.read(stage.MANIFEST) or b"")["anonymity"]["smallest_group"] == 10


def test_manifest_is_signed_and_says_what_was_delivered(home, airflow):
    facts = prepared(home, airflow, "manifest")
    files = held(home, facts["extract_id"])
    content, signature = files.read(stage.MANIFEST), files.read(stage.SIGNATURE)
    assert content and signature
    keys.public_key(home.keys).verify(base64.b64decode(signature), content)
    body = json.loads(content)
    assert body["files"][0]["sha256"] == hashlib.sha256(files.read(stage.DATA) or b"").hexdigest()
    assert body["files"][0]["rows"] == facts["rows"] == 20
    assert {"release", "consent_snapshot", "agreement", "contract", "schema", "expires_at"} <= set(body)


def test_preparing_again_makes_the_same_extract(home, airflow):
    assert prepared(home, airflow, "again") == {**prepared(home, airflow, "again"), "seconds": pytest.approx(0, abs=99)}


def test_approved_extract_is_delivered_once(home, airflow, store):
    facts = prepared(home, airflow, "good")
    record(home, facts["extract_id"], (RUN[0], "good"))
    assert deliver(home, facts["extract_id"]).result == "done"
    assert sorted(n.split("/")[-1] for n in names(store)) == ["data.parquet", "manifest.json", "manifest.sig"]
    first = store.list_objects_v2(Bucket="glycemia-institute")["Contents"]
    assert deliver(home, facts["extract_id"]).result == "unchanged"
    assert store.list_objects_v2(Bucket="glycemia-institute")["Contents"] == first
    assert prepare(home, RECIPIENT, (RUN[0], "nothing-new")).result == "unchanged", "the partner has this release already"


def test_unapproved_is_not_delivered(home, airflow, store, monkeypatch):
    monkeypatch.setattr("jobs.run.extract._has_it", lambda *_: False)
    facts = prepared(home, airflow, "unapproved")
    with pytest.raises(NotApproved, match="no approval"):
        deliver(home, facts["extract_id"])
    assert names(store) == []


@pytest.mark.parametrize(("case", "change", "said"), [
    ("requester", {"approver": "officer", "requester": "officer"}, "may not approve"),
    ("stranger", {"approver": "admin"}, "no approver"),
    ("nobody", {"approver": None}, "nobody answered"),
    ("no-requester", {"requester": None}, "no logged-in user"),
    ("other-manifest", {"body": "manifest_sha256 0000"}, "another extract or manifest"),
])
def test_answers_that_are_no_approval(home, airflow, store, monkeypatch, case, change, said):
    monkeypatch.setattr("jobs.run.extract._has_it", lambda *_: False)
    facts = prepared(home, airflow, case)
    for name, value in change.items():
        setattr(airflow, name, value)
    with pytest.raises(NotApproved, match=said):
        record(home, facts["extract_id"], (RUN[0], case))
    with pytest.raises(NotApproved, match="no approval"):
        deliver(home, facts["extract_id"])
    assert names(store) == []


def test_the_answer_of_another_run_approves_nothing(home, airflow, monkeypatch):
    monkeypatch.setattr("jobs.run.extract._has_it", lambda *_: False)
    facts = prepared(home, airflow, "mine")
    for other in ((RUN[0], "another"), ("another_dag", "mine")):
        with pytest.raises(NotApproved, match="did not ask"):
            record(home, facts["extract_id"], other)


def test_rejected_is_recorded_and_not_delivered(home, airflow, store, monkeypatch):
    monkeypatch.setattr("jobs.run.extract._has_it", lambda *_: False)
    facts = prepared(home, airflow, "rejected")
    airflow.chosen = ["Reject"]
    assert record(home, facts["extract_id"], (RUN[0], "rejected")).facts["decision"] == "rejected"
    with pytest.raises(NotApproved, match="rejected"):
        deliver(home, facts["extract_id"])
    assert names(store) == []


@pytest.mark.parametrize(("name", "said"), [(stage.DATA, "altered"), (stage.MANIFEST, "signature"), (stage.SIGNATURE, "signature")])
def test_altered_is_not_delivered(home, airflow, store, monkeypatch, name, said):
    monkeypatch.setattr("jobs.run.extract._has_it", lambda *_: False)
    facts = prepared(home, airflow, f"altered-{name}")
    record(home, facts["extract_id"], (RUN[0], f"altered-{name}"))
    files = held(home, facts["extract_id"])
    content = bytearray(files.read(name) or b"")
    content[len(content) // 2] ^= 1
    files.write(name, bytes(content))
    with pytest.raises(NotApproved, match=said):
        deliver(home, facts["extract_id"])
    assert names(store) == []


def test_manifest_signed_by_another_key_or_swapped_is_not_delivered(home, airflow, store, monkeypatch):
    monkeypatch.setattr("jobs.run.extract._has_it", lambda *_: False)
    facts, other = prepared(home, airflow, "swap-a"), prepared(home, airflow, "swap-b")
    record(home, other["extract_id"], (RUN[0], "swap-b"))
    for name in (stage.DATA, stage.MANIFEST, stage.SIGNATURE):
        held(home, other["extract_id"]).write(name, held(home, facts["extract_id"]).read(name) or b"")
    with pytest.raises(NotApproved, match="not the one the ledger knows"):
        deliver(home, other["extract_id"])
    assert names(store) == []


def test_expired_is_not_delivered(home, airflow, store, monkeypatch):
    monkeypatch.setattr("jobs.run.extract._has_it", lambda *_: False)
    facts = prepared(home, airflow, "expired")
    files = {n: held(home, facts["extract_id"]).read(n) for n in (stage.DATA, stage.MANIFEST, stage.SIGNATURE)}
    recipient = catalog().recipients[RECIPIENT]
    stage.verify(recipient, files, keys.public_key(home.keys), datetime.now(UTC))
    with pytest.raises(NotApproved, match="expired"):
        stage.verify(recipient, files, keys.public_key(home.keys), datetime(2027, 6, 1, tzinfo=UTC))
    ended = recipient.model_copy(update={"agreement_expires_on": "2026-01-01"})
    with pytest.raises(NotApproved, match="ended"):
        stage.verify(ended, files, keys.public_key(home.keys), datetime.now(UTC))
    edited = recipient.model_copy(update={"sha256": "0" * 64})
    with pytest.raises(NotApproved, match="edited"):
        stage.verify(edited, files, keys.public_key(home.keys), datetime.now(UTC))


def test_ledger_entry_of_a_stranger_does_not_count(home, airflow, store, monkeypatch):
    monkeypatch.setattr("jobs.run.extract._has_it", lambda *_: False)
    facts = prepared(home, airflow, "forged")
    lake = small_lake.Lake(home.lake_root, catalog().tables)
    extracts.write(lake, extracts.APPROVAL, {
        "extract_id": facts["extract_id"], "manifest_sha256": facts["manifest_sha256"], "approver": "engineer",
        "decision": "approved", "requester": "someone", "proof": "none", "decided_at": datetime.now(UTC)})
    with pytest.raises(NotApproved, match="no approver"):
        deliver(home, facts["extract_id"])
    assert names(store) == []
