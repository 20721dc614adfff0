"""The guard against differencing beside a naive one that compares all pairs of releases, cell by cell and sum by sum."""

from __future__ import annotations

from datetime import date
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from tests.series import MEMBERS, Row, Series, Twin, cells_of, few, isolating, optin_rates, values

SMALL = optin_rates(minimum_cell=2, rounding=2, differencing=few(people=3))
persons = st.integers(0, 11).map(lambda n: f"p{n}")
places = st.tuples(st.sampled_from(["email", "none"]), st.just("research"), st.sampled_from(["DE", "FR"]),
                   st.sampled_from([date(2026, 1, 1), date(2026, 2, 1), date(2026, 5, 1)]))
answers = st.sampled_from([(0, 0), (1, 0), (1, 0), (0, 1)])


@st.composite
def series(draw: Any) -> list[list[Row]]:
    """Three or four releases: some people come, some go, some answer otherwise, many stay."""
    standing: dict[Any, Any] = {}
    made = []
    for _ in range(draw(st.integers(3, 4))):
        for gone in draw(st.sets(st.sampled_from(sorted(standing)), max_size=4)) if standing else ():
            del standing[gone]
        size = draw(st.sampled_from([1, 2, 4, 25]))
        standing |= draw(st.dictionaries(st.tuples(persons, places), answers, max_size=size))
        made.append([(person, *place, 1, *said) for (person, place), said in sorted(standing.items())])
    return made


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(releases=series())
def test_releases_equal_the_naive_ones_and_no_two_isolate(spark: SparkSession, releases: list[list[Row]]) -> None:
    with TemporaryDirectory() as folder:
        ours, twin = Series(spark, Path(folder), SMALL), Twin(SMALL)
        for rows in releases:
            told = ours.release(spark.createDataFrame(rows, MEMBERS))
            assert values(told) == twin.release(cells_of(rows))
    assert [found for later, before in combinations(twin.released[::-1], 2) if (found := isolating(later, before, SMALL))] == []
