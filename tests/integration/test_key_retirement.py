"""An old epoch is destroyed, key and pseudonyms, once nobody holds it; before that it is refused with names."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from contracts import catalog
from contracts.exit_codes import ExitCode
from contracts.vocabulary import ReversalPurpose
from jobs import key_files, keys
from jobs.errors import ConfigurationError, KeysUnreadable, LostRace, NotApproved, NotAuthorised, StillHeld
from jobs.files import Files
from jobs.lake import Lake
from jobs.ledger import extracts
from jobs.run import epochs, key_epochs, reidentify
from jobs.run.asking import Question
from jobs.run.extract import deliver, prepare, record
from jobs.run.key_epochs import retire, rotate
from jobs.run.maintain import maintain
from jobs.run.product import build
from jobs.run.recall import recall
from jobs.run.release import release
from jobs.settings import Settings
from jobs.turn import turn
from tests.acceptance.canary import holding
from tests.integration.test_extract import RECIPIENT, RUN, bucket, filled, names, prepared
from tests.integration.test_recall import first, say
from tests.integration.two_epochs import (
    DOMAIN,
    GLUCOSE,
    GROUP,
    OFFICER,
    SAID,
    Airflow,
    Killed,
    Rotated,
    airflow,
    dies,
    forgotten,
    home,
    lake,
    later,
    people,
    person,
    rotated,
    said,
    states,
    vault,
)

__all__ = ["airflow", "bucket", "first", "home", "rotated"]


def test_an_epoch_that_somebody_holds_is_not_retired(rotated: Rotated, home: Settings, airflow: Airflow,
                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    before = lake(home).arrow(epochs.PSEUDONYM).to_pylist()
    with pytest.raises(StillHeld, match=r"epoch 1 of engagement cannot be retired: .*\n  release engagement/1 \(glucose_daily, patient_profile\): "
                                        r"`concord retention` takes it away") as refused:
        retire(home, DOMAIN, 1, OFFICER)
    assert "engagement/2" not in str(refused.value) and refused.value.exit_code == ExitCode.CONFIGURATION
    with pytest.raises(StillHeld, match=f"extract {rotated.extracts[0]}, delivered: {RECIPIENT} has it until it expires on") as refused:
        retire(home, RECIPIENT, 1, OFFICER)
    assert rotated.extracts[1] not in str(refused.value)
    assert lake(home).arrow(epochs.PSEUDONYM).to_pylist() == before
    assert {(p.name, len(p.read_bytes())) for p in home.keys.glob("*.salt")} == {
        (f"{domain}.{epoch}.salt", 32) for domain in (DOMAIN, RECIPIENT) for epoch in (1, 2)}
    row = max(lake(home).arrow("ledger.audit").to_pylist(), key=lambda r: r["at"])
    assert (row["stage"], row["subject"], row["actor"], row["result"]) == ("keys.retire", f"{RECIPIENT}.1", "officer", "failed")


def test_the_newest_release_says_what_to_do(home: Settings, airflow: Airflow) -> None:
    rotate(home, DOMAIN, OFFICER)
    with pytest.raises(StillHeld, match=r"release engagement/2 \(.*\): build its products and run `concord release engagement`"):
        retire(home, DOMAIN, 2, OFFICER)


def test_an_extract_whose_people_were_all_recalled_is_held_by_nobody(rotated: Rotated, home: Settings, airflow: Airflow, bucket: str,
                                                                     monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(12):
        say(home, f"person-{number}")
    with filled(bucket, monkeypatch, rotated.objects):
        recall(home, RECIPIENT)
    assert retire(home, RECIPIENT, 1, OFFICER).result == "done"


def test_an_approved_extract_is_delivered_or_expires_first_and_a_prepared_one_never_leaves(
        home: Settings, airflow: Airflow, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new release makes new extracts of epoch 2, one approved and one not; then the key is rotated."""
    say(home, "person-4", recipient=None, purpose="adherence_monitoring", at=SAID)
    for product in (GLUCOSE, "patient_profile", "optin_rates"):
        build(home, product)
    release(home, GROUP)
    approved = prepared(home, airflow, "approved")["extract_id"]
    record(home, approved, (RUN[0], "approved"))
    waiting = prepared(home, airflow, "waiting")["extract_id"]
    rotate(home, RECIPIENT, OFFICER)
    prepare(home, RECIPIENT, (RUN[0], "of epoch 3"))
    delivered_until = catalog().recipients[RECIPIENT].expires_after_days
    with pytest.raises(StillHeld, match=f"extract {approved}, approved: deliver it, or wait until it expires on") as refused:
        retire(home, RECIPIENT, 2, OFFICER)
    assert waiting not in str(refused.value)
    with monkeypatch.context() as patch:
        later(patch, delivered_until + 1)
        retire(home, RECIPIENT, 2, OFFICER)
    airflow.body = f"Extract {waiting}, manifest_sha256 {extracts.find(lake(home), waiting)['manifest_sha256']}"
    record(home, waiting, (RUN[0], "waiting"))
    with filled(bucket, monkeypatch, {}) as client:
        with pytest.raises(NotApproved, match=f"has pseudonyms of epoch 2 of {RECIPIENT}, which was retired on .*; prepare it again"):
            deliver(home, waiting)
        assert names(client) == []


