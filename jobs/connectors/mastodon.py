"""Public posts with a hashtag, by Mastodon.py: new ones, and edits and deletions of the last days.

A timeline has no feed of changes. So each fetch walks from the newest post back over the days the contract's
``revisit_days`` says, hands on what differs from what is known, and asks for each known post it did not meet.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit

from mastodon import Mastodon, MastodonAPIError

from contracts.expressions import Path
from contracts.model import Source, Stream
from jobs.connectors.explain import not_promised
from jobs.connectors.pages import Pages, cut
from jobs.connectors.records import Cursor, Record, at, digest, instant, look, parsed
from jobs.connectors.session import Session

CREATED = Path(("created_at",))
Place = tuple[int, str]


def read(source: Source, stream: Stream, http: Session, cursor: Cursor, now: datetime,
         landed: Mapping[str, str]) -> Iterator[Record | tuple[str, Cursor]]:
    """New and changed posts from the newest backwards, then deletions, then the new cursor.

    ``landed`` is the SHA-256 of the payload last landed of each post of those days and one more. The payload of a
    deletion is ``{"id": ...}``: the source has nothing left to send. Raises SourceRefused for a next link elsewhere or
    in a circle.
    """
    walk = _Walk(stream, cursor, now - timedelta(days=stream.revisit_days or 0))
    client = _client(http)
    for page in _pages(client, http, stream.path, source.connection.page_size):
        for payload in page:
            record = walk.meet(payload)
            if record and (record.record_id is None or landed.get(record.record_id) != digest(payload)):
                yield record
        if walk.is_over(page):
            break
    for name in walk.unmet(landed):
        yield from _asked(client, http, stream, name, landed[f"{stream.name}/{name}"])
    yield stream.name, walk.cursor()


class _Walk:
    """Where in the timeline one is, and what was met."""

    def __init__(self, stream: Stream, cursor: Cursor, horizon: datetime) -> None:
        self.stream, self.horizon = stream, horizon
        self.last = place(str(cursor.get("last_id", "")))
        self.nameless_before, self.nameless = frozenset(cursor.get("nameless", ())), set[str]()
        self.newest, self.floor = self.last, place("")
        self.met: set[str] = set()

    def meet(self, payload: bytes) -> Record | None:
        """The record, when it may be news: None for one from before the horizon that was here before."""
        record, name, created = self._read(payload)
        if record.record_id is None:
            self.nameless.add(digest(payload))
            return None if digest(payload) in self.nameless_before else record
        self.met.add(name)
        self.newest = max(self.newest, place(name))
        if created and created < self.horizon:
            self.floor = max(self.floor, place(name))
            return record if place(name) > self.last else None
        return record

    def is_over(self, page: list[bytes]) -> bool:
        """Whether every post of the page that can be read is older than the horizon, and was here before."""
        read = [(name, created) for _, name, created in map(self._read, page) if name and created]
        return bool(read) and all(created < self.horizon and place(name) <= self.last for name, created in read)

    def unmet(self, landed: Mapping[str, str]) -> list[str]:
        """Ids of known posts, younger than the horizon, that the timeline did not show."""
        names = (record_id.removeprefix(f"{self.stream.name}/") for record_id in landed)
        return [n for n in names if n not in self.met and re.fullmatch(r"[0-9A-Za-z]+", n) and place(n) > self.floor]

    def cursor(self) -> Cursor:
        """The cursor after a complete walk."""
        return {"last_id": self.newest[1], "nameless": sorted(self.nameless)}

    def _read(self, payload: bytes) -> tuple[Record, str, datetime | None]:
        record = look(self.stream, payload).record
        name = record.record_id.removeprefix(f"{self.stream.name}/") if record.record_id else ""
        return record, name, instant(at(parsed(payload), CREATED))


def place(name: str) -> Place:
    """An id as a place in the timeline: ids are numbers that grow with time, or texts of one length that do."""
    return len(name), name


def _client(http: Session) -> Mastodon:
    """The vendor's client; our session puts the real token on each request, in place of the one given here."""
    return Mastodon(api_base_url=http.base_url, session=http, ratelimit_method="throw", version_check_mode="none",
                    access_token="-" if http.bearer else None)


def _pages(client: Mastodon, http: Session, hashtag: str, size: int) -> Iterator[list[bytes]]:
    pages, below = Pages(http.place), None
    while True:
        client.timeline_hashtag(hashtag, max_id=below, limit=size)
        answer = http.last
        yield cut(answer.content, None)
        link = answer.links.get("next", {}).get("url")
        if not link:
            return
        found = parse_qs(urlsplit(http.allow(link)).query).get("max_id")
        if not found:
            raise not_promised(http.place, "the link to the next page names no max_id")
        below = pages.follow(found[0])


def _asked(client: Mastodon, http: Session, stream: Stream, name: str, held: str) -> Iterator[Record]:
    """What became of a post that the timeline no longer shows: it is gone, or has lost its hashtag."""
    http.may_be_gone = True
    try:
        client.status(name)
    except MastodonAPIError:
        if http.last.ok:
            raise
    finally:
        http.may_be_gone = False
    payload = http.last.content if http.last.ok else b'{"id":"%s"}' % name.encode()
    if digest(payload) != held:
        yield Record(stream.name, f"{stream.name}/{name}", payload, not http.last.ok)
