"""FHIR dates and periods: a partial date means all of its day, month or year."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

PARTIAL = re.compile(r"^(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?$")
INSTANT = re.compile(r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}([.]\d+)?)?(Z|[+-]\d{2}:\d{2})$")

EARLIEST, LATEST = (at.replace(tzinfo=UTC) for at in (datetime.min, datetime.max))


def first(text: str) -> datetime:
    """The first instant a FHIR date or dateTime means, in UTC. Raises ValueError when it is neither."""
    return _bounds(text)[0]


def last(text: str) -> datetime:
    """The instant after the last that a FHIR date or dateTime means, in UTC. Raises ValueError when it is neither."""
    return _bounds(text)[1]


def contains(period: dict[str, Any], at: datetime) -> bool:
    """Whether a FHIR Period holds a moment; without a start or an end it is open there. Raises ValueError."""
    start, end = period.get("start"), period.get("end")
    if start and end and first(start) >= last(end):
        return False
    return (not start or first(start) <= at) and (not end or at < last(end))


def _bounds(text: str) -> tuple[datetime, datetime]:
    if not isinstance(text, str):
        raise ValueError("no date")
    if found := PARTIAL.match(text):
        year, month, day = (int(part) if part else None for part in found.groups())
        begin = datetime(year or 0, month or 1, day or 1, tzinfo=UTC)
        if day:
            return begin, _after(begin, timedelta(days=1))
        if year == LATEST.year and month in (None, 12):
            return begin, LATEST
        next_month = datetime(begin.year + begin.month // 12, begin.month % 12 + 1, 1, tzinfo=UTC)
        return begin, next_month if month else datetime(begin.year + 1, 1, 1, tzinfo=UTC)
    if not INSTANT.match(text):
        raise ValueError("no FHIR date or dateTime")
    moment = datetime.fromisoformat(text)
    try:
        moment = moment.astimezone(UTC)
    except OverflowError:  # Within a day of the first or the last moment there is.
        moment = LATEST if moment.year == LATEST.year else EARLIEST
    return moment, _after(moment, timedelta(microseconds=1))


def _after(moment: datetime, step: timedelta) -> datetime:
    return LATEST if LATEST - moment < step else moment + step