@pytest.mark.parametrize("name", ["deliveries", f"extract.prepare.{RECIPIENT}", f"pseudonyms.{RECIPIENT}", "maintain.all"])
def test_what_could_bring_an_old_epoch_among_readers_is_waited_for(home: Settings, airflow: Airflow, name: str,
                                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody holds the epoch, so that the turn alone stops it."""
    later(monkeypatch, catalog().recipients[RECIPIENT].expires_after_days + 1)
    monkeypatch.setattr("jobs.turn.PATIENCE_SECONDS", 0.0)
    before = states(home)
    with turn(home.home / "turns", name), pytest.raises(LostRace, match=f"another run is at work on {name}"):
        retire(home, RECIPIENT, 1, OFFICER)
    assert states(home) == before and vault(home, RECIPIENT, 1)
    assert retire(home, RECIPIENT, 1, OFFICER).result == "done"


def test_no_delivery_begins_while_an_epoch_goes(home: Settings, airflow: Airflow, monkeypatch: pytest.MonkeyPatch) -> None:
    later(monkeypatch, catalog().recipients[RECIPIENT].expires_after_days + 1)
    tried, drop = [], Lake.drop_part

    def dropping(self: Lake, *args: Any) -> None:
        with pytest.raises(LostRace), turn(home.home / "turns", "deliveries", patience=0):
            tried.append("got in")
        tried.append("kept out")
        drop(self, *args)

    monkeypatch.setattr(Lake, "drop_part", dropping)
    retire(home, RECIPIENT, 1, OFFICER)
    assert tried == ["kept out"]


@pytest.mark.parametrize(("of", "match"), [
    ((DOMAIN, 2), "epoch 2 is the newest of engagement.*concord keys rotate engagement"), ((DOMAIN, 7), "has no epoch 7; there are 1, 2"),
    (("engagment", 1), r"no domain is called 'engagment' \(did you mean engagement\?\); there are engagement, glycemia_institute")])
def test_what_cannot_be_retired_is_said(home: Settings, airflow: Airflow, of: tuple[str, int], match: str) -> None:
    with pytest.raises(ConfigurationError, match=match):
        retire(home, *of, OFFICER)


@pytest.mark.parametrize("token", ["engineers-token", "nobodys-token", ""])
def test_nobody_but_an_officer_rotates_or_retires(home: Settings, airflow: Airflow, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    forgotten(home, monkeypatch)
    before = states(home)
    for act in (lambda q: rotate(home, DOMAIN, q), lambda q: retire(home, DOMAIN, 1, q)):
        with pytest.raises(NotAuthorised):
            act(Question(json.dumps({"token": token}).encode()))
    assert states(home) == before and before[DOMAIN, 1] == "bridge"


def bytes_of(home: Settings, domain: str, epoch: int) -> list[bytes]:
    return [name.encode() for name in vault(home, domain, epoch).values()]


def left(home: Settings, wanted: list[bytes]) -> list[str]:
    """Files of the vault's table, its log among them, that hold one of these values, as bytes or decoded."""
    return holding(Path(home.lake_root) / "vault" / "pseudonym", wanted, ())


def test_a_retired_epoch_is_gone_byte_by_byte(home: Settings, airflow: Airflow, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted, others = bytes_of(home, DOMAIN, 1), bytes_of(home, DOMAIN, 2)
    salt = keys.epoch_key(home.keys, DOMAIN, 1), (home.keys / f"{DOMAIN}.1.salt").read_bytes()
    orphan = next((Path(home.lake_root) / "vault" / "pseudonym" / f"domain={DOMAIN}" / "epoch=1").glob("*.parquet"))
    shutil.copy(orphan, orphan.with_name("left-by-a-kill.parquet"))
    shutil.copy(orphan, orphan.with_name("part-0.parquet#1"))
    assert min(len(left(home, [w])) for w in wanted) == 2, "the search must be able to find"
    forgotten(home, monkeypatch)
    report = retire(home, DOMAIN, 1, OFFICER)
    assert set(report.changed) == {epochs.PSEUDONYM, epochs.TABLE} and report.facts["living"] == [2]
    assert left(home, wanted) == [] and len(left(home, others[:1])) == 1
    assert holding(home.home, [*salt, *(s.hex().encode() for s in salt)], ()) == []
    row = next(r for r in lake(home).arrow(epochs.TABLE).to_pylist() if (r["domain"], r["epoch"]) == (DOMAIN, 1))
    assert row["retired_by"] == "officer" and row["retired_at"] > row["started_at"]
    assert states(home)[DOMAIN, 1] == "retired" and retire(home, DOMAIN, 1, OFFICER).result == "unchanged"
    with pytest.raises(KeysUnreadable, match=r"engagement.1.salt cannot be read"):
        keys.epoch_key(home.keys, DOMAIN, 1)
    assert build(home, GLUCOSE).result == "unchanged" and people(home, 2) == {o.decode() for o in others}
    maintain(home)


def test_the_log_of_the_vault_s_table_never_knew_a_pseudonym_or_a_person(rotated: Rotated) -> None:
    """Delta keeps the least and greatest value beside each file, and a log is never cut."""
    rows = lake(rotated.home).arrow(epochs.PSEUDONYM).to_pylist()
    wanted = [r[column].encode() for r in rows for column in ("pseudonym", "person_key")]
    log = Path(rotated.home.lake_root) / "vault" / "pseudonym" / "_delta_log"
    assert len(wanted) > 80 and holding(log, wanted, ()) == [] and holding(log, [b"epoch=1"], ())


def test_of_a_retired_epoch_nobody_is_told(home: Settings, airflow: Airflow, monkeypatch: pytest.MonkeyPatch) -> None:
    name = vault(home, DOMAIN, 1)[person(home, "person-3")]
    asked = reidentify.request(home, DOMAIN, ReversalPurpose.SAFETY_FOLLOW_UP, said(name)).facts["reversal"]
    forgotten(home, monkeypatch)
    retire(home, DOMAIN, 1, OFFICER)
    gone = r"epoch 1 was retired on \d{4}-\d\d-\d\d: whose its pseudonyms were, nobody can tell any more"
    for act in (lambda: reidentify.request(home, DOMAIN, ReversalPurpose.SAFETY_FOLLOW_UP, said(name)),
                lambda: reidentify.tell(home, str(asked), said(name, "admins-token"), lambda _: pytest.fail("told"))):
        with pytest.raises(ConfigurationError, match=gone) as refused:
            act()
        assert name not in str(refused.value)


GAPS = {"before the rows go": (key_epochs.Lake, "drop_part"), "between commit and files": (Files, "clear"),
        "before the salt goes": (keys, "end_epoch"), "in the middle of the salt": (key_files.Path, "unlink"),
        "before it is said": (epochs, "write")}


@pytest.mark.parametrize("gap", GAPS)
def test_killed_in_any_gap_it_is_completed(home: Settings, airflow: Airflow, monkeypatch: pytest.MonkeyPatch, gap: str) -> None:
    wanted = bytes_of(home, DOMAIN, 1)
    forgotten(home, monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr(*GAPS[gap], dies)
        with pytest.raises(Killed):
            retire(home, DOMAIN, 1, OFFICER)
    assert states(home)[DOMAIN, 1] == "bridge", "it is not said before it is so"
    assert build(home, GLUCOSE).result == "unchanged", "the newest key is all it takes"
    assert retire(home, DOMAIN, 1, OFFICER).result == "done"
    assert states(home)[DOMAIN, 1] == "retired" and left(home, wanted) == [] and not keys.has_salt(home.keys, DOMAIN, 1)
