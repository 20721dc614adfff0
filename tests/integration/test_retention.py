"""What is past its contract's days goes, zone by zone; what stays is named with what keeps it; a killed run is made good."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from contracts import catalog
from jobs.errors import LakeError, NotInForce, Overdue
from jobs.lake import Lake
from jobs.ledger import accounts, batches, releases, replays
from jobs.ledger import retention as ledger
from jobs.run import screen
from jobs.run.conform import conform
from jobs.run.retention import retention
from jobs.run.summary import summary
from jobs.schema import arrow_schema
from jobs.settings import Settings
from tests import small_lake
from tests.faults.same import CLOCKS, contents
from tests.integration.test_refused import BATCH, LONG_AGO, SECRET, bytes_of, case, contact, no
from tests.landing import lake_of, land, tolerate
from tests.small_lake import copy

SOURCE, RAW = "crm", "raw.crm"
DAYS = 30
OLD = LONG_AGO
TEXT = "The old question of Bert"
FIRST = [*BATCH, case(6, "bert", TEXT)]
TODAY = [contact("carl"), *no("carl")[1:], case(7, "carl", "A new question")]
Told = list[dict[str, Any]]


@pytest.fixture(scope="module", autouse=True)
def a_month() -> Iterator[None]:
    """The source's contract allows a month."""
    sources = catalog().sources
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sources, SOURCE, sources[SOURCE].model_copy(update={"retention_days": DAYS}))
        yield


@pytest.fixture(scope="module")
def conformed(tmp_path_factory: pytest.TempPathFactory, engine: str) -> Settings:
    """A batch that is past its retention, with records of every outcome, and one of today."""
    made = small_lake.settings(tmp_path_factory.mktemp("retention"), engine)
    with pytest.MonkeyPatch.context() as patch:
        tolerate(patch, SOURCE)
        land(made, SOURCE, FIRST, at=OLD)
        land(made, SOURCE, TODAY, 2, datetime.now(UTC))
        conform(made, SOURCE)
    return made


@pytest.fixture
def home(conformed: Settings, tmp_path: Path) -> Settings:
    return copy(conformed, tmp_path / "home")


def run(made: Settings, **more: Any) -> tuple[str, dict[tuple[str, str], dict[str, Any]]]:
    """Run it; its result, and what it told by table and scope."""
    told: Told = []
    report = retention(made, told.append, **more)
    return report.result, {(row["table_name"], row["scope"]): row for row in told[0]["tables"]}


def versions(made: Settings) -> dict[str, int]:
    """Of every table; one that is empty is as if it were not there."""
    left_out = ("ledger.audit", "vault.commitment", "vault.whereabouts")  # Questions and the index of who is where.
    return {name: max(lake_of(made).version(name), 0) for name in catalog().tables if name not in left_out}


def batches_of(made: Settings, table: str) -> set[str]:
    return set(lake_of(made).arrow(table)["batch_id"].to_pylist())


def test_what_is_past_its_days_goes_and_what_tells_who_said_no_stays(home: Settings) -> None:
    kept = {table: lake_of(home).arrow(table).to_pylist() for table in ("core.consent", "core.identity", f"{RAW}__deleted")}
    result, told = run(home, grace_hours=0)
    raw, cases = told[RAW, SOURCE], told["core.interaction", SOURCE]
    assert (result, raw["rows"], raw["overdue"], raw["days"]) == ("done", len(FIRST), 0, DAYS)
    assert cases["rows"] == 3 and cases["oldest_at"] == raw["oldest_at"] > OLD
    assert batches_of(home, RAW) == batches_of(home, "core.interaction") == {"crm.000002"}
    assert not batches_of(home, f"{RAW}__rejected") and not batches_of(home, f"{RAW}__refused")
    assert {table: lake_of(home).arrow(table).to_pylist() for table in kept} == kept and kept["core.consent"]
    for zone in ("raw", "core"):
        assert TEXT.encode() not in bytes_of(Path(home.lake_root, zone)) and SECRET not in bytes_of(Path(home.lake_root, zone))
    found = lake_of(home).arrow("safety.candidate").to_pylist()
    assert [row["record_id"] for row in found] == ["cases/1"], "what was refused is screened before it goes, and safety keeps it"


def test_accounts_still_balance(home: Settings) -> None:
    before = summary(home)["sources"]
    run(home)
    landed = sum(row["rows"] for row in batches.of(lake_of(home), SOURCE))
    removed = [row for row in lake_of(home).arrow(accounts.TABLE).to_pylist() if row["stage"] == "retention" and row["table_name"] == RAW]
    assert lake_of(home).arrow(RAW).num_rows + sum(row["rows"] for row in removed) == landed
    assert summary(home)["sources"] == before


def test_a_second_run_and_a_dry_run_change_nothing(home: Settings) -> None:
    before = versions(home)
    result, told = run(home, dry_run=True)
    assert (result, versions(home), told[RAW, SOURCE]["rows"]) == ("unchanged", before, len(FIRST))
    run(home)
    after = versions(home)
    result, told = run(home)
    assert (result, versions(home), told[RAW, SOURCE]["rows"]) == ("unchanged", after, 0)


