"""What an extract is compared with: our copies of what was delivered, whoever has it, and what happens when one is gone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contracts import catalog
from jobs.errors import IntegrityError, Linkable
from jobs.files import Files
from jobs.run.delivered import folder
from jobs.settings import Settings
from jobs.stages import extract as stage
from tests import small_lake
from tests.attacks.pooled import ONE, OTHER, other, partners, prepared, treated
from tests.integration.airflow_stand_in import Run
from tests.integration.test_extract import bucket

__all__ = ["bucket"]
World = tuple[Settings, Run, pytest.MonkeyPatch, str]


@pytest.fixture(scope="module")
def first(small_release: Settings, tmp_path_factory: pytest.TempPathFactory, bucket: str) -> tuple[Settings, str]:
    """A lake of which an extract of ten people was delivered, who permit another recipient too."""
    from jobs.run.extract import deliver

    home = small_lake.copy(small_release, tmp_path_factory.mktemp("linkage") / "home")
    small_lake.append(small_lake.Lake(home.lake_root, catalog().tables), "core.consent",
                      [small_lake.statement(f"person-{n}", "research", OTHER) for n in range(10)], "crm.000002")
    with partners(bucket) as (airflow, _):
        extract_id = prepared(home, airflow, ONE, "first")["extract_id"]
        deliver(home, extract_id)
    return home, extract_id


@pytest.fixture
def world(first: tuple[Settings, str], bucket: str, tmp_path: Path) -> Iterator[World]:
    with partners(bucket) as (airflow, patch):
        yield small_lake.copy(first[0], tmp_path / "home"), airflow, patch, first[1]


def copy(world: World) -> Files:
    return Files(folder(world[0], catalog().recipients[ONE], world[3]))


def test_people_who_are_alike_in_all_columns_are_linked_by_chance_alone(world: World) -> None:
    home, airflow, patch, _ = world
    patch.setitem(catalog().recipients, OTHER, other(**treated(other(), drop=("time_in_range_percent",))))
    facts = prepared(home, airflow, OTHER, "alike")
    assert (facts["linked_percent"], facts["max_linked_percent"], facts["beside"][ONE]["people"]) == (0.0, 5.0, 10)


@pytest.mark.parametrize(("key", "rows"), [
    (("person", "day"), [("a", 1, "y"), ("a", 2, "x"), ("b", 1, "x")]), (("person", "hour"), [("a", 1, "x"), ("a", 1, "y"), ("a", 2, "x"), ("b", 1, "x")]),
    ((), [("a", 1, "x"), ("a", 1, "y"), ("a", 2, "x"), ("b", 1, "x")])])
def test_each_row_of_several_extracts_is_as_it_was_told_last(engine: str, key: tuple[str, ...], rows: list[tuple[str, int, str]]) -> None:
    """Where no key says which rows are one, all that were told are known."""
    from jobs.engine import session
    from jobs.run.linkage import _newest

    with session(engine) as spark:
        told = [spark.createDataFrame(extract, "person string, day int, word string") for extract in (
            [("a", 1, "x"), ("a", 2, "x")], [("a", 1, "y"), ("b", 1, "x")])]
        assert sorted(map(tuple, _newest(told, key).select("person", "day", "word").collect())) == rows


@pytest.mark.parametrize("recipient", [ONE, OTHER])
@pytest.mark.parametrize("is_altered", [True, False])
def test_nothing_is_prepared_while_a_copy_is_missing_or_altered(world: World, recipient: str, is_altered: bool) -> None:
    home, airflow, patch, extract_id = world
    patch.setattr("jobs.run.extract._has_it", lambda *_: False)
    files = copy(world)
    if is_altered:
        files.write(stage.DATA, (files.read(stage.DATA) or b"")[:-1] + b"\0")
    else:
        files.remove(stage.DATA)
    with pytest.raises(IntegrityError, match=f"our copy of extract {extract_id} is missing or altered"):
        prepared(home, airflow, recipient, "blind")


def test_of_one_that_expired_and_was_removed_nothing_is_asked(world: World) -> None:
    from jobs.engine import session
    from jobs.run.delivered import copies
    from jobs.run.shell import Report, Shell

    home, _, _, _ = world
    now, recipient = datetime.now(UTC), catalog().recipients[ONE]
    with session(home.engine) as spark:
        shell = Shell(home, catalog(), small_lake.Lake(home.lake_root, catalog().tables, spark), None, Report())  # type: ignore[arg-type]
        late = now + timedelta(days=recipient.expires_after_days + 1)
        assert len(copies(shell, recipient, late)) == 1, "a partner may still have what it had to delete"
        copy(world).remove(stage.DATA)
        assert copies(shell, recipient, late) == []
        with pytest.raises(IntegrityError):
            copies(shell, recipient, now)
        copy(world).remove(stage.MANIFEST)
        with pytest.raises(IntegrityError):
            copies(shell, recipient, late)


def test_a_recipient_without_a_contract_is_not_forgotten(world: World) -> None:
    home, airflow, patch, _ = world
    patch.setitem(catalog().recipients, OTHER, other())
    patch.delitem(catalog().recipients, ONE)
    with pytest.raises(Linkable, match=f"{ONE} was delivered extracts, but has no contract any more.* with status retired"):
        prepared(home, airflow, OTHER, "strange")
