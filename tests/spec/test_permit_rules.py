"""Who is permitted by category, window of data, age and country, and over links that must not be followed."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from contracts.jurisdictions import Jurisdiction
from contracts.vocabulary import LegalBasis
from jobs.stages import decisions as combined
from jobs.stages import people, permit
from jobs.stages.people import People
from jobs.stages.use import Use
from tests.spec.aged import aged
from tests.spec.test_permit import CONSENT, LINKS, day

YES, NO = "permit", "deny"
PEOPLE = f"{LINKS}, said_by string, adult_at timestamp, lapse_days int"
HEALTH, BOTH, NONE = ("health",), ("health", "behavioural"), ()
WEEK = (day(1), day(8))


def says(decision: str, at: float, about: str | None = None, by: str | None = None, window: tuple[Any, Any] = (None, None),
         source: str = "crm", purpose: str = "research") -> tuple[Any, ...]:
    return (source, purpose, None, None, decision, day(at), None, None, about, by, *window)


Case = tuple[tuple[str, ...], dict[str, Any], list[tuple[Any, ...]], str, tuple[datetime | None, datetime | None]]
OPEN = (None, None)
CASES: dict[str, Case] = {
    "a yes to all data": (HEALTH, {}, [says(YES, 1)], "permitted", OPEN),
    "a yes to the category": (HEALTH, {}, [says(YES, 1, "health")], "permitted", OPEN),
    "a yes to another category": (HEALTH, {}, [says(YES, 1, "contact")], "nothing_known", OPEN),
    "one of two categories": (BOTH, {}, [says(YES, 1, "health")], "nothing_known", OPEN),
    "both categories": (BOTH, {}, [says(YES, 1, "health"), says(YES, 2, "behavioural")], "permitted", OPEN),
    "all but the category": (HEALTH, {}, [says(YES, 2), says(NO, 1, "health")], "denied", OPEN),
    "all but another category": (HEALTH, {}, [says(YES, 1), says(NO, 2, "contact")], "permitted", OPEN),
    "a no to all, a later yes to the category": (HEALTH, {}, [says(NO, 1), says(YES, 2, "health")], "denied", OPEN),
    "a no to the category lifted": (HEALTH, {}, [says(YES, 1), says(NO, 2, "health"), says(YES, 3, "health")], "permitted", OPEN),
    "a category where none is named": (NONE, {}, [says(YES, 1, "health")], "nothing_known", OPEN),
    "a no to a category where none is named": (NONE, {}, [says(YES, 1), says(NO, 1, "contact")], "denied", OPEN),
    "a window": (HEALTH, {}, [says(YES, 1, window=WEEK)], "permitted", WEEK),
    "a window of an older yes": (HEALTH, {}, [says(YES, 1, window=WEEK), says(YES, 2)], "permitted", OPEN),
    "a window of a later yes": (HEALTH, {}, [says(YES, 1), says(YES, 2, window=(day(3), None))], "permitted", (day(3), None)),
    "a window that only ends": (HEALTH, {}, [says(YES, 1, window=(None, day(3)))], "permitted", (None, day(3))),
    "windows of two sources": (HEALTH, {}, [says(YES, 1, window=WEEK), says(YES, 2, window=(day(3), day(9)), source="app")],
                               "permitted", (day(3), day(8))),
    "a window in one of two sources": (HEALTH, {}, [says(YES, 1, window=WEEK), says(YES, 2, source="app")], "permitted", WEEK),
    "windows in one instant": (HEALTH, {}, [says(YES, 1, window=WEEK), says(YES, 1)], "permitted", WEEK),
    "a no after a window": (HEALTH, {}, [says(YES, 1, window=WEEK), says(NO, 2)], "denied", OPEN),
    "of age": (HEALTH, {"adult_at": day(0)}, [says(YES, 1)], "permitted", OPEN),
    "under age": (HEALTH, {"adult_at": day(25)}, [says(YES, 1)], "expired", OPEN),
    "under age, by themselves": (HEALTH, {"adult_at": day(25)}, [says(YES, 1, by="self")], "expired", OPEN),
    "under age, by a guardian": (HEALTH, {"adult_at": day(25)}, [says(YES, 1, by="guardian")], "permitted", OPEN),
    "of age since the guardian said yes": (HEALTH, {"adult_at": day(20)}, [says(YES, 1, by="guardian")], "expired", OPEN),
    "said under age, now of age": (HEALTH, {"adult_at": day(15)}, [says(YES, 1)], "expired", OPEN),
    "said yes again once of age": (HEALTH, {"adult_at": day(15)}, [says(YES, 1, by="guardian"), says(YES, 15)], "permitted", OPEN),
    "under age, a no": (HEALTH, {"adult_at": day(25)}, [says(YES, 1, by="guardian"), says(NO, 2)], "denied", OPEN),
    "under age, a guardian's no": (HEALTH, {"adult_at": day(25)}, [says(YES, 1, by="guardian"), says(NO, 2, by="guardian")],
                                   "denied", OPEN),
    "age unknown": (HEALTH, {}, [says(YES, 1, by="guardian")], "permitted", OPEN),
    "a yes that lasts": (HEALTH, {"lapse_days": 20}, [says(YES, 1)], "permitted", OPEN),
    "a yes that lapsed": (HEALTH, {"lapse_days": 19}, [says(YES, 1)], "expired", OPEN),
    "a no does not lapse": (HEALTH, {"lapse_days": 1}, [says(NO, 1)], "denied", OPEN),
    "a no of an identity apart": (HEALTH, {"said_by": {"app": "Q"}}, [says(YES, 1), says(NO, 1, source="app")], "denied", OPEN),
    "a yes of an identity apart": (HEALTH, {"said_by": {"app": "Q"}}, [says(YES, 1, source="app")], "nothing_known", OPEN),
    "a no taken back by an identity apart": (HEALTH, {"said_by": {"app": "Q"}}, [
        says(YES, 1), says(NO, 1, source="app"), says(YES, 2, source="app")], "permitted", OPEN),
    "a no of an identity apart, taken back too late": (HEALTH, {"said_by": {"app": "Q"}}, [
        says(YES, 1), says(NO, 1, source="app"), says(YES, 21, source="app")], "denied", OPEN),
}


def test_decisions_by_category_window_age_and_country(frame: Any) -> None:
    got, want = {}, {}
    for categories in (HEALTH, BOTH, NONE):
        cases = {name: case for name, case in CASES.items() if case[0] == categories}
        whom = frame(PEOPLE, [(source, name, name, made.get("said_by", {}).get(source), made.get("adult_at"), made.get("lapse_days"))
                              for name, (_, made, _, _, _) in cases.items() for source in ("crm", "app")])
        said = frame(CONSENT, [(s[0], name, *s[1:]) for name, (_, _, statements, _, _) in cases.items() for s in statements])
        decided = permit.decide(aged(whom), said, Use(("research",), None, LegalBasis.CONSENT, day(20.5), categories))
        for r in decided.selectExpr("*", "unix_micros(data_from_at) AS since", "unix_micros(data_to_at) AS until").collect():
            got[r.person_key] = (r.reason_code, r.is_permitted, *((r.since, r.until) if r.is_permitted else OPEN))
        want |= {name: (reason, reason == "permitted", *(None if at is None else int(at.timestamp() * 1e6) for at in window))
                 for name, (_, _, _, reason, window) in cases.items()}
    assert got == want


RULES = {"DE": Jurisdiction(country="DE", ageOfMajority=18, ageOfDigitalConsent=16, lapsesAfterDays=None, source="x"),
         "FR": Jurisdiction(country="FR", ageOfMajority=18, ageOfDigitalConsent=15, lapsesAfterDays=30, source="x"),
         "IT": Jurisdiction(country="IT", ageOfMajority=19, ageOfDigitalConsent=14, lapsesAfterDays=60, source="x")}


def test_ages_and_lapses_by_country(frame: Any) -> None:
    """By country; the strictest where it is unknown or where sources disagree."""
    born = date(2010, 2, 28)
    identities = {"de": [("DE", born)], "fr": [("fr", born)], "nowhere": [(None, born)], "unborn": [("DE", None)],
                  "both": [("DE", born), ("FR", date(2011, 1, 1))], "moved": [("FR", born), ("IT", born)], "leap": [
                      ("DE", date(2008, 2, 29))]}
    whom = frame(LINKS, [("crm", f"{name}{n}", name) for name, held in identities.items() for n in range(len(held))])
    identity = frame("source string, source_person_id string, country_code string, birth_on date", [
        ("crm", f"{name}{n}", country, birth) for name, held in identities.items() for n, (country, birth) in enumerate(held)])

    def found(is_special: bool) -> dict[str, tuple[str, int | None]]:
        grown = people.grown(whom, identity, RULES, is_special).ages.selectExpr(
            "person_key", "date_format(adult_at, 'yyyy-MM-dd') AS at", "lapse_days")
        return {r.person_key: (r.at, r.lapse_days) for r in grown.collect()}

    assert found(True) == {"de": ("2028-02-28", None), "fr": ("2028-02-28", 30), "nowhere": ("2029-02-28", 30),
                           "unborn": (None, None), "both": ("2029-01-01", 30), "moved": ("2029-02-28", 30),
                           "leap": ("2026-02-28", None)}
    assert found(False)["fr"] == ("2025-02-28", 30) and found(False)["nowhere"] == ("2026-02-28", 30)
    endless = {c: r.model_copy(update={"lapses_after_days": None}) for c, r in RULES.items()}
    assert not people.grown(whom, identity, endless, is_special=True).knows("lapse_days")


def test_links_that_may_not_be_followed(frame: Any) -> None:
    links = frame(LINKS, [("crm", "1", "P"), ("app", "1", "P"), ("social", "1", "P"), ("crm", "2", "Q"), ("app", "3", "R")])
    held = frame("person_key string, other_key string", [("Q", "R")])
    followed = people.apart(links, {"crm", "app"})
    keys = {(r.source, r.source_person_id): r.person_key for r in followed.collect()}
    alone = keys.pop(("social", "1"))
    assert len(alone) == 32 and set(alone) <= set("0123456789abcdef")
    assert keys == {("crm", "1"): "P", ("app", "1"): "P", ("crm", "2"): "Q", ("app", "3"): "R"}
    assert people.apart(links, {"crm", "app"}).where("source = 'social'").collect()[0].person_key == alone
    assert {tuple(r) for r in people.noes(followed, held).collect()} == {
        ("social", "1", "P", alone), ("crm", "1", alone, "P"), ("app", "1", alone, "P"), ("crm", "2", "R", "Q"), ("app", "3", "Q", "R")}
    nobody = people.apart(links, set())
    assert len({r.person_key for r in nobody.collect()}) == 5
    assert {r.person_key for r in people.apart(links, {"crm", "app", "social"}).collect()} == {"P", "Q", "R"}


def test_a_no_reaches_over_links_that_a_yes_may_not(frame: Any) -> None:
    """Identities apart and matches held for review: a no of either counts for both, a yes for its own alone."""
    links = frame(LINKS, [("crm", "1", "P"), ("social", "1", "P"), ("crm", "2", "Q"), ("crm", "3", "R"), ("crm", "4", "S")])
    followed = people.apart(links, {"crm"})
    only = people.noes(followed, frame("person_key string, other_key string", [("R", "Q")]))
    whom = followed.select(*people.LINK).selectExpr("*", "cast(null AS string) AS said_by").unionByName(only)

    def reasons(*statements: tuple[Any, ...]) -> dict[str, str]:
        use = Use(("research",), None, LegalBasis.CONSENT, datetime(2026, 1, 21, tzinfo=UTC))
        named = {r.person_key: f"{r.source}/{r.source_person_id}" for r in followed.collect()}
        return {named[r.person_key]: r.reason_code for r in permit.decide(People(whom), frame(CONSENT, list(statements)), use).collect()}

    def said(source: str, person: str, decision: str, at: float = 1) -> tuple[Any, ...]:
        return (source, person, *says(decision, at)[1:])

    yeses = [said("crm", n, YES) for n in "1234"]
    assert reasons(*yeses) == {"crm/1": "permitted", "social/1": "nothing_known", "crm/2": "permitted", "crm/3": "permitted",
                               "crm/4": "permitted"}
    assert reasons(*yeses, said("social", "1", NO)) | {"crm/4": ""} == {
        "crm/1": "denied", "social/1": "denied", "crm/2": "permitted", "crm/3": "permitted", "crm/4": ""}
    assert reasons(said("crm", "1", NO), said("social", "1", YES))["social/1"] == "denied"
    denied = reasons(said("crm", "2", YES), said("crm", "3", NO), said("crm", "4", YES))
    assert (denied["crm/2"], denied["crm/3"], denied["crm/4"]) == ("denied", "denied", "permitted")
    denied = reasons(said("crm", "2", NO), said("crm", "3", YES, 2))
    assert (denied["crm/2"], denied["crm/3"]) == ("denied", "denied"), "a later yes of one is none of the other's"
    lifted = reasons(said("crm", "2", NO), said("crm", "2", YES, 2), said("crm", "3", YES))
    assert (lifted["crm/2"], lifted["crm/3"]) == ("permitted", "permitted"), "the other took it back"


def test_a_window_of_an_identity_apart_is_none_of_the_person(frame: Any) -> None:
    whom = frame(PEOPLE, [("crm", "mine", "P"), ("crm", "held", "P", "Q")])
    said = frame(CONSENT, [("crm", "mine", *says(YES, 1)[1:]), ("crm", "held", *says(YES, 1, window=(day(5), day(10)))[1:])])
    use = Use(("research",), None, LegalBasis.CONSENT, day(20), HEALTH)
    assert [tuple(r) for r in permit.decide(People(whom), said, use).collect()] == [("P", True, "permitted", None, None)]


def test_decisions_carried_to_the_keys_of_another_use(frame: Any) -> None:
    ours = frame(LINKS, [("crm", "1", "P"), ("app", "1", "P"), ("crm", "2", "Q"), ("crm", "3", "R"), ("app", "3", "r")])
    theirs = frame(LINKS, [("crm", "1", "p1"), ("app", "1", "p2"), ("crm", "2", "Q"), ("crm", "3", "R"), ("app", "3", "R")])
    decisions = frame("person_key string, is_permitted boolean, reason_code string", [
        ("p1", True, "permitted"), ("p2", False, "denied"), ("Q", True, "permitted"), ("R", False, "expired")])
    assert {tuple(r) for r in combined.carried(decisions, theirs, ours).collect()} == {
        ("P", False, "denied"), ("Q", True, "permitted"), ("R", False, "expired"), ("r", False, "expired")}
