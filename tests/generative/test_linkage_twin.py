"""Linkage and composition beside plain-Python twins."""

from __future__ import annotations

import math
from collections import Counter
from datetime import date, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.stages import comparable, composition
from jobs.stages.linkage import MILLION, MOST_ALIKE, WIDTHS
from jobs.stages.protect import MARK
from tests.spec.test_linkage import DAY, KEPT, MOVED, found

quick = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
History = dict[int, str]  # What each day tells.
histories = st.lists(st.dictionaries(st.integers(0, 9), st.sampled_from("xy"), min_size=1, max_size=8), min_size=1, max_size=6)
ROWS = "person_id string, day date, value string"


def told(people: list[History], name: str, shifts: list[int]) -> list[tuple[str, date, str]]:
    return [(f"{name}{n}", DAY + timedelta(days=day + shifts[n % len(shifts)]), value) for n, days in enumerate(people) for day, value in days.items()]


def signs(rows: list[tuple[str, date, str]], others: list[tuple[str, date, str]], is_moved: bool) -> dict[str, list[tuple[Any, str]]]:
    """What there is to compare of each person, in the order of days."""
    made: dict[str, list[tuple[Any, str]]] = {}
    days = [day for _, day, _ in others]
    for person in sorted({p for p, _, _ in rows}):
        mine = sorted((day, value) for p, day, value in rows if p == person)
        if is_moved:
            made[person] = [((day - mine[n - 1][0]).days if n else None, value) for n, (day, value) in enumerate(mine)]
        elif kept := [(day, value) for day, value in mine if min(days) <= day <= max(days)]:
            made[person] = kept
    return made


def naive(ours: dict[str, list[Any]], theirs: dict[str, list[Any]], same: list[tuple[str, str]], people: int) -> int:
    """Millionths of people whom the stated attacker finds."""
    parts = {other: {tuple(told[at:at + width]) for width in WIDTHS for at in range(len(told) - width + 1)} for other, told in theirs.items()}
    holders = Counter(part for found in parts.values() for part in found)
    right = 0
    for person, other in same:
        told = ours.get(person, [])
        alike = [o for o, history in theirs.items() if told and history == told]
        if alike:
            right += MILLION // len(alike) if other in alike else 0
            continue
        own = {tuple(told[at:at + width]) for width in WIDTHS for at in range(len(told) - width + 1)
               if at % width == 0}
        scores = {o: sum(math.floor(MILLION / math.log2(1 + holders[p])) for p in own & found if holders[p] <= MOST_ALIKE)
                  for o, found in parts.items()}
        most = max(scores.values())
        best = [o for o, score in scores.items() if score == most]
        right += MILLION // people if most == 0 else MILLION // len(best) if other in best else 0
    return right


@quick
@given(ours=histories, theirs=histories, alike=st.integers(0, 6), is_moved=st.booleans(), shifts=st.lists(st.integers(0, 30), min_size=1, max_size=3))
def test_who_is_found_equals_the_naive_attack(frame: Any, ours: list[History], theirs: list[History], alike: int, is_moved: bool,
                                              shifts: list[int]) -> None:
    """The first ``alike`` of theirs have the days of ours; person n of ours is person n of theirs."""
    theirs = [*ours[:alike], *theirs[alike:]]
    mine, their = told(ours, "a", [0]), told(theirs, "b", shifts if is_moved else [0])
    one, two = signs(mine, their, is_moved), signs(their, mine, is_moved)
    same = [(f"a{n}", f"b{n}") for n in range(len(ours)) if f"b{n}" in two]
    pairs = comparable.pairs(comparable.told(KEPT, "p"), comparable.told(MOVED if is_moved else KEPT, "p"), DAY)
    row = found(frame, frame(ROWS, mine), frame(ROWS, their), pairs, [(f"a{n}", f"b{n}") for n in range(len(ours)) if n < len(theirs)])
    assert (row["people"], row["right"] or 0) == (len(same), naive(one, two, same, len(two)) if same else 0)
    assert not same or row["others"] == len(two)


deliveries = st.lists(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("12"), st.sampled_from(["N", "S", None])), max_size=14,
                               unique_by=lambda row: row[:2]), min_size=2, max_size=4)


@quick
@given(told=deliveries, minimum=st.integers(1, 4))
def test_what_is_held_back_equals_the_naive_count(frame: Any, told: list[list[tuple[str, str, str | None]]], minimum: int) -> None:
    *before, now = told
    schema = "person string, row string, area string"
    earlier = [composition.told(frame(schema, rows), "person", ["row"], ["area"], n) for n, rows in enumerate(before)]
    marked = composition.mark(frame(schema, now), "person", ["row"], ["area"], earlier, minimum).collect()

    def way(person: str, row: str) -> tuple[Any, ...]:
        seen = tuple(n for n, rows in enumerate(before) if any(p == person for p, _, _ in rows))
        words = [(n, area) for n, rows in enumerate(told) for p, r, area in rows if (p, r) == (person, row)]
        return seen, tuple(words) if len({area for _, area in words}) > 1 else words[0][1]

    naive = {(p, r): len({q for q, s, _ in now if way(q, s) == way(p, r)}) >= minimum for p, r, _ in now}
    assert {(r["person"], r["row"]): r[MARK] for r in marked} == naive
