"""Who is permitted: each case is a person, what they said, and the answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import Any

import pytest
from pyspark.sql import DataFrame

from contracts.vocabulary import LegalBasis
from jobs.stages import decisions as combined
from jobs.stages import permit
from jobs.stages.people import People
from jobs.stages.use import Use

CONSENT = ("source string, source_person_id string, purpose_code string, recipient_id string, channel_code string, "
           "decision_code string, recorded_at timestamp, valid_from_at timestamp, valid_to_at timestamp, "
           "data_category_code string, given_by_code string, data_from_at timestamp, data_to_at timestamp")
LINKS = "source string, source_person_id string, person_key string"


def day(number: float) -> datetime:
    return datetime(2026, 1, 1 + int(number), int(number % 1 * 24), tzinfo=UTC)


def says(decision: str, at: float, purpose: str = "research", source: str = "crm", to: str | None = None,
         channel: str | None = None, start: float | None = None, end: float | None = None) -> tuple[Any, ...]:
    return (source, purpose, to, channel, decision, day(at), *[None if d is None else day(d) for d in (start, end)])


def use(*purposes: str, to: str | None = None, basis: str = "consent") -> Use:
    return Use(purposes, to, LegalBasis(basis), day(20))


YES, NO, ASKED = "permit", "deny", "asked"
AHEAD = day(20) + timedelta(minutes=5)
OWN, PARTNER, BOTH = use("research"), use("research", to="lab"), use("research", "decision_support")
CASES: list[tuple[str, Use, list[tuple[Any, ...]], str]] = [
    ("said nothing", OWN, [], "nothing_known"),
    ("said yes", OWN, [says(YES, 1)], "permitted"),
    ("said no", OWN, [says(NO, 1)], "denied"),
    ("was only asked", OWN, [says(ASKED, 1)], "nothing_known"),
    ("was asked again after a yes", OWN, [says(YES, 1), says(ASKED, 2)], "permitted"),
    ("yes, then no", OWN, [says(YES, 1), says(NO, 2)], "denied"),
    ("no, then yes", OWN, [says(NO, 1), says(YES, 2)], "permitted"),
    ("late and out of order", OWN, [says(NO, 2), says(YES, 1)], "denied"),
    ("yes and no in one instant", OWN, [says(YES, 1), says(NO, 1)], "denied"),
    ("the same yes twice", OWN, [says(YES, 1), says(YES, 1)], "permitted"),
    ("no recorded at the moment itself", OWN, [says(YES, 1), says(NO, 20)], "denied"),
    ("no recorded after the moment", OWN, [says(YES, 1), says(NO, 20.5)], "permitted"),
    ("no minutes ahead of our clock", OWN, [says(YES, 1), ("crm", "research", None, None, NO, AHEAD, None, None)], "denied"),
    ("yes minutes ahead of our clock", OWN, [("crm", "research", None, None, YES, AHEAD, None, None)], "nothing_known"),
    ("no to an empty recipient is no to the company", OWN, [says(YES, 1), says(NO, 2, to=" ")], "denied"),
    ("yes recorded after the moment", OWN, [says(YES, 21)], "nothing_known"),
    ("yes for another purpose", OWN, [says(YES, 1, "patient_education")], "nothing_known"),
    ("no for another purpose", OWN, [says(YES, 1), says(NO, 2, "patient_education")], "permitted"),
    ("yes over a channel", OWN, [says(YES, 1, channel="email")], "nothing_known"),
    ("no over a channel", OWN, [says(YES, 1), says(NO, 2, channel="email")], "permitted"),
    ("yes in one source, no in another", OWN, [says(NO, 1), says(YES, 2, source="app")], "denied"),
    ("yes in both sources", OWN, [says(YES, 1), says(YES, 2, source="app")], "permitted"),
    ("no lifted in its own source", OWN, [says(NO, 1), says(YES, 3), says(YES, 2, source="app")], "permitted"),
    ("valid still", OWN, [says(YES, 1, end=20.5)], "permitted"),
    ("valid until the moment", OWN, [says(YES, 1, end=20)], "expired"),
    ("valid from the moment", OWN, [says(YES, 1, start=20)], "permitted"),
    ("not yet valid", OWN, [says(YES, 1, start=20.5)], "expired"),
    ("valid before it was recorded", OWN, [says(YES, 10, start=1, end=5)], "expired"),
    ("validity ends before it begins", OWN, [says(YES, 1, start=25, end=2)], "expired"),
    ("an expired yes hides the older one", OWN, [says(YES, 1), says(YES, 2, end=5)], "expired"),
    ("expired here, valid there", OWN, [says(YES, 1, end=5), says(YES, 1, source="app")], "permitted"),
    ("two yeses in one instant, one expired", OWN, [says(YES, 1, end=5), says(YES, 1)], "permitted"),
    ("a no that ran out is no yes", OWN, [says(NO, 1, end=5), says(YES, 2, source="app")], "denied"),
    ("a no for later is a no", OWN, [says(YES, 1), says(NO, 2, start=25)], "denied"),
    ("yes to a recipient is not yes to the company", OWN, [says(YES, 1, to="lab")], "nothing_known"),
    ("no to a recipient is not no to the company", OWN, [says(YES, 1), says(NO, 2, to="lab")], "permitted"),
    ("yes to the recipient", PARTNER, [says(YES, 1, to="lab")], "permitted"),
    ("yes to the company is not yes to a recipient", PARTNER, [says(YES, 1)], "nothing_known"),
    ("expired yes to the company is nothing to a recipient", PARTNER, [says(YES, 1, end=5)], "nothing_known"),
    ("yes to another recipient", PARTNER, [says(YES, 1, to="other")], "nothing_known"),
    ("no to another recipient", PARTNER, [says(YES, 1, to="lab"), says(NO, 2, to="other")], "permitted"),
    ("no to the company is no to everyone", PARTNER, [says(NO, 1), says(YES, 2, to="lab")], "denied"),
    ("no to the company, taken back", PARTNER, [says(NO, 1), says(YES, 2), says(YES, 2, to="lab")], "permitted"),
    ("no to the recipient", PARTNER, [says(YES, 1), says(YES, 1, to="lab"), says(NO, 2, to="lab")], "denied"),
    ("expired for the recipient", PARTNER, [says(YES, 1), says(YES, 1, to="lab", end=5)], "expired"),
    ("both purposes", BOTH, [says(YES, 1), says(YES, 2, "decision_support")], "permitted"),
    ("one of two purposes", BOTH, [says(YES, 1)], "nothing_known"),
    ("one of two refused", BOTH, [says(YES, 1), says(NO, 2, "decision_support")], "denied"),
    ("one of two expired", BOTH, [says(YES, 1), says(YES, 2, "decision_support", end=5)], "expired"),
    ("expired before nothing known", BOTH, [says(YES, 1, end=5)], "expired"),
    ("denied before expired", BOTH, [says(YES, 1, end=5), says(NO, 1, "decision_support")], "denied"),
    ("counted although they said no", use("research", basis="legitimate_interest"), [says(NO, 1)],
     "legitimate_interest"),
    ("counted by law", use(basis="legal_obligation"), [says(NO, 1)], "legal_obligation"),
    ("explicit yes", use("research", basis="explicit_consent"), [says(YES, 1)], "permitted"),
]


def test_a_use_that_needs_two_permits_is_refused_by_either(frame: Any) -> None:
    said = "person_key string, is_permitted boolean, reason_code string"
    answers = [("permitted", True), ("denied", False), ("nothing_known", False)]
    pairs = {f"{a[0]}/{b[0]}": (a, b) for a in answers for b in answers}
    first, second = (frame(said, [(name, pair[i][1], pair[i][0]) for name, pair in pairs.items()]) for i in (0, 1))
    got = {r.person_key: (r.reason_code, r.is_permitted) for r in combined.both(first, second).collect()}
    assert got == {name: (b[0] if a[1] else a[0], a[1] and b[1]) for name, (a, b) in pairs.items()}


def test_the_next_moment_that_time_alone_may_change_a_decision(frame: Any) -> None:
    def at(*statements: tuple[Any, ...], grows: bool = False, lasts: tuple[int, ...] = ()) -> int | None:
        people = frame(f"{LINKS}, adult_at timestamp", [("crm", "p", "p", day(26)), ("crm", "q", "q", day(3)), ("crm", "r", "r")])
        said = frame(CONSENT, [(s[0], "p", *s[1:]) for s in statements])
        return combined.next_change(People(people, people if grows else None), said, day(20), lasts).collect()[0]["at"]

    assert at(says(YES, 1), says(YES, 2, end=5)) is None
    assert at(says(YES, 1, end=25), says(YES, 1, start=22, end=30)) == int(day(22).timestamp() * 1e6)
    assert at(says(YES, 1, end=25), says(YES, 21)) == int(day(21).timestamp() * 1e6)
    assert at(says(YES, 1), grows=True) == at(says(YES, 1, end=26)) == int(day(26).timestamp() * 1e6)
    assert at(says(YES, 1), says(YES, 2), lasts=(30, 20)) == int(day(21).timestamp() * 1e6)


def test_decisions(frame: Any) -> None:
    by_use: dict[Use, list[tuple[str, list[tuple[Any, ...]]]]] = {}
    for name, asked, statements, _ in CASES:
        by_use.setdefault(asked, []).append((name, statements))
    decided = [permit.decide(
        People(frame(LINKS, [(source, name, name) for name, _ in cases for source in ("crm", "app")])),
        frame(CONSENT, [(s[0], name, *s[1:]) for name, statements in cases for s in statements]),
        asked) for asked, cases in by_use.items()]
    got = {row.person_key: (row.reason_code, row.is_permitted) for row in reduce(DataFrame.unionAll, decided).collect()}
    yes = ("permitted", "legitimate_interest", "legal_obligation")
    assert got == {name: (reason, reason in yes) for name, _, _, reason in CASES}


def test_accounts_of_one_person_in_one_source_are_one_voice(frame: Any) -> None:
    links = frame(LINKS, [("crm", "old account", "p"), ("crm", "new account", "p")])
    consent = frame(CONSENT, [("crm", "old account", *says(NO, 1)[1:]), ("crm", "new account", *says(YES, 2)[1:]),
                              ("crm", "nobody's account", *says(NO, 3)[1:])])
    assert [tuple(r) for r in permit.decide(People(links), consent, OWN).collect()] == [("p", True, "permitted", None, None)]


DECISIONS = "person_key string, is_permitted boolean, reason_code string, data_from_at timestamp, data_to_at timestamp"
ROWS = [("crm", "yes", 1), ("crm", "yes", 2), ("app", "yes too", 3), ("crm", "no", 4), ("crm", "stranger", 5),
        ("crm", None, 6), ("app", "no", 7), ("crm", "undecided", 8)]
# record -> (person_key, goes on under consent, reason under consent)
APPLIED = {1: ("Y", True, "permitted"), 2: ("Y", True, "permitted"), 3: ("Y", True, "permitted"),
           4: ("N", False, "denied"), 5: (None, False, "no_identity"), 6: (None, False, "no_identity"),
           7: (None, False, "no_identity"), 8: ("U", False, "nothing_known")}


def applied(frame: Any, basis: LegalBasis) -> DataFrame:
    links = frame(LINKS, [("crm", "yes", "Y"), ("app", "yes too", "Y"), ("crm", "no", "N"), ("crm", "undecided", "U")])
    decisions = frame(DECISIONS, [("Y", True, "permitted"), ("N", False, "denied")])
    return permit.apply(frame("source string, source_person_id string, value long", ROWS), links, decisions, basis)


def test_a_window_lets_only_its_rows_go_on(frame: Any) -> None:
    rows = frame("source string, source_person_id string, happened_at timestamp, value long, data_from_at timestamp", [
        ("crm", person, None if at is None else day(at), n) for n, (person, at) in enumerate(
            [("both", 4), ("both", 5), ("both", 9.5), ("both", 10), ("both", None), ("from", 4), ("from", 11), ("to", 4),
             ("to", 10), ("open", None), ("no", 6)])])
    links = frame(LINKS, [("crm", p, p) for p in ("both", "from", "to", "open", "no")])
    decisions = frame(DECISIONS, [("both", True, "permitted", day(5), day(10)), ("from", True, "permitted", day(5)),
                                  ("to", True, "permitted", None, day(10)), ("open", True, "permitted"),
                                  ("no", False, "denied", day(5), day(10))])
    got = {r.value: r.reason_code for r in permit.apply(rows, links, decisions, LegalBasis.CONSENT, "happened_at").collect()
           if r.is_permitted == (r.reason_code == "permitted")}
    out = dict.fromkeys((0, 3, 4, 5, 8), "outside_window")
    assert got == {**dict.fromkeys((1, 2, 6, 7, 9), "permitted"), **out, 10: "denied"}
    timeless = permit.apply(rows, links, decisions, LegalBasis.CONSENT).where("is_permitted").collect()
    assert [r.value for r in timeless] == [9]
    assert {r.person_key: (r.is_permitted, r.reason_code) for r in combined.whole(decisions).collect()} == {
        **dict.fromkeys(("both", "from", "to"), (False, "outside_window")), "open": (True, "permitted"), "no": (False, "denied")}


def test_every_row_has_its_person_and_decision(frame: Any) -> None:
    rows = applied(frame, LegalBasis.CONSENT)
    assert rows.columns == ["source", "source_person_id", "value", "person_key", "is_permitted", "reason_code"]
    assert {r.value: (r.person_key, r.is_permitted, r.reason_code) for r in rows.collect()} == APPLIED
    interest = applied(frame, LegalBasis.LEGITIMATE_INTEREST).collect()
    assert {r.value: (r.person_key, r.is_permitted, r.reason_code) for r in interest} == {
        value: (person, True, "legitimate_interest") for value, (person, _, _) in APPLIED.items()}


def test_the_account_loses_nothing(frame: Any) -> None:
    account = permit.account(applied(frame, LegalBasis.CONSENT)).collect()
    assert {(r.outcome, r.reason_code): (r.rows, r.people) for r in account} == {
        ("permitted", "permitted"): (3, 1), ("withheld", "denied"): (1, 1), ("withheld", "no_identity"): (3, 2),
        ("withheld", "nothing_known"): (1, 1)}
    assert sum(r.rows for r in account) == len(ROWS)
    interest = permit.account(applied(frame, LegalBasis.LEGITIMATE_INTEREST)).collect()
    assert [tuple(r) for r in interest] == [("permitted", "legitimate_interest", len(ROWS), 5)]


@pytest.mark.parametrize("wrong", [
    {"purposes": ()}, {"as_of": datetime(2026, 1, 1)},
])
def test_a_use_nobody_could_refuse_is_none(wrong: dict[str, Any]) -> None:
    right = {"purposes": ("research",), "recipient": None, "legal_basis": LegalBasis.CONSENT, "as_of": day(1)}
    assert Use(**right)
    with pytest.raises(ValueError, match=r"must name at least one purpose|give an aware datetime"):
        Use(**right | wrong)
