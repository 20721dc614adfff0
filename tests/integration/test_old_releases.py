"""A release stays what it was, for readers and for officers, however much is written after it."""

from __future__ import annotations

import warnings
from typing import Any

from contracts import catalog
from jobs.lake import Lake
from jobs.read import SupersededRelease, released
from jobs.run import consent
from jobs.run.past import Asked
from jobs.run.replay import replay
from jobs.settings import Settings
from tests import small_lake
from tests.integration.two_releases import FIRST, GLUCOSE, GROUP, SECOND, airflow, home, prepared, question, told

__all__ = ["airflow", "home", "prepared"]


def known(home: Settings, release: Asked) -> dict[str, Any]:
    """What is told of a release: its rows, why somebody is in it or out of it, and its permits decided again."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SupersededRelease)
        rows = released(GLUCOSE, release.number, home).arrow().to_pylist()
    answers: list[dict[str, Any]] = []
    replay(home, Asked(GROUP, release.number), question(None), answers.append)
    return {"rows": rows, "then": [p["then"] for p in told(home, release)], "replayed": answers[0]["products"]}


def test_releases_are_what_they_were_after_a_hundred_commits(home: Settings) -> None:
    before, lake = [known(home, release) for release in (FIRST, SECOND)], Lake(home.lake_root, catalog().tables)
    for number in range(101):
        small_lake.append(lake, consent.CONSENT, [small_lake.statement(f"later-{number}", "research")], f"crm.{number:06d}")
    for name in (*consent.TABLES, "core.observation", f"product.{GLUCOSE}"):
        lake.ensure(name).create_checkpoint()
    assert [known(home, release) for release in (FIRST, SECOND)] == before
    assert [len(release["rows"]) for release in before] == [24, 22]
    assert all(product["agrees"] for release in before for product in release["replayed"])
