"""A key is rotated: releases and extracts of two epochs live side by side, and nobody who has either is forgotten."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from contracts import catalog
from contracts.exit_codes import ExitCode
from contracts.vocabulary import ReversalPurpose
from jobs import key_files, keys
from jobs.cli import app
from jobs.errors import IntegrityError, KeysUnreadable, LostRace
from jobs.files import Files
from jobs.ledger import releases, withdrawals
from jobs.read import released
from jobs.run import epochs, pseudonyms, reidentify
from jobs.run.delivered import folder
from jobs.run.extract import prepare
from jobs.run.key_epochs import overview, rotate
from jobs.run.maintain import maintain
from jobs.run.past import Asked
from jobs.run.people import resolve
from jobs.run.product import build
from jobs.run.recall import recall
from jobs.run.release import release
from jobs.run.replay import replay
from jobs.run.shell import open_shell
from jobs.settings import Settings
from jobs.stages import extract as stage
from tests import small_lake
from tests.integration.test_extract import RECIPIENT, RUN, bucket, filled
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
    people,
    person,
    rotated,
    said,
    states,
    vault,
)

__all__ = ["airflow", "bucket", "first", "home", "rotated"]


def test_until_all_is_built_readers_see_the_old_release_whole(rotated: Rotated) -> None:
    told, seen = rotated.between["told"], rotated.between
    assert told.facts["epoch"] == 2 and told.facts["living"] == [1, 2] and f"concord release {GROUP}" in told.facts["again"]
    assert (seen["result"], set(seen["waits"])) == ("unchanged", {p.id for p in catalog().products.values() if not p.is_aggregate})
    assert seen["rows"] == people(rotated.home, 1) == set(vault(rotated.home, DOMAIN, 1).values())


def test_a_new_epoch_is_a_new_release_and_both_are_bridged(rotated: Rotated) -> None:
    home = rotated.home
    one, two = vault(home, DOMAIN, 1), vault(home, DOMAIN, 2)
    assert one.keys() == two.keys() and len(one) == 12 and not set(one.values()) & set(two.values())
    assert people(home, 2) == set(two.values()) and people(home, 1) == set(one.values())
    profile = set(released("patient_profile", 2, home).arrow()["person_id"].to_pylist())
    assert profile == set(two.values()), "products of one domain can be joined"
    rows = lake(home).arrow(epochs.PSEUDONYM).to_pylist()
    seeds = {(r["domain"], r["epoch"], r["person_key"]): r["date_seed"] for r in rows}
    assert sum(seeds[DOMAIN, 1, key] == seeds[DOMAIN, 2, key] for key in one) == 0, "dates are moved otherwise"
    row = next(r for r in lake(home).arrow(epochs.TABLE).to_pylist() if (r["domain"], r["epoch"]) == (DOMAIN, 2))
    assert (row["started_by"], row["retired_at"]) == ("officer", None)
    audit = [r for r in lake(home).arrow("ledger.audit").to_pylist() if r["stage"] == "keys.rotate"]
    assert [(r["actor"], json.loads(r["detail"])["actor_proof"]) for r in audit] == [("officer", "airflow_token")] * 2
    assert build(home, GLUCOSE).result == "unchanged" and release(home, GROUP).result == "unchanged"


def test_an_extract_says_its_epoch_and_none_is_sent_twice(rotated: Rotated, home: Settings, airflow: Airflow) -> None:
    held = [Files(folder(home, catalog().recipients[RECIPIENT], name)) for name in rotated.extracts]
    assert [json.loads(files.read(stage.MANIFEST) or b"")["pseudonym_epoch"] for files in held] == [1, 2]
    for number, files in enumerate(held, 1):
        rows = pq.read_table(io.BytesIO(files.read(stage.DATA) or b""))
        assert set(rows["person_id"].to_pylist()) <= set(vault(home, RECIPIENT, number).values())
    assert prepare(home, RECIPIENT, (RUN[0], "third")).result == "unchanged"
    rotate(home, RECIPIENT, OFFICER)
    assert prepare(home, RECIPIENT, (RUN[0], "fourth")).result == "done", "another key, another extract"


def test_who_withdraws_is_recalled_by_the_pseudonym_of_each_extract(
        rotated: Rotated, home: Settings, airflow: Airflow, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    say(home, "person-3")
    key = person(home, "person-3")
    with filled(bucket, monkeypatch, rotated.objects):
        assert recall(home, RECIPIENT).facts["recalled"] == dict.fromkeys(rotated.extracts, 1)
    for number, name in enumerate(rotated.extracts, 1):
        notice = json.loads(Files(folder(home, catalog().recipients[RECIPIENT], name)).read("recall-1.json") or b"")
        assert notice["delete"] == [vault(home, RECIPIENT, number)[key]]
    rows = [r for r in lake(home).arrow(withdrawals.WITHDRAWAL).to_pylist() if r["effect"] == "recalled"]
    assert len(rows) == 2 and len({r["reference"] for r in rows}) == 1, "one statement, two extracts"


def test_who_is_in_releases_of_both_epochs_is_gone_from_the_one_after(home: Settings) -> None:
    say(home, "person-4", recipient=None, purpose="adherence_monitoring", at=SAID)
    for product in (GLUCOSE, "patient_profile", "optin_rates"):
        build(home, product)
    release(home, GROUP)
    marks = {(m["number"], m["people"]) for m in lake(home).arrow(withdrawals.SUPERSEDED).to_pylist() if m["product"] == GLUCOSE}
    assert marks == {(1, 1), (2, 1)}
    rows = [r for r in lake(home).arrow(withdrawals.WITHDRAWAL).to_pylist() if r["product"] == GLUCOSE]
    assert [r["subject"] for r in rows] == [f"{GROUP}.3"], "one withdrawal, of the first release without the person"


def test_pseudonyms_of_both_epochs_are_told_and_replayed(home: Settings, airflow: Airflow) -> None:
    key = person(home, "person-3")
    for epoch in (1, 2):
        name = vault(home, DOMAIN, epoch)[key]
        asked = reidentify.request(home, DOMAIN, ReversalPurpose.SAFETY_FOLLOW_UP, said(name))
        answers: list[dict[str, Any]] = []
        reidentify.tell(home, str(asked.facts["reversal"]), said(name, "admins-token"), answers.append)
        assert answers[0]["identities"] == [{"source": "crm", "source_person_id": "person-3"}]
        replayed: list[dict[str, Any]] = []
        replay(home, Asked(GROUP, epoch, GLUCOSE), OFFICER, replayed.append)
        counts = replayed[0]["products"][0]["people"]
        assert (counts["considered"], counts["permitted"], counts["released"], counts["not_permitted"]) == (12, 12, 12, 0)


@pytest.mark.parametrize("gap", [(epochs, "write"), (pseudonyms, "digest_with_seeds")])
def test_a_first_build_that_is_killed_loses_no_salt(small_release: Settings, engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                                   gap: Any) -> None:
    home = Settings(home=tmp_path / "home", lake="", engine=engine, actor="test")
    keys.create(home.keys)
    small_lake.fill(home, people=9, days=1)
    resolve(home)
    assert {row["state"] for row in overview(home)} == {"not begun"}
    with monkeypatch.context() as patch:
        patch.setattr(*gap, dies)
        with pytest.raises(Killed):
            build(home, GLUCOSE)
    salt = (home.keys / f"{DOMAIN}.1.salt").read_bytes()
    assert build(home, GLUCOSE).result == "done" and states(home)[DOMAIN, 1] == "newest"
    assert (home.keys / f"{DOMAIN}.1.salt").read_bytes() == salt
    assert [r["started_by"] for r in lake(home).arrow(epochs.TABLE).to_pylist()] == [None]


def test_without_its_salt_nothing_flows_and_a_rotation_heals(home: Settings, airflow: Airflow) -> None:
    (home.keys / f"{DOMAIN}.2.salt").unlink()
    small_lake.append(lake(home), "core.identity", [{"source_person_id": "new", "country_code": "DE"}])
    small_lake.append(lake(home), "core.consent", [small_lake.statement("new", purpose) for purpose in small_lake.OPEN_PURPOSES])
    small_lake.append(lake(home), "core.observation", [{"source_person_id": "new", "code": "2339-0", "value": 100.0, "unit_code": "mg/dL",
                                                       "effective_at": small_lake.START, "status_code": "final"}])
    resolve(home)
    with pytest.raises(KeysUnreadable, match=r"engagement.2.salt cannot be read .*epoch 2 of engagement.*concord keys rotate engagement") as failed:
        build(home, GLUCOSE)
    assert failed.value.exit_code == ExitCode.CONSENT and not keys.has_salt(home.keys, DOMAIN, 2), "no other salt was made"
    assert len(vault(home, DOMAIN, 2)) == 12
    assert rotate(home, DOMAIN, OFFICER).facts["epoch"] == 3
    assert build(home, GLUCOSE).result == "done" and len(vault(home, DOMAIN, 3)) == 13


def test_pseudonyms_of_an_epoch_that_nobody_knows_stop_everything(home: Settings) -> None:
    """vault.key_epoch was lost: a new salt would give the same people other pseudonyms under the same number."""
    rows = lake(home).arrow(epochs.TABLE)
    lake(home).replace_arrow(epochs.TABLE, rows.slice(0, 0))
    with (pytest.raises(IntegrityError, match="has pseudonyms of epoch 1 of engagement, of which vault.key_epoch knows nothing; restore"),
          open_shell(home, "keys.rotate", DOMAIN, with_engine=False) as shell):
        epochs.key(shell, DOMAIN, 1)


def test_small_files_of_a_part_are_joined_and_the_old_ones_go(home: Settings) -> None:
    """They lie a folder deeper than those of other tables."""
    rows = lake(home).arrow(epochs.PSEUDONYM)
    part = rows.filter([(r["domain"], r["epoch"]) == (DOMAIN, 2) for r in rows.to_pylist()])

    def new(number: int) -> None:
        row = {**part.slice(0, 1).to_pylist()[0], "person_key": f"{number:032x}", "pseudonym": f"{number:032x}"}
        lake(home).append_arrow(epochs.PSEUDONYM, part.from_pylist([row], schema=part.schema))

    for number in range(16):
        new(number)
    files = Path(lake(home).path(epochs.PSEUDONYM), f"domain={DOMAIN}", "epoch=2")
    assert len(list(files.glob("*.parquet"))) == 17
    assert maintain(home).facts["joined"]
    new(16)
    maintain(home, grace_hours=0)
    assert len(list(files.glob("*.parquet"))) == 2 and len(vault(home, DOMAIN, 2)) == 29


def test_a_rotation_is_made_once(home: Settings, airflow: Airflow) -> None:
    assert [rotate(home, DOMAIN, OFFICER).facts["epoch"] for _ in range(3)] == [3, 3, 3]
    assert rotate(home, DOMAIN, OFFICER).result == "unchanged"


def test_a_rotation_meanwhile_stops_a_build_and_a_release(home: Settings, airflow: Airflow, monkeypatch: pytest.MonkeyPatch) -> None:
    small_lake.append(lake(home), "core.observation", [{"source_person_id": "person-1", "code": "2339-0", "value": 90.0, "unit_code": "mg/dL",
                                                       "effective_at": small_lake.START + timedelta(days=5), "status_code": "final"}])
    complete = pseudonyms.complete

    def late(*given: Any) -> None:
        rotate(home, DOMAIN, OFFICER)
        complete(*given)

    version = lake(home).version(f"product.{GLUCOSE}")
    with monkeypatch.context() as patch:
        patch.setattr(pseudonyms, "complete", late)
        with pytest.raises(LostRace, match="the key of engagement was rotated while this ran"):
            build(home, GLUCOSE)
    assert lake(home).version(f"product.{GLUCOSE}") == version and vault(home, DOMAIN, 3) == {}
    build(home, GLUCOSE)
    with monkeypatch.context() as patch:  # As if the profile had been looked at before the rotation, and glucose after it.
        patch.setattr("jobs.run.release._is_ready", lambda *_: True)
        with pytest.raises(LostRace, match="candidates of engagement have pseudonyms of epochs 2, 3 of engagement; nothing was pinned"):
            release(home, GROUP)
    assert max(pin["number"] for pin in releases.of(lake(home), GROUP)) == 2


def test_the_commands(home: Settings, airflow: Airflow, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CONCORD_HOME", str(home.home))
    monkeypatch.delenv("CONCORD_LAKE", raising=False)
    token = tmp_path / "token"
    key_files.write_once(token, b"officers-token\n")

    def run(*words: str, given: bytes = b"") -> str:
        done = CliRunner().invoke(app, ["keys", *words], input=given, catch_exceptions=False)
        assert done.exit_code == 0
        return done.stdout

    said = run("rotate", DOMAIN, "--token-file", str(token))
    assert said.startswith("epoch 3 of engagement began; made anew by it next: concord build ") and json.loads(said.splitlines()[-1])["epoch"] == 3
    assert run("rotate", DOMAIN, given=OFFICER.content).startswith("nothing new")
    forgotten(home, monkeypatch)
    assert run("retire", DOMAIN, "1", "--token-file", str(token)).startswith("epoch 1 of engagement is gone, its key and its pseudonyms")
    rows = {(r["domain"], r["epoch"]): r for r in json.loads(run("list", "--json"))}
    assert [(r["state"], r["people"], r["has_salt"]) for (domain, _), r in rows.items() if domain == DOMAIN] == [
        ("retired", 0, False), ("bridge", 12, True), ("newest", 0, True)]
    assert rows[DOMAIN, 1]["retired_by"] == "officer"
    table = run("list")
    assert all(word in table for word in ("engagement", RECIPIENT, "retired", "bridge", "newest"))
