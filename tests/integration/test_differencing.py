"""The guard against differencing in builds and releases: who is counted is kept, compared, accounted for, and let go."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from contracts import catalog
from jobs import engine as engines
from jobs.errors import GateFailed, IntegrityError
from jobs.lake import Lake
from jobs.ledger import accounts, releases
from jobs.read import released
from jobs.run import pins, totals
from jobs.run.people import resolve
from jobs.run.product import account_of, build
from jobs.run.release import release
from jobs.settings import Settings
from jobs.stages import totalled
from tests import small_lake

GROUP, PRODUCT, CELLS = "engagement", "optin_rates", "vault.optin_rates__cells"


@pytest.fixture
def home(small_release: Settings, tmp_path: Path) -> Settings:
    return small_lake.copy(small_release, tmp_path / "home")


def lake(home: Settings) -> Lake:
    return Lake(home.lake_root, catalog().tables)


def come(home: Settings, *names: str) -> None:
    """People who permit all that the others do."""
    small_lake.append(lake(home), "core.identity", [{"source_person_id": n, "country_code": "DE"} for n in names], "crm.000002")
    small_lake.append(lake(home), "core.consent", [small_lake.statement(n, p) for n in names for p in small_lake.OPEN_PURPOSES], "crm.000002")
    resolve(home)


def built(home: Settings) -> dict[str, Any]:
    """What a build of all products says of the opt-in rates."""
    return {product: build(home, product).facts for product in catalog().products}[PRODUCT]


def asked(home: Settings, number: int | None = None) -> set[int]:
    return set(released(PRODUCT, number, settings=home).arrow()["asked"].to_pylist())


def test_a_cell_that_one_person_would_move_stays_as_it_was_released(home: Settings) -> None:
    come(home, "new")
    facts = built(home)
    assert (facts["cells"], facts["frozen"], facts["released"]) == (12, 6, 6), "totals are not frozen themselves"
    account = accounts.of(lake(home), {f"{facts['candidate']}.cells"})
    assert {(a["stage"], a["outcome"], a["reason_code"], a["rows"]) for a in account} == {
        ("differencing", "published", "-", 6), ("differencing", "frozen", "differencing", 6)}
    assert release(home, GROUP).facts["frozen"] == {"engagement_daily": 0, PRODUCT: 6}
    assert asked(home, 1) == asked(home, 2) == {10}
    come(home, *(f"more-{n}" for n in range(7)))
    assert built(home)["frozen"] == 0
    release(home, GROUP)
    assert asked(home) == {20}


def test_nothing_is_built_anew_because_it_was_released(home: Settings) -> None:
    come(home, "new")
    built(home)
    assert build(home, PRODUCT).result == "unchanged", "before it is released"
    release(home, GROUP)
    version = lake(home).version(CELLS)
    assert {build(home, product).result for product in catalog().products} == {"unchanged"}
    assert release(home, GROUP).result == "unchanged" and lake(home).version(CELLS) == version


def test_what_is_released_during_a_build_makes_its_candidate_wait(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was not compared with that, and the next build is."""
    come(home, *(f"crowd-{n}" for n in range(8)))
    built(home)
    first, own = lake(home).version("product.optin_rates"), totals.held_of
    pins = [{**pin, "number": 2, "table_version": first if pin["product"] == PRODUCT else pin["table_version"]}
            for pin in releases.latest(lake(home), GROUP).values()]

    def meanwhile(*rest: Any) -> Any:
        releases.pin(lake(home), GROUP, 2, pins, datetime.now(UTC))
        return own(*rest)

    come(home, "new")
    with monkeypatch.context() as patch:
        patch.setattr(totals, "held_of", meanwhile)
        assert build(home, PRODUCT).result == "done"
    oldest = next(pin for pin in releases.of(lake(home), GROUP) if pin["product"] == PRODUCT)
    assert lake(home).note("product.optin_rates")["against"] == oldest["table_version"] != first
    assert build(home, PRODUCT).result == "done" and lake(home).note("product.optin_rates")["against"] == first
    built(home)
    assert release(home, GROUP).facts["number"] == 3 and asked(home) == asked(home, 2)


def test_how_many_cells_are_frozen_is_told_to_no_reader(home: Settings) -> None:
    come(home, "new")
    built(home)
    assert "frozen" not in str(lake(home).note("product.optin_rates")), "a frozen cell says that somebody came"
    assert lake(home).note(CELLS)["frozen"] == 6


