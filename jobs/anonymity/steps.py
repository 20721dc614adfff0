"""Hierarchies for columns that nobody wrote one for: bands of numbers, parts of dates, beginnings of codes."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from decimal import ROUND_FLOOR, Decimal

from contracts.hierarchies import TOP
from jobs.anonymity import hierarchies
from jobs.anonymity.hierarchies import Hierarchy

BANDS = (5, 10, 20, 40, 80, 160, 320, 640)  # Widths, each joining bands of the one before.
FEWEST_BANDS = 15  # At the first level, about.
SHORTEST_CODE = 3
NUMBERS, DATES = ("byte", "short", "integer", "long", "float", "double"), ("date", "timestamp", "timestamp_ntz")
NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,15})(\.[0-9]{1,10})?")
DATE = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])")
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
    if kind in DATES:
        return [lambda value: value[:7], lambda value: value[:4], lambda value: f"{value[:3]}0s"]
    if is_number(kind):
        return _bands([Decimal(value) for value in values])
    lengths = {len(value) for value in values}
    if kind == "string" and len(lengths) == 1 and all(value.isalnum() and value.isascii() for value in values):
        return _beginnings(lengths.pop())
    return []


def _bands(numbers: list[Decimal]) -> list[Step]:
    """Bands from 0 on, of a width that fits how far the numbers lie apart: ages get 5, 10, 20, 40 and 80 years."""
    known = [number for number in numbers if number.is_finite()]
    apart = max(known) - min(known) if known else Decimal(0)
    if apart == 0:
        return []
    unit = Decimal(10) ** ((apart / FEWEST_BANDS).adjusted())
    return [_band(width * unit) for width in BANDS if width * unit < 2 * apart]


def _band(width: Decimal) -> Step:
    def step(value: str) -> str:
        number = Decimal(value)
        if not number.is_finite():
            return value
        low = (number / width).to_integral_value(ROUND_FLOOR) * width
        return f"[{_plain(low)}, {_plain(low + width)})"

    return step


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"


def is_number(kind: str) -> bool:
    """Whether values of an engine's type are numbers."""
    return kind in NUMBERS or kind.startswith("decimal")


def kind_of(values: Sequence[str | None]) -> str:
    """What texts of a file without types are: numbers without a zero before them, dates as ISO 8601 writes them, or text."""
    known = [value for value in values if value is not None]
    if known and all(NUMBER.fullmatch(value) for value in known):
        return "double"
    return "date" if known and all(DATE.fullmatch(value) for value in known) else "string"


def _beginnings(length: int) -> list[Step]:
    if length < SHORTEST_CODE:
        return []
    return [lambda value, kept=kept: value[:kept] + TOP * (length - kept) for kept in range(length - 1, 0, -1)]  # type: ignore[misc]

