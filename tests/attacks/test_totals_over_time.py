"""Small cells from the totals of several releases: a cell that is shown today was hidden in the last release, as a complement.

The attacker has all releases and knows of each two of them in which cells somebody came or went, and whether many came or many went; they
work out by linear programming what no single release tells. They win where a count of few people, of any release, must lie in an
interval that neither holds all from 0 to the minimum nor is wider.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from math import inf
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from jobs.stages import states
from jobs.stages.states import Count
from tests.attacks.totals import Key, cube, lines

MINIMUM, FEWEST = 7, 8
People = dict[str, set[Key]]  # The cells that each person is in.
Sets = dict[Key, frozenset[str]]
Numbers = list[dict[tuple[Key, frozenset[str]], int]]


@dataclass(frozen=True)
class Told:
    """A release: whom each cell and total counts, and which are shown."""

    people: Sets
    shown: frozenset[Key]


@dataclass
class Keeper:
    """A naive guard of one measure. ``is_guarded``: False compares with nothing and protects each release for itself."""

    over: tuple[int, ...]
    is_guarded: bool = True
    releases: list[Told] = field(default_factory=list)

    def release(self, people: People) -> None:
        """The next release."""
        frozen: set[Key] = set()
        fresh, last = _parts(people), {k: v for k, v in self.releases[-1].people.items() if "all" not in k} if self.releases else {}
        while True:
            parts = {key: those for key in {*fresh, *last} if (those := (last if key in frozen else fresh).get(key))}
            made = {key: frozenset(those) for key, those in cube(_of_persons(parts), self.over).items()}
            moved = {key for key in {*parts, *last} if parts.get(key) != last.get(key)}
            away, vain = states.hidden(_counts(made), [_counts(r.people, r.shown) for r in self.releases] if self.is_guarded else [],
                                       self.over, MINIMUM, FEWEST)
            few = {key for before in self.releases for key in {*made, *before.people}
                   if 0 < len(made.get(key, frozenset()) ^ before.people.get(key, frozenset())) < FEWEST}
            new = {key for key in moved for other in (few, vain) if other & _above(key, self.over)} or ({*moved} if vain else set())
            if not (self.is_guarded and new - frozen):
                assert not (vain and self.is_guarded)
                self.releases.append(Told(made, frozenset(made) - away))
                return
            frozen |= new


def _parts(people: People) -> Sets:
    return {key: frozenset(p for p, those in people.items() if key in those) for key in {k for those in people.values() for k in those}}


def _of_persons(parts: Sets) -> People:
    return {p: {key for key, those in parts.items() if p in those} for p in {p for those in parts.values() for p in those}}


def _above(key: Key, over: Sequence[int]) -> set[Key]:
    return set(cube({"": {key}}, over))


def _counts(people: Sets, shown: frozenset[Key] = frozenset()) -> dict[Key, Count]:
    return {key: Count(len(those), hash(those), key in shown) for key, those in sorted(people.items())}


def worked_out(releases: Sequence[Told], over: tuple[int, ...], rounding: int = 1) -> set[tuple[int, Key]]:
    """The small counts, by release and cell, that an attacker can tell from all releases together."""
    at, size = _numbered(releases)
    program = {**_shown(releases, at, size, rounding), **_lines(releases, at, size, over), **_grown(releases, at, size)}
    found = set()
    for n, release in enumerate(releases):
        for key, those in release.people.items():
            if len(those) > MINIMUM:
                continue
            ends = []
            for sign in (1, -1):
                aim = [0.0] * size
                aim[at[n][key, those]] = sign
                answer = linprog(aim, **program, method="highs")
                assert answer.status in (0, 3), "what is published can be true"
                ends.append(sign * -inf if answer.status == 3 else answer.x[at[n][key, those]])
            if not (ends[0] <= 1e-6 and ends[1] >= MINIMUM - 1e-6) and ends[1] - ends[0] <= MINIMUM + 1e-6:
                found.add((n, key))
    return found


def _numbered(releases: Sequence[Told]) -> tuple[Numbers, int]:
    """The unknown of each cell of each release, and how many there are. Of a total that is never shown nobody knows that it is the
    same, who does not know its parts."""
    known = {(key, release.people[key]) for release in releases for key in release.shown}
    numbers: dict[Any, int] = {}
    return [{(key, those): numbers.setdefault((key, those, n if "all" in key and (key, those) not in known else 0), len(numbers))
             for key, those in release.people.items()} for n, release in enumerate(releases)], len(numbers)


def _shown(releases: Sequence[Told], at: Numbers, size: int, rounding: int) -> dict[str, Any]:
    bounds: list[tuple[float, float]] = [(0, inf)] * size
    for n, release in enumerate(releases):
        for key in release.shown:
            told = (len(release.people[key]) + rounding // 2) // rounding * rounding
            bounds[at[n][key, release.people[key]]] = max(MINIMUM + 1, told - rounding // 2), told - rounding // 2 + rounding - 1
    return {"bounds": bounds}


def _lines(releases: Sequence[Told], at: Numbers, size: int, over: tuple[int, ...]) -> dict[str, Any]:
    equal, sums = list[list[float]](), list[float]()
    for n, release in enumerate(releases):
        for total, parts in lines(list(release.people), over):
            row = [0.0] * size
            for key, sign in [(total, -1.0), *((part, 1.0) for part in parts)]:
                row[at[n][key, release.people[key]]] = sign
            equal.append(row)
            sums.append(sum(len(release.people[k]) for k in parts) - len(release.people[total]))
    return {"A_eq": equal or None, "b_eq": sums or None}


def _grown(releases: Sequence[Told], at: Numbers, size: int) -> dict[str, Any]:
    less, rooms = list[list[float]](), list[float]()
    for one, other in combinations(range(len(releases)), 2):
        for key in releases[one].people.keys() & releases[other].people.keys():
            small, great = sorted(((releases[n].people[key], n) for n in (one, other)), key=lambda each: len(each[0]))
            if small[0] < great[0]:
                row = [0.0] * size
                row[at[small[1]][key, small[0]]], row[at[great[1]][key, great[0]]] = 1.0, -1.0
                less.append(row)
                rooms.append(-min(FEWEST, len(great[0]) - len(small[0])))
    return {"A_ub": less or None, "b_ub": rooms or None}


def crowd(key: Key, low: int, high: int) -> People:
    return {f"p{n}": {key} for n in range(low, high)}


A, B, C, D = ("a",), ("b",), ("c",), ("d",)
# Three releases each of which is protected for itself.
TRIES: dict[str, list[People]] = {
    "a complement is shown when the small cell has grown": [
        crowd(A, 0, 30) | crowd(B, 100, 105) | crowd(C, 200, 212), crowd(A, 0, 30) | crowd(B, 100, 115) | crowd(C, 200, 212),
        crowd(A, 0, 30) | crowd(B, 100, 115) | crowd(C, 200, 212)],
    "a cell that was shown becomes the complement": [
        crowd(A, 0, 60) | crowd(B, 100, 115) | crowd(C, 200, 212), crowd(A, 0, 60) | crowd(B, 100, 105) | crowd(C, 200, 212),
        crowd(A, 0, 60) | crowd(B, 100, 105) | crowd(C, 200, 212)],
    "another complement the next time": [
        crowd(A, 0, 30) | crowd(B, 100, 105) | crowd(C, 200, 212), crowd(A, 0, 30) | crowd(B, 100, 105) | crowd(C, 200, 245),
        crowd(A, 0, 9) | crowd(B, 100, 105) | crowd(C, 200, 245)],
    "the total moves beside cells that do not": [
        crowd(A, 0, 30) | crowd(B, 100, 105) | crowd(C, 200, 212), crowd(A, 0, 30) | crowd(B, 100, 105) | crowd(C, 200, 212) | crowd(D, 300, 310),
        crowd(A, 0, 30) | crowd(B, 100, 105) | crowd(C, 200, 212) | crowd(D, 300, 310)],
}


def kept(releases: Sequence[People], over: tuple[int, ...], is_guarded: bool = True) -> list[Told]:
    keeper = Keeper(over, is_guarded)
    for people in releases:
        keeper.release(people)
    return keeper.releases


@pytest.mark.parametrize("name", TRIES)
def test_an_attacker_wins_without_the_guard_and_never_with_it(name: str) -> None:
    assert worked_out(kept(TRIES[name], (0,), is_guarded=False), (0,))
    for release in kept(TRIES[name], (0,), is_guarded=False):
        assert worked_out([release], (0,)) == set(), "no single release tells it"
    assert worked_out(kept(TRIES[name], (0,)), (0,)) == set()


def test_what_was_shown_stays_shown_and_what_was_hidden_stays_hidden_while_nobody_comes_or_goes() -> None:
    for releases in TRIES.values():
        told = kept([*releases, releases[-1], releases[-1]], (0,))
        for before, after in combinations(told, 2):
            for key, those in before.people.items():
                if after.people.get(key) == those:
                    assert (key in before.shown) is (key in after.shown)


@st.composite
def series(draw: Any) -> tuple[tuple[int, ...], list[People]]:
    """Three releases of a table of one or two directions; some people come, go, move, or are in two cells."""
    over = draw(st.sampled_from([(0,), (0, 1)]))
    cell = st.tuples(*[st.sampled_from("abc"[:3 if len(over) == 1 else 2]) for _ in over])
    people: People = {}
    made, born = [], 0
    for _ in range(3):
        for _ in range(draw(st.integers(1, 5))):
            key, size = draw(cell), draw(st.sampled_from([1, 2, 5, 8, 9, 12, 30]))
            kind = draw(st.sampled_from(["come", "come", "go", "move", "beside"]))
            if kind == "come":
                people |= {f"p{born + n}": {key} for n in range(size)}
                born += size
                continue
            those = [p for p in sorted(people) if key in people[p]][:size]
            to = draw(cell)
            for p in those:
                left = people[p] - {key} if kind != "beside" else people[p]
                people[p] = left | ({to} if kind != "go" else set())
            people = {p: cells for p, cells in people.items() if cells}
        made.append({p: set(cells) for p, cells in people.items()})
    return over, made


@settings(max_examples=150, deadline=None)
@given(drawn=series(), rounding=st.sampled_from([1, 5]))
def test_no_small_count_of_any_release_follows_from_all(drawn: tuple[tuple[int, ...], list[People]], rounding: int) -> None:
    over, releases = drawn
    told = kept(releases, over)
    assert worked_out(told, over, rounding) == set()
    for before, after in combinations(told, 2):
        for key in before.people.keys() | after.people.keys():
            differ = len(before.people.get(key, frozenset()) ^ after.people.get(key, frozenset()))
            assert differ == 0 or differ >= FEWEST
