"""Good batches: what the simulated sources deliver between two instants, as a connector would land it."""

from __future__ import annotations

import csv
import io
import json
import zlib
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any

import msgspec

from contracts import catalog
from contracts.model import Stream
from infra.local.sources.population import DAY_MS, Settings
from infra.local.sources.readings import HOUR_MS
from infra.local.sources.world import World
from jobs.connectors.ndjson import split, whole
from jobs.connectors.records import Record, look
from jobs.connectors.rows import rows
from tests.landing import Raw

TIMELY = ("adherence_app", "device_cloud", "social")  # They deliver as much day by day; the others when people come and go.
OWNERS = {"crm": ("PartyId", "ParentId", "ContactId", "Id"), "community": ("member_id",), "study": ("participant_id",)}
NIGHT = 2 * HOUR_MS  # When the sources are asked.


class Deliveries:
    """The sources of one world of people and days. Instants are whole days since its start, at two in the morning."""

    def __init__(self, seed: int, people: int, days: int, start: date = date(2026, 10, 1)) -> None:
        self.world = World(Settings(people, days + 1, seed, start))

    def at(self, day: int) -> datetime:
        """The instant of a day's delivery."""
        return datetime.fromtimestamp(self._clock(day) / 1000, UTC)

    def batch(self, source: str, after: int | None, until: int, half: int | None = None) -> list[Raw]:
        """What a source delivers on day ``until`` that changed since day ``after`` (None: ever), in its own order.

        ``half``: of one half of its people alone, as when another site or country joins later.
        """
        since, clock = -1 if after is None else self._clock(after), self._clock(until)
        found: list[Raw] = []
        for stream in catalog().sources[source].streams:
            wanted = [c for c in self._changes(source, stream, since, clock) if half is None or _half(source, c[0]) == half]
            found += self._landed(source, stream, wanted)
        return found

    def _clock(self, day: int) -> int:
        return self.world.settings.start_ms + day * DAY_MS + NIGHT

    def _changes(self, source: str, stream: Stream, since: int, clock: int) -> Iterator[tuple[dict[str, Any], bool]]:
        """Payloads, and whether they tell that a record is gone."""
        world, name = self.world, stream.path.rstrip("/").rpartition("/")[2]
        match source:
            case "adherence_app":
                feed = world.app.streams[name]
                yield from ((record, False) for record in feed.page(feed.end(since), feed.end(clock)))
            case "social":
                for status in world.social.statuses:
                    if status.is_shown(clock) and (since < status.created or since < status.edited <= clock):
                        yield world.social.render(status, clock), False
            case "device_cloud" if name == "Observation":
                changed = world.cloud.observations.current(clock, since)
                yield from ((r, False) for r in world.cloud.render(changed[~changed["deleted"]]))
                for gone in world.cloud.observation_ids(changed[changed["deleted"]]):
                    yield _gone(name, gone), True
            case "device_cloud":
                for version in world.cloud.logs[name].current(clock, since):
                    yield (_gone(name, version.id), True) if version.deleted else (version.record, False)
            case _:
                log = {"crm": world.crm, "community": world.community, "study": world.study}[source].logs[name]
                yield from ((version.record, False) for version in log.current(clock, since))

    def _landed(self, source: str, stream: Stream, changes: list[tuple[dict[str, Any], bool]]) -> list[Raw]:
        if source == "study":
            return read_csv(stream, as_csv([c for c, _ in changes], self._columns[stream.name]))
        return [raw(stream, content, is_gone) for content, is_gone in changes]

    @cached_property
    def _columns(self) -> dict[str, list[str]]:
        return {name: list(log.versions[0].record) for name, log in self.world.study.logs.items()}


def raw(stream: Stream, content: Any, is_gone: bool = False) -> Raw:
    """A payload as it is landed, named as its stream's contract says."""
    if is_gone:
        return Raw(f"{stream.name}/{content['request']['url'].rpartition('/')[2]}", msgspec.json.encode(content), stream.name, True)
    return _of(look(stream, content if isinstance(content, bytes) else msgspec.json.encode(content)).record)


def content(record: Raw) -> Any:
    """What a payload says."""
    return json.loads(record.content)


def as_csv(changes: Iterable[dict[str, Any]], columns: list[str]) -> bytes:
    """A file of rows with a header."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(changes)
    return text.getvalue().encode()


def read_csv(stream: Stream, file: bytes) -> list[Raw]:
    """The records of a CSV file, rows that are none among them."""
    return [_of(look(stream, payload).record) if is_sound else Raw(None, payload, stream.name)
            for payload, is_sound in rows(split([file]), stream.record_id.steps[0])]


def read_ndjson(stream: Stream, file: bytes) -> list[Raw]:
    """The records of a file of JSON lines."""
    return [raw(stream, line) for found in split([file]) for line in whole(found)]


def _of(record: Record) -> Raw:
    return Raw(record.record_id, record.payload, record.stream, record.is_deleted)


def _gone(kind: str, name: str) -> dict[str, Any]:
    return {"request": {"method": "DELETE", "url": f"{kind}/{name}"}}


def _half(source: str, record: dict[str, Any]) -> int:
    owner = next((record[field] for field in OWNERS.get(source, ()) if field in record), "")
    return zlib.crc32(str(owner).encode()) % 2
