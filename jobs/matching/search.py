"""Search: expectation maximisation (Dempster, Laird and Rubin 1977) over patterns of agreement, as a latent class model.

The classes are one person, strangers, and circles of strangers. Within a class comparisons are independent (Fellegi and Sunter
1969); circles hold the dependence that strangers of one town or household show, and which otherwise is taken for identity.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

MOST_ROUNDS, STEADY = 500, 1e-6
LEAST_M, LEAST_IN_CIRCLES, LEAST_U = 1e-3, 1e-5, 1e-7
FIRST_M = 0.85  # Where the search begins: most of a person's values agree.

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Learned:
    """m and u by comparison and level; by circle, its share of the pairs that are two people and its levels by comparison."""

    m: list[Floats]
    u: list[Floats]
    circles: list[tuple[float, dict[int, Floats]]]
    prior: float


class Search:
    """A search for the parameters of the classes.

    patterns: (patterns, comparisons), the number of the level, 0 the most alike, -1 not known. counts: (patterns,), how many
    pairs have it; all pairs of records are counted. levels: how many each comparison has. at_most: by comparison, how often
    records of one person differ at most. circles: the comparisons in which each circle of strangers agrees; in the others it
    is as all strangers are.
    """

    def __init__(self, patterns: Ints, counts: Floats, levels: list[int], at_most: list[float], circles: list[list[int]]) -> None:
        self._patterns, self._counts, self._levels = patterns, counts, levels
        self._at_most, self._circles, self._every = at_most, circles, float(counts.sum())

    def run(self) -> Learned:
        """The parameters, once they hold still."""
        alike = [np.append(FIRST_M, np.full(number - 1, (1 - FIRST_M) / (number - 1))) for number in self._levels]
        u = [self._shares(self._met(i, self._counts), LEAST_U) for i in range(len(self._levels))]
        prior = min(2 / np.sqrt(2 * self._every), 0.5)
        circles = [(prior, {i: alike[i] for i in shared}) for shared in self._circles]
        now = Learned(alike, u, circles, prior)
        for _ in range(MOST_ROUNDS):
            then, now = now, self._next(now)
            moved = max(float(np.abs(a - b).max()) for a, b in zip(then.m, now.m, strict=True))
            shares = [(now.prior, then.prior), *((a[0], b[0]) for a, b in zip(now.circles, then.circles, strict=True))]
            if moved < STEADY and all(abs(a - b) < STEADY * a for a, b in shares):
                break
        return now

    def _next(self, now: Learned) -> Learned:
        classes = self._classes(now) * self._counts
        matching, strangers, circles = classes[0], classes[1], classes[2:]
        others = self._counts - matching
        m = [_at_most(self._shares(self._met(i, matching), LEAST_M), most) for i, most in enumerate(self._at_most)]
        shared = {i for one in self._circles for i in one}
        u = [self._shares(self._met(i, strangers if i in shared else others), LEAST_U) for i in range(len(self._levels))]
        matches = float(np.clip(matching.sum(), 1e-12 * self._every, 0.9 * self._every))
        shares = [{i: self._shares(self._met(i, mine), LEAST_IN_CIRCLES) for i in one}
                  for mine, one in zip(circles, self._circles, strict=True)]
        found = [(float(mine.sum() / (self._every - matches)), levels) for mine, levels in zip(circles, shares, strict=True)]
        return Learned(m, u, found, matches / self._every)

    def _classes(self, now: Learned) -> Floats:
        """(classes, patterns): how probable each class is for a pattern; one person, strangers, and the circles."""
        others = 1 - sum(share for share, _ in now.circles)
        rows = [self._log(now.m, now.prior), self._log(now.u, (1 - now.prior) * others)]
        for share, levels in now.circles:
            rows.append(self._log([levels.get(i, u) for i, u in enumerate(now.u)], (1 - now.prior) * share))
        return np.asarray(softmax(np.stack(rows), axis=0))

    def _log(self, shares: list[Floats], share: float) -> Floats:
        found = np.full(len(self._patterns), np.log(max(share, 1e-300)))
        for i, mine in enumerate(shares):
            found += np.append(np.log(mine), 0)[self._patterns[:, i]]
        return found

    def _met(self, comparison: int, weights: Floats) -> Floats:
        levels = self._patterns[:, comparison]
        known = levels >= 0
        return np.bincount(levels[known], weights=weights[known], minlength=self._levels[comparison]).astype(np.float64)

    def _shares(self, met: Floats, least: float) -> Floats:
        shares = np.maximum((met + 1e-9) / (met + 1e-9).sum(), least)
        return np.asarray(shares / shares.sum())


def _at_most(shares: Floats, most: float) -> Floats:
    """Shares of levels, the last of them no more than ``most``."""
    if shares[-1] <= most:
        return shares
    return np.append(shares[:-1] * (1 - most) / shares[:-1].sum(), most)
