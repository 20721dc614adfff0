"""Totals of several releases as the engine makes them: what is shown is what a naive guard shows, and sums tell of nobody."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from jobs.stages.differencing import SEPARATOR
from tests.attacks.test_totals_over_time import TRIES, A, B, C, D, Keeper, People, crowd
from tests.series import Row, TotalledSeries, optin_rates

PLACE = ("research", "DE", date(2026, 4, 1))
OVER_CHANNELS = optin_rates(totals=("channel_code",))
ALL = ("all",)


def rows(people: People) -> list[Row]:
    return [(person, *key, *PLACE, 1, 0, 0) for person, those in people.items() for key in those]


def asked(told: dict[str, float]) -> dict[Any, float]:
    """What is told of the people of each channel."""
    return {(cell.split(SEPARATOR)[0],): value for cell, value in told.items() if cell.endswith(f"{SEPARATOR}asked")}


@pytest.mark.parametrize("name", TRIES)
def test_what_is_shown_is_what_the_naive_guard_shows(spark: SparkSession, tmp_path: Path, name: str) -> None:
    series, keeper = TotalledSeries(spark, tmp_path, OVER_CHANNELS), Keeper((0,))
    for people in TRIES[name]:
        keeper.release(people)
        newest = keeper.releases[-1]
        assert asked(series.release(rows(people))) == {key: (len(newest.people[key]) + 2) // 5 * 5 for key in newest.shown}


def test_a_total_that_one_person_would_move_stays_with_the_cells_beneath_it(spark: SparkSession, tmp_path: Path) -> None:
    """Nine come to a channel, of whom eight were asked in another one before: the total knows one more."""
    first = crowd(A, 0, 30) | crowd(B, 100, 120)
    then = {person: those | ({B} if int(person[1:]) < 8 else set()) for person, those in first.items()} | crowd(B, 200, 201)
    series = TotalledSeries(spark, tmp_path, OVER_CHANNELS)
    told = [series.release(rows(people)) for people in (first, then)]
    assert asked(told[0]) == {A: 30, B: 20, ALL: 50} and told[1] == told[0]
    assert series.frozen == {SEPARATOR.join(("b", "research", "DE", "2026-04-01", "asked"))}
    told.append(series.release(rows(then | crowd(B, 300, 307))))
    assert asked(told[2]) == {A: 30, B: 35, ALL: 60}, "eight more now"


def test_what_a_total_tells_beside_the_cells_that_are_shown_is_of_nobody(spark: SparkSession, tmp_path: Path) -> None:
    """Two cells are hidden; eight leave one of them for the other, from which one is gone, and eight come to a third: the total has
    seven more, and without the third it has one less."""
    first = crowd(A, 0, 60) | crowd(B, 100, 105) | crowd(C, 200, 212)
    assert asked(TotalledSeries(spark, tmp_path / "first", OVER_CHANNELS).release(rows(first))) == {A: 60, ALL: 75}
    then = crowd(A, 0, 60) | crowd(A, 400, 409) | crowd(B, 100, 105) | crowd(B, 200, 208) | crowd(C, 208, 211)
    series = TotalledSeries(spark, tmp_path / "then", OVER_CHANNELS)
    told = [asked(series.release(rows(people))) for people in (first, then, then)]
    assert told[1][ALL] - told[1][A] == told[0][ALL] - told[0][A] and told[1] == told[2]
    assert told[1][A] in (60, 70) and B not in told[1] and C not in told[1]
    assert len(series.frozen) >= 2


def test_a_cell_whose_people_are_held_counts_in_its_total_as_it_did(spark: SparkSession, tmp_path: Path) -> None:
    first = crowd(A, 0, 30) | crowd(B, 100, 120) | crowd(D, 300, 310)
    series = TotalledSeries(spark, tmp_path, OVER_CHANNELS)
    series.release(rows(first))
    then = first | crowd(A, 40, 52) | crowd(B, 120, 123)
    assert asked(series.release(rows(then))) == {A: 40, B: 20, D: 10, ALL: 70}, "12 came to the total, not 15"
