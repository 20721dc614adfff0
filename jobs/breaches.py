"""When promises about time were broken: arithmetic of moments, that asks neither a clock nor a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from contracts.service_levels import ServiceLevel

Row = dict[str, Any]


class Span(NamedTuple):
    """Since when something is due to come, and when it came; None while it is waited for."""

    begun: datetime
    came: datetime | None


class Breach(NamedTuple):
    """From when something was due to when it came; None while it is late."""

    due_at: datetime
    closed_at: datetime | None


class Missed(NamedTuple):
    """A deadline that Airflow saw pass: of whose promise, since when a run was to keep it, and until when."""

    subject: str
    promise: str
    asked_at: datetime
    due_at: datetime


@dataclass(frozen=True)
class Standing:
    """How a promise stands: what it is about, as far as the ledgers go back, and the moments when what it promises came.

    ``subject`` is kind.contract, ``version`` the contract's. ``is_fetched``: a run is to fetch what it is about, so that the
    ledgers know nothing of it before.
    """

    subject: str
    version: str
    level: ServiceLevel
    spans: tuple[Span, ...]
    kept: tuple[datetime, ...]
    is_fetched: bool = False

    def age(self, now: datetime) -> timedelta:
        """How long the oldest of what is waited for takes already; nought where nothing is."""
        return max((now - span.begun for span in self.spans if span.came is None), default=timedelta(0))

    def breaches(self, now: datetime) -> list[Breach]:
        """Each time that it was broken, the first first; what overlaps is one."""
        late = sorted(Breach(span.begun + self.level.within, span.came) for span in self.spans
                      if span.begun + self.level.within < (span.came or now))
        found: list[Breach] = []
        for breach in late:
            if found and _covers(found[-1], breach.due_at):
                found[-1] = Breach(found[-1].due_at, _later(found[-1].closed_at, breach.closed_at))
            else:
                found.append(breach)
        return found

    def came_after(self, moment: datetime) -> datetime | None:
        """When what it promises came first after a moment; None where it did not."""
        return min((at for at in self.kept if at > moment), default=None)


def to_write(standing: Standing, held: Sequence[Mapping[str, Any]], looked_at: datetime | None, now: datetime,
             missed: Iterable[Missed] = ()) -> list[Row]:
    """The rows of a promise that are new or have changed since ``held``, its rows in the ledger.

    A breach that was over before anybody looked (``looked_at``, None: nobody did) is none: nobody may have promised it then.
    A deadline of a run is one of its own only where the run was to fetch what the ledgers do not know of.
    """
    found = standing.breaches(now)
    rows = {row["due_at"]: dict(row) for row in held}
    ends = {breach.due_at: breach.closed_at for breach in found}
    for row in rows.values():
        # What its promise, or Airflow, counted otherwise came with the next of it.
        row["closed_at"] = ends.get(row["due_at"], row["closed_at"] or standing.came_after(row["due_at"]))
    for breach in found:
        is_past = breach.closed_at is not None and (looked_at is None or breach.closed_at <= looked_at)
        if not is_past and not _is_known(rows, breach.due_at):
            rows[breach.due_at] = _row(standing, breach, "ledger", now)
    for notice in missed if standing.is_fetched else ():
        came = standing.came_after(notice.asked_at)
        if (came is None or came > notice.due_at) and not _is_known(rows, notice.due_at) and not _is_late(rows):
            rows[notice.due_at] = _row(standing, Breach(notice.due_at, came), "airflow", now)
    before = {row["due_at"]: row for row in held}
    return [row for due_at, row in sorted(rows.items()) if row != before.get(due_at)]


def _is_known(rows: Mapping[datetime, Row], moment: datetime) -> bool:
    return any(_covers(Breach(due_at, row["closed_at"]), moment) for due_at, row in rows.items())


def _is_late(rows: Mapping[datetime, Row]) -> bool:
    return any(row["closed_at"] is None for row in rows.values())


def _covers(breach: Breach, moment: datetime) -> bool:
    return breach.due_at <= moment and (breach.closed_at is None or moment < breach.closed_at)


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return None if one is None or other is None else max(one, other)


def _row(standing: Standing, breach: Breach, noticed_by: str, now: datetime) -> Row:
    return {"subject": standing.subject, "promise": standing.level.name, "due_at": breach.due_at, "closed_at": breach.closed_at,
            "promised_seconds": standing.level.within.total_seconds(), "contract_version": standing.version,
            "noticed_by": noticed_by, "noticed_at": now}
