"""Small cells are worked out from the totals beside them: by who knows the rounded counts, and by who knows far more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.stages import complementary
from tests.attacks.totals import ALL, Key, coarse, cube, lines, told

MINIMUM, ROUNDING = 7, 5
Counts = Mapping[Key, int]


def counts(people: Mapping[Any, set[Key]], over: tuple[int, ...]) -> dict[Key, int]:
    return {key: len(those) for key, those in sorted(cube(people, over).items())}


def hidden(exact: Counts, over: tuple[int, ...], minimum: int = MINIMUM, most: Counts | None = None) -> set[Key]:
    """What the platform hides."""
    keys = list(exact)
    those, _ = complementary.hidden(np.array([exact[k] for k in keys]), np.zeros(len(keys), dtype=bool),
                                 complementary.lines_of(keys, over, ALL), minimum,
                                 None if most is None else np.array([float(most[k]) for k in keys]))
    return {key for key, gone in zip(keys, those, strict=True) if gone}


def published(exact: Counts, away: set[Key], rounding: int) -> dict[Key, int | None]:
    return {key: None if key in away else coarse(n, rounding) for key, n in exact.items()}


def several(exact: Counts, over: tuple[int, ...]) -> dict[tuple[Key, int], int]:
    """How many people too many each total's parts count, which nobody is told."""
    return {(total, place): sum(exact[p] for p in parts) - exact[total] for place in over for total, parts in lines(list(exact), [place])}


def directions(keys: Iterable[Key]) -> tuple[int, ...]:
    return tuple(range(max(map(len, keys), default=1)))


def small(exact: Counts, minimum: int = MINIMUM) -> list[Key]:
    return [key for key, n in exact.items() if n <= minimum]


@st.composite
def partitions(draw: Any, directions: int, most: int = 4) -> dict[int, set[Key]]:
    """People, each in one cell of a table of so many directions; many cells are small and many are empty."""
    sizes = [draw(st.integers(1, most)) for _ in range(directions)]
    found: dict[int, set[Key]] = {}
    for n in np.ndindex(*sizes):
        for _ in range(draw(st.sampled_from([0, 0, 1, 2, 3, 6, 7, 8, 9, 12, 20, 41, 100]))):
            found[len(found)] = {tuple(map(str, n))}
    return found


@st.composite
def overlapping(draw: Any) -> dict[int, set[Key]]:
    """People, some of them in several cells of two directions."""
    cell = st.tuples(st.sampled_from("abc"), st.sampled_from("uvwx"))
    groups = draw(st.lists(st.tuples(st.sampled_from([1, 2, 3, 5, 8, 13, 40]), st.sets(cell, min_size=1, max_size=3)), min_size=1, max_size=12))
    found: dict[int, set[Key]] = {}
    for size, those in groups:
        found.update({len(found) + n: those for n in range(size)})
    return found


# A table of channels and countries in which each line alone looks safe, or one cell stands alone.
ALONE = {("email", "DE"): 3, ("phone", "DE"): 40, ("app", "DE"): 61, ("email", "FR"): 52, ("phone", "FR"): 33, ("app", "FR"): 25}


def of(cells: Counts) -> dict[Any, set[Key]]:
    return {(key, n): {key} for key, size in cells.items() for n in range(size)}


@pytest.mark.parametrize("rounding", [1, ROUNDING])
def test_without_more_that_vanishes_the_attack_succeeds(rounding: int) -> None:
    exact = counts(of(ALONE), (0, 1))
    found = told(published(exact, set(small(exact)), rounding), (0, 1), MINIMUM, rounding)
    assert found == ({("email", "DE"): (3, 3)} if rounding == 1 else {})
    one = counts(of({("email",): 1, ("phone",): 100}), (0,))
    assert told(published(one, {("email",)}, rounding), (0,), MINIMUM, rounding) == {("email",): (0, 4) if rounding == 5 else (1, 1)}
    for cells in ({("email",): 1, ("phone",): 100}, ALONE):
        over = directions(cells)
        exact = counts(of(cells), over)
        assert told(published(exact, hidden(exact, over), rounding), over, MINIMUM, rounding, asked_about=small(exact)) == {}


def test_how_often_it_succeeds_without() -> None:
    """Of 40 random tables; those who know exact counts tell more."""
    draw, lost = np.random.default_rng(7), {1: 0, ROUNDING: 0}
    for _ in range(40):
        cells = {(str(i), str(j)): int(draw.choice([0, 1, 2, 5, 7, 9, 30, 100])) for i in range(3) for j in range(4)}
        exact = counts(of(cells), (0, 1))
        for rounding in lost:
            lost[rounding] += bool(exact and told(published(exact, set(small(exact)), rounding), (0, 1), MINIMUM, rounding,
                                                  asked_about=small(exact)))
    assert lost[1] > 20 and lost[ROUNDING] > 4, lost


@settings(max_examples=150, deadline=None)
@given(people=st.integers(1, 3).flatmap(lambda n: partitions(n, 4 if n < 3 else 3)), rounding=st.sampled_from([1, ROUNDING]),
       minimum=st.sampled_from([2, MINIMUM, 12]))
def test_no_small_count_follows(people: dict[int, set[Key]], rounding: int, minimum: int) -> None:
    over = directions(key for those in people.values() for key in those)
    exact = counts(people, over)
    away = hidden(exact, over, minimum)
    assert {*small(exact, minimum)} <= away
    assert not exact or told(published(exact, away, rounding), over, minimum, rounding, asked_about=small(exact, minimum)) == {}


@settings(max_examples=100, deadline=None)
@given(people=overlapping(), rounding=st.sampled_from([1, ROUNDING]))
def test_nor_for_one_who_knows_how_many_are_in_several_cells(people: dict[int, set[Key]], rounding: int) -> None:
    over = (0, 1)
    exact = counts(people, over)
    shown = published(exact, hidden(exact, over), rounding)
    assert told(shown, over, MINIMUM, rounding, several(exact, over), asked_about=small(exact)) == {}


@settings(max_examples=100, deadline=None)
@given(people=partitions(2), data=st.data())
def test_nor_of_those_who_said_yes_beside_those_who_were_asked(people: dict[int, set[Key]], data: st.DataObject) -> None:
    """The counts of everybody are known exactly, and each bounds how many of them said yes."""
    over = (0, 1)
    asked = {person: those for person, those in people.items() if sum(those == other for other in people.values()) > MINIMUM}
    yes = {person: those for person, those in asked.items() if data.draw(st.integers(0, 3)) == 0} if len(asked) < 60 else {
        person: those for person, those in asked.items() if person % 5 == 0}
    everybody, said = counts(asked, over), cube(yes, over)
    exact = {key: len(said.get(key, ())) for key in everybody}
    away = hidden(exact, over, most=everybody)
    if set(exact) != away:
        assert told(published(exact, away, 1), over, MINIMUM, 1, known={k: float(n) for k, n in everybody.items()},
                    asked_about=small(exact)) == {}


def test_nothing_vanishes_where_nothing_is_small() -> None:
    assert hidden(counts(of({("a", "u"): 8, ("a", "v"): 9, ("b", "u"): 100}), (0, 1)), (0, 1)) == set()
    assert hidden({}, (0, 1)) == set()


def test_all_vanishes_where_the_minimum_is_more_than_everybody() -> None:
    exact = counts(of(ALONE), (0, 1))
    assert hidden(exact, (0, 1), 10_000) == set(exact)
