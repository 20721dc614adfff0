"""Records with a history: each version says from when to when the served world shows it."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

Record = dict[str, Any]
FOREVER = 2**62
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Version:
    """One state of one record, shown from `at` (its change time) until the next version's change time, in ms."""

    at: int
    until: int
    deleted: bool
    id: str
    record: Record


def history(record_id: str, states: Sequence[tuple[int, Record]], gone: tuple[int, Record] | None = None
            ) -> Iterator[Version]:
    """The versions of one record from its states in order of time, the last of which may be a deletion."""
    steps = [(at, record, False) for at, record in states]
    if gone is not None:
        steps.append((gone[0], gone[1], True))
    ends = [at for at, _, _ in steps[1:]] + [FOREVER]
    for (at, record, deleted), until in zip(steps, ends, strict=True):
        yield Version(at, until, deleted, record_id, record)


@dataclass(slots=True)
class Log:
    """All versions of one stream in order of change time. The part up to a clock never changes when days are added."""

    versions: list[Version] = field(default_factory=list)
    times: list[int] = field(default_factory=list)

    def extend(self, versions: Iterable[Version]) -> None:
        """Add versions and keep the order (change time, then id)."""
        self.versions.extend(versions)
        self.versions.sort(key=lambda version: (version.at, version.id))
        self.times = [version.at for version in self.versions]

    def position(self, since: int) -> int:
        """The place of the first change at or after `since`."""
        return bisect_left(self.times, since)

    def end(self, clock: int) -> int:
        """The place after the last change that the clock shows."""
        return bisect_right(self.times, clock)

    def page(self, first: int, last: int) -> list[Record]:
        """The changes at the places first..last-1, as the source serves them."""
        return [version.record for version in self.versions[first:last]]

    def current(self, clock: int, after: int = -1) -> Iterator[Version]:
        """What is shown at the clock, deletions included, of what changed later than `after`."""
        return (v for v in self.versions[bisect_right(self.times, after) : self.end(clock)] if v.until > clock)


def utc(at: int) -> str:
    """Milliseconds since 1970 as 2026-10-01T07:15:02.123Z."""
    return f"{moment(at):%Y-%m-%dT%H:%M:%S}.{at % 1000:03d}Z"


def salesforce_time(at: int) -> str:
    """Milliseconds since 1970 as 2026-10-01T07:15:02.000+0000, as Salesforce writes date-times."""
    return f"{moment(at):%Y-%m-%dT%H:%M:%S}.000+0000"


def local(at: int, zone: str) -> str:
    """Milliseconds since 1970 as a local time with its offset from UTC."""
    return moment(at).astimezone(ZoneInfo(zone)).isoformat(timespec="seconds")


def moment(at: int) -> dt.datetime:
    """Milliseconds since 1970 as a date-time in UTC, whole seconds."""
    return _EPOCH + dt.timedelta(seconds=at // 1000)


def instant(text: str) -> int:
    """An ISO 8601 date or date-time as milliseconds since 1970; without an offset it is UTC. Raises ValueError."""
    parsed = dt.datetime.fromisoformat(text.strip().replace(" ", "+"))
    if parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=dt.UTC)
    return (parsed - _EPOCH) // dt.timedelta(milliseconds=1)
