"""Risk: how likely somebody who knows that a person is among the rows finds theirs (prosecutor, El Emam 2013)."""

from __future__ import annotations

from dataclasses import dataclass

from jobs.anonymity.groups import Groups


@dataclass(frozen=True)
class Risk:
    """Of the rows that are left: how many, in how many groups, the smallest of these, and the chance, 1 / rows of the group,
    in the mean over rows and at most; None where no row is left."""

    rows: int
    groups: int
    smallest: int | None
    average: float | None
    maximum: float | None


def of(groups: Groups) -> Risk:
    """The risk of the rows that are not suppressed."""
    kept = groups.rows[~groups.is_bad]
    rows, number = int(kept.sum()), len(kept)
    if not rows:
        return Risk(0, 0, None, None, None)
    return Risk(rows, number, int(kept.min()), number / rows, 1 / int(kept.min()))
