"""Matches that are likely and not proved: who is held beside whom."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobs.stages import hold, resolve

IDENTITY = "source string, source_person_id string, email string, phone string, birth_on date"
CONTACT = "source string, source_person_id string, system_code string, value string"
LINK = "source string, source_person_id string, person_key string"
BORN, OTHER = date(1980, 5, 1), date(1981, 5, 1)
ADA = ("app", "1", "a@x", "+491", BORN)
Rows = list[tuple[Any, ...]]


def pairs(frame: Any, identity: Rows, contact: Rows = [], links: Rows | None = None) -> list[tuple[str, str]]:  # noqa: B006
    named = {(row[0], row[1]) for row in identity if row[1]}
    linked = [(*who, f"k-{who[0]}-{who[1]}") for who in sorted(named)] if links is None else links
    found = hold.held(frame(IDENTITY, identity), frame(CONTACT, contact), frame(LINK, linked))
    return sorted((r.person_key, r.other_key) for r in found.collect())


TWO = [("k-app-1", "k-crm-2")]
CASES: dict[str, tuple[Rows, Rows, list[tuple[str, str]]]] = {
    "address and birth date": ([ADA, ("crm", "2", "a@x", None, BORN)], [], TWO),
    "written otherwise": ([ADA, ("crm", "2", "A@X", None, BORN)], [], TWO),
    "number and birth date": ([ADA, ("crm", "2", None, "+491", BORN)], [], TWO),
    "by a contact point": ([ADA, ("crm", "2", None, None, BORN)], [("crm", "2", "email", "a@x")], TWO),
    "a family's address": ([ADA, ("crm", "2", "a@x", None, OTHER)], [], []),
    "a birth date alone": ([ADA, ("crm", "2", "b@x", "+492", BORN)], [], []),
    "no birth date known": ([ADA, ("crm", "2", "a@x", None, None)], [], []),
    "an address is no number": ([("app", "1", "7", None, BORN), ("crm", "2", None, "7", BORN)], [], []),
    "a postal address is not compared": ([(*ADA[:2], None, None, BORN), ("crm", "2", None, None, BORN)],
                                         [("app", "1", "post", "x"), ("crm", "2", "post", "x")], []),
    "two of the same source": ([ADA, ("app", "3", "a@x", None, BORN)], [], [("k-app-1", "k-app-3")]),
    "a birth date said twice": ([ADA, ("app", "1", None, None, OTHER), ("crm", "2", "a@x", None, OTHER)], [], TWO),
    "three of them": ([ADA, ("crm", "2", "a@x", None, BORN), ("web", "3", "a@x", None, BORN)], [],
                      [("k-app-1", "k-crm-2"), ("k-app-1", "k-web-3"), ("k-crm-2", "k-web-3")])}


def test_who_is_held(frame: Any) -> None:
    """All cases in one lake: each has people and addresses of its own."""
    def own(number: int, value: str | None) -> str | None:
        return value and value.strip() and f"{number}/{value.strip()}"

    identity = [(s, f"{n}/{who}", own(n, mail), own(n, phone), born) for n, (rows, _, _) in enumerate(CASES.values())
                for s, who, mail, phone, born in rows]
    contact = [(s, f"{n}/{who}", kind, own(n, value)) for n, (_, rows, _) in enumerate(CASES.values()) for s, who, kind, value in rows]
    expected = [tuple(key.replace("-app-", f"-app-{n}/").replace("-crm-", f"-crm-{n}/").replace("-web-", f"-web-{n}/") for key in pair)
                for n, (_, _, pairs_of) in enumerate(CASES.values()) for pair in pairs_of]
    assert pairs(frame, identity, contact) == sorted(expected)


def test_spaces_are_no_address_and_do_not_matter(frame: Any) -> None:
    assert pairs(frame, [("app", "1", " ", None, BORN), ("crm", "2", "", None, BORN)]) == []
    assert pairs(frame, [ADA, ("crm", "2", " a@x ", None, BORN)]) == TWO


def test_who_is_one_person_already_is_not_held(frame: Any) -> None:
    assert pairs(frame, [ADA, ("crm", "2", "a@x", None, BORN)], links=[("app", "1", "k"), ("crm", "2", "k")]) == []


@pytest.mark.parametrize(("sharing", "expected"), [(resolve.MOST_SHARING, 190), (resolve.MOST_SHARING + 1, 0)])
def test_a_value_that_too_many_share_names_nobody(frame: Any, sharing: int, expected: int) -> None:
    assert len(pairs(frame, [("crm", f"{n:02}", "info@x", None, BORN) for n in range(sharing)])) == expected


identities = st.lists(st.tuples(st.sampled_from(["app", "crm"]), st.sampled_from("12345"), st.sampled_from([None, "a@x", "b@x"]),
                                st.sampled_from([None, "+1", "+2"]), st.sampled_from([None, BORN, OTHER])), max_size=10)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=identities, merged=st.sets(st.sampled_from([(s, n) for s in ("app", "crm") for n in "12345"])))
def test_held_equals_the_naive_answer(frame: Any, rows: Rows, merged: set[tuple[str, str]]) -> None:
    key = {(row[0], row[1]): "k-one" if (row[0], row[1]) in merged else f"k-{row[0]}-{row[1]}" for row in rows}
    said = [{(r[2], "email"), (r[3], "phone")} - {(None, "email"), (None, "phone")} for r in rows]
    claims, born = ({k: set() for k in key.values()} for _ in range(2))
    for row, values in zip(rows, said, strict=True):
        claims[key[row[0], row[1]]] |= values
        born[key[row[0], row[1]]] |= {row[4]} - {None}
    expected = sorted((a, b) for a in claims for b in claims if a < b and claims[a] & claims[b] and born[a] & born[b])
    assert pairs(frame, rows, links=[(*who, k) for who, k in key.items()]) == expected
