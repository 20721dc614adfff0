"""Tables with totals, and a reader who works out what they do not show: by linear programming, from what is published alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from math import inf
from typing import Any

from scipy.optimize import linprog

ALL = "all"
Key = tuple[Any, ...]


def cube(people: Mapping[Any, set[Key]], over: Sequence[int]) -> dict[Key, set[Any]]:
    """Who is in each cell and in each total over the places ``over``; people: the cells that each is in."""
    found: dict[Key, set[Any]] = {}
    for person, those in people.items():
        for key in those:
            for marked in product(*[(part, ALL) if place in over else (part,) for place, part in enumerate(key)]):
                found.setdefault(marked, set()).add(person)
    return found


def lines(keys: Sequence[Key], over: Sequence[int]) -> list[tuple[Key, list[Key]]]:
    """Each total with the rows that it is over in one direction."""
    return [(total, parts) for place in over for total in keys if total[place] == ALL
            if (parts := [k for k in keys if k[place] != ALL and (*k[:place], ALL, *k[place + 1:]) == total])]


def coarse(count: int, rounding: int) -> int:
    """The nearest multiple, half up."""
    return (count + rounding // 2) // rounding * rounding


def told(shown: Mapping[Key, int | None], over: Sequence[int], minimum: int, rounding: int,
         several: Mapping[tuple[Key, int], int] | None = None, known: Mapping[Key, float] | None = None,
         asked_about: Sequence[Key] = ()) -> dict[Key, tuple[float, float]]:
    """Hidden counts with the interval they must lie in, where that neither holds all of 0 to ``minimum`` nor is wider.

    shown: of every row that there is its rounded count, None where hidden. several: by how much the parts of a total add up
    to more than it, by total and direction. known: what a hidden count is known not to exceed.
    """
    keys = list(shown)
    at = {key: n for n, key in enumerate(keys)}
    bounds: list[tuple[float, float]] = []
    for key in keys:
        value = shown[key]
        least = 0 if value is None else max(minimum + 1, value - rounding // 2)
        bounds.append((least, (known or {}).get(key, inf) if value is None else value - rounding // 2 + rounding - 1))
    equal, more = [], []
    for place in over:
        for total, parts in lines(keys, [place]):
            row = [0.0] * len(keys)
            for part in parts:
                row[at[part]] = 1
            row[at[total]] = -1
            equal.append(row)
            more.append((several or {}).get((total, place), 0))
    found = {}
    for key in asked_about or [k for k in keys if shown[k] is None]:
        ends = []
        for sign in (1, -1):
            aim = [0.0] * len(keys)
            aim[at[key]] = sign
            answer = linprog(aim, A_eq=equal, b_eq=more, bounds=bounds, method="highs")
            assert answer.status in (0, 3), "what is published can be true"
            ends.append(sign * inf * -1 if answer.status == 3 else answer.x[at[key]])
        if not (ends[0] <= 1e-6 and ends[1] >= minimum - 1e-6) and ends[1] - ends[0] <= minimum + 1e-6:
            found[key] = (ends[0], ends[1])
    return found
