"""The simulated people of all six sources, linked by what the sources know of them, and held against who they are."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from contracts import catalog
from infra.local.sources.process import running
from infra.local.store import bucket, filled
from jobs.lake import Lake
from jobs.ledger import models
from jobs.matching import quality
from jobs.matching.errors import Estimator
from jobs.matching.growing import EDGES
from jobs.matching.reviews import standing
from jobs.run.conform import conform
from jobs.run.identities import names, renamed
from jobs.run.land import land
from jobs.run.people import resolve
from jobs.run.train import train
from tests import small_lake
from tests.integration.connecting import access_to
from tests.integration.dropping import LOGIN, Drop, store

PEOPLE = 2000
SYSTEMS = {"app": "adherence_app", **{name: name for name in ("crm", "device_cloud", "social", "community", "study")}}
NAMING = ("adherence_app", "crm", "device_cloud", "study")  # The sources that know what people are called.
Rows = list[dict[str, Any]]


class People:
    """The linked identities: profiles by name, and labels of who was found and who is."""

    def __init__(self, lake: Lake, truth: dict[str, Any]) -> None:
        self.lake = lake
        self.links = lake.arrow("vault.link").append_column("name", names(lake.arrow("vault.link"))).sort_by("name")
        known = {f"{SYSTEMS[system]}/{name}": person["person"] for person in truth["people"] for system in SYSTEMS for name in person[system]}
        self.names: list[str] = self.links["name"].to_pylist()
        self.truth = np.unique([str(known.get(name, name)) for name in self.names], return_inverse=True)[1]
        self.found = np.unique(self.links["person_key"].to_pylist(), return_inverse=True)[1]
        self.profiles = {row["identity"]: row for row in lake.arrow("vault.profile").to_pylist()}

    def quality(self, *sources: str) -> quality.Quality:
        """How right the links are, of all sources or between those named."""
        chosen = np.array([not sources or name.split("/")[0] in sources for name in self.names])
        return quality.of_clusters(self.found[chosen], self.truth[chosen])

    def reachable(self, shares: Callable[[dict[str, Any], dict[str, Any]], Any]) -> float:
        """The share of true pairs that are linked when all are who share something, directly or over others."""
        people: dict[int, Rows] = defaultdict(list)
        for name, person in zip(self.names, self.truth.tolist(), strict=True):
            people[person].append(self.profiles[name])
        every = reached = 0
        for rows in people.values():
            root = list(range(len(rows)))
            for a, b in combinations(range(len(rows)), 2):
                if shares(rows[a], rows[b]):
                    root = [root[a] if r == root[b] else r for r in root]
            every += len(rows) * (len(rows) - 1) // 2
            reached += sum(root[a] == root[b] for a, b in combinations(range(len(rows)), 2))
        return reached / every


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory, engine: str) -> Iterator[People]:
    made = small_lake.settings(tmp_path_factory.mktemp("population"), engine)
    patch = pytest.MonkeyPatch()
    with running(made.home / "sources", "--people", str(PEOPLE), "--days", "1") as sources, store() as address:
        for source in catalog().sources.values():
            given = (Drop(address, bucket(source.id)).access if source.connection.connector == "object_drop"
                     else access_to(sources, source.id))
            patch.setenv(f"CONCORD_CONNECTION_{source.connection.id.upper()}", json.dumps(
                {"base_url": given.base_url, "login": given.login, "password": given.password, "ca_file": given.ca_file}))
        assert filled(address, LOGIN, sources.directory / "exports")
        for source_id in catalog().sources:
            land(made, source_id)
        truth = json.loads((sources.directory / "truth.json").read_text(encoding="utf-8"))
    patch.undo()
    for source_id in catalog().sources:
        conform(made, source_id)
    train(made)
    resolve(made)
    yield People(Lake(made.lake_root, catalog().tables), truth)


def same(one: dict[str, Any], other: dict[str, Any], *roles: str) -> bool:
    return any(one[role] and one[role] == other[role] for role in roles)


def test_sources_that_know_names_are_linked(people: People) -> None:
    found = people.quality(*NAMING)
    assert found.true > 3000
    assert found.precision >= 0.999, found
    assert found.recall >= 0.97, found


def test_all_sources_are_linked_as_far_as_they_share_anything(people: People) -> None:
    """A community and a social network know no names: for who gave them another address there is nothing to go by."""
    found = people.quality()
    assert found.precision >= 0.999, found
    assert found.recall >= 0.85, found
    certain = people.reachable(lambda a, b: (a["given_name"] and b["given_name"]) or same(a, b, "email", "phone", "handle"))
    assert found.recall >= certain - 0.08, (found, certain)
    assert people.reachable(lambda a, b: (a["given_name"] and b["given_name"]) or same(
        a, b, "email", "phone", "handle", "birth_date")) < 0.97  # Whoever knew the truth and linked all that share a value.


def test_what_is_held_is_worth_a_review(people: People) -> None:
    """Most are right, and whoever decides them as the truth is finds nearly all who share anything."""
    place = {name: i for i, name in enumerate(people.names)}
    held = [(place[row["left_identity"]], place[row["right_identity"]]) for row in people.lake.arrow("vault.held").to_pylist()]
    right = [(one, other) for one, other in held if people.truth[one] == people.truth[other]]
    assert len(held) > 50 and len(right) / len(held) > 0.7
    decided = people.found.copy()
    for one, other in right:
        decided[decided == decided[other]] = decided[one]
    found = quality.of_clusters(decided, people.truth)
    assert found.precision >= 0.999 and found.recall >= 0.93, found


def test_the_published_errors_are_those_of_the_truth(people: People) -> None:
    lake = people.lake
    stored = models.newest(lake)
    assert stored is not None
    expected = Estimator(people.links, renamed(lake.arrow("vault.match")).select(EDGES.names), standing(lake.arrow("vault.decision")),
                         stored, models.identities(lake, stored.id)).of()
    found = people.quality()
    assert expected.linked == found.linked
    assert abs(expected.false_match_rate - (1 - found.precision)) < 0.001
    assert abs(expected.missed_match_rate - (1 - found.recall)) < 0.02


def test_no_group_is_a_crowd(people: People) -> None:
    assert np.bincount(people.found).max() <= np.bincount(people.truth).max() + 1


def test_what_is_kept_of_models_names_nobody(people: People) -> None:
    parameters = people.lake.arrow("vault.model")["parameters"][0].as_py()
    given = {row["given_name"] for row in people.profiles.values() if row["given_name"] and len(row["given_name"]) > 5}
    assert len(given) > 100 and not [name for name in given if f'"{name}"' in parameters]
