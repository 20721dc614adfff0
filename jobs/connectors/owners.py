"""Whom a payload names as the person it is about, before anything was made of it."""

from __future__ import annotations

from typing import Any

from contracts.model import Source
from jobs.connectors.records import at

WHO = "source_person_id"


def owners(source: Source, stream: str, content: Any) -> set[str]:
    """Every id at the places that the source's contract makes ``source_person_id`` from; of a reference its last part too.

    content: what the payload holds (``records.parsed``). Empty where it names nobody there, or is unreadable.
    """
    feeds = (feed for feed in source.feeds if feed.stream == stream)
    places = {path for feed in feeds for mapping in feed.mappings if mapping.column == WHO for path in mapping.paths}
    found = {str(value) for path in places if isinstance(value := at(content, path), str | int) and not isinstance(value, bool)}
    return found | {value.rpartition("/")[2] for value in found}
