"""Whose records are not taken in: people who said no, as a whole, to everything that a source asks for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.stages import refuse
from tests.generative.test_permit_twin import CONSENT, START, Said, statements

ASKED = ("research", "decision_support")
NOW = datetime(2026, 3, 1, tzinfo=UTC)
NO: dict[str, Any] = {"recipient": None, "channel": None, "decision": "deny", "at": START, "start": None, "end": None,
                      "category": None, "by": None, "since": None, "until": None}


def said(purpose: str, **changes: Any) -> Said:
    return Said(**{"source": "app", "purpose": purpose, **NO, **changes})


BOTH = [said(p) for p in ASKED]
LATER = START + timedelta(days=1)
CASES: dict[str, tuple[list[Said], bool]] = {
    "no to all": (BOTH, True),
    "no to one": ([said("research")], False),
    "nothing": ([], False),
    "no to one, and never asked for an answer to the other": ([said("research"), said("decision_support", decision="asked")], False),
    "no to all, then yes to one": ([*BOTH, said("research", decision="permit", at=LATER)], False),
    "yes to all, then no": ([*[said(p, decision="permit") for p in ASKED], *[said(p, at=LATER) for p in ASKED]], True),
    "yes and no in one instant": ([*BOTH, said("research", decision="permit")], True),
    "a no past its dates": ([said(p, end=LATER) for p in ASKED], True),
    "a yes past its dates is no no": ([said("research"), said("decision_support", decision="permit", end=LATER)], False),
    "no to one recipient": ([said("research"), said("decision_support", recipient="lab")], False),
    "no to all, beside a yes to a recipient": ([*BOTH, said("research", decision="permit", recipient="lab", at=LATER)], True),
    "no about one category": ([said("research"), said("decision_support", category="health")], False),
    "no about a channel": ([said("research"), said("decision_support", channel="email")], False),
    "no that is yet to come": ([said("research"), said("decision_support", at=NOW + timedelta(hours=1))], False),
    "no of a clock a little ahead": ([said("research"), said("decision_support", at=NOW + timedelta(minutes=5))], True),
    "no to more than is asked": ([*BOTH, said("patient_education")], True)}


def refusing(frame: Any, people: dict[str, list[Said]]) -> set[str]:
    rows = frame(CONSENT, [(name, *s) for name, every in people.items() for s in every])
    return {r.source_person_id for r in refuse.refusing(rows, ASKED, NOW).collect()}


def test_who_refuses(frame: Any) -> None:
    names = dict(zip((f"p{n}" for n in range(len(CASES))), CASES, strict=True))
    found = refusing(frame, {name: CASES[case][0] for name, case in names.items()})
    assert {names[n] for n in found} == {case for case, (_, expected) in CASES.items() if expected}


def naive(every: list[Said]) -> bool:
    """The rule read aloud."""
    for purpose in ASKED:
        whole = [s for s in every if s.purpose == purpose and not s.recipient and not s.channel and not s.category
                 and s.decision != "asked"]
        if not any(s.decision == "deny" and s.at == max(x.at for x in whole) for s in whole):
            return False
    return True


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(people=st.lists(st.lists(statements.map(lambda s: s._replace(source="app")), max_size=8), min_size=30, max_size=80))
def test_who_refuses_equals_the_naive_answer(frame: Any, people: list[list[Said]]) -> None:
    named = {f"p{n}": every for n, every in enumerate(people)}
    assert refusing(frame, named) == {name for name, every in named.items() if naive(every)}


def test_a_moment_without_a_zone_is_refused(frame: Any) -> None:
    with pytest.raises(ValueError, match="as_of has no time zone"):
        refuse.refusing(frame(CONSENT, []), ASKED, NOW.replace(tzinfo=None))
