"""Growing run after run beside one run over everything: the same links, the same persons, in whatever order identities came."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from contracts.matching import Key, Matching, load
from jobs.matching.growing import DECISIONS, EDGES, Grown, grow
from jobs.matching.learning import learn
from jobs.matching.profiles import KEPT, PROFILE
from jobs.matching.stored import Stored
from tests.synthetic_people import MAP, people

SOURCES = ("app", "community", "crm")
# Small enough for blocks and shared values of a few hundred identities to cross them; strict rules and loose ones.
COMPARED = ("given_name", "family_name", "birth_date", "postcode", "email", "phone")
MATCHING = load().model_copy(update={
    "comparisons": {role: levels for role, levels in load().comparisons.items() if role in COMPARED},
    "most_sharing": dict.fromkeys(load().most_sharing, 4), "most_sharing_a_proof": 3, "largest_block": 6,
    "precision_of_links": 0.99999,
    "blocking": (("email",), ("phone",), ("birth_date", "family_name"), ("given_name", "family_name"), ("given_name", "city"),
                 ("birth_date", "given_name:1"), ("birth_year", "family_name:3"), ("email_local",), ("family_name",),
                 ("postcode",))})
Rows = dict[str, dict[str, Any]]
Pairs = dict[tuple[str, str], bool | None]


@cache
def world() -> tuple[Rows, Stored]:
    """Profiles by name, some of which contradict another one, and the model of them all."""
    rows = rows_of(people(140, seed=11))
    proved = [values for values in rows.values() if values["proofs"] and values["sex"]][:8]
    rows |= {f"crm/other-{n}": one | {"sex": "male" if one["sex"] == "female" else "female"} for n, one in enumerate(proved)}
    return rows, learn(table(rows), MATCHING)


def rows_of(drawn: pa.Table, prefix: str = "") -> Rows:
    """Profiles of made-up people: their e-mail addresses are verified, and every third phone number."""
    columns = {role: column for role, column in MAP.items() if role in PROFILE.names}
    found: Rows = {}
    for n, row in enumerate(drawn.to_pylist()):
        values = {role: row[column] for role, column in columns.items()}
        verified = [role for role, every in (("email", 1), ("phone", 3)) if values[role] and n % every == 0]
        proofs = [f"{role}:{values[role].lower()}" for role in verified]
        found[f"{SOURCES[n % 3]}/{prefix}{row['id']}"] = values | {"proofs": "\n".join(proofs) or None}
    return found


def table(rows: Rows) -> pa.Table:
    return pa.Table.from_pylist([{"name": name} | values for name, values in rows.items()], PROFILE)


def decided(pairs: Pairs) -> pa.Table:
    return pa.Table.from_pylist([dict(zip(DECISIONS.names, (*pair, same), strict=True)) for pair, same in pairs.items()],
                                DECISIONS)


@dataclass
class Carried:
    """What is kept from run to run, as the docstring of ``Grown`` says."""

    matching: Matching
    stored: Stored | None
    kept: pa.Table = field(default_factory=KEPT.empty_table)
    edges: pa.Table = field(default_factory=EDGES.empty_table)
    groups: dict[str, str] = field(default_factory=dict)

    def run(self, rows: Rows, decisions: Pairs | None = None) -> Grown:
        grown = grow(table(rows), self.kept, self.edges, self.matching, self.stored, decided(decisions or {}))
        replaced = pa.array([*grown.profiles["name"].to_pylist(), *grown.gone], pa.string())
        self.kept = pa.concat_tables([without(self.kept, replaced, "name"), grown.profiles])
        stale = pa.array(grown.stale, pa.string())
        self.edges = pa.concat_tables([without(self.edges, stale, "left_name", "right_name"), grown.edges])
        for name in grown.gone:
            del self.groups[name]
        self.groups.update(zip(grown.groups["name"].to_pylist(), grown.groups["first"].to_pylist(), strict=True))
        return grown


def without(rows: pa.Table, names: pa.Array, *columns: str) -> pa.Table:
    for column in columns:
        rows = rows.filter(pc.invert(pc.is_in(rows[column], value_set=names)))
    return rows


def whole(matching: Matching, stored: Stored | None, rows: Rows, decisions: Pairs | None = None) -> Carried:
    """One run over everything."""
    found = Carried(matching, stored)
    found.run(rows, decisions)
    return found


def assert_same(carried: Carried, once: Carried) -> None:
    """What was carried is what one run over everything gives."""
    order = [("left_name", "ascending"), ("right_name", "ascending")]
    mine, theirs = (one.edges.sort_by(order).to_pydict() for one in (carried, once))
    weights = [np.array(one.pop("weight"), dtype=float) for one in (mine, theirs)]
    assert mine == theirs
    np.testing.assert_allclose(*weights, rtol=0, atol=1e-9)
    assert carried.groups == once.groups
    assert rand(carried.groups, once.groups) == 1.0
    assert sorted(carried.kept.to_pylist(), key=str) == sorted(once.kept.to_pylist(), key=str)


def rand(one: dict[str, str], other: dict[str, str]) -> float:
    """The adjusted Rand index (Hubert and Arabie 1985) of two ways to group the same names."""
    names = sorted(one)
    a, b = (np.unique([groups[name] for name in names], return_inverse=True)[1] for groups in (one, other))
    met = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(met, (a, b), 1)
    pairs, inside_a, inside_b = ((n * (n - 1) / 2).sum() for n in (met, met.sum(1), met.sum(0)))
    chance = inside_a * inside_b / (len(names) * (len(names) - 1) / 2)
    return float((pairs - chance) / ((inside_a + inside_b) / 2 - chance))


def test_a_wrong_grouping_has_a_lower_index():
    right = {f"n{i}": f"n{i - i % 3}" for i in range(60)}
    assert rand(right, {name: f"p{first}" for name, first in right.items()}) == 1.0
    assert rand(right, right | {"n0": "n3"}) < 1.0
    assert abs(rand(right, dict(zip(right, np.random.default_rng(1).permutation(list(right.values())), strict=True)))) < 0.2


@cache
def at_once(is_modelled: bool) -> tuple[Pairs, Carried]:
    """Some decisions, and one run over everything with them."""
    rows, stored = world()
    decisions = some_decisions(rows, np.random.default_rng(4))
    return decisions, whole(MATCHING, stored if is_modelled else None, rows, decisions)


def test_the_world_has_all_that_may_go_wrong():
    once = at_once(True)[1]
    is_link, proof, against = (once.edges[name].to_pylist() for name in ("is_link", "proof", "against"))
    assert is_link.count(True) > 50 and is_link.count(False) > 5 and len(set(proof)) > 2 and any(against)
    assert 100 < len(set(once.groups.values())) < len(once.groups) - 30


@pytest.mark.parametrize("seed", range(11))
def test_the_order_of_arrival_does_not_matter(seed: int):
    """Three batches; profiles that change and come back, that go away and stay away, and strangers who only pass by."""
    rows = world()[0]
    roll = np.random.default_rng(seed)
    order = roll.permutation(list(rows)).tolist()
    cuts = sorted(roll.choice(np.arange(5, len(order) - 5), 2, replace=False).tolist())
    passing = rows_of(people(12, seed=100 + seed), "passing-")
    decisions, once = at_once(seed != 10)
    carried = Carried(MATCHING, once.stored)
    for step, cut in enumerate(cuts):
        now = {name: rows[name] for name in order[:cut] if roll.random() > 0.03} | (passing if step % 2 == 0 else {})
        for name in roll.choice(list(now), min(len(now), 8), replace=False).tolist():
            now[name] = spoiled(now[name], rows[str(roll.choice(order))], roll)
        said = {pair: same for pair, same in decisions.items() if roll.random() < 0.7}
        wrong = {pair: not same for pair, same in decisions.items() if roll.random() < 0.1}
        carried.run(now, said | wrong | {pair: None for pair in decisions if roll.random() < 0.2})
    carried.run(rows, decisions)
    assert_same(carried, once)


def some_decisions(rows: Rows, roll: np.random.Generator) -> Pairs:
    """Two identities of a name told apart, and some taken at random for one person or not."""
    found: Pairs = {}
    for _ in range(12):
        one, other = sorted(roll.choice(list(rows), 2, replace=False).tolist())
        found[one, other] = bool(roll.random() < 0.3)
    by_mail: dict[str, str] = {}
    for name, values in sorted(rows.items()):
        if (before := by_mail.setdefault(values["email"] or name, name)) != name and roll.random() < 0.3:
            found[before, name] = False
    return found


def spoiled(values: dict[str, Any], other: dict[str, Any], roll: np.random.Generator) -> dict[str, Any]:
    """A profile with some values that are another's."""
    return {role: other[role] if roll.random() < 0.3 else value for role, value in values.items()}


