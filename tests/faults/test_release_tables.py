"""A release over six tables, four products and two reports, killed at each of its steps: readers see the release before or the new one, never a mixture."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import functions as F

from contracts import catalog
from contracts.exit_codes import ExitCode
from jobs import engine as engines
from jobs.lake import Lake
from jobs.read import released_group
from jobs.settings import Settings
from tests import small_lake
from tests.faults.command import concord
from tests.faults.points import MOMENTS, Kill
from tests.faults.same import accounts, contents, lake_of

GROUP, GLUCOSE = "engagement", "glucose_daily"
PIN = "append_arrow ledger.release"
NO = {**small_lake.statement("person-0", "adherence_monitoring", decision="deny"), "recorded_at": small_lake.START}
IS_THOROUGH = "CONCORD_KILLS" in os.environ
Seen = dict[str, tuple[int, int, str]]


@dataclass(frozen=True)
class Lakes:
    """Release 1 and a no since then: before the candidates were built, and with them; what readers see of either release."""

    root: Path
    unbuilt: Path
    built: Path
    old: Seen
    new: Seen
    points: list[str]
    expected: dict[str, list[str]]

    def copy(self, home: Path) -> Path:
        """A home to kill in."""
        shutil.rmtree(self.root / "copy", ignore_errors=True)
        return Path(shutil.copytree(home, self.root / "copy"))


def seen(home: Path) -> Seen:
    """What a reader sees of the group's tables, the consent-loss reports among them: release, version, rows."""
    found = released_group(GROUP, settings=Settings(home=home, lake=""))
    tables = {**found, **{f"{name}__consent_loss": found[name].consent_loss() for name in (GLUCOSE, "patient_profile")}}
    rows = {name: sorted(map(str, t.lake.arrow(f"product.{name}", t.version).to_pylist())) for name, t in tables.items()}
    return {name: (t.release, t.version, hashlib.sha256(str(rows[name]).encode()).hexdigest()) for name, t in tables.items()}


def do(home: Path, *words: str) -> None:
    assert concord(home, *words).status == 0, words


@pytest.fixture(scope="module")
def lakes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lakes]:
    root = tmp_path_factory.mktemp("six")
    home, built = root / "home", root / "built"
    lake = small_lake.fill(small_lake.settings(home, "sail"), people=9, days=1)
    for name in catalog().tables:
        if name.startswith("ledger."):  # No step of the release that is killed is a first one.
            lake.ensure(name)
    for words in (("resolve",), *(("build", product) for product in catalog().products), ("release", GROUP)):
        do(home, *words)
    small_lake.append(lake, "core.consent", [NO])
    shutil.copytree(home, built)
    for product in catalog().products:
        do(built, "build", product)
    old = seen(built)
    shutil.copytree(built, root / "released")
    ended = concord(root / "released", "release", GROUP)
    assert ended.report["number"] == 2
    new = seen(root / "released")
    assert len(old) == 6 and all(old[name] != new[name] for name in old)
    yield Lakes(root, home, built, old, new, ended.points, contents(root / "released"))


def kills(points: list[str]) -> Iterator[Kill]:
    """Each write in turn, at one moment each, but for the pin; at every moment where CONCORD_KILLS asks for more."""
    for number, point in enumerate(points):
        for moment in MOMENTS if IS_THOROUGH or point == PIN else MOMENTS[number % 3:][:1]:
            yield Kill(point, moment)


def place(lakes: Lakes, kill: Kill) -> tuple[int, int]:
    return lakes.points.index(kill.point), MOMENTS.index(kill.moment)


def test_killed_at_each_step_readers_see_the_old_release_or_the_new_one(lakes: Lakes) -> None:
    """Each run is that of the one killed before, run again, and is killed a step later; a second product's marks are reached by
    a run that nothing was done before, since what a product has is not marked again."""
    home = lakes.copy(lakes.built)
    for kill in kills(lakes.points):
        if place(lakes, kill) > place(lakes, Kill(PIN, "after")) and kill.point.endswith(")"):
            home = lakes.copy(lakes.built)
        assert concord(home, "release", GROUP, kill=kill).is_killed, kill
        is_pinned = place(lakes, kill) >= place(lakes, Kill(PIN, "after"))
        assert seen(home) == (lakes.new if is_pinned else lakes.old), kill
        print(f"release of six tables killed {kill}: readers saw the {'new' if is_pinned else 'old'} one")
    assert concord(home, "release", GROUP).report["number"] == 2
    assert seen(home) == lakes.new and contents(home) == lakes.expected
    accounts(home)


def test_no_step_of_a_build_shows_readers_anything(lakes: Lakes) -> None:
    for product in catalog().products if IS_THOROUGH else (GLUCOSE,):
        points = concord(lakes.copy(lakes.unbuilt), "build", product).points
        home = lakes.copy(lakes.unbuilt)
        for kill in kills(points):
            assert concord(home, "build", product, kill=kill).is_killed, kill
            assert seen(home) == lakes.old, kill
            print(f"build {product} killed {kill}: readers saw the old release")
        do(home, "build", product)
        made, name = contents(home), f"product.{product}"
        assert {n: rows for n, rows in made.items() if n.startswith(name)} == {
            n: rows for n, rows in contents(lakes.built).items() if n.startswith(name)}
        assert "left of work" not in made


def test_a_candidate_that_fails_is_never_seen_wherever_its_release_was_killed(lakes: Lakes) -> None:
    home = lakes.copy(lakes.built)
    with engines.session("sail") as spark:
        lake = Lake(lake_of(home).root, catalog().tables, spark)
        rows = lake.read("product.glucose_daily").withColumn("mean_mg_dl", F.col("mean_mg_dl") * 100)
        lake.replace("product.glucose_daily", rows, note=lake.note("product.glucose_daily"))
    for moment in MOMENTS:
        assert concord(home, "release", GROUP, kill=Kill("merge_arrow ledger.quality (2)", moment)).is_killed
        assert seen(home) == lakes.old
    assert concord(home, "release", GROUP).status == ExitCode.GATE
    assert seen(home) == lakes.old


def test_who_reads_while_a_release_is_made_sees_one_of_the_two_each_time(lakes: Lakes) -> None:
    """Two readers look as often as they can, at what is pinned: a version never changes."""
    home = lakes.copy(lakes.built)

    def look() -> dict[str, tuple[int, int]]:
        return {name: (t.release, t.version) for name, t in released_group(GROUP, settings=Settings(home=home, lake="")).items()}

    def looking(releasing: Future[Any]) -> list[dict[str, tuple[int, int]]]:
        looks = [look()]
        while not releasing.done():
            looks.append(look())
        return [*looks, look()]

    with ThreadPoolExecutor() as pool:
        releasing = pool.submit(concord, home, "release", GROUP)
        readers = [pool.submit(looking, releasing) for _ in range(2)]
        assert releasing.result().status == 0
    old, new = ({name: held[name][:2] for name in catalog().products} for held in (lakes.old, lakes.new))
    for looks in (reader.result() for reader in readers):
        assert [found for found in looks if found not in (old, new)] == []
        assert looks[0] == old and looks[-1] == new and len(looks) > 10
        assert looks == sorted(looks, key=lambda found: found == new), "nobody goes back to the old one"
