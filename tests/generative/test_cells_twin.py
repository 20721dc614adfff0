"""Cells and totals beside a plain-Python twin that knows everybody by name."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.stages import cells
from tests.attacks.totals import cube

quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
rows = st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("uvw"), st.sampled_from(["may", "june"]), st.none() | st.sampled_from("pqrst"),
                          st.none() | st.booleans()), max_size=40)


@pytest.mark.parametrize("over", [(), (0,), (0, 1)])
@quick
@given(said=rows)
def test_cells_and_totals_equal_the_naive_ones(frame: Any, over: tuple[int, ...], said: list[tuple[Any, ...]]) -> None:
    keys = ["channel", "country", "month"]
    people = frame("channel string, country string, month string, person string, yes boolean", said)
    found = cells.count(people, keys, "asked", ["asked", "yes"], [keys[n] for n in over]).collect()
    asked, yes = (cube({p: {r[:3] for r in said if r[3] == p and (r[4] or every)} for p in "pqrst"}, over) for every in (True, False))
    assert {tuple(r)[:3]: tuple(r)[3:] for r in found} == {key: (len(those), len(yes.get(key, ()))) for key, those in asked.items()}