def test_blocks_and_shared_values_that_become_too_large_and_are_so_no_longer():
    """Strangers come, go and come back who share values with a person of several records: more than a block or a value may have.

    Rules are few and loose, so that what an outgrown block had is lost, unless the other one has it.
    """
    rows, stored = world()
    family, place = (Key.parse("family_name"),), (Key.parse("given_name"), Key.parse("city"))
    stored = replace(stored, rules=(family, place))
    persons = list(whole(MATCHING, stored, rows).groups.items())
    crowds: list[Rows] = []
    for number, roles in ((9, ["family_name"]), (9, ["given_name", "city"]), (9, ["family_name", "given_name", "city"]),
                          (9, ["given_name", "city", "family_name"]), (9, ["email"]), (9, ["phone"]), (60, ["birth_date"])):
        name, first = next((name, first) for name, first in persons if name != first and all(rows[name][role] for role in roles))
        persons = [one for one in persons if one[1] != first]
        shared = {role: rows[name][role] for role in roles}
        proofs = f"{roles[0]}:{shared[roles[0]].lower()}" if roles[0] in MATCHING.proofs else None
        drawn = list(rows_of(people(number, seed=len(crowds))).values())[:number]
        crowds.append({f"crm/crowd-{len(crowds)}-{n:02}": values | shared | {"proofs": proofs} for n, values in enumerate(drawn)})
    sizes = {share: rows | {name: values for some in crowds for name, values in list(some.items())[:int(len(some) * share)]}
             for share in (0.0, 0.3, 1.0)}
    once = {share: whole(MATCHING, stored, now) for share, now in sizes.items()}
    carried = Carried(MATCHING, stored)
    for share in (0.0, 1.0, 0.3, 0.0):
        before = pairs_of(carried)
        carried.run(sizes[share])
        assert_same(carried, once[share])
        lost = {pair for pair in before - pairs_of(carried) if not any("crowd" in name for name in pair)}
        assert len(lost) > 3 or share != 1.0


