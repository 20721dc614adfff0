"""Hierarchies: what each value of a quasi-identifier is at each level, from itself up to `*`, which tells nobody apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from contracts import hierarchies as declared
from contracts.hierarchies import TOP, Declared
from contracts.reading import ContractError
from jobs.errors import ConfigurationError

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Hierarchy:
    """A quasi-identifier. ``values`` are the texts that the data has (None for a null), in order; their places are their codes.

    ``groups``: level by level, the number of the group that each value belongs to; level 0 tells all values apart, the last
    none. ``labels``: level by level, what a group is called. Each level joins groups of the level below.
    """

    name: str
    values: tuple[str | None, ...]
    groups: tuple[Ints, ...]
    labels: tuple[tuple[str | None, ...], ...]

    @property
    def levels(self) -> int:
        """How many levels there are, the first and the last counted."""
        return len(self.groups)

    @property
    def is_exact(self) -> bool:
        """Whether its values are told as they are, or not at all; any other ends in `*`."""
        return self.levels == 1

    def loss(self, level: int) -> Floats:
        """Of each value at a level, the share of the other values that it is told no more apart from, 0 to 1.

        The loss metric of Iyengar (2002): (leaves under the group - 1) / (leaves - 1).
        """
        if len(self.values) == 1:
            return np.full(1, float(level > 0))
        sizes = np.bincount(self.groups[level])
        found: Floats = (sizes[self.groups[level]] - 1) / (len(self.values) - 1)
        return found


def of(name: str, values: Sequence[str | None], columns: Sequence[Sequence[str | None]]) -> Hierarchy:
    """A hierarchy of values and, level by level above them, what each is there; `*` is put on top where it is not there.

    Raises ConfigurationError where values that a level joins are told apart above it.
    """
    every = [list(values), *map(list, columns)]
    if len(set(every[-1])) > 1 or len(every) == 1:
        every.append([TOP] * len(values))
    groups: list[Ints] = []
    labels: list[tuple[str | None, ...]] = []
    for level, said in enumerate(every):
        known: dict[str | None, int] = {}
        groups.append(np.array([known.setdefault(label, len(known)) for label in said], dtype=np.int64))
        labels.append(tuple(known))
        if level and len(set(zip(groups[-2].tolist(), groups[-1].tolist(), strict=True))) != len(labels[-2]):
            raise ConfigurationError(f"hierarchy of {name}: level {level} tells values apart that level {level - 1} joins; each "
                                     "level joins groups of the one below it")
    return Hierarchy(name, tuple(values), tuple(groups), tuple(labels))


def exact(name: str, values: Sequence[str | None]) -> Hierarchy:
    """The hierarchy of a column that is told as it is, or not at all."""
    return Hierarchy(name, tuple(values), (np.arange(len(values), dtype=np.int64),), (tuple(values),))


def read(path: Path, name: str, values: Sequence[str | None]) -> Hierarchy:
    """The hierarchy of a file as ARX has them (contracts/hierarchies.py). Raises ConfigurationError, which quotes no value, where
    the file has a hole."""
    try:
        said = declared.read(path)
    except ContractError as error:
        raise ConfigurationError(str(error)) from None
    if lacking := lacks(said, values):
        raise ConfigurationError(f"{path} lacks {lacking:,} of the {len(values):,} values that {name} has in the data; add a "
                                 "line for each" + (", for no value an empty one" if said.told(None) is None else ""))
    return of_declared(said, name, values)


def lacks(said: Declared, values: Sequence[str | None]) -> int:
    """How many of the values a declared hierarchy does not have."""
    return sum(said.told(value) is None for value in values)


def of_declared(said: Declared, name: str, values: Sequence[str | None]) -> Hierarchy:
    """A declared hierarchy of values that it has, each."""
    return of(name, values, list(zip(*(said.told(value) or () for value in values), strict=True)))
