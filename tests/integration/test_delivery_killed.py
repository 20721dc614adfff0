"""A delivery killed at each of its steps: what may have left counts as sent, and run again it is one delivery."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from contracts import catalog
from jobs.delivery import upload
from jobs.errors import Linkable, NotApproved, SourceUnavailable
from jobs.ledger import extracts
from jobs.run.epoch_holders import holders
from jobs.run.extract import deliver, prepare
from jobs.run.recall import recall, standing
from jobs.stages.extract import DATA, MANIFEST, SIGNATURE
from tests import small_lake
from tests.attacks.pooled import ONE, OTHER, one, other, prepared
from tests.attacks.test_over_time import World, first, join_in, protected, world
from tests.integration.test_extract import bucket, names

__all__ = ["bucket", "first", "world"]
FILES = [DATA, MANIFEST, SIGNATURE]


def lake(home: Any) -> small_lake.Lake:
    return small_lake.Lake(home.lake_root, catalog().tables)


def kept(bucket: str, extract_id: str) -> list[str]:
    """The files of an extract that the partner's store has."""
    client = boto3.client("s3", endpoint_url=bucket, aws_access_key_id="a", aws_secret_access_key="b", region_name="eu-central-1")
    return sorted(Path(name).name for name in names(client) if extract_id in name)


def at_write(table: str) -> Callable[[pytest.MonkeyPatch], None]:
    """Die instead of writing into a table of the ledger."""
    write = extracts.write

    def killed(into: Any, name: str, row: dict[str, Any]) -> None:
        if name == table:
            raise KeyboardInterrupt
        write(into, name, row)
    return lambda patch: patch.setattr("jobs.run.extract.extracts.write", killed)


def in_upload(files: list[str], error: type[BaseException] = KeyboardInterrupt) -> Callable[[pytest.MonkeyPatch], None]:
    """Die when these files were uploaded."""
    def cut(recipient: Any, destination: str, all_of_them: dict[str, bytes]) -> None:
        if files:
            upload(recipient, destination, {name: all_of_them[name] for name in files})
        raise error("cut off")
    return lambda patch: patch.setattr("jobs.run.extract.upload", cut)


# Where it dies, what the partner has then, and whether the ledger says that it may have left.
KILLS: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], list[str], bool]] = {
    "before it is said that it leaves": (at_write(extracts.DISPATCH), [], False),
    "before the first file": (in_upload([]), [], True), "after the rows": (in_upload([DATA]), [DATA], True),
    "the store fails after the rows": (in_upload([DATA], SourceUnavailable), [DATA], True),
    "after the last file": (at_write(extracts.DELIVERY), FILES, True)}


def killed(world: World, name: str, run: str = "1") -> str:
    """An approved extract whose delivery died there."""
    home, airflow, patch = world
    extract_id = str(prepared(home, airflow, ONE, run)["extract_id"])
    with patch.context() as short:
        KILLS[name][0](short)
        with pytest.raises((KeyboardInterrupt, SourceUnavailable)):
            deliver(home, extract_id)
    return extract_id


@pytest.mark.parametrize("name", KILLS)
def test_what_may_have_left_is_compared_with_until_it_is_delivered_once(world: World, bucket: str, name: str) -> None:
    home, airflow, _ = world
    extract_id = killed(world, name)
    _, there, has_begun = KILLS[name]
    assert kept(bucket, extract_id) == there
    assert [(row["extract_id"], row["delivered_at"]) for row in extracts.sent(lake(home), ONE)] == [(extract_id, None)] * has_begun
    assert {row["extract"]: row["state"] for row in extracts.overview(lake(home))} == {extract_id: "leaving" if has_begun else "approved"}
    assert deliver(home, extract_id).result == "done" and deliver(home, extract_id).result == "unchanged"
    assert kept(bucket, extract_id) == FILES
    assert [len(lake(home).arrow(table)) for table in (extracts.DISPATCH, extracts.DELIVERY)] == [1, 1]
    join_in(home, range(30, 32))
    assert protected(home, prepared(home, airflow, ONE, "2")["extract_id"]) == {("released", "-"): 60, ("suppressed", "told_apart"): 4}


@pytest.mark.parametrize("name", [name for name, (*_, has_begun) in KILLS.items() if has_begun])
def test_meanwhile_the_next_extract_is_looked_at_beside_it(world: World, name: str) -> None:
    home, airflow, patch = world
    killed(world, name)
    join_in(home, range(30, 32))
    assert protected(home, prepared(home, airflow, ONE, "2")["extract_id"]) == {("released", "-"): 60, ("suppressed", "told_apart"): 4}
    patch.setitem(catalog().recipients, ONE, one(max_linked_percent=100.0))
    with pytest.raises(Linkable, match=f"whoever has this extract and those of {ONE} finds"):
        prepared(home, airflow, OTHER, "1")
    patch.setitem(catalog().recipients, OTHER, other(max_linked_percent=100.0))
    assert prepared(home, airflow, OTHER, "2")["beside"][ONE]["people"] == 30


def test_meanwhile_its_people_are_recalled_and_its_pseudonyms_kept(world: World) -> None:
    home = world[0]
    extract_id = killed(world, "after the rows")
    shell: Any = SimpleNamespace(lake=lake(home), settings=home, catalog=catalog())
    assert [held.entry["extract_id"] for held in standing(shell, catalog().recipients[ONE], datetime.now(UTC))] == [extract_id]
    assert any(extract_id in said for said in holders(shell, catalog().recipients[ONE].pseudonym_domain, 1, datetime.now(UTC)))
    small_lake.append(small_lake.Lake(home.lake_root, catalog().tables), "core.consent", [
        {**small_lake.statement("person-3", "research", ONE, decision="deny"), "recorded_at": small_lake.START + small_lake.timedelta(days=9)}], "crm.000009")
    assert recall(home, ONE).facts["recalled"] == {extract_id: 1}
    with pytest.raises(NotApproved, match="1 of 30 people in the extract do not permit it any more"):
        deliver(home, extract_id)


def test_whether_the_recipient_has_it_is_not_taken_from_a_delivery_that_began(world: World) -> None:
    home = world[0]
    extract_id = killed(world, "before the first file")
    again = prepare(home, ONE, (f"extract_{ONE}", "2"))
    assert again.result == "done" and again.facts["extract_id"] != extract_id
    deliver(home, extract_id)
    assert prepare(home, ONE, (f"extract_{ONE}", "3")).result == "unchanged"
