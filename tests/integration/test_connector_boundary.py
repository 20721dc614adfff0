"""The boundary between two fetches, against a feed that shows changes late and many at one instant."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.connectors import boundary as module
from jobs.connectors.boundary import OVERLAP, Boundary, stamp
from jobs.connectors.records import Cursor, Record, Seen

START = datetime(2026, 10, 1, tzinfo=UTC)
# Each change: seconds since the change before, and how many seconds later it becomes visible.
CHANGES = st.lists(st.tuples(st.sampled_from([0, 0, 0.001, 1, 30, 61, 4000]), st.sampled_from([0, 0, 0, 5, 59])),
                   min_size=1, max_size=40)


def seen(number: int, at: datetime | None) -> Seen:
    payload = b"%d" % number
    return Seen(Record("s", f"s/{number}", payload, False), at)


@given(changes=CHANGES, pauses=st.lists(st.sampled_from([0.0, 1, 20, 90, 5000]), min_size=1, max_size=12))
@settings(max_examples=300, deadline=None)
def test_every_change_comes_exactly_once(changes: list[tuple[float, int]], pauses: list[float]) -> None:
    """A naive feed: what is visible and changed at or after `since`, in order of change time."""
    at, feed = START, []
    for number, (step, late) in enumerate(changes):
        at += timedelta(seconds=step)
        feed.append((at, at + timedelta(seconds=late), number))
    clock, found = START, list[int]()
    cursor: Cursor = {}
    for pause in [*pauses, 10_000_000.0]:
        clock += timedelta(seconds=pause)
        edge = Boundary(cursor, clock)
        since = datetime.fromisoformat(stamp(edge.since)) if edge.since else START
        shown = [(when, number) for when, visible, number in feed if visible <= clock and when >= since]
        found += [number for when, number in shown if edge.is_new(seen(number, when))]
        cursor = edge.cursor()
    assert sorted(found) == list(range(len(changes)))


def test_the_cursor_stays_small() -> None:
    edge = Boundary({}, START + timedelta(days=9))
    for number in range(3 * module.PRUNE):
        edge.is_new(seen(number, START + timedelta(seconds=number)))
        assert len(edge._near) <= module.PRUNE + 2 * OVERLAP.total_seconds() + 2
    assert len(edge.cursor()["seen"]) == OVERLAP.total_seconds() + 1


def test_a_record_without_a_time_comes_once() -> None:
    records = [seen(1, START), seen(2, None), seen(3, START + timedelta(seconds=1))]
    first = Boundary({}, START + timedelta(days=1))
    assert [first.is_new(r) for r in records] == [True] * 3
    second = Boundary(first.cursor(), START + timedelta(days=1))
    assert [second.is_new(r) for r in records] == [False] * 3
