"""Who is forgotten leaves extracts too: the recipient is told whom to delete, and our copies have nobody of them."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from contracts import catalog
from jobs import keys
from jobs.errors import NotApproved, NotErased
from jobs.ledger import erasures, extracts, withdrawals
from jobs.run import forgotten_extracts
from jobs.run.extract import deliver, record
from jobs.run.forget import forget
from jobs.run.recall import recall
from jobs.settings import Settings
from jobs.stages import recall as stage
from jobs.stages.extract import DATA
from tests import small_lake
from tests.acceptance.canary import holding
from tests.integration.airflow_stand_in import Run, Users, serving
from tests.integration.test_extract import RECIPIENT, RUN, bucket, held, prepared
from tests.integration.test_forget import asked
from tests.integration.test_forget_killed import Killed, dying
from tests.integration.test_recall import Sent, first, home, lake, say, sent, store
from tests.integration.two_releases import airflow

__all__ = ["airflow", "bucket", "first", "home", "sent", "store"]
NOTICE = "recall-1.json"


def pseudonym(made: Settings, person: str = "person-3") -> str:
    """The recipient's pseudonym of a person."""
    key = next(r["person_key"] for r in lake(made).arrow("vault.link").to_pylist() if r["source_person_id"] == person)
    return next(r["pseudonym"] for r in lake(made).arrow("vault.pseudonym").to_pylist()
                if (r["person_key"], r["domain"]) == (key, RECIPIENT))


def told(store: Any, extract_id: str, name: str = NOTICE) -> dict[str, Any]:
    prefix = catalog().recipients[RECIPIENT].delivery.removeprefix("s3://glycemia-institute/")
    return dict(json.loads(store.get_object(Bucket="glycemia-institute", Key=f"{prefix}/{extract_id}/{name}")["Body"].read()))


def people(made: Settings, extract_id: str) -> set[str]:
    """Who is in our copy of an extract."""
    return set(pq.read_table(io.BytesIO(held(made, extract_id).read(DATA) or b""))["person_id"].to_pylist())


def test_the_recipient_is_told_and_our_copy_loses_them(home: Settings, sent: str, store: Any, airflow: Users) -> None:
    name, before = pseudonym(home), people(home, sent)
    report = forget(home, asked("person-3"))
    assert report.facts["found"] == 0
    notice = told(store, sent)
    assert (notice["delete"], notice["because"], notice["number"]) == ([name], ["forgotten"], 1)
    row, = withdrawals.recalls(lake(home), sent)
    content = store.get_object(Bucket="glycemia-institute", Key=row["destination"].removeprefix("s3://glycemia-institute/"))["Body"].read()
    assert row["people"] == 1 and row["notice_sha256"] == hashlib.sha256(content).hexdigest()
    assert stage.is_signed(content, held(home, sent).read("recall-1.sig"), keys.public_key(home.keys))
    assert people(home, sent) == before - {name} and holding(home.home, [name.encode(), b"person-3"], ()) == []
    assert set(erasures.copies(lake(home), sent)) == {DATA, NOTICE}
    again = recall(home, RECIPIENT)  # Our copies are known to be altered, and nobody is told twice.
    assert again.facts["people"] == 0


def test_what_killed_runs_left_in_part_goes(home: Settings, sent: str, store: Any, airflow: Users) -> None:
    """The files of an extract that was never prepared, a batch and work in progress as a kill leaves them: the last bytes of a Parquet file are not there."""
    data = held(home, sent).read(DATA) or b""
    extract = Path(held(home, sent).folder)
    left = [extract.parent / "prepared" / f"{DATA}.part", home.spool / "crm.parquet", home.home / "lake" / "_work" / "x" / "part-0.parquet"]
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data[:-100])
    assert forget(home, asked("person-3")).facts["found"] == 0
    assert not any(path.exists() for path in left) and (extract / DATA).exists()


