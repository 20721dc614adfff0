"""`concord replay SOURCE`: what was set apart gets a new outcome, is accounted for, and changes nothing that is newer."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from jobs.cli import app
from jobs.errors import ConfigurationError, GateFailed, LostRace
from jobs.ledger import batches, replays
from jobs.run import intake
from jobs.run.conform import conform
from jobs.run.rejected import overview
from jobs.run.replay_rejected import replay
from jobs.run.summary import summary
from jobs.schema import arrow_schema
from jobs.settings import Settings
from jobs.turn import turn
from tests.faults.command import concord
from tests.faults.points import COMMITS, Kill
from tests.faults.same import CLOCKS, contents
from tests.landing import RECEIVED, Raw, account, apart, core, lake_of, land
from tests.replaying import FIRST, LATER, SOURCE, contract, measured, said

D2, D3 = "2026-10-02T00:00:00Z", "2026-10-03T00:00:00Z"


def no_to_all(name: int) -> list[Raw]:
    other = Raw(f"consents/{name}b", {**said(name, "no").payload, "id": f"{name}b", "purpose": "decision_support"}, "consents")
    return [said(name, "no"), other]


BATCHES = [
    [measured(1, "ward", value=90), measured(2, "ward", value=90), measured(3, "ward", value=90), measured(4, "moon"), measured(5),
     said(1, "yes"), said(2, "yes"), said(3, "yes", D2), *no_to_all(7), measured(6, person="u7"), Raw("readings/8", "{", "readings"),
     *no_to_all(8), measured(10, "ward", person="u8")],
    [measured(2, value=92, at=D2), measured(3, at=D2, gone=True), said(1, "nay", D2), said(2, "aye", D2), said(3, "nay"),
     measured(8, "ward", at=D2)],
    [said(7, "aye", D3), measured(9, "ward", person="u7")]]


@pytest.fixture(scope="module")
def prepared(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Three batches under the first contract."""
    folder = tmp_path_factory.mktemp("replayed")
    made = Settings(home=folder / "home", lake="", engine=engine, actor="test")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONCORD_CONTRACTS", contract(folder / "first", FIRST))
        for number, records in enumerate(BATCHES, 1):
            land(made, SOURCE, records, number)
            conform(made, SOURCE)
    return made


@pytest.fixture(scope="module")
def later(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The later contract is in force."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONCORD_CONTRACTS", contract(tmp_path_factory.mktemp("later"), LATER))
        yield


