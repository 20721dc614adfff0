"""A withdrawal reaches what left the house: a recall in the recipient's bucket and in the ledger, signed and never twice."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from cryptography.exceptions import InvalidSignature

from contracts import catalog
from jobs import engine as engines
from jobs import keys
from jobs.ledger import batches, extracts, withdrawals
from jobs.run.extract import deliver, record
from jobs.run.product import build
from jobs.run.recall import recall
from jobs.run.release import release
from jobs.schema import arrow_schema
from jobs.settings import Settings
from tests import small_lake
from tests.integration.airflow_stand_in import Run, serving
from tests.integration.test_extract import RECIPIENT, RUN, airflow, bucket, filled, names, prepared

__all__ = ["airflow", "bucket"]

WITH_CONSENT = ("glucose_daily", "patient_profile", "optin_rates")  # What a withdrawal is built anew for.
SAID = datetime(2026, 10, 9, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Sent:
    """A lake of which an extract of ten people was delivered, and what the recipient's bucket holds since."""

    home: Settings
    extract_id: str
    objects: dict[str, bytes]


@pytest.fixture(scope="module")
def first(small_release: Settings, tmp_path_factory: pytest.TempPathFactory, bucket: str) -> Sent:
    """Made once, copied by each test."""
    made, run = small_lake.copy(small_release, tmp_path_factory.mktemp("sent") / "home"), Run()
    with (serving(run) as address, pytest.MonkeyPatch.context() as patch, filled(bucket, patch, {}) as client):
        patch.setenv("CONCORD_CONNECTION_CONCORD_AIRFLOW",
                     json.dumps({"base_url": address, "login": "concord", "password": "x", "ca_file": ""}))
        extract_id = delivered(made, run, "first")
        return Sent(made, extract_id, {key: client.get_object(Bucket="glycemia-institute", Key=key)["Body"].read() for key in names(client)})


@pytest.fixture
def home(first: Sent, tmp_path: Path) -> Settings:
    return small_lake.copy(first.home, tmp_path / "home")


