"""Numbers for combinations of codes."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from jobs.anonymity.hierarchies import Ints

MOST = 1 << 62
# Combinations are looked up in a table of all that could be where it is no larger than that; else they are sorted.
MOST_BINS, BINS_A_ROW = 1 << 26, 16


def numbered(columns: Iterable[tuple[Ints, int]]) -> Ints | None:
    """A number for each combination of columns of codes, from 0 without a gap; None where there is no column.

    A column comes with how many codes it could have.
    """
    key: Ints | None = None
    most = 1
    for codes, size in columns:
        if key is not None and most * size >= MOST:
            key = np.unique(key, return_inverse=True)[1]
            most = int(key.max()) + 1
        key, most = (codes, size) if key is None else (key * size + codes, most * size)
    if key is None:
        return None
    if most > min(MOST_BINS, BINS_A_ROW * len(key)):
        return np.unique(key, return_inverse=True)[1]
    is_there = np.zeros(most, dtype=bool)
    is_there[key] = True
    return (np.cumsum(is_there) - 1)[key]
