"""Numbers for combinations of codes."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from jobs.anonymity.hierarchies import Ints

MOST = 1 << 62
# Combinations are looked up in a table of all that could be where it is no larger than that; else they are sorted.
MOST_BINS, BINS_A_ROW = 1 << 26, 16


def numbered(columns: Iterable[tuple[Ints, int]], rows: int) -> Ints:
    """A number for each of ``rows`` combinations of columns of codes, from 0 without a gap.

    A column comes with how many codes it could have.
    """
    key, most = np.zeros(rows, dtype=np.int64), 1
    for codes, size in columns:
        if most * size >= MOST:
            key = np.unique(key, return_inverse=True)[1]
            most = int(key.max()) + 1
        key, most = key * size + codes, most * size
    if most > min(MOST_BINS, BINS_A_ROW * len(key)):
        return np.unique(key, return_inverse=True)[1]
    is_there = np.zeros(most, dtype=bool)
    is_there[key] = True
    return (np.cumsum(is_there) - 1)[key]
