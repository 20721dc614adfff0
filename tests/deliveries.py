"""Good batches: what the simulated sources deliver between two instants, as a connector would land it."""

from __future__ import annotations

import csv
import io
import random
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache, cached_property
from typing import Any

import msgspec

from contracts import catalog
from contracts.model import Stream
from infra.local.sources import world as simulated
from infra.local.sources.population import DAY_MS, Settings
from infra.local.sources.readings import HOUR_MS
from jobs.connectors.ndjson import split, whole
from jobs.connectors.records import Record, look
from jobs.connectors.rows import rows
from tests.landing import Raw
from tests.payloads import hash_of, is_alive, version

TIMELY = ("adherence_app", "device_cloud", "social")  # They deliver as much day by day; the others when people come and go.
OWNERS = {"crm": ("PartyId", "ParentId", "ContactId", "Id"), "community": ("member_id",), "study": ("participant_id",)}
NIGHT = 2 * HOUR_MS  # When the sources are asked.


class Deliveries:
    """The sources of one world of people and days. Instants are whole days since its start, at two in the morning."""

    def __init__(self, seed: int, people: int, days: int, start: date = date(2026, 10, 1)) -> None:
        self.world = simulated.World(Settings(people, days + 1, seed, start))
        self.batch = cache(self._batch)

    def at(self, day: int) -> datetime:
        """The instant of a day's delivery."""
        return datetime.fromtimestamp(self._clock(day) / 1000, UTC)

    def _batch(self, source: str, after: int | None, until: int, half: int | None = None) -> tuple[Raw, ...]:
        """What a source delivers on day ``until`` that changed since day ``after`` (None: ever), in its own order.

        ``half``: of one half of its people alone, as when another site or country joins later.
        """
        since, clock = -1 if after is None else self._clock(after), self._clock(until)
        found: list[Raw] = []
        for stream in catalog().sources[source].streams:
            wanted = [c for c in self._changes(source, stream, since, clock) if half is None or _half(source, c[0]) == half]
            found += self._landed(source, stream, wanted)
        return tuple(found)

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


@dataclass(frozen=True)
class Case:
    """A batch with what was done to it. ``hit`` are positions of records; ``is_refused``: landing takes nothing of it."""

    name: str
    source: str
    world: int
    records: list[Raw]
    at: datetime
    has_history: bool
    hit: frozenset[int] = frozenset()
    kind: str = "good"
    is_refused: bool = False
    notes: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class World:
    """A world's sources, the day up to which their history goes, and its number."""

    number: int
    sources: Deliveries
    day: int

    def first(self, source: str) -> Case:
        """All that a source delivers at first; of half of its people where these matter more than days."""
        half = None if source in ("adherence_app", "device_cloud", "social") else 0
        return Case("first load", source, self.number, list(self.sources.batch(source, None, self.day, half)), self.sources.at(self.day), False)

    def next(self, source: str, days: int = 1) -> Case:
        """What comes some days later: what changed, or the other half of the people."""
        timely = source in ("adherence_app", "device_cloud", "social")
        records = list(self.sources.batch(source, self.day if timely else None, self.day + days, None if timely else 1))
        return Case(f"{days} days" if timely else "more people", source, self.number, records, self.sources.at(self.day + days), True)


def good(world: World, roll: random.Random) -> list[Case]:
    """Good batches beside the first loads: of a day and of a week, of more people, of few records, of a holiday, of deletions alone."""
    app, cloud = world.next("adherence_app"), world.next("device_cloud", 3)
    app_gone = [r for r in app.records if r.stream == "data_points" and not is_alive(r)]
    cloud_gone = [r for r in cloud.records if r.is_deleted]
    few = sorted((r for r in app.records if r.stream == "data_points"), key=version)[:roll.randint(1, 5)]
    soon = datetime.fromisoformat(version(few[-1])) + timedelta(minutes=1)
    return [app, world.next("adherence_app", 7), cloud, world.next("social", 7), world.next("social", 1),
            *[world.next(source) for source in ("crm", "community", "study")],
            replace(app, name="a few records", records=few, at=soon),
            replace(app, name="deletions alone", records=app_gone), replace(cloud, name="deletions alone", records=cloud_gone),
            *[replace(w, name="first load of a week, late ones from before", has_history=False)
              for w in (world.next("adherence_app", 7), world.next("device_cloud", 7))],
            replace(app, name="a holiday", records=[r for r in app.records if r.stream != "data_points" or hash_of(r) % 100 < 60])]


def raw(stream: Stream, content: Any, is_gone: bool = False) -> Raw:
    """A payload as it is landed, named as its stream's contract says."""
    if is_gone:
        return Raw(f"{stream.name}/{content['request']['url'].rpartition('/')[2]}", msgspec.json.encode(content), stream.name, True)
    return _of(look(stream, content if isinstance(content, bytes) else msgspec.json.encode(content)).record)


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
