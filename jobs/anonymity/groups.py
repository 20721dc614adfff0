"""Groups: rows that share what is told of every quasi-identifier, and which groups are too small or tell too much.

k-anonymity (Sweeney 2002): at least k rows, or, where people have many rows, rows of at least k people (k^m-anonymity for m = 1,
Terrovitis et al. 2008: whoever knows one row of a person finds k). Distinct l-diversity (Machanavajjhala et al. 2007): at least l
values of a sensitive column, each of another person. t-closeness (Li et al. 2007): its values are spread over rows as in the
whole, within t by the earth mover's distance: ordered for numbers and dates, equal for the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from jobs.anonymity.counts import Counts, Sensitive
from jobs.anonymity.hierarchies import Floats, Ints
from jobs.anonymity.numbering import numbered
from jobs.anonymity.people import Bools, apart

ROUNDING = 1e-9


@dataclass(frozen=True)
class Privacy:
    """What every group must be: people at least k, distinct values of sensitive columns at least l, spread within t."""

    k: int
    diverse: Mapping[str, int] = field(default_factory=dict)
    close: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Groups:
    """Groups at some levels: of each combination its group, of each group its rows and whether it must be suppressed.

    ``is_small``: for k; ``is_rare``: for k or l, which joining groups can only heal; ``is_bad``: for t too.
    """

    of: Ints
    rows: Ints
    is_small: Bools
    is_rare: Bools
    is_bad: Bools

    @property
    def rare_rows(self) -> int:
        """Rows that k or l suppress."""
        return int(self.rows[self.is_rare].sum())

    @property
    def bad_rows(self) -> int:
        """Rows that are suppressed."""
        return int(self.rows[self.is_bad].sum())


def grouped(counts: Counts, levels: Sequence[int], privacy: Privacy) -> Groups:
    """The groups of a count at the levels of its columns."""
    told = ((column.up(level)[counts.codes[:, place]], column.size(level))
            for place, (column, level) in enumerate(zip(counts.columns, levels, strict=True)) if column.size(level) > 1)
    of = numbered(told, len(counts.rows))
    rows = np.bincount(of, weights=counts.rows).astype(np.int64)
    is_small = rows < privacy.k if counts.people is None else counts.people.fewer(of, len(rows), privacy.k)
    is_rare = is_small.copy()
    is_far = np.zeros(len(rows), dtype=bool)
    for name, column in counts.sensitive.items():
        group, value, times = _joined(of[column.of], column)
        if name in privacy.diverse:
            is_rare |= _is_alike(of, column, np.bincount(group, minlength=len(rows)), privacy.diverse[name], is_rare)
        if name in privacy.close:
            whole = np.bincount(value, weights=times) / rows.sum()
            is_far |= distance(group, value, times, rows, whole, column.is_ordered) > privacy.close[name] + ROUNDING
    return Groups(of, rows, is_small, is_rare, is_rare | is_far)


def _is_alike(of: Ints, column: Sensitive, values: Ints, least: int, is_rare: Bools) -> Bools:
    """Whether a group is rare anyway, or has too few values that are each another person's; ``values``: the distinct ones of each
    group."""
    found: Bools = is_rare | (values < least)
    if column.who is not None:
        group = of[column.of]
        asked = ~found[group]
        found |= apart(group[asked], column.values[asked], column.who[asked], len(values)) < least
    return found


def _joined(of: Ints, column: Sensitive) -> tuple[Ints, Ints, Ints]:
    """Group, value and rows of each value that a group has, by group and by value."""
    values = int(column.values.max()) + 1
    keys, place = np.unique(of * values + column.values, return_inverse=True)
    return keys // values, keys % values, np.bincount(place, weights=column.rows).astype(np.int64)


def distance(group: Ints, value: Ints, times: Ints, rows: Ints, whole: Floats, is_ordered: bool) -> Floats:
    """The earth mover's distance of each group's values from those of all rows, 0 to 1.

    group, value, times: how many rows of a group have a value, by group and by value, each number of a group there. rows: of each
    group. whole: which share of all rows has each value.
    """
    if not is_ordered:
        share = times / rows[group]
        here = np.bincount(group, weights=np.abs(share - whole[value]) - whole[value], minlength=len(rows))
        equal: Floats = (here + 1) / 2
        return equal
    if len(whole) == 1:
        return np.zeros(len(rows))
    return _ordered(group, value, times, rows, np.cumsum(whole)) / (len(whole) - 1)


def _ordered(group: Ints, value: Ints, times: Ints, rows: Ints, whole: Floats) -> Floats:
    """Of each group the sum over all values of how far its cumulated share is from that of the whole (``whole``).

    A group's share moves only at values that it has: between two of them the sum is of a constant less growing shares.
    """
    total = np.cumsum(times)
    first = np.flatnonzero(np.r_[True, group[1:] != group[:-1]])
    before = np.r_[0, total][first]
    share = (total - np.repeat(before, np.diff(np.r_[first, len(group)]))) / rows[group]
    until = np.where(np.r_[group[1:] != group[:-1], True], len(whole), np.r_[value[1:], 0])
    sums = np.r_[0.0, np.cumsum(whole)]
    apart = np.bincount(group, weights=_between(share, value, until, whole, sums), minlength=len(rows))
    found: Floats = apart + sums[value[first]]
    return found  # Below its first value a group's share is none.


def _between(share: Floats, low: Ints, high: Ints, whole: Floats, sums: Floats) -> Floats:
    """The sum of |share - whole| over the places from ``low`` to before ``high``; ``whole`` grows."""
    cross = np.clip(np.searchsorted(whole, share), low, high)
    below = share * (cross - low) - (sums[cross] - sums[low])
    found: Floats = below + (sums[high] - sums[cross]) - share * (high - cross)
    return found
