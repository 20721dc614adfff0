"""Search: the levels of generalisation that lose least among those at which few enough rows must be suppressed.

Full-domain generalisation: a column has one level in all rows. The lattice of levels is walked from what loses least; from a
node that nobody knows of, a path up is halved until the border on it is found (Kohlmayer et al. 2012, Flash): below a
node at which too many rows are rare, too many are everywhere. A node's loss is at least that of its levels alone, so
the walk ends where that is more than the least found. What it gives is the optimum, to the digits that are compared.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from jobs.anonymity.counts import Counts
from jobs.anonymity.groups import Groups, Privacy, grouped
from jobs.errors import ConfigurationError

Node = tuple[int, ...]
DIGITS = 12  # To which losses are the same.
MOST_NODES = 2_000_000


@dataclass(frozen=True)
class Found:
    """The best levels: what they lose (0 to 1; a suppressed row loses all), their groups, how many nodes were looked at."""

    levels: Node
    loss: float
    groups: Groups
    looked_at: int
    nodes: int


def search(counts: Counts, privacy: Privacy, most: int, tell: Callable[[str], None] = lambda _: None) -> Found | None:
    """The levels that lose least with at most ``most`` rows suppressed, and of those the ones that suppress least; None where
    even the highest do not do. Raises ConfigurationError where there are too many to look through."""
    nodes = math.prod(column.hierarchy.levels - column.floor for column in counts.columns)
    if nodes > MOST_NODES:
        raise ConfigurationError(f"{nodes:,} combinations of levels are more than the {MOST_NODES:,} that are looked through; "
                                 "name fewer quasi-identifiers, or give them hierarchies of fewer levels")
    return _Search(counts, privacy, most, tell).run()


class _Search:
    def __init__(self, counts: Counts, privacy: Privacy, most: int, tell: Callable[[str], None]) -> None:
        self.counts, self.privacy, self.most, self.tell = counts, privacy, most, tell
        self.ranges = [range(column.floor, column.hierarchy.levels) for column in counts.columns]
        self.losses = [{level: column.mean_loss(level) for level in levels}
                       for column, levels in zip(counts.columns, self.ranges, strict=True)]
        self.rare, self.common = _Nodes(len(self.ranges)), _Nodes(len(self.ranges))
        self.best: Found | None = None

    def run(self) -> Found | None:
        nodes = sorted(itertools.product(*self.ranges), key=lambda node: (self.least(node), node))
        for node in nodes:
            if self.best and self.least(node) > self.best.loss:
                break
            if self.is_open(node):
                self.border(self.path(node))
            elif self.common.has_below(node) and node not in self.common.known:
                self.look(node)
        looked_at = len(self.rare.known) + len(self.common.known)
        return self.best and replace(self.best, looked_at=looked_at, nodes=len(nodes))

    def least(self, node: Node) -> float:
        """What the levels of a node lose when nothing is suppressed."""
        return round(sum(losses[level] for losses, level in zip(self.losses, node, strict=True)) / len(node), DIGITS)

    def is_open(self, node: Node) -> bool:
        """Whether nobody knows if too many rows are rare at a node."""
        return not self.rare.has_above(node) and not self.common.has_below(node)

    def path(self, node: Node) -> list[Node]:
        """From a node up, each time the one step that loses least among those that nobody knows of."""
        path = [node]
        while True:
            steps = [(*path[-1][:at], level + 1, *path[-1][at + 1:]) for at, level in enumerate(path[-1])
                     if level + 1 in self.ranges[at]]
            steps = [step for step in steps if self.is_open(step)]
            if not steps:
                return path
            path.append(min(steps, key=self.least))

    def border(self, path: Sequence[Node]) -> None:
        """Look at the nodes that halving a path takes, until it is known from where on few enough rows are rare."""
        low, high = 0, len(path)
        while low < high:
            middle = (low + high) // 2
            if self.look(path[middle]):
                low = middle + 1
            else:
                high = middle

    def look(self, node: Node) -> bool:
        """Whether too many rows are rare at a node; where not, it may be the best."""
        groups = grouped(self.counts, node, self.privacy)
        if groups.rare_rows > self.most:
            self.rare.add(node)
            return True
        self.common.add(node)
        if groups.bad_rows <= self.most:
            loss = self.loss(node, groups)
            best = (self.best.loss, self.best.groups.bad_rows, self.best.levels) if self.best else None
            if best is None or (loss, groups.bad_rows, node) < best:
                self.best = Found(node, loss, groups, 0, 0)
                self.tell(f"levels {', '.join(map(str, node))} lose {loss:.1%}, {groups.bad_rows:,} rows suppressed")
        return False

    def loss(self, node: Node, groups: Groups) -> float:
        """The mean over rows and columns; a suppressed row loses all."""
        kept = ~groups.is_bad[groups.of] * self.counts.rows
        lost = sum(float((column.loss(level)[self.counts.codes[:, place]] * kept).sum())
                   for place, (column, level) in enumerate(zip(self.counts.columns, node, strict=True)))
        return round((lost / len(node) + groups.bad_rows) / self.counts.total, DIGITS)


class _Nodes:
    """Nodes that were looked at, and whether one of them is above or below another node, or is that node."""

    def __init__(self, width: int) -> None:
        self.known: set[Node] = set()
        self._matrix = np.zeros((0, width), dtype=np.int16)

    def add(self, node: Node) -> None:
        self.known.add(node)
        self._matrix = np.vstack([self._matrix, np.array([node], dtype=np.int16)])

    def has_above(self, node: Node) -> bool:
        return bool((self._matrix >= node).all(axis=1).any())

    def has_below(self, node: Node) -> bool:
        return bool((self._matrix <= node).all(axis=1).any())
