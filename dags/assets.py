"""One Airflow asset per table of the lake: named like the table, its address the table's own."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import timedelta
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Any

from airflow.sdk import Asset, AssetOrTimeSchedule, CronTriggerTimetable

EVERY_NIGHT = "0 1 * * *"  # UTC.
PERMIT = ("core.consent", "core.identity", "vault.link", "vault.held")  # What a decision about people rests on.


def root() -> str:
    """Address of the lake's root, file:// or s3://: ``CONCORD_LAKE``, or the folder ``lake`` of ``CONCORD_HOME``."""
    lake = os.environ.get("CONCORD_LAKE") or str(Path(os.environ.get("CONCORD_HOME", ".concord")) / "lake")
    return (lake if "://" in lake else Path(lake).resolve().as_uri()).rstrip("/")


def asset(table: str) -> Asset:
    """The asset of table ``zone.name``."""
    return Asset(name=table, uri=f"{root()}/{table.replace('.', '/')}", group=table.split(".")[0])


def any_of(tables: Iterable[str]) -> Any:
    """A schedule: run when any of the tables changed (a list of assets would wait for all of them)."""
    return reduce(or_, (asset(t) for t in sorted(set(tables))))


def at(cron: str) -> CronTriggerTimetable:
    """A schedule in UTC, of times to come: Airflow would make up for a last one that is less than a tenth of the time between
    two ago, which a run that somebody starts by hand has just done."""
    return CronTriggerTimetable(cron, timezone="UTC", run_immediately=timedelta(0))


def any_of_or_nightly(tables: Iterable[str]) -> AssetOrTimeSchedule:
    """Run when any of the tables changed, and every night: time alone ends a yes, and reviewers decide at any time."""
    return AssetOrTimeSchedule(timetable=at(EVERY_NIGHT), assets=any_of(tables))
