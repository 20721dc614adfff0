"""Balance: how two groups of people differ, told from protected counts alone.

Of each group and attribute the counts of all levels are one list, which adds up to the group's people. What is hidden
in it has at least two values that fit everything published, also for one who knows these rules and how many people the
group has: two hidden levels can change places, or one person can be moved, and the same is published. (Known is an
exception of no practical weight: more levels than minimum + 1, each with exactly the minimum, and their sum known.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import Any

from scipy.linalg import pinvh

from contracts.consent_loss import EVERYONE, Attribute
from contracts.table import ALL

Counts = Mapping[str, Mapping[str, tuple[int, int]]]
Protected = list[int | None]


def report(counts: Counts, attributes: Sequence[Attribute], minimum: int, rounding: int) -> list[dict[str, Any]]:
    """The rows of a consent-loss table, from exact counts (people in, people out) by attribute and level.

    Of each attribute a row for every level and one for all of them; before these a row for everyone.
    """
    everyone = counts.get(attributes[0].name, {}).values()
    totals = [coarse(sum(pair[side] for pair in everyone), minimum, rounding) for side in (0, 1)]
    rows = [_row(EVERYONE, ALL, totals, totals, None)]
    for attribute in attributes:
        exact = [counts.get(attribute.name, {}).get(level, (0, 0)) for level in attribute.levels]
        sides = [protected([pair[side] for pair in exact], minimum, rounding) for side in (0, 1)]
        rows.append(_row(attribute.name, ALL, totals, totals, distance(sides[0], sides[1], totals)))
        for level, pair in zip(attribute.levels, zip(*sides, strict=True), strict=True):
            rows.append(_row(attribute.name, level, pair, totals, None))
    return [{**row, "position": n} for n, row in enumerate(rows)]


def coarse(count: int, minimum: int, rounding: int) -> int | None:
    """The nearest multiple of ``rounding``, half up; None up to ``minimum``, 0 included."""
    return None if count <= minimum else (count + rounding // 2) // rounding * rounding


def protected(counts: Sequence[int], minimum: int, rounding: int) -> Protected:
    """The counts of all levels of one group as they may be shown: rounded, and None where hidden.

    Counts up to ``minimum`` are hidden. Where that is one alone, the next smallest are too, since it would follow from
    the total. Where all that are hidden are 0, or all are ``minimum``, and each rounded count stands for the least, or
    the most, that it can, nobody could be moved: then all are hidden.
    """
    small, rest = [n for n in counts if n <= minimum], [n for n in counts if n > minimum]
    hidden = minimum
    if len(small) == 1 and rest:
        hidden = min(rest)
    for least_or_most, step in ((0, -1), (minimum, 1)):
        if len(small) > 1 and set(small) == {least_or_most} and all(
                coarse(n + step, minimum, rounding) != coarse(n, minimum, rounding) for n in rest):
            hidden = max(counts)
    return [None if n <= hidden else coarse(n, minimum, rounding) for n in counts]


def difference(first: float, second: float) -> float | None:
    """Standardised difference of two shares: (p1 - p2) / sqrt((p1 (1 - p1) + p2 (1 - p2)) / 2).

    After Austin, Using the standardized difference to compare the prevalence of a binary variable between two groups in
    observational research, Commun Stat Simul Comput 38 (2009) 1228-1234. 0 where both are everybody or nobody, None
    where one is everybody and the other nobody: no number is great enough.
    """
    spread = (first * (1 - first) + second * (1 - second)) / 2
    if spread == 0:
        return 0.0 if first == second else None
    return (first - second) / sqrt(spread)


def distance(people_in: Protected, people_out: Protected, totals: Sequence[int | None]) -> float | None:
    """Standardised difference of two distributions over levels: sqrt((T - C)' S^-1 (T - C)), never negative.

    After Yang and Dalton, A unified approach to measuring the effect size between two groups using SAS, SAS Global
    Forum 2012, paper 335: T and C are the shares in the groups, S the mean of their covariance matrices (p (1 - p) on
    the diagonal, -p q off it). With all levels in it S is singular and its pseudo-inverse gives what leaving out any
    one level gives. Levels shown in one group only count as one, with what the totals leave; levels hidden in both are
    left out, since few people have them and what the totals leave is then made by rounding. None where no level is shown
    in both.
    """
    pairs = list(zip(people_in, people_out, strict=True))
    shown = [pair for pair in pairs if None not in pair]
    if not shown:
        return None
    has_rest = any((p is None) != (q is None) for p, q in pairs)
    first, second = (_shares([pair[side] or 0 for pair in shown], (totals[side] or 0) if has_rest else 0) for side in (0, 1))
    size = range(len(first))
    covariance = [[sum((p[k] if k == j else 0) - p[k] * p[j] for p in (first, second)) / 2 for j in size] for k in size]
    inverse, apart = pinvh(covariance), [p - q for p, q in zip(first, second, strict=True)]
    return sqrt(max(0.0, sum(apart[k] * float(inverse[k][j]) * apart[j] for k in size for j in size)))


def _shares(counts: Sequence[int], total: int) -> list[float]:
    """Shares of the counts and of what the total leaves, nothing where it is less than the counts."""
    full = [*counts, max(0, total - sum(counts))]
    return [n / sum(full) for n in full]


def _row(attribute: str, level: str, pair: Sequence[int | None], totals: Sequence[int | None],
         whole: float | None) -> dict[str, Any]:
    shares = [n / total if n and total else None for n, total in zip(pair, totals, strict=True)]
    apart = whole if level == ALL or shares[0] is None or shares[1] is None else difference(shares[0], shares[1])
    return {"attribute": attribute, "level": level, "people_in": pair[0], "people_out": pair[1], "share_in": shares[0],
            "share_out": shares[1], "standardised_difference": apart}
