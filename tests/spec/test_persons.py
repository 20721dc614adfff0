"""Persons: which key a group of identities has, what ties it together, what is held, and what reviewers decided."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pyarrow as pa
import pytest

from contracts.matching import load
from jobs.matching import persons
from jobs.matching.growing import DECISIONS, EDGES
from jobs.matching.reviews import standing

START = datetime(2026, 10, 1, tzinfo=UTC)
VOTES = pa.schema([("left_identity", pa.string()), ("right_identity", pa.string()), ("decided_by", pa.string()),
                   ("decided_at", pa.timestamp("us", "UTC")), ("decision", pa.string()), ("is_about_consent", pa.bool_())])
Rows = Sequence[tuple[Any, ...]]


def table(schema: pa.Schema, rows: Rows) -> pa.Table:
    return pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in rows], schema=schema)


def grouped(groups: str) -> Rows:
    """'ab c' as names with the first name of their group."""
    return [(name, group[0]) for group in groups.split() for name in group]


def moves(changes: str) -> Rows:
    """'b:K2>K1 ...' as changes, a day after another."""
    return [(one[0], *one[2:].split(">"), START + timedelta(days=day)) for day, one in enumerate(changes.split())]


# Groups that were looked at again; who holds which key; what changed hands before, the oldest first; the keys then, in the
# order of names, with whom a key was taken from. Names that are in no group stand in ``KNOWN`` and, in capitals, are gone.
# Keys on O are a day older than those on K; of others nobody wrote down when they were minted.
KEYS: dict[str, tuple[str, str, str, str]] = {
    "nobody known": ("b a dc", "", "", "a=new1 b=new2 c=new3 d=new3"),
    "nothing to look at": ("", "a=K1", "", ""),
    "inherited": ("ab", "a=K1 b=K1", "", "a=K1 b=K1"),
    "somebody joins, who has the first name": ("ab", "b=K1", "", "a=K1 b=K1"),
    "a merge keeps the oldest": ("abc", "a=K2 b=K1 c=O9", "", "a=O9<K2 b=O9<K1 c=O9"),
    "nobody wrote down yet how old one is": ("ab", "a=K2 b=A1", "", "a=K2 b=K2<A1"),
    "of one age, the smallest": ("abc", "a=K2 b=K1 c=K3", "", "a=K1<K2 b=K1 c=K1<K3"),
    "minted beside inherited": ("a b c", "b=K1", "", "a=new1 b=K1 c=new2"),
    "a split leaves the key with the first name": ("ad bc", "a=K1 b=K1 c=K1 d=K1", "", "a=K1 b=new1<K1 c=new1<K1 d=K1"),
    "or with who never changed hands": ("a b", "a=K1 b=K1", "a:K2>K1", "a=K2<K1 b=K1"),
    "whoever came from elsewhere since is not first": ("a b c", "a=K1 b=K1 c=K1", "a:K2>K1 b:K3>K1", "a=K2<K1 b=K3<K1 c=K1"),
    "all came once": ("a b", "a=K1 b=K1", "a:K2>K1 b:K3>K1", "a=K1 b=K3<K1"),
    "to another key is no coming": ("a b", "a=K1 b=K1", "a:K2>K1 b:K1>K2", "a=K2<K1 b=K1"),
    "gets back the latest": ("a b", "a=K1 b=K1", "b:K2>K3 b:K3>K1", "a=K1 b=K3<K1"),
    "not what somebody holds": ("a b", "a=K1 b=K1 c=K3", "b:K2>K3 b:K3>K1", "a=K1 b=K2<K1"),
    "nor what somebody held who is gone": ("a b", "a=K1 b=K1 C=K3", "b:K2>K3 b:K3>K1", "a=K1 b=K2<K1"),
    "one key to one group, who had it last": ("a b c", "a=K1 b=K1 c=K1", "b:K2>K1 c:K2>K1", "a=K1 b=new1<K1 c=K2<K1"),
    "one key to one group, the first name": ("a bd c", "a=K1 b=K1 c=K1 d=K1", "d:K2>K1 c:K2>K1 d:K2>K1", "a=K1 b=K2<K1 c=new1<K1 d=K2<K1"),
    "who has a key gets none back": ("ab", "a=K1 b=K1", "b:K2>K1", "a=K1 b=K1"),
    "who is gone goes along with the key": ("ab", "a=K2 b=K1 X=K2", "", "X=K1<K2 a=K1<K2 b=K1"),
    "and stays with it": ("a b", "a=K1 b=K1 X=K1", "", "a=K1 b=new1<K1"),
    "whose key nobody looked at stays": ("a", "a=K1 X=K2", "", "a=K1"),
    "who is gone holds nothing back": ("b", "A=K1 b=K1", "", "b=K1"),
    "a key of somebody not looked at again is not taken": ("a", "a=K1 b=K1", "", "a=new1<K1"),
    "of two keys one is not free": ("ac", "a=K1 b=K1 c=K2", "", "a=K2<K1 c=K2")}


@pytest.mark.parametrize("case", KEYS)
def test_keys(case: str) -> None:
    groups, known, changes, expected = KEYS[case]
    held = [tuple(one.split("=")) for one in known.split()]
    present = sorted({name for name, _ in grouped(groups)} | {name for name, _ in held if name.islower()})
    numbers = count(1)
    minted = [(key, START - timedelta(days=key[0] == "O")) for key in sorted({key for _, key in held}) if key[0] in "KO"]
    found = persons.keyed(table(persons.GROUPS, grouped(groups)), pa.table({"name": pa.array(present, pa.string())}),
                          table(persons.KNOWN, held), table(persons.CHANGES, moves(changes)),
                          table(persons.MINTED, minted), lambda: f"new{next(numbers)}")
    before = dict(held)
    said = [f"{r['name']}={r['person_key']}" + (f"<{r['from_key']}" if r["from_key"] not in (None, r["person_key"]) else "")
            for r in found.to_pylist()]
    assert " ".join(said) == expected
    assert [r["from_key"] for r in found.to_pylist()] == [before.get(r["name"]) for r in found.to_pylist()]


def edge(left: str, right: str, weight: float | None = None, proof: str | None = None, against: str | None = None,
         is_link: bool = True) -> tuple[Any, ...]:
    return left, right, weight, proof, against, is_link


# Groups, edges, decisions, and what ties each name, in order: evidence and score.
TIES: dict[str, tuple[str, Rows, Rows, list[tuple[str, float | None]]]] = {
    "alone": ("a", [], [], [("alone", None)]),
    "by its score": ("ab", [edge("a", "b", 12.5)], [], [("score", 12.5)] * 2),
    "the greatest weight": ("abc", [edge("a", "b", 12.5), edge("b", "c", 14.0)], [], [("score", 12.5), ("score", 14.0), ("score", 14.0)]),
    "a proof": ("ab", [edge("a", "b", None, "email")], [], [("email", None)] * 2),
    "a proof is stronger than a score": ("ab", [edge("a", "b", 12.5, "phone")], [], [("phone", 12.5)] * 2),
    "the strongest proof": ("abcd", [edge("a", "b", 1.0, "phone"), edge("a", "c", 2.0, "email"), edge("a", "d", 3.0, "device_id")], [],
                            [("device_id", 3.0), ("phone", 1.0), ("email", 2.0), ("device_id", 3.0)]),
    "a national id before an address": ("abc", [edge("a", "b", 1.0, "email"), edge("a", "c", 0.5, "national_id")], [],
                                        [("national_id", 1.0), ("email", 1.0), ("national_id", 0.5)]),
    "a decision is the strongest": ("ab", [edge("a", "b", 9.0, "device_id")], [("a", "b", True)], [("decision", 9.0)] * 2),
    "a decision alone": ("ab", [], [("a", "b", True)], [("decision", None)] * 2),
    "decided not to be one, or open": ("abc", [edge("a", "b", 9.0), edge("b", "c", 9.0)], [("a", "b", False), ("b", "c", None)],
                                       [("score", 9.0)] * 3),
    "tied to somebody else's": ("a b", [edge("a", "b", 20.0, "email")], [("a", "b", True)], [("alone", None)] * 2),
    "what is held ties nothing": ("abc", [edge("a", "b", 9.0), edge("b", "c", 10.0), edge("a", "c", 30.0, "email", "x", False)], [],
                                  [("score", 9.0), ("score", 10.0), ("score", 10.0)]),
    "in a person without a link of its own": ("abc", [edge("a", "b", 9.0)], [], [("score", 9.0), ("score", 9.0), ("score", None)])}


@pytest.mark.parametrize("case", TIES)
def test_ties(case: str) -> None:
    groups, edges, decisions, expected = TIES[case]
    found = persons.ties(table(persons.GROUPS, grouped(groups)), table(EDGES, edges), table(DECISIONS, decisions), load()).to_pylist()
    assert [row["name"] for row in found] == sorted(groups.replace(" ", ""))
    assert [(row["evidence"], row["score"]) for row in found] == expected


# Edges, decisions, and what is held: the two persons, the identities most alike, weight and reason. Persons: a and b are K1, c and
# d are K2, e is K3.
HELD: dict[str, tuple[Rows, Rows, list[tuple[Any, ...]]]] = {
    "nothing": ([], [], []),
    "of one person": ([edge("a", "b", 9.0)], [], []),
    "not proved": ([edge("a", "c", 9.0, is_link=False)], [], [("K1", "K2", "a", "c", 9.0, "not proved")]),
    "contradicted": ([edge("a", "c", 9.0, "email", "two sexes, two birth dates", False)], [],
                     [("K1", "K2", "a", "c", 9.0, "contradicted: two sexes, two birth dates")]),
    "a link that was not followed": ([edge("b", "e", 9.0)], [], [("K1", "K3", "b", "e", 9.0, "as likely with another")]),
    "one row a pair of persons, of the weightiest": ([edge("a", "c", 9.0, is_link=False), edge("b", "d", 9.5, is_link=False)], [],
                                                     [("K1", "K2", "b", "d", 9.5, "not proved")]),
    "or of a proof": ([edge("a", "c", 99.0, is_link=False), edge("b", "d", 1.0, "phone", "two sexes", False)], [],
                      [("K1", "K2", "b", "d", 1.0, "contradicted: two sexes")]),
    "or of any weight": ([edge("a", "c", None, is_link=False), edge("b", "d", -1.0, is_link=False)], [],
                         [("K1", "K2", "b", "d", -1.0, "not proved")]),
    "or of the first names": ([edge("b", "c", 9.0, is_link=False), edge("a", "d", 9.0, is_link=False)], [],
                              [("K1", "K2", "a", "d", 9.0, "not proved")]),
    "the smaller key first": ([("c", "e", None, None, None, False), ("a", "e", None, None, None, False)], [],
                              [("K1", "K3", "a", "e", None, "not proved"), ("K2", "K3", "c", "e", None, "not proved")]),
    "two people by decision, of whichever identities": ([edge("a", "c", 9.0), edge("a", "e", 9.0, is_link=False)], [("b", "d", False)],
                                                        [("K1", "K3", "a", "e", 9.0, "not proved")]),
    "a decision the other way round": ([edge("a", "c", 9.0)], [("d", "b", False)], []),
    "open, or not followed": ([edge("a", "c", 9.0, is_link=False)], [("a", "c", None), ("b", "d", True)],
                              [("K1", "K2", "a", "c", 9.0, "not proved")]),
    "of nobody": ([edge("a", "x", 9.0)], [], [])}


@pytest.mark.parametrize("case", HELD)
def test_held(case: str) -> None:
    edges, decisions, expected = HELD[case]
    links = table(persons.KNOWN, [("a", "K1"), ("b", "K1"), ("c", "K2"), ("d", "K2"), ("e", "K3")])
    found = persons.held(links, table(EDGES, edges), table(DECISIONS, decisions)).to_pylist()
    names = ("person_key", "other_key", "left_identity", "right_identity", "weight", "reason")
    assert [tuple(row[name] for name in names) for row in found] == expected
    assert all(len(row["match_id"]) == 16 and int(row["match_id"], 16) >= 0 for row in found)


def test_the_smaller_key_is_first_whoever_is_left_and_names_the_match() -> None:
    def one(left: str, right: str) -> dict[str, Any]:
        links = table(persons.KNOWN, [("a", left), ("b", right)])
        (row,) = persons.held(links, table(EDGES, [edge("a", "b", 1.0, is_link=False)]), table(DECISIONS, [])).to_pylist()
        return dict(row)

    straight, crossed, other = one("K1", "K2"), one("K2", "K1"), one("K1", "K3")
    assert straight == crossed and straight["left_identity"] == "a"
    assert straight["match_id"] == hashlib.sha256(b"K1/K2").hexdigest()[:16] != other["match_id"]


# Votes on a pair, the oldest first: who, what, and whether consent is touched; and what is decided.
VOTED: dict[str, tuple[list[str], bool | None]] = {
    "one says the same": (["ann same"], True),
    "one says different": (["ann different"], False),
    "one, where consent is touched": (["ann same consent"], None),
    "two, where consent is touched": (["ann same consent", "bob same consent"], True),
    "two, where consent is touched by one vote": (["ann same", "bob same consent"], True),
    "one twice is one": (["ann same consent", "ann same consent"], None),
    "one says different where consent is touched": (["ann same consent", "bob same consent", "cyd different consent"], False),
    "different wins": (["ann same", "bob different", "cyd same"], False),
    "the latest vote counts": (["ann different", "ann same"], True),
    "the latest vote counts, the other way": (["ann same", "ann different"], False),
    "who thought better leaves it open": (["ann same consent", "bob different consent", "bob same consent", "ann different consent",
                                           "ann same consent"], True),
    "the latest of each": (["ann different consent", "bob same consent", "ann same consent"], True)}


def test_what_stands() -> None:
    """All cases in one table, each a pair of its own, newest votes first."""
    rows = []
    for case, (votes, _) in VOTED.items():
        for number, (who, decision, *consent) in enumerate(vote.split() for vote in votes):
            rows.append((f"left {case}", f"right {case}", who, START + timedelta(hours=number), decision, bool(consent)))
    found = standing(table(VOTES, rows[::-1])).to_pylist()
    assert {row["left_name"]: row["is_same"] for row in found} == {f"left {case}": same for case, (_, same) in VOTED.items()}
    assert [row["right_name"].removeprefix("right ") for row in found] == sorted(VOTED)
    assert standing(table(VOTES, [])).num_rows == 0


def test_a_pair_is_two_identities() -> None:
    same = [(left, right, "ann", START, decision, False)
            for left, right, decision in (("a", "b", "same"), ("a", "c", "different"), ("b", "c", "same"))]
    assert [tuple(row.values()) for row in standing(table(VOTES, same)).to_pylist()] == [
        ("a", "b", True), ("a", "c", False), ("b", "c", True)]
