"""Cells and totals beside a plain-Python twin that knows everybody by name."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import functions as F

from jobs.stages import cells, differencing, totalled
from tests.attacks.totals import cube

quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
rows = st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("uvw"), st.sampled_from(["may", "june"]), st.none() | st.sampled_from("pqrst"),
                          st.none() | st.booleans()), max_size=40)


@pytest.mark.parametrize("over", [(), (0,), (0, 1)])
@quick
@given(said=rows)
def test_cells_and_totals_equal_the_naive_ones(frame: Any, over: tuple[int, ...], said: list[tuple[Any, ...]]) -> None:
    keys, names = ["channel", "country", "month"], ["asked", "yes"]
    people = frame("channel string, country string, month string, person string, yes boolean", said)
    asked, yes = (cube({p: {r[:3] for r in said if r[3] == p and (r[4] or every)} for p in "pqrst"}, over) for every in (True, False))
    wanted = {key: (len(those), len(yes.get(key, ()))) for key, those in asked.items()}
    if not over:
        assert {tuple(r)[:3]: tuple(r)[3:] for r in cells.count(people, keys, "asked", names).collect()} == wanted
    members = totalled.every(differencing.members(cells.members(people, keys, "asked", names), keys, names), over)
    found = {r.cell: r.amount for r in members.groupBy("cell").agg(F.sum("amount").alias("amount")).collect()}
    assert found == {"\x1f".join((*key, name)): n for key, each in wanted.items() for name, n in zip(names, each, strict=True) if n}
