"""Complementary suppression: which more counts must vanish so that none of few people follows from totals.

A table is counts and lines; a line is a total and the counts it is over. Whoever reads it is taken to know more than anybody can:
which counts there are, the exact numbers behind the rounded ones that are shown, and how many people are in several counts
of one line. What holds against them holds against readers of rounded counts. After Hundepool et al., Statistical
Disclosure Control (2012), chapter 4: the smallest counts of a line are hidden first, then the feasible interval of each small
count is found by linear programming (HiGHS, by scipy) and more is hidden until all are wide enough.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

Component = tuple[list[int], list[int]]  # Hidden counts that lines tie together, and those of them that are asked about.
CLOSE = 1e-6  # What a solver may miss a whole number by.


@dataclass(frozen=True)
class Lines:
    """The lines of a table of ``size`` counts: of each its total and the counts it is over, as places; of a count its lines.

    ``order``: pairs of counts, the second known to be greater than the first by so many at least; ``pairs``: those of a count.
    """

    size: int
    totals: Sequence[int]
    parts: Sequence[Sequence[int]]
    order: Sequence[tuple[int, int, int]] = ()
    of: list[list[int]] = field(init=False)
    pairs: list[list[int]] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "of", [[] for _ in range(self.size)])
        object.__setattr__(self, "pairs", [[] for _ in range(self.size)])
        for line in range(len(self.totals)):
            for place in self.members(line):
                self.of[place].append(line)
        for pair, (less, more, _) in enumerate(self.order):
            self.pairs[less].append(pair)
            self.pairs[more].append(pair)

    def members(self, line: int) -> list[int]:
        """The counts of a line, its total the last."""
        return [*self.parts[line], self.totals[line]]


def hidden(counts: NDArray[np.int64], vanished: NDArray[np.bool_], lines: Lines, minimum: int,
           most: NDArray[np.float64] | None = None, known: NDArray[np.bool_] | None = None) -> tuple[NDArray[np.bool_], set[int]]:
    """Which counts vanish: those up to ``minimum``, those that ``vanished`` already, and those from which one would follow; and
    which vanish in vain.

    Of each line that has any, at least two vanish, and those below a total that is shown count more than ``minimum`` people.
    Then each count up to ``minimum`` can, for all that is left, be anything from 0 to ``minimum``, or lies in an interval wider
    than that. ``most``: what a count is known not to exceed. ``known``: those that have been told and so cannot vanish; only
    beside them may nothing be left to hide for a count, which is then in vain with all that is tied to it.
    """
    told = np.zeros(len(counts), dtype=bool) if known is None else known
    small = (counts <= minimum) & ~told
    gone = (small | vanished) & ~told
    _widen(gone, counts, lines, minimum, {line for place in np.flatnonzero(gone) for line in lines.of[place]}, told)
    reach = _Reach(counts, np.full(len(counts), inf) if most is None else most, lines, minimum)
    while True:
        components = [(component, those) for component in _components(gone, lines)
                      if (those := [place for place in component if small[place] and not reach.is_wide(place)])]
        reach.find(components, gone)
        narrow = [(component, kept) for component, those in components if (kept := [p for p in those if not reach.is_wide(p)])]
        more = {place for component, those in narrow for each in those
                if (place := _next(each, component, gone | told, counts, lines)) is not None}
        if not more:
            return gone, {place for component, _ in narrow for place in component}
        gone[list(more)] = True
        _widen(gone, counts, lines, minimum, {line for place in more for line in lines.of[place]}, told)


def _widen(gone: NDArray[np.bool_], counts: NDArray[np.int64], lines: Lines, minimum: int, waiting: set[int],
           told: NDArray[np.bool_]) -> None:
    """Hide in each line what the first rule asks for, in all directions until nothing changes."""
    while waiting:
        for place in _missing(waiting.pop(), gone, counts, lines, minimum, told):
            gone[place] = True
            waiting.update(lines.of[place])


def _missing(line: int, gone: NDArray[np.bool_], counts: NDArray[np.int64], lines: Lines, minimum: int,
             told: NDArray[np.bool_]) -> list[int]:
    """What else of a line must vanish, the smallest first and the total last."""
    parts, total = lines.parts[line], lines.totals[line]
    away = [place for place in parts if gone[place]]
    shown = sorted((place for place in parts if not (gone[place] or told[place])), key=lambda place: (counts[place], place))
    if gone[total]:
        return [] if away else shown[:1]
    people, taken = sum(int(counts[place]) for place in away), 0
    while away and taken < len(shown) and (len(away) + taken < 2 or people <= minimum):
        people, taken = people + int(counts[shown[taken]]), taken + 1
    is_enough = not away or (len(away) + taken >= 2 and people > minimum)
    return shown[:taken] if is_enough else [*shown, *([] if told[total] else [total])]


def _components(gone: NDArray[np.bool_], lines: Lines) -> Iterator[list[int]]:
    """Hidden counts that lines tie together: what is in one says nothing of another. A pair of an order is tied, too."""
    places = np.flatnonzero(gone)
    at = {int(place): n for n, place in enumerate(places)}
    ties = [(at[first], at[other]) for line in range(len(lines.totals))
            for first, other in pairwise(place for place in lines.members(line) if gone[place])]
    ties += [(at[less], at[more]) for less, more, _ in lines.order if gone[less] and gone[more]]
    rows, columns = zip(*ties, strict=True) if ties else ((), ())
    graph = csr_array((np.ones(len(ties)), (rows, columns)), shape=(len(places), len(places)))
    _, labels = connected_components(graph, directed=False)
    order = np.argsort(labels, kind="stable")
    for part in np.split(order, np.flatnonzero(np.diff(labels[order])) + 1) if len(places) else []:
        yield [int(places[n]) for n in part]


def _next(told: int, component: Sequence[int], fixed: NDArray[np.bool_], counts: NDArray[np.int64], lines: Lines) -> int | None:
    """What to hide for a count that can be told: the smallest that stands in a line with it, else with what is tied to it."""
    for near in ([told], component):
        shown = {place for each in near for line in lines.of[each] for place in lines.members(line) if not fixed[place]}
        shown |= {place for each in near for pair in lines.pairs[each] for place in lines.order[pair][:2] if not fixed[place]}
        if shown:
            return min(shown, key=lambda place: (counts[place], place))
    return None


class _Reach:
    """How far each hidden count can be from the true one, as far as is known, while all that is shown stays as it is.

    A solution that was found for one count is kept for all, since between any two everything is feasible; and it stays one when
    more is hidden.
    """

    def __init__(self, counts: NDArray[np.int64], above: NDArray[np.float64], lines: Lines, minimum: int) -> None:
        self.counts, self.above, self.lines, self.minimum = counts, above, lines, minimum
        self.least, self.most = np.zeros(len(counts)), np.zeros(len(counts))

    def is_wide(self, place: int) -> bool:
        """Whether a count could be anything from 0 to the minimum, or lies in an interval that is wider."""
        low, high = self.counts[place] + self.least[place], self.counts[place] + self.most[place]
        return bool((low <= CLOSE and high >= self.minimum - CLOSE) or high - low > self.minimum + CLOSE)

    def find(self, components: Sequence[Component], gone: NDArray[np.bool_]) -> None:
        """Find the reach of the wanted counts of components: those of all together as long as that widens any, then each by
        itself, but one of each component at a time, since components know nothing of one another."""
        narrow, before = list(components), inf
        while (left := sum(len(those) for _, those in narrow)) and left < before:
            before = left
            self._stretch(narrow, gone)
            narrow = [(component, kept) for component, those in narrow if (kept := [p for p in those if not self.is_wide(p)])]
        for turn in range(max((len(those) for _, those in narrow), default=0)):
            self._stretch([(component, those[turn:turn + 1]) for component, those in narrow
                           if len(those) > turn and not self.is_wide(those[turn])], gone)

    def _stretch(self, wanted: Sequence[Component], gone: NDArray[np.bool_]) -> None:
        """Move the wanted counts up together, then down, none further than is needed, and keep how far each got."""
        places = np.array([place for component, _ in wanted for place in component], dtype=int)
        at = {int(place): n for n, place in enumerate(places)}
        moved = [at[place] for _, those in wanted for place in those]
        if not moved:
            return
        equal, true = self._equations(at, gone), self.counts[places].astype(float)
        low, high = -true, self.above[places] - true
        less, rooms = self._order(at, low, high)
        high[moved] = np.minimum(high[moved], self.minimum + 1)
        for sign in (1, -1):
            aim = np.zeros(len(places))
            aim[moved] = -sign
            found = linprog(aim, A_ub=less, b_ub=rooms, A_eq=equal, b_eq=np.zeros(equal.shape[0]),
                            bounds=np.column_stack([low, high]), method="highs")
            if found.x is not None:
                self.least[places] = np.minimum(self.least[places], found.x)
                self.most[places] = np.maximum(self.most[places], found.x)

    def _equations(self, at: dict[int, int], gone: NDArray[np.bool_]) -> csr_array:
        """A row for each line: what its hidden parts differ by is what its total differs by, nothing where that is shown."""
        found = {line: row for row, line in enumerate(sorted({line for place in at for line in self.lines.of[place]}))}
        entries = [(row, at[place], 1.0) for line, row in found.items() for place in self.lines.parts[line] if gone[place]]
        entries += [(row, at[total], -1.0) for line, row in found.items() if gone[total := self.lines.totals[line]]]
        rows, columns, signs = zip(*entries, strict=True)
        return csr_array((signs, (rows, columns)), shape=(len(found), len(at)))

    def _order(self, at: dict[int, int], low: NDArray[np.float64], high: NDArray[np.float64]) -> tuple[csr_array | None, Any]:
        """A row for each pair of hidden counts: by how much more one may be moved than the other. What is shown bounds ``low`` or
        ``high`` of the other."""
        entries, rooms = list[tuple[int, int, float]](), list[float]()
        for pair in sorted({pair for place in at for pair in self.lines.pairs[place]}):
            less, more, gap = self.lines.order[pair]
            room = float(self.counts[more] - self.counts[less] - gap)
            if less in at and more in at:
                entries += [(len(rooms), at[less], 1.0), (len(rooms), at[more], -1.0)]
                rooms.append(room)
            elif less in at:
                high[at[less]] = min(high[at[less]], room)
            else:
                low[at[more]] = max(low[at[more]], -room)
        if not rooms:
            return None, None
        rows, columns, signs = zip(*entries, strict=True)
        return csr_array((signs, (rows, columns)), shape=(len(rooms), len(at))), rooms


def lines_of(keys: Sequence[Sequence[object]], over: Sequence[int], mark: object) -> Lines:
    """The lines of a table whose rows have these keys: rows that differ in one column alone, at a place of ``over``, where one of
    them is a total."""
    totals: list[int] = []
    parts: list[list[int]] = []
    for column in over:
        groups: dict[tuple[object, ...], tuple[list[int], list[int]]] = {}
        for place, key in enumerate(keys):
            kinds = groups.setdefault((*key[:column], *key[column + 1:]), ([], []))
            kinds[key[column] == mark].append(place)
        for those, total in groups.values():
            totals.extend(total)
            parts.extend([those] * len(total))
    return Lines(len(keys), totals, parts)