@pytest.fixture
def home(prepared: Settings, later: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    shutil.copytree(prepared.home, tmp_path / "home")
    monkeypatch.setenv("CONCORD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("CONCORD_ENGINE", prepared.engine)
    monkeypatch.delenv("CONCORD_LAKE", raising=False)
    return Settings(home=tmp_path / "home", lake="", engine=prepared.engine, actor="test")


@pytest.fixture(scope="module")
def replayed(prepared: Settings, later: None, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The lake after a replay. Not to be written."""
    folder = tmp_path_factory.mktemp("after")
    shutil.copytree(prepared.home, folder / "home")
    made = Settings(home=folder / "home", lake="", engine=prepared.engine, actor="test")
    report = replay(made, SOURCE)
    assert report.facts["rows"] == 13 and set(report.changed) == {
        "core.observation", "core.consent", f"raw.{SOURCE}__rejected", f"raw.{SOURCE}__refused"}
    return made


def entries(made: Settings, replay_id: str) -> dict[tuple[str, str, str], int]:
    """A replay's account by stage, outcome and reason."""
    found: dict[tuple[str, str, str], int] = {}
    for row in replays.entries(lake_of(made), SOURCE):
        if row["subject"] == replay_id:
            key = row["stage"], row["outcome"], row["reason_code"]
            found[key] = found.get(key, 0) + row["rows"]
    return found


def counts(made: Settings) -> dict[str, Any]:
    return next(row for row in summary(made)["sources"] if row["source"] == SOURCE)


def history(made: Settings, record: str) -> list[tuple[Any, ...]]:
    """A record's statements in their order: decision, the run that brought it, and the one that closed it."""
    rows = [row for row in lake_of(made).arrow("core.consent").to_pylist() if row["record_id"] == record]
    return [(r["decision_code"], r["batch_id"], r["superseded_by"]) for r in sorted(rows, key=lambda r: r["known_at"])]


B1, B2, B3, R1, R2 = "house.000001", "house.000002", "house.000003", "house.replay-000001", "house.replay-000002"


def test_each_record_gets_the_outcome_that_it_has_beside_what_came_since(replayed: Settings, prepared: Settings) -> None:
    """Two readings of the ward are out of date: one has a newer version, one was deleted; so is a statement. One is refused."""
    assert {row["record_id"]: row["value"] for row in core(replayed, SOURCE, "core.observation")} == {
        "readings/1": 90, "readings/2": 92, **{f"readings/{n}": 95.5 for n in (5, 6, 8, 9)}}
    assert apart(replayed, SOURCE) == {(B1, 3): ("unknown_code", "payload.place"), (B1, 11): ("not_json", None)}
    assert entries(replayed, R1) == {
        ("taken", "rejected", "unknown_code"): 11, ("taken", "rejected", "not_json"): 1, ("replay", "accepted", "-"): 6,
        ("replay", "superseded", "-"): 3, ("replay", "refused", "every_purpose_denied"): 1,
        ("replay", "rejected", "unknown_code"): 1, ("replay", "rejected", "not_json"): 1}
    taken = lake_of(replayed).arrow(f"raw.{SOURCE}__replayed").to_pylist()
    assert {(row["replay_id"], row["batch_id"], row["position"], row["outcome"]) for row in taken} == {
        *[(R1, B1, n, "rejected") for n in (0, 1, 2, 3, 11, 14)], *[(R1, B2, n, "rejected") for n in (2, 3, 4, 5)],
        *[(R1, B3, n, "rejected") for n in (0, 1)], (R2, B1, 10, "refused")}
    assert [account(replayed, batch) for batch in (B1, B2, B3)] == [account(prepared, batch) for batch in (B1, B2, B3)]


def test_a_statement_that_can_be_read_ends_the_doubt_from_the_replay_on(replayed: Settings, prepared: Settings) -> None:
    """One was the withdrawal, one was not, and one is older than the yes, which stands again."""
    assert [history(prepared, f"consents/{n}")[-1] for n in (1, 2, 3)] == [("deny", B2, None)] * 3
    doubt = [("permit", B1, B2), ("deny", B2, R1)]
    assert [history(replayed, f"consents/{n}") for n in (1, 2, 3)] == [
        [*doubt, (decision, R1, None)] for decision in ("deny", "permit", "permit")]
    begun = {r["taken_at"] for r in lake_of(replayed).arrow(f"raw.{SOURCE}__replayed").to_pylist() if r["replay_id"] == R1}
    rows = [row for row in lake_of(replayed).arrow("core.consent").to_pylist() if row["source"] == SOURCE]
    assert {r["known_at"] for r in rows if r["batch_id"] == R1} == begun == {
        r["superseded_at"] for r in rows if r["superseded_by"] == R1}
    assert min(begun) > RECEIVED


def test_who_does_not_refuse_any_more_gets_their_records(replayed: Settings, prepared: Settings) -> None:
    """The yes itself could not be read before, so the refused record is taken up behind it."""
    refused = [lake_of(made).arrow(f"raw.{SOURCE}__refused").to_pylist() for made in (prepared, replayed)]
    assert [[(r["batch_id"], r["position"], r["source_person_id"]) for r in rows] for rows in refused] == [
        [(B1, 10, "u7")], [(B1, 14, "u8")]]
    assert {row["refused_at"] for rows in refused for row in rows} == {RECEIVED}  # Their days to be purged are counted from it.
    assert entries(replayed, R2) == {("taken", "refused", "every_purpose_denied"): 1, ("replay", "accepted", "-"): 1}


def test_accounts_overview_and_what_is_apart_agree(replayed: Settings, prepared: Settings) -> None:
    before, after = counts(prepared), counts(replayed)
    assert (before["rejected"], before["refused"], before["replayed"]) == (12, 1, 0)
    assert {row["reason_code"]: row["is_due"] for row in overview(prepared, SOURCE)} == {"unknown_code": True, "not_json": True}
    assert (after["rejected"], after["refused"], after["replayed"], after["landed"]) == (2, 1, 13, before["landed"])
    assert after["reasons"] == {"unknown_code": 1, "not_json": 1}
    found = overview(replayed, SOURCE)
    assert sum(r["rows"] for r in found) == 2 and {(r["is_due"], r["contract_version"]) for r in found} == {(False, "1.1.0")}


def test_a_reason_takes_all_rejected_versions_of_its_records(home: Settings) -> None:
    """A replay that was killed, and whose one record was purged since, is in nobody's way."""
    name = f"raw.{SOURCE}__replayed"
    killed = {"batch_id": B1, "position": 99, "replay_id": R1, "outcome": "refused", "reason_code": "every_purpose_denied",
              "taken_at": RECEIVED}
    lake_of(home).append_arrow(name, pa.Table.from_pylist([killed], schema=arrow_schema(lake_of(home).contract(name))))
    replay(home, SOURCE, "not_json")
    assert {(row["batch_id"], row["position"]) for row in lake_of(home).arrow(f"raw.{SOURCE}__replayed").to_pylist()} == {
        (B1, 11), (B2, 5)}
    assert {row["reason_code"]: row["is_due"] for row in overview(home, SOURCE)} == {"unknown_code": True, "not_json": False}


def test_the_gate_is_asked_and_then_nothing_is_written(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise GateFailed("broken")

    versions = {name: lake_of(home).version(name) for name in ("core.observation", "core.consent", f"raw.{SOURCE}__rejected")}
    with monkeypatch.context() as patch, pytest.raises(GateFailed):
        patch.setattr(intake, "gate", broken)
        replay(home, SOURCE)
    assert versions == {name: lake_of(home).version(name) for name in versions}
    assert lake_of(home).arrow(f"raw.{SOURCE}__replayed").num_rows == 0 and account(home, R1) == {}


def test_a_replay_and_a_conform_of_one_source_take_turns(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.turn.PATIENCE_SECONDS", 0.1)
    with turn(home.home / "turns", f"conform.{SOURCE}"), pytest.raises(LostRace):
        replay(home, SOURCE)


def test_what_a_killed_conform_set_apart_is_left_to_the_next_one(home: Settings) -> None:
    lake = lake_of(home)
    batches.record(lake, SOURCE, 3, len(BATCHES[2]), RECEIVED + timedelta(hours=2))
    assert replay(home, SOURCE, dry_run=True).facts["rows"] == 10


def said_by(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["replay", *words])
    if isinstance(done.exception, ConfigurationError):
        return 2, str(done.exception)
    return done.exit_code, done.output


def test_the_command_says_what_would_be_and_what_is(home: Settings) -> None:
    """A batch that waits is not taken up, and comes after what is."""
    land(home, SOURCE, [measured(1, value=93, at=D3), measured(4, "home", at=D2)], 4)
    status, told = said_by(SOURCE, "--dry-run")
    document = json.loads(told.splitlines()[-1])
    assert status == 0 and "12 records would be taken up" in told and document["changed"] == [] and document["dry_run"]
    assert apart(home, SOURCE).keys() >= {(B1, 0)} and account(home, R1) == {}
    status, told = said_by(SOURCE, "--json")
    document = json.loads(told)
    assert (status, document["rows"], document["outcomes"]["rejected"]) == (0, 13, 2)
    assert {r["record_id"] for r in core(home, SOURCE, "core.observation") if r["batch_id"] == R1} == {
        "readings/1", "readings/8", "readings/9"}
    assert json.loads(said_by(SOURCE, "--json")[1])["result"] == "unchanged"
    conform(home, SOURCE)
    assert [r["value"] for r in core(home, SOURCE, "core.observation") if r["batch_id"] == "house.000004"] == [93, 95.5]


@pytest.mark.parametrize(("words", "wrong"), [
    ((), "name either a SOURCE"), ((SOURCE, "--release", "engagement/1"), "name either a SOURCE"),
    (("--release", "engagement/1", "--dry-run"), "go with SOURCE"), ((SOURCE, "--product", "glucose_daily"), "with --release"),
    (("nowhere",), "no source is called 'nowhere'"), ((SOURCE, "--reason", "lost"), "no reason is called 'lost'")])
def test_what_does_not_go_together_is_refused(later: None, words: tuple[str, ...], wrong: str) -> None:
    status, told = said_by(*words)
    assert status == 2 and wrong in told


def test_killed_between_its_writes_and_run_again_it_leaves_the_same(prepared: Settings, later: None, tmp_path: Path) -> None:
    """Two gates' findings, what is taken up and by which contract, two core tables, the deletions, pointers of two kinds, the account.

    Killed in the middle of taking up, of writing core, of the pointers, and of the account.
    """
    words, clocks = ("replay", SOURCE, "--reason", "unknown_code"), CLOCKS | {"taken_at", "known_at", "superseded_at"}
    homes = (shutil.copytree(prepared.home, tmp_path / str(number)) for number in count())
    ended, expected = concord(home := next(homes), *words), contents(home, clocks)
    commits = [point for point in ended.points if point.startswith(COMMITS) and not point.endswith(("ledger.audit", "vault.whereabouts"))]
    assert len(commits) == 10
    for point in commits[2::2]:
        killed = concord(home := next(homes), *words, kill=Kill(point, "between"))
        assert killed.is_killed, killed.errors
        assert concord(home, *words).status == 0
        assert contents(home, clocks) == expected, point
