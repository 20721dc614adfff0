"""One recipient lays extracts of different days beside each other: its pseudonyms are the same in all of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from contracts import catalog
from contracts.anonymity import Anonymity
from jobs.errors import Linkable
from jobs.ledger import accounts
from jobs.run.extract import deliver
from jobs.settings import Settings
from jobs.stages.protect import MARK
from tests import small_lake
from tests.attacks.pooled import MOVED, ONE, Rows, known_by, partners, prepared, released, rows, sent, treated
from tests.integration.airflow_stand_in import Run
from tests.integration.test_extract import bucket

__all__ = ["bucket"]

PEOPLE, LATER, GROUP = 40, 10, 7
World = tuple[Settings, Run, pytest.MonkeyPatch]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, engine: str) -> Settings:
    """Forty people, of whom thirty permit the partner."""
    return released(tmp_path_factory.mktemp("over_time"), engine, PEOPLE, days=2, refusing=LATER)


@pytest.fixture
def world(first: Settings, bucket: str, tmp_path: Path) -> Iterator[World]:
    with partners(bucket) as (airflow, patch):
        yield small_lake.copy(first, tmp_path / "home"), airflow, patch


def off(patch: pytest.MonkeyPatch) -> None:
    """The guard lets everything through."""
    from pyspark.sql import functions as F

    patch.setattr("jobs.run.linkage.over_time", lambda shell, recipient, schema, rows, now: rows.withColumn(MARK, F.lit(True)))


def join_in(home: Settings, people: range) -> None:
    """People who said no to the partner say yes."""
    lake = small_lake.Lake(home.lake_root, catalog().tables)
    later = small_lake.START + timedelta(days=5)
    small_lake.append(lake, "core.consent", [{**small_lake.statement(f"person-{n}", "research", ONE), "recorded_at": later} for n in people],
                      "crm.000003")


def names(rows: Rows) -> set[str]:
    return {row["person_id"] for row in rows}


def protected(home: Settings, extract_id: str) -> dict[tuple[str, str], int]:
    lake = small_lake.Lake(home.lake_root, catalog().tables)
    return {(e["outcome"], e["reason_code"]): e["rows"] for e in accounts.of(lake, {extract_id}) if e["stage"] == "protect"}


def test_without_the_guard_who_joined_since_stands_alone(world: World) -> None:
    home, airflow, patch = world
    off(patch)
    before = sent(home, airflow, ONE, "1")
    join_in(home, range(30, 32))
    assert len(names(sent(home, airflow, ONE, "2")) - names(before)) == 2


def test_few_who_joined_wait_until_they_are_a_group(world: World) -> None:
    home, airflow, _ = world
    before = names(sent(home, airflow, ONE, "1"))
    join_in(home, range(30, 30 + GROUP - 1))
    facts = prepared(home, airflow, ONE, "2")
    deliver(home, facts["extract_id"])
    assert names(rows(home, ONE, facts["extract_id"])) == before and len(before) == 30
    assert protected(home, facts["extract_id"]) == {("released", "-"): 60, ("suppressed", "told_apart"): 2 * (GROUP - 1)}
    join_in(home, range(30 + GROUP - 1, 30 + GROUP))
    assert len(names(sent(home, airflow, ONE, "3")) - before) == GROUP


def test_pseudonyms_of_another_domain_do_not_let_them_in(world: World) -> None:
    home, airflow, patch = world
    sent(home, airflow, ONE, "1")
    join_in(home, range(30, 32))
    patch.setitem(catalog().recipients, ONE, catalog().recipients[ONE].model_copy(update={"pseudonym_domain": "anew", "sha256": "anew"}))
    facts = prepared(home, airflow, ONE, "2")
    assert protected(home, facts["extract_id"]) == {("released", "-"): 60, ("suppressed", "told_apart"): 4}


def grouped(width: float) -> dict[str, Any]:
    """A version of the contract that tells bands of the time in range, of which groups are made, too."""
    bands = {"type": "string", "treatment": "band", "treatment_options": {"edges": [width]}, "minimum": None, "maximum": None}
    return {**treated(catalog().recipients[ONE], time_in_range_percent=bands), **known_by("observed_on", "time_in_range_percent"),
            "sha256": str(width)}


def versions(world: World) -> tuple[Rows, Rows]:
    """Two extracts of the same people by contracts whose bands have other edges."""
    home, airflow, patch = world
    got = []
    for number, width in enumerate((45.0, 50.0)):
        patch.setitem(catalog().recipients, ONE, catalog().recipients[ONE].model_copy(update=grouped(width)))
        got.append(sent(home, airflow, ONE, str(number)))
    return got[0], got[1]


def smallest(one: Rows, two: Rows) -> int:
    """The least number of people who have a day of one band in the first extract and of one band in the second."""
    band = {(r["person_id"], r["observed_on"]): r["time_in_range_percent"] for r in one}
    crowds: dict[tuple[Any, ...], set[str]] = {}
    for r in two:
        before = band.get((r["person_id"], r["observed_on"]))
        crowds.setdefault((r["observed_on"], before, r["time_in_range_percent"]), set()).add(r["person_id"])
    return min(map(len, crowds.values()))


def test_without_the_guard_bands_of_two_versions_cut_groups_into_small_ones(world: World) -> None:
    off(world[2])
    assert smallest(*versions(world)) < GROUP


def test_bands_of_two_versions_leave_groups_whole(world: World) -> None:
    one, two = versions(world)
    assert smallest(one, two) >= GROUP and 0 < len(two) < len(one)


def test_days_that_were_told_are_not_moved_later_under_the_same_pseudonyms(world: World) -> None:
    home, airflow, patch = world
    sent(home, airflow, ONE, "1")
    moved = {**treated(catalog().recipients[ONE], observed_on=MOVED), **known_by(), "sha256": "moved"}
    patch.setitem(catalog().recipients, ONE, catalog().recipients[ONE].model_copy(update=moved))
    with pytest.raises(Linkable, match="column observed_on is treated otherwise than in glycemia_institute-.* undoes the other, whatever the pseudonyms"):
        prepared(home, airflow, ONE, "2")


def test_two_that_were_prepared_side_by_side_meet_at_delivery(world: World) -> None:
    home, airflow, _ = world
    older = prepared(home, airflow, ONE, "1")["extract_id"]
    join_in(home, range(30, 32))
    newer = prepared(home, airflow, ONE, "2")["extract_id"]
    deliver(home, older)
    with pytest.raises(Linkable, match="4 rows of .* would single people out beside what glycemia_institute was delivered since"):
        deliver(home, newer)


def test_a_new_day_is_no_difference(world: World) -> None:
    home, airflow, _ = world
    sent(home, airflow, ONE, "1")
    lake = small_lake.Lake(home.lake_root, catalog().tables)
    at = small_lake.START + timedelta(days=2)
    small_lake.append(lake, "core.observation", [
        {"source_person_id": f"person-{n}", "code": "2339-0", "value": 90.0, "unit_code": "mg/dL", "effective_at": at, "status_code": "final"}
        for n in range(GROUP)], "crm.000004")
    small_lake.released(home)
    facts = prepared(home, airflow, ONE, "2")
    assert protected(home, facts["extract_id"]) == {("released", "-"): 60 + GROUP}


def test_a_day_that_is_not_diverse_without_those_who_wait_stays_back_whole(world: World) -> None:
    """Six who joined wait. The second day told 17 values with them and 14 without, the first 20 without: fifteen are asked for."""
    home, airflow, patch = world
    sent(home, airflow, ONE, "1")
    join_in(home, range(30, 30 + GROUP - 1))
    asked = catalog().recipients[ONE].anonymity.model_dump(by_alias=True)
    diverse = Anonymity.model_validate({**asked, "sensitive": {"time_in_range_percent": {"l": 15, "t": None}}})
    patch.setitem(catalog().recipients, ONE, catalog().recipients[ONE].model_copy(update={"anonymity": diverse, "sha256": "diverse"}))
    facts = prepared(home, airflow, ONE, "2")
    found = rows(home, ONE, facts["extract_id"])
    assert {row["observed_on"] for row in found} == {small_lake.START.date()} and len({row["time_in_range_percent"] for row in found}) == 20
    assert protected(home, facts["extract_id"]) == {("released", "-"): 30, ("suppressed", "told_apart"): 30 + 2 * (GROUP - 1)}
