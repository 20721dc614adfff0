"""The keys of persons beside a plain reference, and what holds of them over many runs of merges, splits, comings and goings."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.matching.persons import CHANGES, GROUPS, KNOWN, MINTED, keyed

START = datetime(2026, 10, 1, tzinfo=UTC)
NAMES, HELD, LATE = "abcdefgh", ["K1", "K2", "K3", "K4"], 99
Keys = dict[str, str]
Minted = dict[str, int]
Changes = list[tuple[str, str, str, int]]  # name, from, to, when

partitions = st.fixed_dictionaries({name: st.integers(0, 3) for name in NAMES})
anybody = st.sets(st.sampled_from(NAMES))
changed = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(HELD), st.sampled_from(HELD), st.integers(0, 5)), max_size=12)


def firsts(parts: dict[str, int], whom: set[str]) -> Keys:
    """The first name of each one's group."""
    return {name: min(other for other in whom if parts[other] == parts[name]) for name in whom}


def naive(groups: Keys, present: set[str], known: Keys, changes: Changes, minted: Minted) -> Keys:
    """The key of each name in a group, and of those who are gone and go along; new ones are the numbers of ``mint``."""
    held = {name: key for name, key in known.items() if name in present}
    free = set(held.values()) - {key for name, key in held.items() if name not in groups}
    came = {(name, to) for name, _, to, _ in changes}
    won = {key: groups[min(((name, key) in came, name) for name in held if held[name] == key)[1]] for key in free}
    final = {first: min((minted.get(key, LATE), key) for key in won if won[key] == first)[1] for first in won.values()}
    claims = [(at, key, groups[name]) for name, key, _, at in changes
              if name in groups and groups[name] not in final and key not in known.values()]
    heirs = {key: min((-at, first) for at, one, first in claims if one == key) for _, key, _ in claims}
    back = {first: min((at, key) for key, (at, who) in heirs.items() if who == first)[1] for _, first in heirs.values()}
    numbers = count(1)
    final |= back | {first: f"new{next(numbers)}" for first in sorted({*groups.values()} - {*final, *back})}
    along = {name: final[won[key]] for name, key in known.items() if name not in present and key in won}
    return {name: final[first] for name, first in groups.items()} | {n: key for n, key in along.items() if key != known[n]}


def two(schema: pa.Schema, pairs: Keys) -> pa.Table:
    return pa.table({name: pa.array(list(values), pa.string())
                     for name, values in zip(schema.names, (pairs.keys(), pairs.values()), strict=True)})


def run(groups: Keys, present: set[str], known: Keys, changes: Changes, minted: Minted, prefix: str = "new") -> pa.Table:
    numbers = count(1)
    rows = [dict(zip(CHANGES.names, (name, old, new, START + timedelta(days=at)), strict=True)) for name, old, new, at in changes]
    born = pa.table({"person_key": pa.array(list(minted), pa.string()),
                     "minted_at": pa.array([START + timedelta(days=at) for at in minted.values()], MINTED.field("minted_at").type)})
    return keyed(two(GROUPS, groups), pa.table({"name": pa.array(list(present), pa.string())}), two(KNOWN, known),
                 pa.Table.from_pylist(rows, schema=CHANGES), born, lambda: f"{prefix}{next(numbers)}")


@settings(max_examples=80, deadline=None)
@given(parts=partitions, looked=anybody, gone=anybody, known=st.dictionaries(st.sampled_from(NAMES), st.sampled_from(HELD)),
       changes=changed, minted=st.permutations(range(len(HELD))).map(lambda order: dict(zip(HELD[1:], order, strict=False))))
def test_keys_equal_the_naive_ones(parts: dict[str, int], looked: set[str], gone: set[str], known: Keys, changes: Changes,
                                   minted: Minted) -> None:
    groups = firsts(parts, looked - gone)
    found = run(groups, set(NAMES) - gone, known, changes, minted).to_pylist()
    assert {row["name"]: row["person_key"] for row in found} == naive(groups, set(NAMES) - gone, known, changes, minted)
    assert {row["name"]: row["from_key"] for row in found} == {row["name"]: known.get(row["name"]) for row in found}
    assert [row["name"] for row in found] == sorted(row["name"] for row in found)
    key = {row["name"]: row["person_key"] for row in found if row["name"] in groups}
    elsewhere = {known.get(name) for name in set(NAMES) - gone - set(groups)}
    assert len({(first, key[name]) for name, first in groups.items()}) == len(set(groups.values())) == len(set(key.values()))
    assert not elsewhere & set(key.values())


@dataclass
class World:
    """Persons over many runs: the key of everybody there ever was, and what changed hands."""

    keys: Keys = field(default_factory=dict)
    changes: Changes = field(default_factory=list)
    minted: Minted = field(default_factory=dict)
    runs: int = 0

    def look(self, parts: dict[str, int], present: set[str], also: set[str]) -> None:
        """A run that looks at who is new and at persons that are not what they were, and at some that are."""
        self.runs += 1
        now, before = firsts(parts, present), dict(self.keys)
        moved = {name for name in present if self.whole(name, present) != {n for n in present if now[n] == now[name]}}
        looked = {n for n in present if any(now[n] == now[o] or self.keys.get(n, n) == self.keys.get(o, o) for o in (moved | also) & present)}
        found = run({n: now[n] for n in looked}, present, self.keys, self.changes, self.minted, f"M{self.runs:02}-").to_pylist()
        self.changes += [(r["name"], r["from_key"], r["person_key"], self.runs) for r in found
                         if r["from_key"] not in (None, r["person_key"])]
        self.keys |= {r["name"]: r["person_key"] for r in found}
        self.minted = {r["person_key"]: self.runs for r in found} | self.minted
        assert {(a, b) for a in present for b in present if self.keys[a] == self.keys[b]} == {
            (a, b) for a in present for b in present if now[a] == now[b]}
        same = {n for n in present - moved if n in before}
        assert {n: self.keys[n] for n in same} == {n: before[n] for n in same}

    def whole(self, name: str, present: set[str]) -> set[str]:
        """Those of a person who are still there."""
        return {n for n in present if n in self.keys and self.keys[n] == self.keys.get(name)}


steps = st.lists(st.tuples(partitions, anybody, anybody), min_size=1, max_size=6)


@settings(max_examples=30, deadline=None)
@given(steps=steps)
def test_over_many_runs_every_person_has_one_key_and_who_did_not_change_keeps_it(steps: list[tuple[Any, set[str], set[str]]]) -> None:
    world = World()
    for parts, gone, also in steps:
        world.look(parts, set(NAMES) - gone, also)
    before, changes = dict(world.keys), list(world.changes)
    world.look(steps[-1][0], set(NAMES) - steps[-1][1], set())
    assert (world.keys, world.changes) == (before, changes), "nothing happened, and yet"


@settings(max_examples=25, deadline=None)
@given(parts=partitions, met=st.dictionaries(st.integers(0, 3), st.integers(0, 3)))
def test_what_a_merge_took_a_split_gives_back(parts: dict[str, int], met: dict[int, int]) -> None:
    world, everybody = World(), set(NAMES)
    world.look(parts, everybody, set())
    minted = dict(world.keys)
    world.look({name: met.get(part, part) for name, part in parts.items()}, everybody, set())
    assert set(world.keys.values()) <= set(minted.values())
    world.look(parts, everybody, set())
    assert world.keys == minted