def test_no_exact_number_is_in_a_commit_that_readers_may_open(home: Settings) -> None:
    """Numbers in it are versions of tables, beside the contract's terms of use; its account comes to the ledger from the vault."""
    come(home, *(f"crowd-{n}" for n in range(41)))
    built(home)
    for product in (p for p in catalog().products.values() if p.is_aggregate):
        name = product.table.name
        version, note = lake(home).version(name), lake(home).note(name)
        account = accounts.of(lake(home), {f"{name}@{version}"})
        exact = {number for entry in account for number in (entry["rows"], entry["people"]) if number}
        versions = {*note["inputs"].values(), note["cells"], note["against"]}
        assert numbers({**note, "use": None}) <= versions, product.id
        if product.id == PRODUCT:
            assert {53, 171} <= exact - versions, "people, and their statements"
        assert {(stage, entry.outcome, entry.rows, entry.people) for stage, entry in account_of(lake(home), product, note)} == {
            (entry["stage"], entry["outcome"], entry["rows"], entry["people"]) for entry in account}


def numbers(said: Any) -> set[int]:
    """The numbers in a note."""
    if isinstance(said, dict | list):
        return {number for each in (said.values() if isinstance(said, dict) else said) for number in numbers(each)}
    return {said} if isinstance(said, int) and not isinstance(said, bool) else set()


def test_what_the_build_let_through_is_stopped_by_the_release(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    come(home, "new")
    with monkeypatch.context() as broken:
        broken.setattr(totalled, "few", lambda changed, fewest: changed.select("cell").limit(0))
        broken.setattr(totals, "_following", lambda what, past, people, changed, *rest: changed.select("cell").limit(0))
        assert built(home)["frozen"] == 0
    with pytest.raises(GateFailed, match="optin_rates: 6 cells differ from an earlier release, alone or summed, by fewer than 8 people"):
        release(home, GROUP)
    assert asked(home) == {10} and built(home)["frozen"] == 6
    assert release(home, GROUP).facts["number"] == 2


def test_a_candidate_that_an_older_release_was_compared_with_waits(home: Settings) -> None:
    come(home, "new")
    built(home)
    with engines.session(home.engine) as spark:
        writer = Lake(home.lake_root, catalog().tables, spark)
        note = writer.note("product.optin_rates")
        writer.replace("product.optin_rates", writer.read("product.optin_rates"), note={**note, "against": 0})
    assert release(home, GROUP).facts["waiting_for"] == [PRODUCT]
    assert build(home, PRODUCT).result == "done" and release(home, GROUP).facts["number"] == 2


def test_a_release_of_which_nobody_knows_whom_it_counts_stops_the_next(home: Settings) -> None:
    with engines.session(home.engine) as spark:
        writer = Lake(home.lake_root, catalog().tables, spark)
        note = {k: v for k, v in writer.note("product.optin_rates").items() if k != "cells"}
        version = writer.replace("product.optin_rates", writer.read("product.optin_rates"), note=note)
        pin = {**releases.latest(writer, GROUP)[PRODUCT], "table_version": version}
        releases.pin(writer, GROUP, 2, [{k: v for k, v in pin.items() if k not in ("release_group", "number", "released_at")}], pin["released_at"])
    with pytest.raises(IntegrityError, match="release engagement/2 of optin_rates was made before it was kept whom its cells count"):
        build(home, PRODUCT)


def test_of_whom_cells_count_the_newest_release_and_candidate_keep_a_version_each(home: Settings) -> None:
    for name in ("one", "two"):
        come(home, name)
        built(home)
        release(home, GROUP)
    come(home, "three")
    built(home)
    kept = pins.standing(lake(home), catalog())
    newest = lake(home).version(CELLS)
    assert kept.versions(CELLS) == {newest, newest - 1} and newest == 4 and kept.lost == ()


def test_a_release_costs_what_changed(home: Settings) -> None:
    """One row a person and cell, however many releases count them."""
    come(home, *(f"more-{n}" for n in range(9)))
    built(home)
    release(home, GROUP)
    rows = lake(home).arrow(CELLS).to_pylist()
    assert {(r["entered"], r["left"], r["amount"]) for r in rows} == {(1, None, 1), (2, None, 1)}
    assert len(rows) == 12 * 21 and all(r["is_first"] for r in rows)