def test_a_batch_that_waits_is_kept_and_named(tmp_path: Path, engine: str) -> None:
    made = small_lake.settings(tmp_path / "home", engine)
    land(made, SOURCE, FIRST, at=OLD)
    told: Told = []
    for _ in range(2):
        with pytest.raises(Overdue, match=r"raw.crm of crm \(batch crm.000001\)"):
            retention(made, told.append)
    (row,) = [row for row in told[0]["tables"] if row["table_name"] == RAW]
    assert (row["rows"], row["overdue"], row["kept_by"]) == (0, len(FIRST), "batch crm.000001")
    assert lake_of(made).arrow(RAW).num_rows == len(FIRST)
    assert lake_of(made).arrow(ledger.TABLE).num_rows == 1, "nothing changed the second time, so nothing is written"
    assert not lake_of(made).exists("core.interaction"), "a table that is not there yet is not made: builds wait for it"


def test_a_replay_whose_pointers_went_keeps_its_number(home: Settings) -> None:
    lake, first = lake_of(home), replays.replay_id(SOURCE, 1)
    pointer = {"replay_id": first, "batch_id": "crm.000001", "position": 0, "outcome": "rejected", "reason_code": "not_json", "taken_at": OLD}
    lake.merge_arrow(f"{RAW}__replayed", pa.Table.from_pylist([pointer], schema=arrow_schema(lake.contract(f"{RAW}__replayed"))))
    assert replays.last(lake, SOURCE) == (1, OLD)
    accounts.write(lake, first, [(replays.STAGE, accounts.Entry("cases", "rejected", "not_json", 1))], OLD)
    run(home)
    assert not lake.arrow(f"{RAW}__replayed").num_rows and replays.last(lake, SOURCE) == (1, None)


KILLED: dict[str, tuple[Any, str, int]] = {
    "counted": (Lake, "purge", 1), "pointers gone": (Lake, "purge", 3), "payloads gone": (accounts, "write", 1),
    "accounted": (ledger, "write", 2), "core counted": (Lake, "merge", 2), "core rows gone": (accounts, "write", 2)}


@pytest.fixture(scope="module")
def undisturbed(conformed: Settings, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    made = copy(conformed, tmp_path_factory.mktemp("undisturbed") / "home")
    run(made)
    return contents(made.home, CLOCKS)


@pytest.mark.parametrize("moment", KILLED)
def test_a_killed_run_is_made_good_by_the_next(home: Settings, undisturbed: dict[str, list[str]], moment: str) -> None:
    owner, name, nth = KILLED[moment]
    calls, write = [0], getattr(owner, name)

    def killed(*args: Any, **more: Any) -> Any:
        calls[0] += 1
        if calls[0] == nth:
            raise KeyboardInterrupt
        return write(*args, **more)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(owner, name, killed)
        run(home)
    run(home)
    assert contents(home.home, CLOCKS) == undisturbed


def test_a_killed_run_is_finished_before_more_goes(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + timedelta(days=DAYS + 1)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(accounts, "write", interrupted)
        run(home)
    assert lake_of(home).arrow(RAW).num_rows == len(TODAY)
    monkeypatch.setattr("jobs.run.retention.datetime", Later)
    run(home)
    written = [row for row in lake_of(home).arrow(accounts.TABLE).to_pylist() if row["stage"] == "retention" and row["table_name"] == RAW]
    assert {row["subject"]: row["rows"] for row in written} == {f"{RAW}@{SOURCE}.1": len(FIRST), f"{RAW}@{SOURCE}.2": len(TODAY)}


def interrupted(*args: Any) -> None:
    raise KeyboardInterrupt


def test_what_no_contract_declares_is_overdue(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    lake, (product, *_) = lake_of(home), catalog().products.values()
    pin = {"product": "leaflet", "table_version": 3, "rows": 1, "inputs": "{}", "contract_version": "1.0.0", "use": "{}",
           "contract_sha256": "0" * 64, "decided_at": OLD}
    releases.pin(lake, product.release_group, 1, [pin], OLD)
    shutil.copytree(lake.path(RAW), Path(home.lake_root, "raw", "fax"))
    monkeypatch.delitem(catalog().sources, SOURCE)
    told: Told = []
    with pytest.raises(Overdue, match="no contract declares"):
        retention(home, told.append)
    assert told[0]["undeclared"] == ["table raw.fax", "rows of source crm in core.interaction",
                                     f"product.leaflet version 3 (release {product.release_group}/1)"]


def test_a_source_that_fails_stops_no_other(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*args: Any) -> int:
        raise LakeError("a table is not as declared")

    monkeypatch.setattr(screen, "find", failing)
    lake_of(home).ensure("raw.study")
    lake_of(home).ensure("raw.study__replayed")
    told: Told = []
    with pytest.raises(LakeError):
        retention(home, told.append)
    assert told[0]["failed"] == {SOURCE: "LakeError"} and "raw.study" in {row["table_name"] for row in told[0]["tables"]}


def test_a_record_that_is_still_delivered_stays(home: Settings) -> None:
    land(home, SOURCE, [case(6, "bert", TEXT)], 3, datetime.now(UTC))
    conform(home, SOURCE)
    run(home)
    left = {row["record_id"]: row["batch_id"] for row in lake_of(home).arrow("core.interaction").to_pylist()}
    assert left == {"cases/6": "crm.000001", "cases/7": "crm.000002"}


def test_nothing_goes_for_good_by_days_that_nobody_reviewed(home: Settings) -> None:
    production = home.model_copy(update={"environment": "production"})
    before = versions(home)
    with pytest.raises(NotInForce, match="has no review"):
        run(production)
    assert versions(home) == before
    told: Told = []
    retention(production, told.append, dry_run=True)
    assert any(row["rows"] for row in told[0]["tables"]), "what would go is told"
