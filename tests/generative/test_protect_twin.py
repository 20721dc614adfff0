"""The protect stage beside a plain-Python twin, and what must hold whatever comes in."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.stages import protect

quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
counts = st.none() | st.integers(0, 40) | st.integers(0, 10**6)
aggregates = st.lists(st.tuples(counts, counts), min_size=1, max_size=60)


def coarse(count: int | None, minimum: int, rounding: int) -> int | None:
    return None if count is None or count <= minimum else int((count + rounding / 2) // rounding * rounding)


@quick
@given(rows=aggregates, minimum=st.integers(2, 12), rounding=st.integers(1, 12))
def test_cells_equal_the_naive_ones(frame: Any, rows: list[tuple[Any, Any]], minimum: int, rounding: int) -> None:
    built = frame("people long, calls long", rows)
    left = [tuple(r) for r in protect.suppress(built, "people", ["calls"], minimum, rounding).collect()]
    naive = [tuple(coarse(c, minimum, rounding) for c in row) for row in rows if row[0] and row[0] > minimum]
    assert sorted(map(str, left)) == sorted(map(str, naive))
    account = {r.outcome: r.rows for r in protect.account(protect.mark_cells(built, "people", minimum)).collect()}
    assert account.get("released", 0) == len(left) and sum(account.values()) == len(rows)
