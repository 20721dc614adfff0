"""Linking killed at any write and run again: the same persons, changes and matches as without the kill."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jobs.run.people import resolve
from jobs.run.train import train
from jobs.settings import Settings
from tests import small_lake
from tests.faults.command import concord
from tests.faults.points import Kill
from tests.faults.same import contents
from tests.integration import people_lake
from tests.integration.people_lake import LINK, changes, key, lake, links, persons, rewrite, who

TABLES = (LINK, "vault.held", "vault.match", "vault.profile", "vault.change", "vault.person")
BEGUN, KEPT = "merge_arrow vault.profile", "merge_arrow vault.profile (2)"  # The mark at the beginning, and what was compared.
WRITES = (BEGUN, "merge_arrow vault.change", "merge vault.link", "merge_arrow vault.person", "merge_arrow vault.match",
          "merge vault.held", KEPT)
BORN = {"birth_on": people_lake.a_date("1980-05-01"), "country_code": "DE"}
# A person of two, one of three, two who are held, one who stays, one who goes away.
BEFORE = (who("crm/a1", proof="a@x.org"), who("crm/a2", proof="a@x.org"),
          who("crm/b1", proof="b@x.org", device_id="d1"), who("crm/b2", proof="b@x.org"), who("crm/b3", device_id="d1"),
          who("crm/c1", phone="+49151", **BORN), who("crm/c2", phone="+49151", **BORN), who("crm/d1"), who("crm/e1", proof="e@x.org"))


def what_came(made: Settings) -> None:
    """One splits off, two are merged by who is new, the held ones are told apart by birth date, one is held anew, one is gone."""
    def changed(row: dict[str, Any]) -> dict[str, Any] | None:
        new = {"crm/b3": {"device_id": "d2"}, "crm/c2": {"birth_on": people_lake.a_date("1990-01-09")},
               "crm/d1": {"phone": "+49152", **BORN}}
        return None if row["record_id"] == "crm/e1" else row | new.get(row["record_id"], {})

    rewrite(made, changed, who("crm/x1", proof="a@x.org", device_id="d1"), who("crm/x2", phone="+49152", **BORN))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, engine: str) -> Settings:
    """Linked once; then something came. To be copied, never written."""
    made = people_lake.made_of(tmp_path_factory.mktemp("prepared") / "home", engine, *BEFORE)
    resolve(made)
    what_came(made)
    return made


def killed(made: Settings, point: str, *words: str) -> None:
    """Run `concord resolve`, or other words, in a process that is killed after a write."""
    ended = concord(made.home, *(words or ("resolve",)), kill=Kill(point, "after"))
    assert ended.is_killed, f"never came to {point}: {ended.errors}"


def test_the_run_does_all_that_can_be_killed(prepared: Settings, tmp_path: Path) -> None:
    made = small_lake.copy(prepared, tmp_path / "home")
    report = resolve(made)
    assert set(report.changed) == set(TABLES)
    assert (report.facts["merged"] > 0, report.facts["split"] > 0, report.facts["held"]) == (True, True, 1)
    assert persons(made) == {frozenset({"crm/a1", "crm/a2", "crm/b1", "crm/b2", "crm/x1"}), frozenset({"crm/b3"}), frozenset({"crm/c1"}),
                             frozenset({"crm/c2"}), frozenset({"crm/d1"}), frozenset({"crm/e1"}), frozenset({"crm/x2"})}


def test_killed_at_any_write_and_run_again(prepared: Settings, tmp_path: Path) -> None:
    made = small_lake.copy(prepared, tmp_path / "undisturbed")
    ended = concord(made.home, "resolve")
    assert tuple(point for point in ended.points if " vault." in point and "create" not in point and "whereabouts" not in point) == WRITES
    expected = contents(made.home)
    for number, point in enumerate(WRITES):
        made = small_lake.copy(prepared, tmp_path / str(number))
        killed(made, point)
        resolve(made)
        assert contents(made.home) == expected, f"killed after {point}"
        assert resolve(made).result == "unchanged"


@pytest.mark.parametrize("point", WRITES[:-1])
def test_what_only_a_killed_run_saw_is_undone(prepared: Settings, tmp_path: Path, point: str) -> None:
    """Between the kill and the next run core is again what it was before: nobody is merged by an identity that is gone."""
    made = small_lake.copy(prepared, tmp_path / "home")
    before, were = links(made), persons(made)
    killed(made, point)
    rewrite(made, lambda row: None, *BEFORE)
    resolve(made)
    after = {name: row["person_key"] for name, row in links(made).items()}
    assert {identities & frozenset(before) for identities in persons(made, *before)} == were
    assert {row["left_identity"] for row in lake(made).arrow("vault.match").to_pylist()} <= before.keys()
    assert {row["identity"] for row in lake(made).arrow("vault.profile").to_pylist()} == before.keys()
    latest = {row["source_person_id"]: row["to_key"] for row in lake(made).arrow("vault.change").sort_by("changed_at").to_pylist()}
    assert {who: after[f"crm/{who}"] for who in latest} == latest
    assert resolve(made).result == "unchanged"


def test_a_first_run_that_was_killed_leaves_nothing_behind(tmp_path: Path, engine: str) -> None:
    """Its matches are there and its profiles are not; two of its identities are gone before the next."""
    made = people_lake.made_of(tmp_path / "home", engine, *BEFORE)
    killed(made, "merge vault.held")
    assert lake(made).arrow("vault.match").num_rows and not lake(made).arrow("vault.profile").num_rows
    rewrite(made, lambda row: None if row["record_id"] in ("crm/c1", "crm/c2") else row)
    resolve(made)
    assert not {"crm/c1", "crm/c2"} & set(lake(made).arrow("vault.match")["left_identity"].to_pylist())
    assert lake(made).arrow("vault.held").num_rows == 0
    assert links(made).keys() == {row["record_id"] for row in BEFORE}


def test_a_change_that_was_only_announced_is_taken_back(prepared: Settings, tmp_path: Path) -> None:
    made = small_lake.copy(prepared, tmp_path / "home")
    killed(made, "merge_arrow vault.change")
    announced = changes(made)
    assert announced and {key(made, name) for name, *_ in announced} == {old for _, _, old, _ in announced}
    rewrite(made, lambda row: None, *BEFORE)
    assert "vault.change" in resolve(made).changed
    assert changes(made) == set()


def test_training_killed_at_any_write_leaves_the_model_that_was_there(tmp_path: Path, engine: str) -> None:
    made = people_lake.made_of(tmp_path / "home", engine, *people_lake.drawn(20, seed=3))
    killed(made, "merge_arrow vault.frequency", "link", "train")
    assert resolve(made).facts["model"] is None
    model = train(made).facts["model"]
    rows = lake(made).arrow("vault.frequency").to_pylist()
    assert {row["model_id"] for row in rows} == {model} and len({(row["role"], row["value"]) for row in rows}) == len(rows)
    assert resolve(made).facts["model"] == model
