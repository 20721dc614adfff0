"""Singling out, linkability and inference as Giomi et al. measure them, over rows of categories.

M. Giomi, F. Boenisch, C. Wehmeyer, B. Tasnadi: A Unified Framework for Quantifying Privacy Risk in Synthetic Data, PoPETs 2023(2).
The attacks are run against people whose rows were released and against a control of people whose rows were not, and only what
succeeds beyond the control is a risk of the release. Their library, anonymeter, asks for numpy below 1.27, which nothing here runs on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from random import Random
from typing import Any

Row = tuple[Any, ...]
Z = 1.96  # 95 %


@dataclass(frozen=True)
class Risk:
    """What an attack gains beyond the control: (attack - control) / (1 - control), and its 95 % interval."""

    value: float
    low: float
    high: float


def rate(hits: int, tries: int) -> tuple[float, float]:
    """A rate of success and half the width of its Wilson score interval (equations 5 and 6 of the paper)."""
    centre = (hits + Z**2 / 2) / (tries + Z**2)
    return centre, Z / (tries + Z**2) * sqrt(hits * (tries - hits) / tries + Z**2 / 4)


def risk(hits: Sequence[bool], control: Sequence[bool]) -> Risk:
    """Of an attack and of the same one on the control; the error is propagated."""
    (attack, wide), (base, spread) = rate(sum(hits), len(hits)), rate(sum(control), len(control))
    value = (attack - base) / (1 - base)
    error = sqrt((wide / (1 - base)) ** 2 + (spread * (1 - attack) / (1 - base) ** 2) ** 2)
    return Risk(value, value - error, value + error)


def singling_out(released: Sequence[Row], people: Sequence[Row], tries: int = 300, width: int = 3, seed: int = 1) -> list[bool]:
    """Whether guesses of ``width`` values, as rare as the release has them, fit one of the people alone."""
    roll, hits = Random(seed), []  # noqa: S311
    for _ in range(tries):
        places = sorted(roll.sample(range(len(released[0])), width))
        counts: dict[Row, int] = {}
        for row in released:
            key = tuple(row[p] for p in places)
            counts[key] = counts.get(key, 0) + 1
        rarest = min(counts.values())
        guess = roll.choice(sorted((key for key, n in counts.items() if n == rarest), key=repr))
        hits.append(sum(tuple(row[p] for p in places) == guess for row in people) == 1)
    return hits


def linkability(released: Sequence[Row], people: Sequence[Row], known: tuple[Sequence[int], Sequence[int]], seed: int = 2) -> list[bool]:
    """Whether two sources that each know other columns of a person come to one released row."""
    roll = Random(seed)  # noqa: S311
    return [len({_nearest(released, person, places, roll) for places in known}) == 1 for person in people]


def inference(released: Sequence[Row], people: Sequence[Row], known: Sequence[int], secret: int, seed: int = 3) -> list[bool]:
    """Whether the released row that is most like what is known of a person tells the secret column."""
    roll = Random(seed)  # noqa: S311
    return [released[_nearest(released, person, known, roll)][secret] == person[secret] for person in people]


def _nearest(released: Sequence[Row], person: Row, places: Sequence[int], roll: Random) -> int:
    """Which row has most of these columns in common with the person; one of the best by chance."""
    alike = [sum(row[p] == person[p] for p in places) for row in released]
    most = max(alike)
    return roll.choice([n for n, found in enumerate(alike) if found == most])
