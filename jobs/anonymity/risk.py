"""Risk: how likely somebody who knows that a person is among the rows finds theirs (prosecutor, El Emam 2013)."""

from __future__ import annotations

from dataclasses import dataclass

from jobs.anonymity.counts import Counts
from jobs.anonymity.groups import Groups


@dataclass(frozen=True)
class Risk:
    """Of the rows that are left: how many, in how many groups, the people in the smallest of these, and the chance, 1 / people in
    the group, in the mean over the people of all groups and at most; None where no row is left."""

    rows: int
    groups: int
    smallest: int | None
    average: float | None
    maximum: float | None


def of(counts: Counts, groups: Groups) -> Risk:
    """The risk of the rows that are not suppressed."""
    people = groups.rows if counts.people is None else counts.people.number(groups.of, len(groups.rows))
    rows, kept = int(groups.rows[~groups.is_bad].sum()), people[~groups.is_bad]
    if not rows:
        return Risk(0, 0, None, None, None)
    return Risk(rows, len(kept), int(kept.min()), len(kept) / int(kept.sum()), 1 / int(kept.min()))
