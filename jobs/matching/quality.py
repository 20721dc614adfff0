"""Quality: how right links are, where it is known who is who."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from jobs.matching.clusters import Scored

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Quality:
    """Pairs of records that are one person: how many there are, how many were linked, and how many of those rightly."""

    true: int
    linked: int
    right: int

    @property
    def precision(self) -> float:
        """The share of linked pairs that are right; 1 where none is linked."""
        return self.right / self.linked if self.linked else 1.0

    @property
    def recall(self) -> float:
        """The share of true pairs that are linked; 1 where there are none."""
        return self.right / self.true if self.true else 1.0

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall (van Rijsbergen 1979)."""
        return 2 * self.right / (self.linked + self.true) if self.linked + self.true else 1.0

    def document(self) -> dict[str, float]:
        """As JSON."""
        return asdict(self) | {"precision": round(self.precision, 6), "recall": round(self.recall, 6), "f1": round(self.f1, 6)}


def of_pairs(scored: Scored, least: float, truth: Ints) -> Quality:
    """Pairs of a weight of ``least`` or more, before they become people. truth: the number of each record's person."""
    kept = scored.where(scored.weight >= least)
    return Quality(_within(truth), len(kept.left), int((truth[kept.left] == truth[kept.right]).sum()))


def of_clusters(found: Ints, truth: Ints) -> Quality:
    """People. found, truth: the number of each record's person."""
    both = np.unique(np.stack([found, truth]), axis=1, return_inverse=True)[1]
    return Quality(_within(truth), _within(found), _within(both.ravel()))


def _within(labels: Ints) -> int:
    """How many pairs have the same label."""
    sizes = np.unique(labels, return_counts=True)[1].astype(np.int64)
    return int((sizes * (sizes - 1) // 2).sum())
