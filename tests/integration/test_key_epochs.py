"""A key is rotated: releases and extracts of two epochs live side by side, and the old one is destroyed once nobody holds it."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
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
from jobs.errors import ConfigurationError, IntegrityError, KeysUnreadable, LostRace, NotApproved, NotAuthorised, StillHeld
from jobs.files import Files
from jobs.ledger import extracts, releases, withdrawals
from jobs.read import released
from jobs.run import epochs, key_epochs, pseudonyms, reidentify
from jobs.run.asking import Question
from jobs.run.extract import deliver, folder, prepare, record
from jobs.run.key_epochs import overview, retire, rotate
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
from tests.acceptance.canary import holding
from tests.integration.airflow_stand_in import Run, Users, serving
from tests.integration.test_extract import RECIPIENT, RUN, bucket, filled, names, prepared
from tests.integration.test_recall import delivered, first, say

__all__ = ["bucket", "first"]

DOMAIN, GROUP, GLUCOSE = "engagement", "engagement", "glucose_daily"
OFFICER = Question(b'{"token": "officers-token"}')
SAID = datetime(2026, 10, 9, 12, tzinfo=UTC)


class Airflow(Run):
    """Knows runs and who holds a token."""

    def __init__(self) -> None:
        super().__init__()
        self.users = Users()

    def reply(self, path: str, authorization: str) -> tuple[int, Any]:
        """Status and JSON of a route."""
        asks_who = path.startswith(("/ui/auth/me", "/auth/fab/v1/users/"))
        return self.users.reply(path, authorization) if asks_who else super().reply(path, authorization)


@pytest.fixture
def airflow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Airflow]:
    with connected(monkeypatch) as run:
        yield run


@contextmanager
def connected(patch: pytest.MonkeyPatch) -> Iterator[Airflow]:
    """An Airflow that commands know."""
    run = Airflow()
    with serving(run) as address:
        patch.setenv("CONCORD_CONNECTION_CONCORD_AIRFLOW",
                     json.dumps({"base_url": address, "login": "concord", "password": "x", "ca_file": ""}))
        yield run


@dataclass(frozen=True)
class Rotated:
    """Release 1 and an extract of epoch 1; both keys rotated; release 2 and an extract of epoch 2; what the bucket holds; and
    what was seen between the rotation and the builds."""

    home: Settings
    extracts: tuple[str, str]
    objects: dict[str, bytes]
    between: dict[str, Any]


@pytest.fixture(scope="module")
def rotated(first: Any, tmp_path_factory: pytest.TempPathFactory, bucket: str) -> Rotated:
    home = small_lake.copy(first.home, tmp_path_factory.mktemp("rotated") / "home")
    with (pytest.MonkeyPatch.context() as patch, connected(patch) as run, filled(bucket, patch, first.objects) as client):
        told = rotate(home, DOMAIN, OFFICER)
        assert rotate(home, RECIPIENT, OFFICER).facts["epoch"] == 2
        waits = release(home, GROUP)
        between = {"told": told, "waits": waits.facts["waiting_for"], "result": waits.result, "rows": people(home, 1)}
        for product in catalog().products:
            build(home, product)
        assert release(home, GROUP).facts["number"] == 2
        second = delivered(home, run, "second")
        objects = {key: client.get_object(Bucket="glycemia-institute", Key=key)["Body"].read() for key in names(client)}
    return Rotated(home, (first.extract_id, second), objects, between)


@pytest.fixture
def home(rotated: Rotated, tmp_path: Path) -> Settings:
    return small_lake.copy(rotated.home, tmp_path / "home")


def lake(home: Settings) -> small_lake.Lake:
    return small_lake.Lake(home.lake_root, catalog().tables)


def vault(home: Settings, domain: str, epoch: int) -> dict[str, str]:
    """Pseudonyms of an epoch by person key."""
    return {r["person_key"]: r["pseudonym"] for r in lake(home).arrow(epochs.PSEUDONYM).to_pylist()
            if (r["domain"], r["epoch"]) == (domain, epoch)}


def people(home: Settings, number: int) -> set[str]:
    """The pseudonyms that a reader finds in a release."""
    return set(released(GLUCOSE, number, home).arrow()["person_id"].to_pylist())


def person(home: Settings, name: str) -> str:
    return next(r["person_key"] for r in lake(home).arrow("vault.link").to_pylist() if r["source_person_id"] == name)


def states(home: Settings) -> dict[tuple[str, int], str]:
    return {(row["domain"], row["epoch"]): row["state"] for row in overview(home)}


def forgotten(home: Settings, patch: pytest.MonkeyPatch) -> None:
    """Let retention have taken release 1 away, and the extract of epoch 1 have expired."""
    old = [pin for pin in releases.of(lake(home), GROUP) if pin["number"] == 1]
    releases.unpin(lake(home), old)
    later(patch, catalog().recipients[RECIPIENT].expires_after_days + 1)


def later(patch: pytest.MonkeyPatch, days: int) -> None:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.now(tz) + timedelta(days=days)

    patch.setattr(key_epochs, "datetime", Clock)


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


def said(name: str, token: str = "officers-token") -> Question:  # noqa: S107
    return Question(json.dumps({"pseudonym": name, "reason": "a report of harm", "token": token}).encode())


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


class Killed(BaseException):
    """What nothing of ours catches."""


def dies(*_: Any, **__: Any) -> None:
    raise Killed


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
