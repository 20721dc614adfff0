"""An erasure that is killed, or stopped by a file that nobody can read, is made good by the next run, and nothing is lost meanwhile."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from jobs.errors import NotErased
from jobs.files import Files
from jobs.lake import Lake
from jobs.ledger import accounts, erasures
from jobs.run import forget as run
from jobs.run.forget import forget
from jobs.settings import Settings
from tests import small_lake
from tests.acceptance.canary import holding
from tests.integration.airflow_stand_in import Users
from tests.integration.test_forget import asked, person, released, rows
from tests.integration.two_releases import airflow, home, prepared
from tests.landing import lake_of as lake

__all__ = ["airflow", "home", "prepared"]


class Killed(BaseException):
    """What nothing of ours catches."""


def dying(patch: pytest.MonkeyPatch, owner: Any, name: str, at: int) -> None:
    """Let a function die at its ``at``-th call, before it does anything; after it where ``at`` is negative."""
    real: Callable[..., Any] = getattr(owner, name)
    calls = 0

    def once(*given: Any, **more: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == at:
            raise Killed
        found = real(*given, **more)
        if calls == -at:
            raise Killed
        return found
    patch.setattr(owner, name, once)


STEPS = [(run.erasures, "write", 1), (run.erasures, "write", -1), (Files, "write", -1), (run.erasures, "suppress", -1), (Lake, "sweep", 5),
         (run.traces, "search", -1), (run, "rewritten", -2), (Lake, "mark", -1), (Lake, "mark", 4), (run, "stand_in", 1),
         (run, "stand_in", -3), (Files, "write", 8), (Files, "write", 14), (Files, "write", 25), (run, "look", 1),
         (run.accounts, "write", -1), (run.erasures, "mark", -1), (run.erasures, "write", 2), (run.erasures, "write", -2)]


@pytest.mark.parametrize(("owner", "name", "at"), STEPS, ids=[f"{name}{at}" for _, name, at in STEPS])
def test_a_killed_erasure_is_made_good_by_the_next(home: Settings, airflow: Users, owner: Any, name: str, at: int) -> None:
    key, names = person(home, "person-3")
    before = {pin["table_version"]: rows(home, pin["table_version"]) for pin in released(home)}
    with pytest.MonkeyPatch.context() as patch:
        dying(patch, owner, name, at)
        with pytest.raises(Killed):
            forget(home, asked("person-3"))
    for version, held in before.items():  # What is read in between is either state, for each file.
        found = rows(home, version)
        assert [row for row in found if row["person_id"] not in names] == [row for row in held if row["person_id"] not in names]
    report = forget(home, asked("person-3"))
    assert report.facts["found"] == 0
    assert holding(home.home, [b"person-3", key.encode(), *(name.encode() for name in names)], ()) == []
    assert [entry["ended_at"] is not None for entry in erasures.every(lake(home))] == [True] * len(erasures.every(lake(home)))
    inputs = {json.loads(pin["inputs"])["core.observation"] for pin in released(home)}
    assert {erasures.lost_of(lake(home), "core.observation", version) for version in inputs} == {4}
    erased = [row for row in lake(home).arrow(accounts.TABLE).to_pylist() if row["stage"] == "forget" and row["outcome"] == "erased"]
    counts = {row["table_name"]: row["rows"] for row in erased}
    assert counts == {"core.consent": 4, "core.identity": 1, "core.observation": 4, "vault.link": 1, "vault.person": 1, "vault.profile": 1,
                      "vault.pseudonym": 1, "vault.whereabouts": 10, f"product.{'glucose_daily'}": 4, "product.patient_profile": 2}


def test_a_file_that_cannot_be_read_stops_it_and_is_named(home: Settings, airflow: Users) -> None:
    folder = home.home / "lake" / "core" / "observation"
    broken = sorted(folder.glob("*.parquet"))[0]
    content = broken.read_bytes()
    broken.write_bytes(content[:-3])
    with pytest.raises(NotErased, match=rf"core/observation/{broken.name} cannot be read"):
        forget(home, asked("person-3"))
    broken.write_bytes(content)
    assert forget(home, asked("person-3")).facts["found"] == 0


def test_a_word_that_a_killed_run_found_is_not_forgotten_by_the_next(home: Settings, airflow: Users) -> None:
    """Their address stood in their identity alone, which is gone already, and in what somebody else wrote, which is not."""
    word, made = "ada.lang@post.example", lake(home)
    small_lake.append(made, "core.identity", [{"source_person_id": "ada-lang", "email": word}])
    small_lake.append(made, "core.message", [{"source_person_id": "person-4", "channel_code": "social", "posted_at": small_lake.START,
                                              "text": f"ask {word} about it", "is_from_brand": False}])
    own = Lake.mark

    def mark(self: Lake, name: str) -> None:
        if name == "core.message":
            raise Killed
        own(self, name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Lake, "mark", mark)
        with pytest.raises(Killed):
            forget(home, asked("ada-lang"))
    assert holding(home.home, [word.encode()], ("lake/_erasing",)) != []
    forget(home, asked())
    assert holding(home.home, [word.encode(), b"ada-lang"], ()) == []
    assert [row["source_person_id"] for row in made.arrow("core.message").to_pylist()] == ["person-4"]
