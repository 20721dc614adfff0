"""Rules of hierarchies: the levels of numbers and of days, each joining groups of the one below it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from typing import Any

from contracts.places import near

Step = Callable[[str], str]
EXAMPLES = "edges: [[4, 8, 16], [8]] for numbers, or calendar: [month, year] for days"


class StepError(ValueError):
    """A rule that is none, or a value that a rule does not take; ``words`` lead to the line to look at."""

    def __init__(self, message: str, *words: str) -> None:
        super().__init__(message)
        self.words = words


def _week(day: date) -> str:
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02d}"


CALENDAR: Mapping[str, Callable[[date], str]] = {
    "week": _week, "month": lambda day: f"{day.year:04d}-{day.month:02d}",
    "quarter": lambda day: f"{day.year:04d}-Q{(day.month + 2) // 3}", "year": lambda day: f"{day.year:04d}"}
# What may follow each: a week (ISO 8601) lies in no one month or year.
ABOVE: Mapping[str, tuple[str, ...]] = {"week": (), "month": ("quarter", "year"), "quarter": ("year",), "year": ()}


def steps_of(data: Any) -> tuple[Step, ...]:
    """The levels of a rule, from the lowest: ``edges`` or ``calendar``, and ``description``. Raises StepError."""
    if not isinstance(data, dict) or not isinstance(data.get("description"), str) or not data["description"].strip():
        raise StepError(f"description is missing; say in one sentence what this is for, and write {EXAMPLES}")
    known = ("description", "edges", "calendar")
    for key in data:
        if key not in known:
            raise StepError(f"{key} is not known{near(str(key), known)}; there are {', '.join(known)}", str(key))
    if ("edges" in data) == ("calendar" in data):
        raise StepError(f"has both edges and calendar, or neither; write {EXAMPLES}", "edges")
    return _bands(data["edges"]) if "edges" in data else _periods(data["calendar"])


def _bands(levels: Any) -> tuple[Step, ...]:
    """``[4, 8)`` for a number in it, ``<4`` below the first edge, ``>=16`` from the last on."""
    if not isinstance(levels, list) or not levels or not all(isinstance(level, list) and level for level in levels):
        raise StepError("edges is no list of lists; write for each level its edges, for example [[4, 8, 16], [8]]", "edges")
    found = []
    for level in levels:
        try:
            edges = [Decimal(str(edge)) for edge in level]
        except InvalidOperation:
            raise StepError("edges has what is no number; write numbers, for example [[4, 8, 16], [8]]", "edges") from None
        if not all(edge.is_finite() for edge in edges) or any(low >= high for low, high in pairwise(edges)):
            raise StepError("edges of a level must ascend, for example [4, 8, 16]", "edges")
        found.append(edges)
    for number, (below, above) in enumerate(pairwise(found), 2):
        if not set(above) < set(below):
            raise StepError(f"edges of level {number} are not fewer of those of level {number - 1}, so it would tell values "
                            "apart that are joined there, or join none; leave edges out from level to level", "edges")
    return tuple(_band(edges) for edges in found)


def _band(edges: Sequence[Decimal]) -> Step:
    said = [f"{edge.normalize():f}" for edge in edges]
    names = [f"<{said[0]}", *[f"[{low}, {high})" for low, high in pairwise(said)], f">={said[-1]}"]

    def step(value: str) -> str:
        try:
            number = Decimal(value)
        except InvalidOperation:
            raise StepError("a value is no number") from None
        if number.is_nan():
            raise StepError("a value is no number")
        return names[sum(edge <= number for edge in edges)]

    return step


def _periods(words: Any) -> tuple[Step, ...]:
    if not isinstance(words, list) or not words:
        raise StepError(f"calendar is no list; write some of {', '.join(CALENDAR)}", "calendar")
    for word in words:
        if word not in CALENDAR:
            raise StepError(f"calendar names {word!r}{near(str(word), CALENDAR)}; there are {', '.join(CALENDAR)}", "calendar")
    for below, above in pairwise(words):
        if above not in ABOVE[below]:
            raise StepError(f"calendar has {above} above {below}, which tells days apart that are joined there, or joins none; "
                            f"above {below} may stand {' or '.join(ABOVE[below]) or 'nothing but *'}", "calendar", str(above))
    return tuple(_period(CALENDAR[word]) for word in words)


def _period(name: Callable[[date], str]) -> Step:
    def step(value: str) -> str:
        try:
            return name(date.fromisoformat(value[:10]))
        except ValueError:
            raise StepError("a value is no day") from None

    return step
