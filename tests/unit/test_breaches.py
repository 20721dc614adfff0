"""When promises were broken, from moments alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.service_levels import ServiceLevel
from jobs.breaches import Breach, Missed, Span, Standing, to_write

START = datetime(2026, 11, 1, tzinfo=UTC)


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def standing(spans: list[tuple[float, float | None]], kept: list[float], within: float = 5) -> Standing:
    level = ServiceLevel(promise="latency", within=timedelta(hours=within), element=None, driver=None)
    return Standing("source.crm", "1.0.0", level, tuple(Span(at(b), None if c is None else at(c)) for b, c in spans),
                    tuple(at(k) for k in kept), True)


def gaps(answers: list[float], within: float = 5) -> Standing:
    """A frequency: from each answer to the next."""
    return standing([*pairwise(answers), (answers[-1], None)], answers, within)


def told(rows: list[dict[str, Any]]) -> list[tuple[float, float | None, str]]:
    def hours(moment: datetime | None) -> float | None:
        return None if moment is None else (moment - START) / timedelta(hours=1)
    return [(hours(row["due_at"]) or 0, hours(row["closed_at"]), row["noticed_by"]) for row in rows]


@pytest.mark.parametrize(("spans", "now", "broken"), [
    ([], 100, []), ([(0, 4)], 100, []), ([(0, 5)], 100, []), ([(0, 6)], 100, [(5, 6)]), ([(0, None)], 5, []), ([(0, None)], 6, [(5, None)]),
    ([(0, 20), (1, 30)], 100, [(5, 30)]), ([(0, 30), (1, 20)], 100, [(5, 30)]), ([(0, 20), (1, None)], 100, [(5, None)]),
    ([(0, 8), (10, 18)], 100, [(5, 8), (15, 18)]), ([(-9, 8)], 100, [(-4, 8)])])
def test_what_comes_later_than_promised_is_a_breach_and_what_overlaps_is_one(
        spans: Any, now: float, broken: list[tuple[float, float | None]]) -> None:
    found = standing(spans, []).breaches(at(now))
    assert found == [Breach(at(due), None if closed is None else at(closed)) for due, closed in broken]


def test_the_age_is_that_of_the_oldest_that_is_waited_for() -> None:
    assert standing([(0, 4), (3, None), (7, None)], []).age(at(10)) == timedelta(hours=7)
    assert standing([(0, 4)], []).age(at(10)) == timedelta(0)


def test_a_breach_is_written_once_and_closed_when_it_comes() -> None:
    opened = to_write(gaps([0]), [], at(4), at(6))
    assert told(opened) == [(5, None, "ledger")]
    assert to_write(gaps([0]), opened, at(6), at(7)) == []
    closed = to_write(gaps([0, 8]), opened, at(7), at(9))
    assert told(closed) == [(5, 8, "ledger")] and closed[0]["noticed_at"] == at(6)
    assert to_write(gaps([0, 8]), closed, at(9), at(10)) == []


def test_what_began_and_ended_between_two_looks_is_written_too() -> None:
    assert told(to_write(gaps([0, 8]), [], at(4), at(9))) == [(5, 8, "ledger")]


def test_what_was_over_before_anybody_looked_is_no_breach() -> None:
    """A contract that promises more than it did says nothing about what was."""
    assert to_write(gaps([0, 8]), [], None, at(9)) == [] == to_write(gaps([0, 8]), [], at(8.5), at(9))
    assert told(to_write(gaps([0]), [], None, at(9))) == [(5, None, "ledger")]


def test_a_second_delay_within_the_first_makes_it_longer() -> None:
    held = to_write(standing([(0, None)], []), [], at(4), at(6))
    held = to_write(standing([(0, 8), (1, None)], [8]), held, at(6), at(9)) or held
    assert told(held) == [(5, None, "ledger")]
    assert told(to_write(standing([(0, 8), (1, 12)], [8, 12]), held, at(9), at(13))) == [(5, 12, "ledger")]


def test_another_promise_closes_what_was_late_by_the_old_one_with_what_comes_next() -> None:
    held = to_write(gaps([0]), [], at(4), at(6))
    assert to_write(gaps([0], within=20), held, at(6), at(7)) == []
    assert told(to_write(gaps([0, 9], within=20), held, at(6), at(10))) == [(5, 9, "ledger")]


def notice(asked: float, due: float) -> list[Missed]:
    return [Missed("source.crm", "latency", at(asked), at(due))]


def test_a_deadline_that_airflow_saw_pass_is_a_breach_until_what_was_asked_for_comes() -> None:
    opened = to_write(standing([], []), [], None, at(6), notice(0, 5))
    assert told(opened) == [(5, None, "airflow")]
    assert to_write(standing([], []), opened, at(6), at(7), notice(0, 5)) == [], "told once more"
    assert told(to_write(standing([], [8]), opened, at(7), at(9))) == [(5, 8, "airflow")]


def test_a_deadline_of_a_run_that_had_brought_it_is_none() -> None:
    """The run still had other things to do."""
    assert to_write(standing([], [3]), [], None, at(6), notice(0, 5)) == []
    assert told(to_write(standing([], [-1]), [], None, at(6), notice(0, 5))) == [(5, None, "airflow")]
    assert told(to_write(standing([], [5.5]), [], None, at(6), notice(0, 5))) == [(5, 5.5, "airflow")], "late, but there when it was told"


def test_a_deadline_of_what_the_ledgers_know_is_theirs_to_judge() -> None:
    """A nightly build that hangs is no delay while nothing changed."""
    nothing = replace(standing([], []), is_fetched=False)
    assert to_write(nothing, [], None, at(6), notice(0, 5)) == []
    changed = replace(standing([(-0.5, None)], []), is_fetched=False)
    assert told(to_write(changed, [], None, at(6), notice(0, 5))) == [(4.5, None, "ledger")]


def test_what_airflow_and_the_ledger_tell_of_one_delay_is_one_breach() -> None:
    by_airflow = to_write(standing([(0.5, None)], []), [], at(0), at(5.2), notice(0, 5))
    assert told(by_airflow) == [(5, None, "airflow")]
    assert to_write(standing([(0.5, None)], []), by_airflow, at(5.2), at(6)) == []
    by_ledger = to_write(standing([(0.5, None)], []), [], at(0), at(6))
    assert told(by_ledger) == [(5.5, None, "ledger")]
    assert to_write(standing([(0.5, None)], []), by_ledger, at(6), at(7), notice(0, 5)) == []


@given(st.lists(st.floats(0.1, 12), min_size=1, max_size=12), st.sets(st.floats(0, 100), max_size=12))
def test_whenever_somebody_looks_the_end_is_the_same(pauses: list[float], looks: set[float]) -> None:
    """A naive twin: every pause of more than five hours since the first look, one row each."""
    answers = [sum(pauses[:i]) for i in range(len(pauses) + 1)]
    held: dict[datetime, dict[str, Any]] = {}
    looked: datetime | None = at(0)
    for look in (*sorted(looks), 200.0):
        until = [a for a in answers if a <= look]
        for row in to_write(gaps(until), list(held.values()), looked, at(look)):
            held[row["due_at"]] = row
        looked = at(look)
    expected = [(at(a + 5), at(b)) for a, b in pairwise(answers) if at(a + 5) < at(b)] + [(at(answers[-1] + 5), None)]
    assert [(row["due_at"], row["closed_at"]) for _, row in sorted(held.items())] == expected
