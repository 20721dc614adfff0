"""States: what must vanish of a table with totals so that no few people follow from it and all that was released before.

A state of a cell is whom it counts. While nobody else is counted, the cell is one number in all releases, as readers know: where
it was shown once it is known for good, where it was hidden it stays hidden. (That a total which was never shown is the same,
nobody knows who does not know all its parts, so it is another number each time.) All releases together are a table as
jobs/stages/complementary.py knows it, of a count for each state and of the lines of every release. Its reader knows besides
that nobody left a cell that grew, and that whoever came were as many as must make a difference.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf

import numpy as np

from contracts.table import ALL
from jobs.stages import complementary

Key = tuple[object, ...]


@dataclass(frozen=True)
class Count:
    """How many a cell counts, whom (a number that stands for them), whether it was shown, and what it is known not to exceed."""

    size: int
    state: int
    is_shown: bool = False
    most: float = inf


@dataclass
class _Joint:
    """All releases as one table; ``places``: the place of each state of a cell in the newest release that has it."""

    places: dict[tuple[Key, int], int] = field(default_factory=dict)
    lines: dict[tuple[int, ...], None] = field(default_factory=dict)
    order: dict[tuple[int, int, int], None] = field(default_factory=dict)
    last: dict[Key, int] = field(default_factory=dict)
    keys: list[Key] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    most: list[float] = field(default_factory=list)
    shown: set[int] = field(default_factory=set)

    def add(self, release: Mapping[Key, Count], over: Sequence[int], fewest: int) -> None:
        """A release after those that are there."""
        keys = list(release)
        at = [self._place(key, release[key], fewest, any(key[place] == ALL for place in over)) for key in keys]
        found = complementary.lines_of(keys, over, ALL)
        for total, parts in zip(found.totals, found.parts, strict=True):
            self.lines[(at[total], *sorted(at[part] for part in parts))] = None

    def _place(self, key: Key, count: Count, fewest: int, is_total: bool) -> int:
        place = self.places.get((key, count.state), len(self.sizes))
        if is_total and not (count.is_shown or place in self.shown):
            place = len(self.sizes)
        self.places[key, count.state] = place
        if place == len(self.sizes):
            self.keys.append(key)
            self.sizes.append(count.size)
            self.most.append(inf)
        # Parts of rows may be of different releases: nothing is known not to exceed less than it is.
        self.most[place] = min(self.most[place], max(count.most, count.size))
        if count.is_shown:
            self.shown.add(place)
        if (before := self.last.get(key, place)) != place and self.sizes[before] != count.size:
            less, more = sorted((before, place), key=lambda each: self.sizes[each])
            self.order[less, more, min(fewest, abs(self.sizes[before] - count.size))] = None
        self.last[key] = place
        return place


def hidden(newest: Mapping[Key, Count], earlier: Sequence[Mapping[Key, Count]], over: Sequence[int], minimum: int, fewest: int,
           vanished: Collection[Key] = ()) -> tuple[set[Key], set[Key]]:
    """Which cells of a table vanish beside those of earlier releases, oldest first, and which vanish in vain: where few people
    follow from them though nothing is left to hide. To be in vain, whom cells of such a table count must have changed.

    over: the places of a key over which there are totals; ``vanished``: cells that are hidden in any case.
    """
    joint = _Joint()
    for release in earlier:
        joint.add(release, over, fewest)
    before = set(range(len(joint.sizes))) - joint.shown
    stays = {(key, count.state) for key, count in newest.items() if joint.places.get((key, count.state)) in before}
    joint.add(newest, over, fewest)
    size = len(joint.sizes)
    known, away = np.zeros(size, dtype=bool), np.zeros(size, dtype=bool)
    known[list(joint.shown)] = True
    away[[*before, *(joint.places[each] for each in stays), *(joint.places[key, newest[key].state] for key in vanished)]] = True
    totals, parts = [total for total, *_ in joint.lines], [those for _, *those in joint.lines]
    lines = complementary.Lines(size, totals, parts, list(joint.order))
    gone, vain = complementary.hidden(np.array(joint.sizes, dtype=np.int64), away, lines, minimum, np.array(joint.most), known)
    at = {key: joint.places[key, count.state] for key, count in newest.items()}
    return {key for key, place in at.items() if gone[place] or key in vanished}, {joint.keys[place] for place in vain}
