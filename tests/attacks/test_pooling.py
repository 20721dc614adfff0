"""Two recipients of one product lay their extracts side by side and join them by what both tell."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from contracts import catalog
from jobs.errors import Linkable
from jobs.run.extract import deliver
from jobs.settings import Settings
from tests import small_lake
from tests.attacks.pooled import (
    BANDS,
    MOVED,
    ONE,
    OTHER,
    another_key,
    joined,
    known_by,
    one,
    other,
    partners,
    prepared,
    released,
    right,
    sent,
    treated,
    truth,
)
from tests.integration.airflow_stand_in import Run
from tests.integration.test_extract import bucket

__all__ = ["bucket"]

PEOPLE = 100
World = tuple[Settings, Run, pytest.MonkeyPatch]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, engine: str) -> Settings:
    return released(tmp_path_factory.mktemp("pooling"), engine, PEOPLE, days=2)


@pytest.fixture
def world(first: Settings, bucket: str, tmp_path: Path) -> Iterator[World]:
    with partners(bucket) as (airflow, patch):
        yield small_lake.copy(first, tmp_path / "home"), airflow, patch


def test_without_the_guard_nearly_everybody_is_found(world: World) -> None:
    home, airflow, patch = world
    patch.setattr("jobs.run.linkage.beside_others", lambda *_: [])
    guesses = joined(sent(home, airflow, ONE), sent(home, airflow, OTHER))
    assert right(guesses, truth(home)) >= 0.95 * PEOPLE


def test_what_would_be_linked_is_not_prepared_once_another_has_it(world: World) -> None:
    home, airflow, _ = world
    prepared(home, airflow, OTHER, "nobody has anything yet")
    sent(home, airflow, ONE)
    with pytest.raises(Linkable, match=f"those of {ONE} finds 100.0 percent of the {PEOPLE} people .*; 5 are allowed .*band for numbers"):
        prepared(home, airflow, OTHER, "now")


def test_another_key_of_the_other_hides_nobody(world: World) -> None:
    """Whoever has both has both epochs of the other; each person is one."""
    home, airflow, _ = world
    sent(home, airflow, ONE)
    another_key(home, ONE)
    sent(home, airflow, ONE, "under another key")
    with pytest.raises(Linkable, match=f"those of {ONE} finds 100.0 percent of the {PEOPLE} people"):
        prepared(home, airflow, OTHER, "now")


def test_pseudonyms_that_another_had_are_not_given_away_again(world: World) -> None:
    home, airflow, patch = world
    sent(home, airflow, ONE)
    patch.setitem(catalog().recipients, ONE, one(pseudonym_domain="another"))
    patch.setitem(catalog().recipients, OTHER, other(pseudonym_domain=ONE))
    with pytest.raises(Linkable, match=f"{ONE} was delivered pseudonyms of domain {ONE}; write one for {OTHER} that nobody else had"):
        prepared(home, airflow, OTHER, "now")


def test_two_that_were_prepared_before_either_left_meet_at_delivery(world: World) -> None:
    home, airflow, _ = world
    both = [prepared(home, airflow, recipient, "early")["extract_id"] for recipient in (ONE, OTHER)]
    assert deliver(home, both[0]).result == "done"
    with pytest.raises(Linkable, match="finds 100.0 percent"):
        deliver(home, both[1])


def test_bands_and_moved_days_are_delivered_and_link_few(world: World) -> None:
    """Four patterns of two days and two bands hide a hundred people; the manifest says how far."""
    home, airflow, patch = world
    patch.setitem(catalog().recipients, OTHER, other(
        **treated(other(), drop=("readings",), time_in_range_percent=BANDS, observed_on=MOVED), **known_by()))
    rows = sent(home, airflow, ONE)
    facts = prepared(home, airflow, OTHER, "treated")
    assert 0 < facts["linked_percent"] <= facts["max_linked_percent"] == 5
    assert facts["beside"] == {ONE: {"people": PEOPLE, "linked_percent": facts["linked_percent"]}}
    assert deliver(home, facts["extract_id"]).result == "done"
    two = sent(home, airflow, OTHER, "treated")
    as_they_could = [{"person_id": r["person_id"], "time_in_range_percent": "<50" if r["time_in_range_percent"] < 50 else ">=50"} for r in rows]
    for guesses in (joined(rows, two), joined(as_they_could, [{k: v for k, v in r.items() if k != "observed_on"} for r in two])):
        assert right(guesses, truth(home)) <= 0.05 * PEOPLE


def test_the_stricter_of_both_contracts_counts(world: World) -> None:
    home, airflow, patch = world
    sent(home, airflow, ONE)
    patch.setitem(catalog().recipients, OTHER, other(max_linked_percent=100.0))
    with pytest.raises(Linkable, match="5 are allowed"):
        prepared(home, airflow, OTHER, "lax")
    patch.setitem(catalog().recipients, ONE, catalog().recipients[ONE].model_copy(update={"max_linked_percent": 100.0}))
    assert prepared(home, airflow, OTHER, "lax, both")["linked_percent"] == 100


def test_all_that_a_recipient_had_is_laid_together(world: World) -> None:
    """Who withdrew since is in its first extract still, and found by it."""
    home, airflow, patch = world
    for recipient in (one, other):
        patch.setitem(catalog().recipients, recipient().id, recipient(max_linked_percent=100.0))
    sent(home, airflow, ONE)
    sent(home, airflow, OTHER)
    lake, later = small_lake.Lake(home.lake_root, catalog().tables), small_lake.START + timedelta(days=5)
    small_lake.append(lake, "core.consent", [{**small_lake.statement(f"person-{n}", "research", ONE, decision="deny"), "recorded_at": later}
                                             for n in range(PEOPLE - 10)], "crm.000003")
    facts = prepared(home, airflow, ONE, "2")
    assert facts["rows"] == 20 and facts["beside"][OTHER] == {"people": PEOPLE, "linked_percent": 100.0}
