"""Products beside plain-Python twins."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts import catalog
from jobs.products import glucose_daily, optin_rates
from jobs.stages import cells

quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
START = datetime(2026, 1, 30, 22, tzinfo=UTC)
hours = st.integers(0, 5).map(lambda n: START + timedelta(hours=n))
persons = st.sampled_from(["p", "q", "r"])

OBSERVATION = ("person_key string, value double, unit_code string, code string, status_code string, "
               "effective_at timestamp")
amounts = (st.tuples(st.integers(30, 420).map(float), st.just("mg/dL"))
           | st.tuples(st.integers(20, 230).map(lambda n: n / 10), st.just("mmol/L"))
           | st.tuples(st.integers(30, 40).map(float), st.just("Cel")))
readings = st.lists(st.builds(
    lambda person, amount, code, status, at: (person, *amount, code, status, at), persons, amounts,
    st.sampled_from(["2339-0", "15074-8", "8867-4"]), st.sampled_from(["final", "amended", "entered-in-error"]),
    st.none() | hours), max_size=60)


def naive_glucose(rows: list[tuple[Any, ...]]) -> dict[tuple[str, Any], tuple[int, Fraction, Fraction]]:
    distinct = {(person, at, value, unit) for person, value, unit, code, status, at in rows
                if unit != "Cel" and code != "8867-4" and status != "entered-in-error" and at}
    days: dict[tuple[str, Any], list[tuple[Fraction, bool]]] = defaultdict(list)
    for person, at, value, unit in distinct:
        factor, low, high = (1.0, 70.0, 180.0) if unit == "mg/dL" else (18.0156, 3.9, 10.0)
        days[person, at.date()].append((Fraction(value) * Fraction(factor), low <= value <= high))
    return {key: (len(found), sum(v for v, _ in found) / len(found),
                  Fraction(100 * sum(ok for _, ok in found), len(found))) for key, found in days.items()}


@quick
@given(rows=readings)
def test_glucose_daily_equals_the_naive_one(frame: Any, rows: list[tuple[Any, ...]]) -> None:
    built = glucose_daily.build(frame(OBSERVATION, rows)).collect()
    assert {(r.person_key, r.observed_on): (r.readings, r.mean_mg_dl, r.time_in_range_percent) for r in built} == {
        key: (n, pytest.approx(float(mean), abs=0.001), pytest.approx(float(share)))
        for key, (n, mean, share) in naive_glucose(rows).items()}


@quick
@given(rows=st.lists(st.tuples(persons, amounts, hours), min_size=3, max_size=60), data=st.data())
def test_the_order_of_readings_changes_no_bit(frame: Any, rows: list[tuple[Any, ...]], data: st.DataObject) -> None:
    flat = [(person, *amount, "2339-0", "final", at) for person, amount, at in rows]
    mixed = data.draw(st.permutations(flat))
    one, other = ({tuple(r) for r in glucose_daily.build(frame(OBSERVATION, f)).collect()} for f in (flat, mixed))
    assert one == other


CONSENT = ("source string, source_person_id string, person_key string, purpose_code string, channel_code string, "
           "country_code string, decision_code string, recorded_at timestamp, recipient_id string")
statements = st.lists(st.tuples(
    st.just("crm"), st.sampled_from(["1", "2"]), st.none() | persons, st.sampled_from(["research", "education"]),
    st.sampled_from([None, "email"]), st.sampled_from([None, "DE", "FR"]), st.sampled_from(["permit", "deny", "asked"]),
    hours, st.sampled_from([None, None, "lab"])), max_size=60)
homes = st.lists(st.tuples(st.just("crm"), st.sampled_from(["1", "2"]), st.none() | persons,
                           st.sampled_from([None, "AT", "IT"])), max_size=6)


def naive_optins(said: list[tuple[Any, ...]], identities: list[tuple[Any, ...]]) -> dict[tuple[Any, ...], list[int]]:
    home = {who: min(c for s, i, p, c in identities if c and (p or f"{s}/{i}") == who)
            for who in {p or f"{s}/{i}" for s, i, p, c in identities if c}}
    scopes: dict[tuple[Any, ...], list[tuple[Any, ...]]] = defaultdict(list)
    for source, name, person, purpose, channel, country, decision, at, recipient in said:
        if recipient is None:
            who = person or f"{source}/{name}"
            scopes[who, channel or "none", purpose].append((at, country or home.get(who, "ZZ"), decision))
    rates: dict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0, 0, 0])
    for (_, channel, purpose), told in scopes.items():
        first, country, _ = min(told)
        answers = [(at, decision == "deny") for at, _, decision in told if decision != "asked"]
        last, is_no = max(answers, default=(None, None))
        row = rates[channel, purpose, country, first.date().replace(day=1)]
        row[0] += 1
        row[1] += is_no is False
        row[2] += is_no is True and any(not no and at < last for at, no in answers)
    return dict(rates)


@quick
@given(said=statements, identities=homes)
def test_optin_rates_equal_the_naive_ones(frame: Any, said: list[Any], identities: list[Any]) -> None:
    identity = frame("source string, source_person_id string, person_key string, country_code string", identities)
    people, contract = optin_rates.build(frame(CONSENT, said), identity), catalog().products["optin_rates"]
    built = cells.count(people, contract.table.key, "asked", contract.cell_columns).collect()
    assert {tuple(r)[:4]: list(r)[4:] for r in built} == naive_optins(said, identities)