@pytest.fixture
def store(first: Sent, bucket: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with filled(bucket, monkeypatch, first.objects) as client:
        yield client


@pytest.fixture
def sent(first: Sent, store: Any) -> str:
    """The extract that the recipient was delivered."""
    return first.extract_id


def delivered(home: Settings, airflow: Any, run_id: str) -> str:
    extract_id = prepared(home, airflow, run_id)["extract_id"]
    record(home, extract_id, (RUN[0], run_id))
    deliver(home, extract_id)
    return str(extract_id)


def lake(home: Settings) -> small_lake.Lake:
    return small_lake.Lake(home.lake_root, catalog().tables)


def say(home: Settings, person: str, decision: str = "deny", recipient: str | None = RECIPIENT, purpose: str = "research",
        at: datetime = SAID, batch: str = "crm.000002", **more: Any) -> None:
    small_lake.append(lake(home), "core.consent", [
        {**small_lake.statement(person, purpose, recipient, decision), "recorded_at": at, **more}], batch)


def pseudonym(home: Settings, person: str) -> str:
    key = next(r["person_key"] for r in lake(home).arrow("vault.link").to_pylist() if r["source_person_id"] == person)
    return next(str(r["pseudonym"]) for r in lake(home).arrow("vault.pseudonym").to_pylist()
                if (r["domain"], r["person_key"]) == (RECIPIENT, key))


def fetched(store: Any, extract_id: str, number: int) -> dict[str, Any]:
    """A notice as the recipient finds it, after its signature was checked with the public key."""
    prefix = f"concord/{extract_id}/recall-{number}"
    content, signature = (store.get_object(Bucket="glycemia-institute", Key=f"{prefix}.{end}")["Body"].read()
                          for end in ("json", "sig"))
    return {"content": content, "signature": signature, **json.loads(content)}


def test_who_withdrew_is_recalled_once_by_the_recipients_own_pseudonym(home, sent, store):
    before = names(store)
    say(home, "person-3")
    report = recall(home, RECIPIENT)
    assert (report.facts["recalled"], set(report.changed)) == ({sent: 1}, {"ledger.recall", "ledger.withdrawal"})
    assert set(names(store)) - set(before) == {f"concord/{sent}/recall-1.{end}" for end in ("json", "sig")}
    notice = fetched(store, sent, 1)
    keys.public_key(home.keys).verify(base64.b64decode(notice["signature"]), notice["content"])
    with pytest.raises(InvalidSignature):
        keys.public_key(home.keys).verify(base64.b64decode(notice["signature"]), notice["content"] + b" ")
    entry = extracts.find(lake(home), sent)
    assert (notice["extract_id"], notice["recipient"], notice["number"]) == (sent, RECIPIENT, 1)
    assert (notice["delete"], notice["because"]) == ([pseudonym(home, "person-3")], ["withdrawal"])
    assert notice["manifest_sha256"] == entry["manifest_sha256"]
    assert notice["agreement"]["id"] == catalog().recipients[RECIPIENT].agreement
    assert notice["content"] == json.dumps(json.loads(notice["content"]), sort_keys=True, separators=(",", ":")).encode()
    row = withdrawals.recalls(lake(home), sent)[0]
    assert (row["number"], row["people"], row["notice_sha256"]) == (1, 1, hashlib.sha256(notice["content"]).hexdigest())
    assert row["destination"].endswith(f"/{sent}/recall-1.json")
    state, versions = names(store), [lake(home).version(n) for n in (withdrawals.RECALL, withdrawals.WITHDRAWAL)]
    assert recall(home, RECIPIENT).result == "unchanged"
    assert (names(store), [lake(home).version(n) for n in (withdrawals.RECALL, withdrawals.WITHDRAWAL)]) == (state, versions)


def test_nothing_of_ours_is_in_a_notice_nor_in_the_ledger(home, sent, store):
    say(home, "person-3")
    recall(home, RECIPIENT)
    ours = {r["person_key"] for r in lake(home).arrow("vault.link").to_pylist()} | {
        r["pseudonym"] for r in lake(home).arrow("vault.pseudonym").to_pylist() if r["domain"] != RECIPIENT}
    theirs = pseudonym(home, "person-3")
    told = fetched(store, sent, 1)["content"].decode()
    kept = json.dumps([lake(home).arrow(name).to_pylist() for name in (withdrawals.RECALL, withdrawals.WITHDRAWAL, "ledger.audit")],
                      default=str)
    events = home.events.read_text(encoding="utf-8")
    assert not [name for name in (*ours, "person-3") if name in told + kept + events]
    assert theirs in told and theirs not in kept + events


def test_the_time_from_the_statement_to_the_recall_is_kept(home, sent):
    conformed = datetime.now(UTC)  # After what was delivered, whatever day it is.
    batches.record(lake(home), "crm", 2, 1, conformed, conformed)
    say(home, "person-3")
    say(home, "person-3", purpose="adherence_monitoring", recipient=None, at=SAID + timedelta(days=1))
    recall(home, RECIPIENT)
    row, = lake(home).arrow(withdrawals.WITHDRAWAL).to_pylist()
    issued, = withdrawals.recalls(lake(home), sent)
    assert (row["product"], row["subject"], row["effect"]) == ("glucose_daily", f"{sent}.1", "recalled")
    assert (row["source"], row["said_at"], row["known_at"]) == ("crm", SAID, conformed)
    assert row["effective_at"] == issued["issued_at"]
    assert len(row["reference"]) == 32


@pytest.mark.parametrize(("person", "decision"), [("person-11", "deny"), ("stranger", "deny"), ("person-3", "permit")])
def test_what_takes_nobody_out_makes_no_recall(home, sent, store, person, decision):
    before = names(store)
    say(home, person, decision)
    assert recall(home, RECIPIENT).result == "unchanged"
    assert names(store) == before
    assert lake(home).arrow(withdrawals.WITHDRAWAL).num_rows == 0


def test_a_further_withdrawal_is_a_second_recall_of_the_new_alone(home, sent, store):
    say(home, "person-3")
    recall(home, RECIPIENT)
    say(home, "person-3", "permit", at=SAID + timedelta(days=1))
    say(home, "person-3", at=SAID + timedelta(days=2))
    say(home, "person-5", recipient=None, purpose="decision_support")
    assert recall(home, RECIPIENT).facts["recalled"] == {sent: 1}
    assert fetched(store, sent, 2)["delete"] == [pseudonym(home, "person-5")]
    assert [row["number"] for row in withdrawals.recalls(lake(home), sent)] == [1, 2]


def test_a_consent_that_lapsed_is_recalled_as_that_and_is_no_withdrawal(home, sent, store):
    say(home, "person-4", "permit", at=SAID - timedelta(days=10), valid_to_at=SAID)
    recall(home, RECIPIENT)
    assert fetched(store, sent, 1)["because"] == ["consent_lapsed"]
    assert lake(home).arrow(withdrawals.WITHDRAWAL).num_rows == 0


def test_a_no_of_somebody_who_turns_out_to_be_the_same_person(home, sent, store):
    """The no was known long before: nobody withdrew now."""
    batches.record(lake(home), "crm", 1, 1, SAID, SAID)
    links = lake(home).arrow("vault.link").to_pylist()
    key = {r["source_person_id"]: r["person_key"] for r in links}
    merged = [{**r, "person_key": key["person-3"]} if r["source_person_id"] == "person-11" else r for r in links]
    relink(home, merged)
    recall(home, RECIPIENT)
    notice = fetched(store, sent, 1)
    assert (notice["delete"], notice["because"]) == ([pseudonym(home, "person-3")], ["identity_changed"])
    assert lake(home).arrow(withdrawals.WITHDRAWAL).num_rows == 0


def test_whom_no_identity_has_any_more_is_recalled(home, sent, store):
    name = pseudonym(home, "person-3")
    relink(home, [r for r in lake(home).arrow("vault.link").to_pylist() if r["source_person_id"] != "person-3"])
    recall(home, RECIPIENT)
    assert (fetched(store, sent, 1)["delete"], fetched(store, sent, 1)["because"]) == ([name], ["identity_changed"])


def relink(home: Settings, rows: list[dict[str, Any]]) -> None:
    """Put other links in the place of those there are."""
    with engines.session(home.engine) as spark:
        into = small_lake.Lake(home.lake_root, catalog().tables, spark)
        table = pa.Table.from_pylist(rows, schema=arrow_schema(into.contract("vault.link")))
        into.replace("vault.link", spark.createDataFrame(table))


def test_what_was_not_delivered_is_not_recalled(small_release, tmp_path, airflow, store):
    home, before = small_lake.copy(small_release, tmp_path / "undelivered"), names(store)
    extract_id = prepared(home, airflow, "kept")["extract_id"]
    record(home, extract_id, (RUN[0], "kept"))
    say(home, "person-3")
    assert recall(home, RECIPIENT).result == "unchanged"
    assert names(store) == before


def test_an_extract_that_expired_is_not_recalled(home, sent, store, monkeypatch):
    class Later(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) + timedelta(days=31)

    say(home, "person-3")
    before = names(store)
    with monkeypatch.context() as patch:
        patch.setattr("jobs.run.recall.datetime", Later)
        assert recall(home, RECIPIENT).result == "unchanged"
    assert names(store) == before
    assert recall(home, RECIPIENT).result == "done"


def alone():
    """The recipient's contract, if a group of one were enough, now and beside earlier extracts."""
    recipient = catalog().recipients[RECIPIENT]
    asked = recipient.anonymity.model_copy(update={"k": 1, "sensitive": {}})
    return recipient.model_copy(update={"anonymity": asked})


def test_only_the_extracts_that_hold_them_are_recalled(home, airflow, sent, store, monkeypatch):
    """Somebody joins, is in the second extract alone, and withdraws. One who joined alone is let in for this once."""
    monkeypatch.setitem(catalog().recipients, RECIPIENT, alone())
    say(home, "person-11", "permit")
    second = delivered(home, airflow, "second")
    say(home, "person-11", at=SAID + timedelta(days=1))
    assert recall(home, RECIPIENT).facts["recalled"] == {second: 1}
    say(home, "person-3")
    assert recall(home, RECIPIENT).facts["recalled"] == {sent: 1, second: 1}


def test_another_recipient_is_not_asked(home, sent, store, tmp_path, monkeypatch):
    """A second partner without an extract: what the first was delivered is no matter of its run."""
    own = tmp_path / "contracts" / "recipients"
    own.mkdir(parents=True)
    text = (Path(catalog.__code__.co_filename).parent / "recipients" / f"{RECIPIENT}.yaml").read_text(encoding="utf-8")
    for old, new in ((RECIPIENT, "other_institute"), ("glycemia-institute", "other-institute")):
        text = text.replace(old, new)
    (own / "other_institute.yaml").write_text(text, encoding="utf-8")
    monkeypatch.setenv("CONCORD_CONTRACTS", str(own.parent))
    say(home, "person-3")
    before = names(store)
    assert recall(home, "other_institute").result == "unchanged"
    assert names(store) == before
    assert recall(home, RECIPIENT).facts["recalled"] == {sent: 1}


def test_an_extract_is_judged_by_the_purposes_it_was_made_for(home, sent, monkeypatch):
    """The agreement now asks for more than anybody permitted: nobody withdrew."""
    known = catalog()
    wider = known.recipients[RECIPIENT].model_copy(update={"purposes": ("research", "patient_education")})
    monkeypatch.setattr("jobs.run.shell.catalog", lambda: replace(
        known, recipients={RECIPIENT: wider}))
    assert recall(home, RECIPIENT).result == "unchanged"


def test_the_same_withdrawal_has_one_reference_and_another_of_the_same_person_has_its_own(home, airflow, sent):
    """Said in one record of the source that changes in place, as the CRM does it."""
    say(home, "person-3", recipient=None, purpose="adherence_monitoring", record_id="optins/1")
    recall(home, RECIPIENT)
    for product in WITH_CONSENT:
        build(home, product)
    release(home, "engagement")
    rows = lake(home).arrow(withdrawals.WITHDRAWAL).to_pylist()
    assert sorted((r["effect"], r["product"]) for r in rows) == [
        ("recalled", "glucose_daily"), ("released", "glucose_daily"), ("released", "patient_profile")] and len({r["reference"] for r in rows}) == 1
    for days, decision in ((1, "permit"), (2, "deny")):
        say(home, "person-3", decision, recipient=None, purpose="adherence_monitoring", record_id="optins/1",
            at=SAID + timedelta(days=days))
        for product in WITH_CONSENT:
            build(home, product)
        release(home, "engagement")
    assert len({r["reference"] for r in lake(home).arrow(withdrawals.WITHDRAWAL).to_pylist()}) == 2
