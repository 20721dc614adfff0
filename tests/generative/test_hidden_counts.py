"""Hidden counts cannot be worked out: whatever is published, each has at least two values that fit.

The reader is taken to know the rules, the limits and the exact number of people in the group: more than the page tells.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from contracts.consent_loss import MINIMUM_CELL, ROUNDING, Attribute
from jobs.stages import balance

FIRST = Attribute("sex", "core.identity", ("sex_code",), ("a", "b", "c", "unknown"))
SECOND = Attribute("country", "core.identity", ("country_code",), ("x", "y", "z", "other", "unknown"))


def tables(levels: int, people: int) -> Iterator[tuple[int, ...]]:
    """Every way in which so many people can have so many levels."""
    for counts in product(range(people + 1), repeat=levels - 1):
        if sum(counts) <= people:
            yield (*counts, people - sum(counts))


def exposed(levels: int, people: int, minimum: int, rounding: int) -> list[tuple[Any, ...]]:
    """What is published of some table and hides a count that has one value only in all tables with that publication."""
    fitting: dict[tuple[Any, ...], list[tuple[int, ...]]] = defaultdict(list)
    for counts in tables(levels, people):
        fitting[tuple(balance.protected(counts, minimum, rounding))].append(counts)
    return [shown for shown, those in fitting.items() for n, value in enumerate(shown)
            if value is None and len({counts[n] for counts in those}) < 2]


@pytest.mark.parametrize(("minimum", "rounding"), [(2, 2), (2, 3), (2, 5), (3, 2), (3, 5), (MINIMUM_CELL, ROUNDING)])
@pytest.mark.parametrize(("levels", "most"), [(2, 60), (3, 40), (4, 24)])
def test_every_small_table(minimum: int, rounding: int, levels: int, most: int) -> None:
    assert [(n, found) for n in range(minimum + 1, most) if (found := exposed(levels, n, minimum, rounding))] == []


# Counts near the minimum and near where rounding turns, so that the rare cases are not rare.
count = st.sampled_from([0, 0, 0, 1, 6, 7, 7, 8, 12, 13, 17, 18, 48, 52]) | st.integers(0, 60)


@st.composite
def groups(draw: Any) -> tuple[list[int], list[int]]:
    """Counts of two attributes of one group of people."""
    first = draw(st.lists(count, min_size=4, max_size=4))
    left, second = sum(first), []
    for _ in SECOND.levels[1:]:
        second.append(min(left, draw(count)))
        left -= second[-1]
    return first, draw(st.permutations([*second, left]))


def report(first: Any, second: Any) -> list[dict[str, Any]]:
    """The report of a group beside another that never changes."""
    beside = {"sex": (20, 20, 20, 20), "country": (16, 16, 16, 16, 16)}
    counts = {a.name: {level: (n, m) for level, n, m in zip(a.levels, exact, beside[a.name], strict=True)}
              for a, exact in ((FIRST, first), (SECOND, second))}
    return balance.report(counts, (FIRST, SECOND), MINIMUM_CELL, ROUNDING)


def others(counts: list[int]) -> Iterator[list[int]]:
    """Tables of as many people that are near: two levels have changed places, or one person is of another level, or one
    level has given a person to each of the others."""
    for n, m in product(range(len(counts)), repeat=2):
        swapped, moved = list(counts), list(counts)
        swapped[n], swapped[m] = counts[m], counts[n]
        yield swapped
        if n != m and counts[n]:
            moved[n], moved[m] = counts[n] - 1, counts[m] + 1
            yield moved
    for n in range(len(counts)):
        given_away = [c + 1 for c in counts]
        given_away[n] = counts[n] - len(counts) + 1
        if given_away[n] >= 0:
            yield given_away


@settings(max_examples=300, deadline=None)
@given(group=groups())
@example(group=([7, 7, 7, 7], [28, 0, 0, 0, 0]))
@example(group=([48, 48, 0, 0], [90, 6, 0, 0, 0]))
@example(group=([100, 102, 7, 7], [7, 209, 0, 0, 0]))
def test_a_whole_report_fits_other_people_too(group: tuple[list[int], list[int]]) -> None:
    first, second = group
    told = report(first, second)
    shown = {(r["attribute"], r["level"]): r["people_in"] for r in told}
    if shown["everyone", "all"] is None:
        assert set(shown.values()) == {None}
        return
    same = [table for table in others(first) if report(table, second) == told]
    for n, level in enumerate(FIRST.levels):
        assert shown["sex", level] is not None or {table[n] for table in same} - {first[n]}, level


@settings(max_examples=300, deadline=None)
@given(counts=st.lists(count, min_size=2, max_size=7), minimum=st.integers(2, 12), rounding=st.integers(2, 10))
def test_what_is_shown_is_a_rounded_count_above_the_minimum(counts: list[int], minimum: int, rounding: int) -> None:
    shown = balance.protected(counts, minimum, rounding)
    assert all(n is None or (exact > minimum and n % rounding == 0 and abs(n - exact) <= rounding / 2)
               for n, exact in zip(shown, counts, strict=True))
    assert all(n is None for n, exact in zip(shown, counts, strict=True) if exact <= minimum)
    assert shown.count(None) != 1 or len(counts) == 1, "one that is hidden alone follows from the total"


def test_of_a_group_too_small_to_be_told_every_size_fits() -> None:
    told = [report(first, second) for size in range(MINIMUM_CELL + 1) for first in tables(4, size) for second in tables(5, size)
            if 0 in (first[0], second[0])]
    assert all(each == told[0] for each in told) and len(told) > 1000
