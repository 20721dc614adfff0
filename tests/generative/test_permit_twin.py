"""The permit stage beside a plain-Python twin."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.vocabulary import LegalBasis
from jobs.stages import permit
from jobs.stages.use import Use
from tests.spec.aged import aged

CONSENT = ("source_person_id string, source string, purpose_code string, recipient_id string, channel_code string, "
           "decision_code string, recorded_at timestamp, valid_from_at timestamp, valid_to_at timestamp, "
           "data_category_code string, given_by_code string, data_from_at timestamp, data_to_at timestamp")
PEOPLE = "source string, source_person_id string, person_key string, said_by string, adult_at timestamp, lapse_days int"
START = datetime(2026, 1, 1, tzinfo=UTC)
moments = st.integers(0, 6).map(lambda n: START + timedelta(days=n))


class Said(NamedTuple):
    """One statement."""

    source: str
    purpose: str
    recipient: str | None
    channel: str | None
    decision: str
    at: datetime
    start: datetime | None
    end: datetime | None
    category: str | None
    by: str | None
    since: datetime | None
    until: datetime | None


class Person(NamedTuple):
    """What is known of a person: sources of which only a no counts, when they come of age, how long their yeses last."""

    only_no: frozenset[str]
    adult_at: datetime | None
    lapse_days: int | None
    said: list[Said]


rare = [None, None, None]
statements = st.builds(
    Said, st.sampled_from(["app", "crm"]), st.sampled_from(["research", "research", "decision_support"]),
    st.sampled_from([None, "", "lab", "other"]), st.sampled_from([*rare, "email"]),
    st.sampled_from(["permit", "permit", "deny", "asked"]), moments, st.none() | moments, st.none() | moments,
    st.sampled_from([*rare, "health", "contact"]), st.sampled_from([None, "self", "guardian"]),
    st.sampled_from([*rare, START + timedelta(days=1)]), st.sampled_from([*rare, START + timedelta(days=4)]))
people = st.lists(st.builds(
    Person, st.sampled_from([frozenset(), frozenset(), frozenset({"crm"})]), st.none() | moments, st.sampled_from([*rare, 2]),
    st.lists(statements, max_size=6)), min_size=20, max_size=60)
uses = st.builds(Use, st.sampled_from([("research",), ("research", "decision_support")]),
                 st.sampled_from([None, "lab"]), st.just(LegalBasis.CONSENT), moments,
                 st.sampled_from([(), ("health",), ("health", "contact")]))
Answer = tuple[str, datetime | None, datetime | None]


def valid(s: Said, use: Use) -> bool:
    """Whether it is a yes within its validity."""
    return s.decision == "permit" and (s.start or s.at) <= use.as_of and (s.end is None or use.as_of < s.end)


def live(s: Said, person: Person, use: Use) -> bool:
    """Whether a yes counts at the moment: within its validity, by whom may give it, not too old."""
    by_right_one = person.adult_at is None or (
        use.as_of < person.adult_at if s.by == "guardian" else person.adult_at <= s.at)
    lasts = person.lapse_days is None or use.as_of < s.at + timedelta(days=person.lapse_days)
    return valid(s, use) and by_right_one and lasts


def naive(person: Person, use: Use) -> Answer:
    """The rules of the permit stage, read aloud."""
    scopes: dict[tuple[Any, ...], list[Said]] = {}
    for s in person.said:
        about = s.category is None or (s.category in use.categories if use.categories else s.decision == "deny")
        if (s.purpose in use.purposes and (s.recipient or None) in (None, use.recipient) and not s.channel
                and s.decision != "asked" and s.at <= use.as_of and about):
            scopes.setdefault((s.source, s.purpose, s.recipient or None, s.category), []).append(s)
    answers: dict[tuple[str, str | None], set[str]] = {
        (p, c): set() for p in use.purposes for c in (use.categories or (None,))}
    windows: list[Said] = []
    for (source, purpose, recipient, category), said in scopes.items():
        last = [s for s in said if s.at == max(x.at for x in said)]
        yeses = [s for s in last if live(s, person, use)]
        answer = "denied" if any(s.decision == "deny" for s in last) else "permitted" if yeses else "expired"
        if answer != "denied" and (recipient != use.recipient or source in person.only_no):
            continue
        windows += [s for s in last if valid(s, use)] if answer == "permitted" else []
        for cell in answers:
            if cell[0] == purpose and (cell[1] is None or category in (None, cell[1])):
                answers[cell].add(answer)
    reasons = [next((r for r in ("denied", "permitted", "expired") if r in found), "nothing_known") for found in answers.values()]
    reason = next(r for r in ("denied", "expired", "nothing_known", "permitted") if r in reasons)
    if reason != "permitted":
        return reason, None, None
    return (reason, max((s.since for s in windows if s.since), default=None),
            min((s.until for s in windows if s.until), default=None))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(people=people, use=uses)
def test_decisions_equal_the_naive_ones(frame: Any, people: list[Person], use: Use) -> None:
    names = [f"p{n}" for n in range(len(people))]
    whom = frame(PEOPLE, [(source, name, name, "other" if source in p.only_no else None, p.adult_at, p.lapse_days)
                          for name, p in zip(names, people, strict=True) for source in ("app", "crm")])
    consent = frame(CONSENT, [(name, *s) for name, p in zip(names, people, strict=True) for s in p.said])
    decided = permit.decide(aged(whom), consent, use).selectExpr(
        "*", "unix_micros(data_from_at) AS since", "unix_micros(data_to_at) AS until").collect()
    micros = [(reason, *(None if at is None else (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
                         for at in window)) for reason, *window in (naive(p, use) for p in people)]
    assert {r.person_key: (r.reason_code, *((r.since, r.until) if r.is_permitted else (None, None))) for r in decided} == dict(
        zip(names, micros, strict=True))
