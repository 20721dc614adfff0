"""Where the next fetch begins, and which records at that place are already here.

APIs answer with what changed *at or after* an instant, at most to the millisecond, and a change can become visible a
little after its own time stamp. So the next fetch asks again for the last minute before the newest change seen, and
the cursor carries the fingerprints of the records of that minute, so that none of them is handed on twice.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from jobs.connectors.records import Cursor, Seen, digest, instant

OVERLAP = timedelta(minutes=1)
FINGERPRINT, PRUNE = 32, 20_000


class Boundary:
    """What is new in a stream, against the cursor of the fetch before.

    A record dated after ``now`` does not move the cursor, or one wrong date would hide all that comes later; it is
    remembered by its fingerprint instead.
    """

    def __init__(self, cursor: Cursor, now: datetime) -> None:
        self.since = instant(cursor.get("since"))
        self._held = frozenset(cursor.get("seen", ()))
        self._now = now
        self._newest = self.since + OVERLAP if self.since else None
        self._near: dict[str, datetime] = {}
        self._prune_at = PRUNE

    def is_new(self, seen: Seen) -> bool:
        """Whether the record was not here at the end of the fetch before; counts it in either case."""
        print_ = digest(seen.record.payload)[:FINGERPRINT]
        version = seen.version
        if version and version <= self._now and (self._newest is None or version > self._newest):
            self._newest = version
        self._near[print_] = version or self._newest or self._now
        if len(self._near) >= self._prune_at:
            self._prune()
            self._prune_at = 2 * len(self._near) + PRUNE
        return print_ not in self._held

    def cursor(self, since: datetime | None = None) -> Cursor:
        """The cursor after a complete fetch: from ``since``, or from the newest change seen less the overlap."""
        begin = since or self._begin()
        self._prune(begin)
        found: Cursor = {"seen": sorted(self._near)}
        return found | {"since": begin.isoformat()} if begin else found

    def _begin(self) -> datetime | None:
        return self._newest - OVERLAP if self._newest else None

    def _prune(self, begin: datetime | None = None) -> None:
        begin = begin or self._begin()
        if begin:
            self._near = {print_: at for print_, at in self._near.items() if at >= begin}


def stamp(moment: datetime) -> str:
    """An instant as APIs take it: UTC with milliseconds, rounded down."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
