"""Whom a payload names as the person it is about, and when they said it, before anything was made of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from contracts.model import Source
from jobs.connectors.records import at, instant

WHO, SAID, STATEMENTS = "source_person_id", "recorded_at", "core.consent"
EARLIEST = "0001-01-01T00:00:00+00:00"  # What a time that is given in part begins with.


def owners(source: Source, stream: str, content: Any) -> set[str]:
    """Every id at the places that the source's contract makes ``source_person_id`` from; of a reference its last part too.

    content: what the payload holds (``records.parsed``). Empty where it names nobody there, or is unreadable.
    """
    feeds = (feed for feed in source.feeds if feed.stream == stream)
    places = {path for feed in feeds for mapping in feed.mappings if mapping.column == WHO for path in mapping.paths}
    found = {str(value) for path in places if isinstance(value := at(content, path), str | int) and not isinstance(value, bool)}
    return found | {value.rpartition("/")[2] for value in found}


def said_at(source: Source, stream: str, content: Any) -> list[datetime] | None:
    """When a payload says that its statements of consent were made, at every place that the source's contract takes that from;
    empty where no place has a time one can read, and None for a stream without statements. A year or a day is its beginning."""
    feeds = [feed for feed in source.feeds if feed.stream == stream and feed.table == STATEMENTS]
    if not feeds:
        return None
    places = {path for feed in feeds for mapping in feed.mappings if mapping.column == SAID for path in mapping.paths}
    return [moment for path in places if (moment := _moment(at(content, path))) is not None]


def _moment(value: Any) -> datetime | None:
    if found := instant(value):
        return found
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return instant(text + EARLIEST[len(text):]) if len(text) in (4, 7, 10) else None
