"""Grouping: persons out of judged pairs, and which of their records might as well be another person's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from jobs.matching.clusters import FORBIDDEN, MOST_SURE, Floats, Ints, Scored, cluster

PROVEN = 20.0  # What a proof weighs at least, in bits.
MARGIN = 6.63  # A record is a person's when it is theirs by odds of 99 to 1 against the next who may have it: bits.


@dataclass(frozen=True)
class Judged:
    """Pairs of records, numbers from 0: weight (bits; nan: none known), whether nothing stable is known of both, whether a proof
    ties them, whether something contradicts, whether they are a link; decided: 1 the same, -1 not the same, 0 not decided."""

    left: Ints
    right: Ints
    weight: Floats
    is_silent: NDArray[np.bool_]
    is_proven: NDArray[np.bool_]
    is_against: NDArray[np.bool_]
    is_link: NDArray[np.bool_]
    decided: Ints


def group(judged: Judged, records: int, least: float) -> Ints:
    """The number of each record's person. least: the weight that a link needs.

    A pair that knows too little to say anything counts neither way; one that is contradicted, or decided not to be one person,
    is never together. Records that might as well be another person's, who is not the same, are alone.
    """
    weight = _counting(judged, least)
    found = cluster(Scored(judged.left, judged.right, weight), records, least)
    return _without_ambiguous(judged, weight, found)


def _counting(judged: Judged, least: float) -> Floats:
    """What each pair's weight counts for."""
    nothing = np.isnan(judged.weight) | (judged.is_silent & (judged.weight < least))
    weight = np.where(nothing, np.nextafter(least, -np.inf), judged.weight)
    weight = np.where(judged.is_proven, np.maximum(weight, max(PROVEN, least)), weight)
    weight = np.where(judged.is_link, np.maximum(weight, least), weight)
    weight = np.where(judged.is_against | (judged.decided < 0), FORBIDDEN, weight)
    return np.asarray(np.where(judged.decided > 0, MOST_SURE, weight))


def _without_ambiguous(judged: Judged, weight: Floats, found: Ints) -> Ints:
    """Groups without the records whose links lead to another group too, and hardly less."""
    links = judged.is_link & (judged.decided == 0)
    ends = np.concatenate([np.stack([judged.left, judged.right, found[judged.right]]),
                           np.stack([judged.right, judged.left, found[judged.left]])], axis=1)[:, np.tile(links, 2)]
    weights = np.tile(np.minimum(weight, MOST_SURE), 2)[np.tile(links, 2)]
    pairs, number = np.unique(ends[[0, 2]], axis=1, return_inverse=True)
    number = number.ravel()
    mean = np.bincount(number, weights=weights) / np.maximum(np.bincount(number), 1) if len(number) else np.zeros(0)
    own = found[pairs[0]] == pairs[1] if pairs.size else np.zeros(0, dtype=bool)
    mine, others = np.full(len(found), np.nan), np.full(len(found), -np.inf)
    mine[pairs[0][own]] = mean[own]
    np.maximum.at(others, pairs[0][~own], mean[~own])
    ambiguous = np.flatnonzero(mine - others < MARGIN)  # Neither who has no link inside nor who has none outside.
    alone = found.copy()
    alone[ambiguous] = found.max(initial=0) + 1 + np.arange(len(ambiguous))
    return alone
