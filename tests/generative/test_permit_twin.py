"""The permit stage beside a plain-Python twin."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.vocabulary import LegalBasis
from jobs.stages import permit
from jobs.stages.permit import Use

CONSENT = ("source_person_id string, source string, purpose_code string, recipient_id string, channel_code string, "
           "decision_code string, recorded_at timestamp, valid_from_at timestamp, valid_to_at timestamp")
START = datetime(2026, 1, 1, tzinfo=UTC)
moments = st.integers(0, 6).map(lambda n: START + timedelta(days=n))
statements = st.tuples(
    st.sampled_from(["app", "crm"]), st.sampled_from(["research", "research", "decision_support"]),
    st.sampled_from([None, "", "lab", "other"]), st.sampled_from([None, None, None, "email"]),
    st.sampled_from(["permit", "permit", "deny", "asked"]), moments, st.none() | moments, st.none() | moments)
people = st.lists(st.lists(statements, max_size=6), min_size=20, max_size=60)
uses = st.builds(Use, st.sampled_from([("research",), ("research", "decision_support")]),
                 st.sampled_from([None, "lab"]), st.just(LegalBasis.CONSENT), moments)


def naive(said: list[tuple[Any, ...]], use: Use) -> str:
    """The rules of the permit stage, read aloud."""
    reasons = []
    for purpose in use.purposes:
        scopes: dict[tuple[Any, Any], list[tuple[Any, ...]]] = {}
        for s in said:
            if s[1] == purpose and (s[2] or None) in (None, use.recipient) and not s[3] and s[4] != "asked" and s[5] <= use.as_of:
                scopes.setdefault((s[0], s[2] or None), []).append(s)
        answers = set()
        for (_, recipient), all_said in scopes.items():
            last = [s for s in all_said if s[5] == max(x[5] for x in all_said)]
            if any(s[4] == "deny" for s in last):
                answers.add("denied")
            elif recipient == use.recipient:
                live = any((s[6] or s[5]) <= use.as_of and (s[7] is None or use.as_of < s[7]) for s in last)
                answers.add("permitted" if live else "expired")
        reasons.append(next((r for r in ("denied", "permitted", "expired") if r in answers), "nothing_known"))
    return next(r for r in ("denied", "expired", "nothing_known", "permitted") if r in reasons)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(people=people, use=uses)
def test_decisions_equal_the_naive_ones(frame: Any, people: list[list[tuple[Any, ...]]], use: Use) -> None:
    names = [f"p{n}" for n in range(len(people))]
    links = frame("source string, source_person_id string, person_key string",
                  [(source, name, name) for name in names for source in ("app", "crm")])
    consent = frame(CONSENT, [(name, *s) for name, said in zip(names, people, strict=True) for s in said])
    got = {r.person_key: r.reason_code for r in permit.decide(links, consent, use).collect()}
    assert got == {name: naive(said, use) for name, said in zip(names, people, strict=True)}