def pairs_of(carried: Carried) -> set[tuple[str, str]]:
    return set(zip(carried.edges["left_name"].to_pylist(), carried.edges["right_name"].to_pylist(), strict=True))


def test_decisions_that_are_taken_back():
    rows, stored = world()
    carried = whole(MATCHING, stored, rows)
    groups = dict(carried.groups)
    apart = next((first, name) for name, first in sorted(groups.items()) if name != first)
    loners = sorted(name for name, first in groups.items() if list(groups.values()).count(first) == 1)[:2]
    said: Pairs = {apart: False, (loners[0], loners[1]): True}
    carried.run(rows, said)
    assert carried.groups[apart[0]] != carried.groups[apart[1]] and carried.groups[loners[0]] == carried.groups[loners[1]]
    assert_same(carried, whole(MATCHING, stored, rows, said))
    carried.run(rows, dict.fromkeys(said))
    assert carried.groups == groups


def test_a_person_is_looked_at_again_when_one_of_its_identities_goes_away():
    rows, stored = world()
    carried = whole(MATCHING, stored, rows)
    members: Callable[[str], int] = list(carried.groups.values()).count
    first = max(sorted(set(carried.groups.values())), key=members)
    person = sorted(name for name, its_first in carried.groups.items() if its_first == first)
    assert len(person) > 2
    for name in person[:2]:
        rows = {n: v for n, v in rows.items() if n != name}
        carried.run(rows)
        assert first not in carried.groups.values()
    assert_same(carried, whole(MATCHING, stored, rows))
    carried.run({})
    assert (carried.kept.num_rows, carried.edges.num_rows, carried.groups) == (0, 0, {})


def test_a_run_with_nothing_new_changes_nothing():
    rows, stored = world()
    carried = whole(MATCHING, stored, rows)
    again = carried.run(rows)
    assert [len(part) for part in (again.profiles, again.gone, again.edges, again.stale, again.groups)] == [0, 0, 0, 0, 0]
