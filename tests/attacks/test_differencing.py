"""Differencing over three releases: who subtracts cells, or sums of cells, of two releases learns of nobody, or of a crowd.

The attacker knows whom each cell counts but for a few people, fewer than the contract's eight, and how counts are rounded. They win
where two published numbers are the rounded counts of two releases, differ, and nobody else but those few came or went in between.
"""

from __future__ import annotations

from datetime import date
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from tests.series import MEMBERS, Row, Series, cells_of, coarse, isolating, optin_rates, unions, values

OPTIN = optin_rates()
DE, FR, MAY = ("email", "research", "DE", date(2026, 4, 1)), ("email", "research", "FR", date(2026, 4, 1)), ("email", "research", "DE", date(2026, 5, 1))


def people(place: Any, *ranges: tuple[int, int], no: int = 0) -> list[Row]:
    """Numbered people of a place who said yes; the first ``no`` of them took it back."""
    numbers = [n for low, high in ranges for n in range(low, high)]
    return [(f"p{n}", *place, 1, int(at >= no), int(at < no)) for at, n in enumerate(numbers)]


# What the attacker may try -> the people of three releases.
TRIES: dict[str, list[list[Row]]] = {
    "one comes": [people(DE, (0, 22)), people(DE, (0, 23)), people(DE, (0, 23))],
    "one goes later": [people(DE, (0, 23)), people(DE, (0, 23)), people(DE, (1, 23))],
    "one takes a yes back": [people(DE, (0, 23)), people(DE, (0, 23), no=1), people(DE, (0, 23), no=1)],
    "a small cell gets one more": [people(DE, (0, 7)), people(DE, (0, 8)), people(DE, (0, 8))],
    "a cell becomes small by one": [people(DE, (0, 8)), people(DE, (0, 7)), people(DE, (0, 7))],
    "one for another and one more": [people(DE, (0, 22)), people(DE, (1, 24)), people(DE, (1, 24))],
    "a crowd comes and goes but for one": [people(DE, (0, 22)), people(DE, (0, 42)), people(DE, (0, 23))],
    "a crowd leaves a cell that becomes small for another, and one comes": [
        people(DE, (0, 12)) + people(FR, (100, 115)), people(DE, (0, 12), (100, 115), (200, 201)) + people(FR, (300, 307)),
        people(DE, (0, 12), (100, 115), (200, 201)) + people(FR, (300, 307))],
    "a crowd is in two cells, of which one becomes small, and one comes": [
        people(DE, (0, 12)) + people(FR, (100, 115)), people(DE, (0, 12), (100, 115), (200, 201)) + people(FR, (100, 107)),
        people(DE, (0, 12), (100, 115), (200, 201)) + people(FR, (100, 107))],
    "a crowd moves to another country and one is gone": [
        people(DE, (0, 21)) + people(FR, (100, 123)), people(DE, (9, 21)) + people(FR, (0, 8), (100, 123)), people(DE, (9, 21)) + people(FR, (0, 8), (100, 123))],
    "a crowd moves to another month of the quarter and one is gone": [
        people(DE, (0, 21)) + people(MAY, (100, 123)), people(DE, (0, 21)) + people(MAY, (100, 123)), people(DE, (9, 21)) + people(MAY, (0, 8), (100, 123))],
}


def won(published: list[dict[str, float]], releases: list[list[Row]]) -> set[str]:
    """The cells and sums that tell of a few people."""
    truth = [(coarse(cells := cells_of(rows), OPTIN), cells) for rows in releases]
    found = set()
    for one, other in combinations(range(len(releases)), 2):
        for name in isolating(truth[other], truth[one], OPTIN):
            if all(summed(published[n], name) == summed(truth[n][0], name) for n in (one, other)):
                found.add(name)
    return found


def summed(told: dict[str, float], name: str) -> float:
    """What a release says of a cell or a sum, 0 where nothing."""
    return told.get(name, 0) + sum(value for cell, value in told.items() if name in unions(cell, OPTIN))


@pytest.mark.parametrize("name", TRIES)
def test_an_attacker_wins_without_the_guard_and_never_with_it(spark: SparkSession, tmp_path: Path, name: str) -> None:
    open_, guarded = Series(spark, tmp_path / "open", OPTIN, is_guarded=False), Series(spark, tmp_path / "guarded", OPTIN)
    frames = [spark.createDataFrame(rows, MEMBERS) for rows in TRIES[name]]
    assert won([values(open_.release(frame)) for frame in frames], TRIES[name])
    assert won([values(guarded.release(frame)) for frame in frames], TRIES[name]) == set()


def test_a_cell_moves_again_once_a_crowd_makes_the_difference(spark: SparkSession, tmp_path: Path) -> None:
    series = Series(spark, tmp_path, OPTIN)
    told = [values(series.release(spark.createDataFrame(people(DE, (0, n)), MEMBERS))) for n in (22, 26, 29, 30)]
    assert [next(v for c, v in each.items() if c.endswith("asked")) for each in told] == [20, 20, 20, 30]


def test_nothing_is_told_of_who_came_or_went_while_they_are_few(spark: SparkSession, tmp_path: Path) -> None:
    """Two worlds, in one of which somebody came whom the other does not know, and fewer than a crowd beside them: they publish the same."""
    worlds = [[people(DE, (0, 22)), people(DE, (0, 22), (50, 50 + more)), people(DE, (0, 22), (50, 53 + more))] for more in (0, 1)]
    told = [[values(series.release(spark.createDataFrame(rows, MEMBERS))) for rows in world]
            for n, world in enumerate(worlds) for series in [Series(spark, tmp_path / str(n), OPTIN)]]
    assert told[0] == told[1] and told[0][0] == told[0][2]
