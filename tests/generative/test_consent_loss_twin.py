"""The consent-loss report beside a plain-Python twin."""

from __future__ import annotations

from datetime import date, timedelta
from math import sqrt
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.consent_loss import CODES, COUNTED, Attribute
from jobs.stages import balance
from jobs.stages import consent_loss as stage

ON = date(2026, 11, 1)
BANDS = ("under 18", "18-29", "30-44", "45-59", "60-74", "75 and over", "unknown")
ATTRIBUTES = (Attribute("age_band", "core.identity", ("birth_on",), BANDS),
              Attribute("sex", "core.identity", ("sex_code",), ("male", "female", "other", "unknown")),
              Attribute("country", "core.identity", ("country_code",), ("DE", "FR", "other", "unknown")))
FAMILIES = {"E10": "type 1 diabetes", "E11": "type 2 diabetes", "O24": "diabetes in pregnancy", "E13": "other diabetes"}
MEANT = {"46635009": "E10", "44054006": "E11", "11687002": "O24", "73211009": "E13"}
ILL = Attribute("condition", "core.condition", (*CODES, *COUNTED), (*FAMILIES.values(), "other", "several", "unknown"), "several")
births = st.none() | st.sampled_from([18, 30, 60]).flatmap(
    lambda age: st.integers(-2, 2).map(lambda d: date(2026 - age, 11, 1) + timedelta(days=d))) | st.dates(date(1920, 1, 1), date(2027, 1, 1))
said = st.tuples(births, st.sampled_from([None, "male", "female", "other", "unknown"]), st.sampled_from([None, "DE", "FR", "CH", "US"]))
# Of each person: what sources say, in how many inputs the person is, and the decision, None where there is none.
codes = st.sampled_from([None, "E10.9", "E11", "e11.65", "O24.4", "E13.9", "I10", "J45.0", "X"])
concepts = st.sampled_from([None, "46635009", "44054006", "11687002", "73211009", "38341003"])
clinical = st.sampled_from([None, "active", "active", "recurrence", "relapse", "inactive", "remission", "resolved"])
sure = st.sampled_from([None, "confirmed", "confirmed", "unconfirmed", "provisional", "differential", "refuted", "entered-in-error"])
ill = st.lists(st.tuples(codes, concepts, clinical, sure), max_size=3)
people = st.lists(st.tuples(st.lists(said, max_size=3), st.integers(0, 2), st.sampled_from([True, False, None])), min_size=1, max_size=50)


def band(birth: date) -> str | None:
    age = next(n for n in range(-2, 200) if (birth.year + n + 1, birth.month, birth.day) > (ON.year, ON.month, ON.day))
    return next((b for b, limit in zip(BANDS, (17, 29, 44, 59, 74, 999), strict=False) if age <= limit), None) if age >= 0 else None


def levels(sources: list[tuple[Any, ...]]) -> tuple[str, str, str]:
    """What all sources that say anything say alike, else unknown."""
    found = ({band(b) for b, _, _ in sources if b}, {s for _, s, _ in sources if s != "unknown"},
             {c if c in ("DE", "FR") else "other" for _, _, c in sources if c})
    return tuple(next(iter(f - {None})) if len(f - {None}) == 1 else "unknown" for f in found)  # type: ignore[return-value]