def test_who_was_recalled_before_is_not_told_of_again(home: Settings, sent: str, store: Any, airflow: Users) -> None:
    name, other = pseudonym(home), pseudonym(home, "person-4")
    for person in ("person-3", "person-4"):
        say(home, person)
    recall(home, RECIPIENT)
    assert told(store, sent)["delete"] == sorted([name, other])
    forget(home, asked("person-3"))
    assert len(withdrawals.recalls(lake(home), sent)) == 1
    kept = json.loads(held(home, sent).read(NOTICE) or b"{}")["delete"]
    assert other in kept and name not in kept and len(kept) == 2
    assert recall(home, RECIPIENT).facts["people"] == 0


def test_a_store_that_does_not_answer_is_asked_again(home: Settings, sent: str, store: Any, airflow: Users,
                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    name = pseudonym(home)
    with monkeypatch.context() as patch:
        patch.setenv("CONCORD_CONNECTION_CONCORD_GLYCEMIA_INSTITUTE",
                     json.dumps({"base_url": "http://127.0.0.1:9", "login": "a", "password": "b", "ca_file": ""}))
        with pytest.raises(NotErased, match=f"extract {sent}: {RECIPIENT} could not be told whom to delete") as stopped:
            forget(home, asked("person-3"))
    assert name not in str(stopped.value) and name not in people(home, sent)
    assert erasures.every(lake(home))[-1]["ended_at"] is None
    assert forget(home, asked()).facts["found"] == 0
    assert told(store, sent)["delete"] == [name] and erasures.every(lake(home))[-1]["ended_at"]
    assert holding(home.home, [name.encode()], ()) == []


def test_a_recipient_without_a_contract_is_named(home: Settings, sent: str, store: Any, airflow: Users,
                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.delitem(catalog().recipients, RECIPIENT)
        with pytest.raises(NotErased, match=f"{RECIPIENT} has no contract any more; put it back"):
            forget(home, asked("person-3"))
    assert forget(home, asked()).facts["found"] == 0


@pytest.mark.parametrize(("owner", "name", "at"), [
    (forgotten_extracts, "collect", -1), (forgotten_extracts, "upload", 1), (forgotten_extracts, "upload", -1),
    (forgotten_extracts.withdrawals, "write", -1), (forgotten_extracts.erasures, "keep_copy", 1),
    (forgotten_extracts.erasures, "keep_copy", -1), (forgotten_extracts.erasures, "keep_copy", 2)])
def test_killed_at_any_step_the_next_run_makes_it_good(home: Settings, sent: str, store: Any, airflow: Users, owner: Any, name: str,
                                                       at: int) -> None:
    who, before = pseudonym(home), people(home, sent)
    with pytest.MonkeyPatch.context() as patch:
        dying(patch, owner, name, at)
        with pytest.raises(Killed):
            forget(home, asked("person-3"))
    assert forget(home, asked()).facts["found"] == 0
    assert told(store, sent)["delete"] == [who] and people(home, sent) == before - {who}
    assert len(withdrawals.recalls(lake(home), sent)) == 1 and holding(home.home, [who.encode()], ()) == []
    assert recall(home, RECIPIENT).facts["people"] == 0


def test_one_that_was_not_sent_cannot_be_sent_any_more(small_release: Settings, tmp_path: Path, bucket: str, store: Any,
                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    made, run = small_lake.copy(small_release, tmp_path / "home"), Run()
    with serving(run) as address:
        monkeypatch.setenv("CONCORD_CONNECTION_CONCORD_AIRFLOW",
                           json.dumps({"base_url": address, "login": "concord", "password": "x", "ca_file": ""}))
        extract_id = prepared(made, run, "waiting")["extract_id"]
        record(made, extract_id, (RUN[0], "waiting"))
    name = pseudonym(made)
    with serving(Users()) as address:
        monkeypatch.setenv("CONCORD_CONNECTION_CONCORD_AIRFLOW", json.dumps({"base_url": address}))
        forget(made, asked("person-3"))
    assert name not in people(made, extract_id) and not extracts.all_sent(lake(made))
    with pytest.raises(NotApproved, match="altered"):
        deliver(made, extract_id)


def test_what_it_needs_is_there(first: Sent) -> None:
    assert pseudonym(first.home) in people(first.home, first.extract_id)
