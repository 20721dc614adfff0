"""Hierarchies for columns that nobody wrote one for: bands of numbers, parts of dates, beginnings of codes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from jobs.anonymity import hierarchies
from jobs.anonymity.hierarchies import TOP, Hierarchy

BANDS = (5, 10, 20, 40, 80, 160, 320, 640)  # Widths, each joining bands of the one before.
FEWEST_BANDS = 15  # At the first level, about.
SHORTEST_CODE = 3
Step = Callable[[str], str]


def made(name: str, kind: str, values: Sequence[str | None]) -> Hierarchy:
    """A hierarchy for a column of an engine's type: levels that tell nothing new are left out.

    Numbers get bands of doubling widths, dates month, year and ten years, codes of one length beginnings; of other text
    only `*` is above it. A null stays one until `*`.
    """
    steps = _steps(kind, [value for value in values if value is not None])
    columns: list[list[str | None]] = []
    for step in steps:
        column = [None if value is None else step(value) for value in values]
        below = columns[-1] if columns else list(values)
        if len(set(column)) < len(set(below)):
            columns.append(column)
    return hierarchies.of(name, values, columns)


def _steps(kind: str, values: list[str]) -> list[Step]:
    if kind in ("date", "timestamp", "timestamp_ntz"):
        return [lambda value: value[:7], lambda value: value[:4], lambda value: f"{value[:3]}0s"]
    if kind in ("byte", "short", "integer", "long", "float", "double") or kind.startswith("decimal"):
        return _bands([float(value) for value in values])
    lengths = {len(value) for value in values}
    if kind == "string" and len(lengths) == 1 and all(value.isalnum() and value.isascii() for value in values):
        return _beginnings(lengths.pop())
    return []


def _bands(numbers: list[float]) -> list[Step]:
    """Bands from 0 on, of a width that fits how far the numbers lie apart: ages get 5, 10, 20, 40 and 80 years."""
    known = [number for number in numbers if math.isfinite(number)]
    apart = max(known) - min(known) if known else 0.0
    if apart == 0:
        return []
    unit = 10.0 ** math.floor(math.log10(apart / FEWEST_BANDS))
    return [_band(width * unit) for width in BANDS if width * unit < 2 * apart]


def _band(width: float) -> Step:
    def step(value: str) -> str:
        number = float(value)
        if not math.isfinite(number):
            return value
        low = math.floor(number / width) * width
        return f"[{low:.12g}, {low + width:.12g})"

    return step


def _beginnings(length: int) -> list[Step]:
    if length < SHORTEST_CODE:
        return []
    return [lambda value, kept=kept: value[:kept] + TOP * (length - kept) for kept in range(length - 1, 0, -1)]  # type: ignore[misc]

