"""Hierarchies: what each value of a quasi-identifier is at each level, from itself up to `*`, which tells nobody apart."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jobs.errors import ConfigurationError

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
TOP = "*"


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


def read(path: Path, name: str, values: Sequence[str | None]) -> Hierarchy:
    """The hierarchy of a file as ARX has them: a line a value, `value;level 1;level 2;...`, by `;` or `,`, without a header.

    A null is the empty value. Raises ConfigurationError, which quotes no value, where the file has a hole.
    """
    lines = _lines(path)
    width = len(lines[0][1])
    known: dict[str, list[str]] = {}
    for number, line in lines:
        if len(line) != width or width < 2:
            raise ConfigurationError(f"{path}:{number}: has {len(line)} levels, the first line {width}; write a value and at "
                                     "least one level above it in every line, as many in each")
        if line[0] in known:
            raise ConfigurationError(f"{path}:{number}: has a value that a line above has; keep one")
        if "" in line[1:]:
            raise ConfigurationError(f"{path}:{number}: has an empty level; write what the value is there, for example {TOP}")
        known[line[0]] = line[1:]
    lacking = sum((value or "") not in known for value in values)
    if lacking:
        raise ConfigurationError(f"{path} lacks {lacking:,} of the {len(values):,} values that {name} has in the data; add a "
                                 "line for each" + (", for no value an empty one" if None in values and "" not in known else ""))
    return of(name, values, list(zip(*(known[value or ""] for value in values), strict=True)))


def _lines(path: Path) -> list[tuple[int, list[str]]]:
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read as UTF-8 text ({type(error).__name__})") from None
    by = ";" if ";" in text else ","
    lines = [(number, line) for number, line in enumerate(csv.reader(text.splitlines(), delimiter=by), 1) if line]
    if not lines:
        raise ConfigurationError(f"{path} is empty; write a line for each value: the value, then what it is at each level")
    return lines
