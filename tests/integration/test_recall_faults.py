"""A recall when something fails: nothing is recorded that was not issued, nothing is issued twice, nobody is forgotten."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from jobs.delivery import upload
from jobs.errors import ConsentUnreadable, IntegrityError, SourceUnavailable
from jobs.ledger import withdrawals
from jobs.run.recall import recall
from jobs.stages import extract as extract_stage
from tests.integration.test_extract import RECIPIENT, airflow, bucket, held, names
from tests.integration.test_recall import fetched, first, home, lake, pseudonym, say, sent, store

__all__ = ["airflow", "bucket", "first", "home", "sent", "store"]


def test_a_store_that_does_not_answer_leaves_nothing_issued_and_the_next_run_makes_good(home, sent, store, monkeypatch):
    say(home, "person-3")
    name = "CONCORD_CONNECTION_CONCORD_GLYCEMIA_INSTITUTE"
    with monkeypatch.context() as patch:
        patch.setenv(name, json.dumps({"base_url": "http://127.0.0.1:9", "login": "a", "password": "b", "ca_file": ""}))
        with pytest.raises(SourceUnavailable) as failure:
            recall(home, RECIPIENT)
    assert failure.value.exit_code == 75
    assert withdrawals.recalls(lake(home), sent) == [] and lake(home).arrow(withdrawals.WITHDRAWAL).num_rows == 0
    assert recall(home, RECIPIENT).facts["recalled"] == {sent: 1}
    assert fetched(store, sent, 1)["delete"] == [pseudonym(home, "person-3")]


@pytest.mark.parametrize("table", [withdrawals.WITHDRAWAL, withdrawals.RECALL])
def test_killed_after_the_upload_the_next_run_issues_the_same_notice(home, sent, store, monkeypatch, table):
    say(home, "person-3")
    write = withdrawals.write

    def killed(into, name, rows):
        if name == table:
            raise KeyboardInterrupt
        return write(into, name, rows)

    with monkeypatch.context() as patch:
        patch.setattr("jobs.run.recall.withdrawals.write", killed)
        with pytest.raises(KeyboardInterrupt):
            recall(home, RECIPIENT)
    first = fetched(store, sent, 1)
    assert withdrawals.recalls(lake(home), sent) == []
    say(home, "person-5")
    assert recall(home, RECIPIENT).facts["recalled"] == {sent: 2}
    assert fetched(store, sent, 1) == first
    assert fetched(store, sent, 2)["delete"] == [pseudonym(home, "person-5")]
    assert [r["people"] for r in withdrawals.recalls(lake(home), sent)] == [1, 1]
    assert lake(home).arrow(withdrawals.WITHDRAWAL).num_rows == 2


def test_a_recipient_never_sees_a_notice_before_its_signature(home, sent, store, monkeypatch):
    def failing(recipient, destination, files, last):
        upload(recipient, destination, {name: content for name, content in files.items() if name != last})
        raise SourceUnavailable("cut off before the last")

    say(home, "person-3")
    before = names(store)
    with monkeypatch.context() as patch:
        patch.setattr("jobs.run.recall.upload", failing)
        with pytest.raises(SourceUnavailable):
            recall(home, RECIPIENT)
    assert set(names(store)) - set(before) == {f"concord/{sent}/recall-1.sig"}
    assert recall(home, RECIPIENT).facts["recalled"] == {sent: 1}
    assert fetched(store, sent, 1)["number"] == 1


def test_a_half_written_notice_is_made_anew(home, sent, store):
    say(home, "person-3")
    held(home, sent).write("recall-1.json", b'{"delete":[]}')
    recall(home, RECIPIENT)
    assert fetched(store, sent, 1)["delete"] == [pseudonym(home, "person-3")]


def test_whom_an_altered_notice_named_is_named_again(home, sent, store):
    say(home, "person-3")
    recall(home, RECIPIENT)
    named = [pseudonym(home, f"person-{i}") for i in (3, 5)]
    held(home, sent).write("recall-1.json", json.dumps({"delete": named}).encode())
    say(home, "person-5")
    assert recall(home, RECIPIENT).facts["recalled"] == {sent: 2}
    assert fetched(store, sent, 2)["delete"] == sorted(named)


@pytest.mark.parametrize("name", [extract_stage.DATA, extract_stage.MANIFEST])
def test_a_copy_that_is_not_what_left_is_said(home, sent, store, name):
    """An altered manifest could say that the extract expired long ago."""
    say(home, "person-3")
    content = held(home, sent).read(name) or b""
    held(home, sent).write(name, content.replace(b'"expires_at":"20', b'"expires_at":"19') if b"expires_at" in content else b"")
    before = names(store)
    with pytest.raises(IntegrityError, match="our copy of extract"):
        recall(home, RECIPIENT)
    assert names(store) == before


def test_no_recall_rests_on_consent_that_cannot_be_read(home, sent, store):
    shutil.rmtree(Path(home.lake_root) / "core" / "consent")
    before = names(store)
    with pytest.raises(ConsentUnreadable):
        recall(home, RECIPIENT)
    assert names(store) == before
