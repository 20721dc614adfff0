"""Clusters: people out of scored pairs.

Connected components chain strangers together over one wrong pair, and single best links break families of records apart.
Here two groups of records become one person while the mean weight of all pairs between them is high enough: average linkage
(Sokal and Michener 1958), within each connected component. A pair that nobody looked at counts against the match.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import squareform

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

UNSEEN = -10.0  # The weight of a pair that was not looked at, or weighs too little to be kept.
FORBIDDEN = -1e6  # The weight of a pair that must not be one person, whatever others say.
MOST_SURE = 40.0  # Heavier pairs count as this much: one of them must not outweigh many doubts.
LARGEST = 2_000  # Components of more records are cut at a higher weight until none has more: their matrices would not fit.
STEP = 1.0


@dataclass(frozen=True)
class Scored:
    """Pairs of records (numbers from 0) and their match weights, base 2 logarithms of the odds that they are one person."""

    left: Ints
    right: Ints
    weight: Floats

    def where(self, kept: NDArray[np.bool_]) -> Scored:
        """Those pairs alone."""
        return Scored(self.left[kept], self.right[kept], self.weight[kept])


def threshold(weights: Floats, precision: float) -> float:
    """The lowest weight, even odds or more, from which on matches are right by ``precision`` on average; above all where none is.

    The probability of a weight w is 1 / (1 + 2^-w).
    """
    falling = np.sort(weights[weights >= 0])[::-1]
    if not len(falling):
        return 0.0
    mean = np.cumsum(1 / (1 + np.exp2(-falling))) / np.arange(1, len(falling) + 1)
    ends = np.append(falling[1:] != falling[:-1], True)  # Pairs of one weight are taken together.
    good = np.flatnonzero((mean >= precision) & ends)
    if not len(good):
        return float(np.nextafter(falling[0], np.inf))
    return 0.0 if good[-1] == len(falling) - 1 else float(falling[good[-1]])


def cluster(scored: Scored, records: int, least: float) -> Ints:
    """The number of each record's person, from 0 in the order of their first records. least: the weight that a match needs."""
    whole = components(scored.where(scored.weight >= least), records)
    inside = scored.where(whole[scored.left] == whole[scored.right])
    labels, fresh = whole.copy(), records
    for group in _groups(inside, whole):
        for part in _parts(group, least):
            labels[part] = fresh
            fresh += 1
    return _in_order(labels)


def components(pairs: Scored, records: int) -> Ints:
    """The number of each record's component, in the graph of the pairs."""
    graph = coo_array((np.ones(len(pairs.left), dtype=np.int8), (pairs.left, pairs.right)), shape=(records, records))
    return connected_components(graph, directed=False)[1].astype(np.int64)


def _groups(pairs: Scored, whole: Ints) -> list[Scored]:
    """The pairs of each component of more than two records."""
    size = np.bincount(whole)
    pairs = pairs.where(size[whole[pairs.left]] > 2)
    order = np.argsort(whole[pairs.left], kind="stable")
    pairs = pairs.where(order)  # type: ignore[arg-type]  # An order selects as a mask does.
    bounds = np.flatnonzero(np.diff(whole[pairs.left])) + 1
    return [Scored(*found) for found in zip(*(np.split(a, bounds) for a in (pairs.left, pairs.right, pairs.weight)), strict=True)
            if len(found[0])]


def _parts(group: Scored, least: float) -> list[Ints]:
    """The records of a component, in the groups that average linkage makes of them."""
    members = np.unique(np.concatenate([group.left, group.right]))
    if len(group.left) == len(members) * (len(members) - 1) // 2 and group.weight.min() >= least:
        return [members]
    if len(members) > LARGEST:
        return _smaller(group, members, least)
    distance = np.full((len(members), len(members)), MOST_SURE - UNSEEN)
    np.fill_diagonal(distance, 0)
    rows, columns = np.searchsorted(members, group.left), np.searchsorted(members, group.right)
    weight = np.where(group.weight <= FORBIDDEN, FORBIDDEN, np.clip(group.weight, UNSEEN, MOST_SURE))
    distance[rows, columns] = distance[columns, rows] = MOST_SURE - weight
    tree = linkage(squareform(distance, checks=False), "average")
    found = fcluster(tree, MOST_SURE - min(least, MOST_SURE), "distance")
    return [members[found == number] for number in np.unique(found)]


def _smaller(group: Scored, members: Ints, least: float) -> list[Ints]:
    """A component that is too large, in components that need heavier pairs; records that stay with none are alone."""
    while True:
        least += STEP
        kept = group.where(group.weight >= least)
        position = Scored(np.searchsorted(members, kept.left), np.searchsorted(members, kept.right), kept.weight)
        part = components(position, len(members))
        if np.bincount(part).max() <= LARGEST:
            break
    home = part[np.searchsorted(members, group.left)]
    inside = group.where(home == part[np.searchsorted(members, group.right)])
    parts = [members[part == number] for number in np.flatnonzero(np.bincount(part) <= 2)]
    for one in _groups(inside, np.bincount([0]) if not len(members) else _spread(part, members)):
        parts += _parts(one, least)
    return parts


def _spread(part: Ints, members: Ints) -> Ints:
    """A component's number for every record number up to the last member; records that are no members have one of their own."""
    spread = np.arange(members[-1] + 1) + part.max() + 1
    spread[members] = part
    return spread


def _in_order(labels: Ints) -> Ints:
    _, first, numbers = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[numbers]
