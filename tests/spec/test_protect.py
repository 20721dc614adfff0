"""What may leave of an aggregate: small cells vanish, counts are coarse, and the accounts hold."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.stages import protect

AGGREGATE = "name string, people long, calls long, note string"
# people, calls -> what leaves with a minimum of 7 and rounding to 5 (None: the row does not)
CELLS: list[tuple[int | None, int | None, tuple[int | None, int | None] | None]] = [
    (None, 50, None), (0, 0, None), (1, 50, None), (7, 50, None), (8, 50, (10, 50)), (9, 50, (10, 50)),
    (12, 50, (10, 50)), (13, 50, (15, 50)), (17, 50, (15, 50)), (18, 50, (20, 50)), (1002, 50, (1000, 50)),
    (20, 0, (20, None)), (20, 1, (20, None)), (20, 7, (20, None)), (20, 8, (20, 10)), (20, None, (20, None)),
    (8, 8, (10, 10)),
]


def test_small_cells_vanish_and_the_rest_is_rounded(frame: Any) -> None:
    rows = frame(AGGREGATE, [(str(n), people, calls, "kept") for n, (people, calls, _) in enumerate(CELLS)])
    left = protect.suppress(rows, "people", ["people", "calls"], 7, 5)
    assert left.columns == rows.columns
    assert {int(r.name): (r.people, r.calls) for r in left.select("name", "people", "calls").collect()} == {
        n: expected for n, (_, _, expected) in enumerate(CELLS) if expected}
    assert {r.note for r in left.select("note").collect()} == {"kept"}


# events, people behind them -> what leaves beside twenty people: a count of events hides nobody by itself.
EVENTS = [(9, 1, None), (50, 7, None), (50, 8, 50), (8, 8, 10), (7, 7, None), (50, None, None), (0, 0, None)]


def test_events_of_few_people_vanish(frame: Any) -> None:
    rows = frame("name string, people long, calls long, people_in_calls long", [(str(n), 20, e, p) for n, (e, p, _) in enumerate(EVENTS)])
    left = protect.suppress(rows, "people", ["calls"], 7, 5)
    assert left.columns == ["name", "people", "calls"]
    assert {int(r.name): r.calls for r in left.collect()} == {n: expected for n, (_, _, expected) in enumerate(EVENTS)}


# events, people behind them, the most of one -> what leaves where nobody may have more than four fifths.
DOMINATED = [(100, 20, 80, 100), (100, 20, 81, None), (10, 10, 1, 10), (100, 7, 10, None), (100, 20, None, None)]


def test_cells_that_one_person_dominates_vanish(frame: Any) -> None:
    rows = frame("name string, people long, calls long, people_in_calls long, most_in_calls long",
                 [(str(n), 30, e, p, m) for n, (e, p, m, _) in enumerate(DOMINATED)])
    left = protect.suppress(rows, "people", ["calls"], 7, 5, 0.8)
    assert left.columns == ["name", "people", "calls"]
    assert {int(r.name): r.calls for r in left.collect()} == {n: expected for n, (_, _, _, expected) in enumerate(DOMINATED)}
    without = {int(r.name): r.calls for r in protect.suppress(rows, "people", ["calls"], 7, 5).collect()}
    assert without[1] == without[4] == 100 and without[3] is None


@pytest.mark.parametrize(("rounding", "expected"), [
    (None, [8, 9, 10, 14, 15]), (1, [8, 9, 10, 14, 15]), (10, [10, 10, 10, 10, 20]), (3, [9, 9, 9, 15, 15]),
])
def test_rounding(frame: Any, rounding: int | None, expected: list[int]) -> None:
    rows = frame("people long", [(n,) for n in (8, 9, 10, 14, 15)])
    assert [r.people for r in protect.suppress(rows, "people", [], 7, rounding).collect()] == expected


def test_the_account_of_cells(frame: Any) -> None:
    rows = frame(AGGREGATE, [(str(n), people, calls) for n, (people, calls, _) in enumerate(CELLS)])
    account = {r.outcome: r.rows for r in protect.account(protect.mark_cells(rows, "people", 7)).collect()}
    assert account == {"released": sum(bool(c[2]) for c in CELLS), "suppressed": sum(not c[2] for c in CELLS)}