def illness(told: list[tuple[Any, ...]]) -> str:
    """Several if more than one family is said, other if none is; of two in a record the first by the order of the levels."""
    counts = [(code, concept) for code, concept, now, how in told if now in (None, "active", "recurrence", "relapse")
              and how in (None, "confirmed") and (code or concept)]
    found = {min((list(FAMILIES).index(f) for f in ((code or "")[:3].upper(), MEANT.get(concept)) if f in FAMILIES), default=9)
             for code, concept in counts}
    families = [list(FAMILIES.values())[n] for n in found - {9}]
    return families[0] if len(families) == 1 else "several" if families else "other" if found else "unknown"


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(people=st.lists(st.tuples(ill, st.booleans()), min_size=1, max_size=60))
def test_conditions_equal_the_naive_ones(frame: Any, people: list[Any]) -> None:
    whom = "source string, source_person_id string"
    links = frame(f"{whom}, person_key string", [(f"s{m}", f"p{n}", f"k{n}") for n in range(len(people)) for m in range(3)])
    table = frame(f"{whom}, {', '.join(f'{column} string' for column in ILL.columns)}",
                  [(f"s{m}", f"p{n}", *row) for n, (told, _) in enumerate(people) for m, row in enumerate(told)])
    whole = frame("person_key string, is_in boolean", [(f"k{n}", is_in) for n, (_, is_in) in enumerate(people)])
    told = stage.described(whole, links, {"core.condition": table}, (ILL,), ON)
    assert {r.person_key: r.condition for r in told.collect()} == {f"k{n}": illness(said) for n, (said, _) in enumerate(people)}


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(people=people)
def test_counts_equal_the_naive_ones(frame: Any, people: list[Any]) -> None:
    whom = "source string, source_person_id string"
    links = frame(f"{whom}, person_key string", [(f"s{m}", f"p{n}", f"k{n}") for n in range(len(people)) for m in range(3)])
    inputs = [frame(whom, [(f"s{m}", f"p{n}") for n, (_, rows, _) in enumerate(people) if rows > m] * 2) for m in range(2)]
    identity = frame(f"{whom}, birth_on date, sex_code string, country_code string",
                     [(f"s{m}", f"p{n}", *row) for n, (sources, _, _) in enumerate(people) for m, row in enumerate(sources)])
    decisions = frame("person_key string, is_permitted boolean", [(f"k{n}", p[2]) for n, p in enumerate(people) if p[2] is not None])
    told = stage.described(stage.considered(inputs, links, decisions), links, {"core.identity": identity}, ATTRIBUTES, ON)
    got = {(r.attribute, r.level): (r.people_in, r.people_out) for r in stage.counts(told, ATTRIBUTES).collect()}
    naive: dict[tuple[str, str], tuple[int, int]] = {}
    for sources, rows, decision in people:
        for attribute, level in zip(ATTRIBUTES, levels(sources), strict=True):
            if rows:
                inside, outside = naive.get((attribute.name, level), (0, 0))
                naive[attribute.name, level] = (inside + (decision is True), outside + (decision is not True))
    assert got == naive


def determinant(matrix: list[list[float]]) -> float:
    if not matrix:
        return 1.0
    return sum((-1) ** n * value * determinant([row[:n] + row[n + 1:] for row in matrix[1:]]) for n, value in enumerate(matrix[0]))


def naive_distance(first: list[int], second: list[int]) -> float:
    """Yang and Dalton's, without the last level and by Cramer's rule."""
    p, q = [n / sum(first) for n in first[:-1]], [n / sum(second) for n in second[:-1]]
    size = range(len(p))
    s = [[(p[i] * (1 - p[i]) + q[i] * (1 - q[i])) / 2 if i == j else -(p[i] * p[j] + q[i] * q[j]) / 2 for j in size] for i in size]
    solved = [determinant([[p[i] - q[i] if j == k else s[i][j] for j in size] for i in size]) / determinant(s) for k in size]
    return sqrt(max(0.0, sum((p[k] - q[k]) * solved[k] for k in size)))


@settings(max_examples=200, deadline=None)
@given(pairs=st.lists(st.tuples(st.integers(10, 500), st.integers(10, 500)), min_size=2, max_size=5), hidden=st.integers(0, 2),
       apart=st.booleans())
def test_the_distance_equals_the_naive_one(pairs: list[tuple[int, int]], hidden: int, apart: bool) -> None:
    """The last level is hidden in the first group where they are ``apart``; besides, some levels are hidden in both."""
    sides = [[pair[n] for pair in pairs] for n in (0, 1)]
    published = [[*sides[0][:-1], None if apart else sides[0][-1], *[None] * hidden], [*sides[1], *[None] * hidden]]
    got = balance.distance(published[0], published[1], [sum(side) for side in sides])
    assert got == pytest.approx(naive_distance(sides[0], sides[1]), rel=1e-6, abs=1e-7)
