"""Dense streams as arrays: glucose readings and medication doses, with late arrivals, edits and deletions.

A row is one change of one item; values are computed from hashes when a page is rendered, not stored.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .hashing import Floats, mix, normal, unit
from .population import DAY_MS
from .versions import FOREVER

Rows = NDArray[Any]
ROW = np.dtype([  # shown from `at` to `until`; `first` is when the item's first version arrived; all in ms
    ("at", "i8"), ("until", "i8"), ("occurred", "i8"), ("first", "i8"),
    ("person", "i4"), ("day", "i4"), ("slot", "i1"), ("version", "i1"), ("deleted", "?")])
HOUR_MS, MINUTE_MS, SECOND_MS = 3_600_000, 60_000, 1000
GLUCOSE_HOURS = np.array([5.2, 7.5, 10.3, 12.6, 15.4, 18.1, 20.9])
DOSE_HOURS = np.array([5.8, 18.4])


@dataclass(frozen=True, slots=True)
class Member:
    """Who sends readings and between which instants."""

    person: int
    since: int
    until: int = FOREVER


@dataclass(frozen=True, slots=True)
class Plan:
    """How one stream comes about: hours of the day by slot, chance of each slot, and shares of what goes wrong."""

    label: str
    hours: NDArray[Any]
    chance: NDArray[Any]
    occurrence: str = "glucose"
    edited: float = 0.03
    deleted: float = 0.008


# The app copies two of the meter's slots, so the same measurement may reach both systems.
APP_GLUCOSE = Plan("app.glucose", GLUCOSE_HOURS, np.array([0, 0.9, 0, 0, 0.25, 0.85, 0.0]))
APP_DOSE = Plan("app.dose", DOSE_HOURS, np.array([0.82, 0.22]), occurrence="dose")
CLOUD_GLUCOSE = Plan("cloud.glucose", GLUCOSE_HOURS, np.array([0.8, 0.9, 0.6, 0.72, 0.55, 0.85, 0.65]))


def grow(plan: Plan, seed: int, start: int, members: list[Member], first_day: int, last_day: int) -> Rows:
    """All changes of the items that occurred on the days first_day..last_day-1, in no order."""
    if not members or last_day <= first_day:
        return np.empty(0, dtype=ROW)
    person = np.array([m.person for m in members], dtype=np.int64)[:, None, None]
    day = np.arange(first_day, last_day, dtype=np.int64)[None, :, None]
    slot = np.arange(len(plan.hours), dtype=np.int64)[None, None, :]
    jitter = (unit(seed, plan.occurrence, "jitter", person, day, slot) - 0.5) * 80 * MINUTE_MS
    occurred = start + day * DAY_MS + (plan.hours * HOUR_MS + jitter).astype(np.int64)
    exists = unit(seed, plan.label, "exists", person, day, slot) < plan.chance
    since = np.array([m.since for m in members], dtype=np.int64)[:, None, None]
    until = np.array([m.until for m in members], dtype=np.int64)[:, None, None]
    who, when, which = np.nonzero(exists & (occurred >= since) & (occurred < until))
    items = np.empty(len(who), dtype=ROW)
    items["person"], items["day"], items["slot"] = person[who, 0, 0], day[0, when, 0], which
    items["occurred"], items["version"], items["deleted"] = occurred[who, when, which], 0, False
    return _lives(plan, seed, items)


def _lives(plan: Plan, seed: int, items: Rows) -> Rows:
    """Add to each item its arrival time and, for some, an edit and a deletion."""
    def roll(name: str) -> Floats:
        return unit(seed, plan.label, name, items["person"], items["day"], items["slot"])

    lateness, spread = roll("lateness"), roll("spread")
    delay = np.where(lateness < 0.90, 5 * SECOND_MS + spread * 10 * MINUTE_MS,
                     np.where(lateness < 0.98, HOUR_MS + spread * 20 * HOUR_MS, 2 * DAY_MS + spread * 7 * DAY_MS))
    first = items["occurred"] + delay.astype(np.int64)
    edit = first + HOUR_MS + (roll("edit.after") * 6 * DAY_MS).astype(np.int64)
    is_edited, is_deleted = roll("edited") < plan.edited, roll("deleted") < plan.deleted
    latest = np.where(is_edited, edit, first)
    gone = latest + HOUR_MS + (roll("deleted.after") * 8 * DAY_MS).astype(np.int64)
    end = np.where(is_deleted, gone, FOREVER)
    items["first"] = first
    created, edited, deleted = items.copy(), items[is_edited].copy(), items[is_deleted].copy()
    created["at"], created["until"] = first, np.where(is_edited, edit, end)
    edited["at"], edited["until"], edited["version"] = edit[is_edited], end[is_edited], 1
    deleted["at"], deleted["until"], deleted["version"] = gone[is_deleted], FOREVER, 2
    deleted["deleted"] = True
    return np.concatenate([created, edited, deleted])


@dataclass(slots=True)
class Table:
    """All changes of one dense stream in order of change time; the part up to a clock is stable."""

    rows: Rows = field(default_factory=lambda: np.empty(0, dtype=ROW))

    def extend(self, rows: Rows) -> None:
        """Add changes and keep the order."""
        merged = np.concatenate([self.rows, rows])
        order = np.lexsort((merged["version"], merged["slot"], merged["person"], merged["at"]))
        self.rows = merged[order]

    def position(self, since: int) -> int:
        """The place of the first change at or after `since`."""
        return int(np.searchsorted(self.rows["at"], since, side="left"))

    def end(self, clock: int) -> int:
        """The place after the last change that the clock shows."""
        return int(np.searchsorted(self.rows["at"], clock, side="right"))

    def current(self, clock: int, after: int = -1) -> Rows:
        """The latest changes up to the clock of the items that changed later than `after`, deletions included."""
        seen = self.rows[int(np.searchsorted(self.rows["at"], after, side="right")) : self.end(clock)]
        return seen[seen["until"] > clock]


def glucose_mg_dl(seed: int, rows: Rows) -> NDArray[np.int64]:
    """The true blood glucose of rows in mg/dL: a level per person, a rise after meals, day and moment noise."""
    person, day, slot = rows["person"], rows["day"], rows["slot"]
    level = 105 + 70 * unit(seed, "level", person) ** 2
    swing = 12 + 30 * unit(seed, "swing", person)
    meal = np.array([-8.0, 18.0, -2.0, 14.0, -4.0, 22.0, 6.0])[slot]
    daily = 8 * normal(seed, "daily", person, day)
    noise = swing * normal(seed, "moment", person, day, slot)
    corrected = np.where(rows["version"] == 1, 10 * normal(seed, "corrected", person, day, slot), 0)
    value: NDArray[np.int64] = np.clip(level + meal + daily + noise + corrected, 42, 480).round().astype(np.int64)
    return value


def uses_mmol(seed: int, person: NDArray[Any], british: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether a person's meter counts in mmol/L: nearly all in Britain, a few elsewhere."""
    return unit(seed, "mmol", person) < np.where(british[person], 0.95, 0.12)


def ids(seed: int, label: str, rows: Rows) -> list[str]:
    """Item ids of 16 hexadecimal digits, the same for all versions of an item."""
    return [f"{word:016x}" for word in mix(seed, label, "id", rows["person"], rows["day"], rows["slot"]).tolist()]
