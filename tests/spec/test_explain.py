"""What became of statements by category, age and links: each word of explain, case by case."""

from __future__ import annotations

from typing import Any

from contracts.vocabulary import LegalBasis
from jobs.stages import explain, people, permit
from jobs.stages.own_keys import own_key
from jobs.stages.use import Use
from tests.spec.aged import aged
from tests.spec.test_permit import CONSENT, LINKS, day

PEOPLE = f"{LINKS}, said_by string, adult_at timestamp, lapse_days int"
# person -> statements (id, source, decision, day, category, given by) with what becomes of each and whether it decides
CASES: dict[str, tuple[dict[str, Any], list[tuple[str, str, float, str | None, str | None, str, bool]]]] = {
    "category": ({}, [("app", "permit", 1, None, None, "counts", True), ("app", "deny", 2, "contact", None, "other_category", False),
                      ("app", "permit", 3, "health", None, "counts", True)]),
    "one category": ({}, [("app", "permit", 1, None, None, "counts", False), ("app", "deny", 2, "health", None, "counts", True)]),
    "two categories": ({}, [("app", "permit", 1, "health", None, "counts", False),
                            ("app", "permit", 2, "behavioural", None, "counts", False)]),
    "under age": ({"adult_at": day(15)}, [("app", "permit", 1, None, "self", "given_by_another", True)]),
    "grown up": ({"adult_at": day(15)}, [("app", "permit", 1, None, "guardian", "superseded", False),
                                         ("app", "permit", 16, None, "self", "counts", True)]),
    "lapsed": ({"lapse_days": 5}, [("app", "permit", 1, None, None, "lapsed", True)]),
    "apart": ({"said_by": {"crm": "Q"}}, [("app", "permit", 1, None, None, "counts", True),
                                      ("crm", "permit", 2, None, None, "stays_apart", False)]),
    "a no from apart": ({"said_by": {"crm": "Q"}}, [("app", "permit", 1, None, None, "counts", False),
                                                ("crm", "deny", 2, None, None, "counts", True)]),
    "a no taken back apart": ({"said_by": {"crm": "Q"}}, [
        ("app", "permit", 1, None, None, "counts", True), ("crm", "deny", 2, None, None, "superseded", False),
        ("crm", "permit", 3, None, None, "stays_apart", False)]),
}
TWO = ("two categories",)


def test_words_of_category_age_and_links(frame: Any) -> None:
    got, want = {}, {}
    for names, categories in ((CASES.keys() - set(TWO), ("health",)), (TWO, ("health", "behavioural", "contact"))):
        use = Use(("research",), None, LegalBasis.CONSENT, day(20), categories)
        whom = frame(PEOPLE, [(source, name, name, CASES[name][0].get("said_by", {}).get(source), CASES[name][0].get("adult_at"),
                               CASES[name][0].get("lapse_days")) for name in sorted(names) for source in ("app", "crm")])
        said = frame(f"{CONSENT}, record_id string", [
            (s[0], name, "research", None, None, s[1], day(s[2]), None, None, s[3], s[4], None, None, f"{name}/{n}")
            for name in sorted(names) for n, s in enumerate(CASES[name][1])])
        decisions = permit.decide(aged(whom), said, use)
        for row in explain.statements(aged(whom), said, use, decisions).collect():
            got[row.record_id] = (row.fate_code, row.decides)
        want |= {f"{name}/{n}": s[5:] for name in names for n, s in enumerate(CASES[name][1])}
    assert got == want


def test_the_key_of_an_identity_apart_is_the_same_in_both_places(frame: Any) -> None:
    links = frame(LINKS, [("social", "ä/1", "P")])
    assert people.apart(links, set()).collect()[0].person_key == own_key("P", "social", "ä/1")
