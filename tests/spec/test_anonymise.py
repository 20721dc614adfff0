"""Rows of an extract as anonymous as a contract asks: people are counted, not rows; what cannot be made so is refused."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from contracts import catalog
from contracts.anonymity import Anonymity
from contracts.hierarchies import Declared
from contracts.model import Recipient
from jobs.errors import IntegrityError, NotAnonymous
from jobs.stages.anonymise import anonymise, refuse_small, whole_groups
from jobs.stages.anonymise import left as said_of
from jobs.stages.protect import MARK

ROWS = "person string, day string, area string, dose long"
CANARY = "90210"


def asking(quasi: dict[str, str], k: int = 2, suppress: float = 100, sensitive: dict[str, Any] | None = None, *declared: Declared) -> Recipient:
    """A recipient that asks this of its groups."""
    said = {"quasiIdentifiers": quasi, "k": k, "suppressPercent": suppress, "sensitive": sensitive or {}, "reason": None if quasi else "a test"}
    return catalog().recipients["glycemia_institute"].model_copy(update={"anonymity": Anonymity.model_validate(said), "hierarchies": declared})


def left(frame: Any, rows: list[tuple[Any, ...]], recipient: Recipient) -> tuple[list[tuple[Any, ...]], dict[str, int]]:
    """The rows that may leave, in order, and the account."""
    built = frame(ROWS, rows)
    found = anonymise(built, recipient, "person")
    assert found.rows.columns == built.columns
    refuse_small(found.rows, recipient, "person", built)
    return sorted(map(tuple, found.rows.collect()), key=str), dict(found.account)


GROUPS = [("a", "mon", "x"), ("b", "mon", "x"), ("b", "mon", "x"), ("a", "tue", "x"), ("a", "tue", "x"), ("a", "mon", None), ("b", "mon", None),
          ("c", "wed", "y"), ("c", "wed", "y")]


@pytest.mark.parametrize(("columns", "k", "stay"), [
    (["day", "area"], 2, [0, 1, 2, 5, 6]), (["day"], 2, [0, 1, 2, 5, 6]), (["area"], 2, [0, 1, 2, 3, 4, 5, 6]), ([], 3, list(range(9)))])
def test_exact_columns_are_told_as_they_are_or_not_at_all(frame: Any, columns: list[str], k: int, stay: list[int]) -> None:
    """A null is a value as any other; without quasi-identifiers all rows are one group."""
    rows, account = left(frame, GROUPS, asking(dict.fromkeys(columns, "exact"), k))
    assert rows == sorted(((*GROUPS[n], None) for n in stay), key=str)
    assert account == {reason: number for reason, number in (("-", len(stay)), ("small_group", 9 - len(stay))) if number}


def test_ten_rows_of_one_person_hide_nobody(frame: Any) -> None:
    rows = [("a", "mon", "x")] * 10 + [(person, "tue", "x") for person in "abc"]
    assert left(frame, rows, asking({"day": "exact"}, 3)) == (sorted((*row, None) for row in rows[10:]), {"-": 3, "small_group": 10})
    together, account = left(frame, rows, asking({"day": "made"}, 3, 0))
    assert {row[1] for row in together} == {"*"} and account == {"-": 13}


def test_columns_are_generalised_to_the_levels_that_lose_least(frame: Any) -> None:
    """Doses in bands of ten, as the list says; levels above would lose more."""
    doses = Declared("doses", "0", {str(dose): (f"{dose // 10}x", "all") for dose in range(30)}, ())
    rows = [(str(n), "mon", "x", dose) for n, dose in enumerate([1, 2, 3, 11, 12, 13, 21, 22, 23])]
    found, account = left(frame, rows, asking({"dose": "doses"}, 3, 0, None, doses))
    assert Counter(row[3] for row in found) == {"0x": 3, "1x": 3, "2x": 3} and account == {"-": 9}
    said = anonymise(frame(ROWS, rows), asking({"dose": "doses"}, 3, 0, None, doses), "person").said
    assert said["levels"] == {"dose": {"level": 1, "of": 2}} and said["hierarchies"] == {"doses": "0"}
    assert (said["k"], said["groups"], said["smallest_group"], said["suppressed"], said["risk"]) == (
        3, 3, 3, 0, {"average": pytest.approx(1 / 3), "maximum": pytest.approx(1 / 3)})


# rows by person and dose in one group of another one -> why the group stays out; l of 2, t of 0.3
TOLD: dict[str, tuple[list[tuple[str, int]], dict[str, Any], str]] = {
    "all alike": ([("d", 1), ("e", 1), ("f", 1)], {"l": 2, "t": None}, "not_diverse"),
    "two values of one person": ([("d", 1), ("d", 2), ("d", 1), ("e", 1), ("f", 1)], {"l": 2, "t": None}, ""),
    "three values, but two of one person": ([("d", 1), ("d", 2), ("d", 3), ("e", 1), ("f", 1)], {"l": 3, "t": None}, "not_diverse"),
    "three values of three people": ([("d", 1), ("d", 2), ("e", 3), ("f", 1)], {"l": 3, "t": None}, ""),
    "far from the rest": ([("d", 9), ("e", 9), ("f", 9)], {"l": None, "t": 0.3}, "not_close"),
    "too few, whatever they tell": ([("d", 1), ("e", 1)], {"l": 2, "t": None}, "small_group"),
}


@pytest.mark.parametrize("name", TOLD)
def test_why_a_group_stays_out(frame: Any, name: str) -> None:
    group, asked, reason = TOLD[name]
    rows = [(f"p{n}", "mon", "x", n % 3 + 1) for n in range(30)] + [(person, "tue", "x", dose) for person, dose in group]
    found, account = left(frame, rows, asking({"day": "exact"}, 3, 100, {"dose": asked}))
    out = {reason: len(group)} if reason else {}
    assert account == {"-": len(rows) - sum(out.values()), **out} and len(found) == account["-"]


HOLED = Declared("areas", "0", {"x": ("all",)}, ())
REFUSED: dict[str, tuple[list[tuple[Any, ...]], Recipient, list[str]]] = {
    "k larger than the table": (GROUPS, asking({"day": "exact"}, 4), ["has rows of 3 people, fewer than k = 4"]),
    "k larger than the table, in one group": (GROUPS, asking({}, 4), ["has rows of 3 people, fewer than k = 4"]),
    "nobody": ([], asking({"day": "exact"}, 4), ["has rows of 0 people"]),
    "all values null": ([("a", "mon"), ("b", "mon")], asking({"day": "exact", "area": "made"}), ["column area has no value in any row"]),
    "a hierarchy with a hole": ([("a", "mon", "x"), ("b", "mon", "x"), ("c", "mon", CANARY), ("d", "mon", None)], asking({"area": "areas"}, 2, 100, None, HOLED),
                                ["hierarchy areas lacks 2 of the 3 values that column area has", "reviewed again"]),
    "more than may stay out": (GROUPS, asking({"day": "exact"}, 2, 40), ["cannot be k 2 over day exact; up to 40 % suppressed", "more of them would stay out"]),
    "all stay out": (GROUPS, asking({"day": "exact"}, 3), ["all of them would stay out"]),
    "never diverse": (GROUPS, asking({"day": "exact"}, 2, 50, {"area": {"l": 3, "t": None}}), ["area l 3 t -", "more of them would stay out"]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_made_anonymous_is_refused_and_no_value_is_quoted(frame: Any, name: str) -> None:
    rows, recipient, parts = REFUSED[name]
    with pytest.raises(NotAnonymous) as caught:
        anonymise(frame(ROWS, rows), recipient, "person")
    assert all(part in str(caught.value) for part in parts), caught.value
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(("rows", "recipient"), [
    ([("a", "mon"), ("b", "mon"), ("a", "tue"), ("a", "tue")], asking({"day": "exact"})),
    ([("a", "mon"), ("b", "mon"), ("a", None)], asking({"day": "exact"})),
    ([("a", "mon")], asking({})),
    ([("a", "mon", "x"), ("b", "mon", "x")], asking({"day": "exact"}, 2, 100, {"area": {"l": 2, "t": None}})),
    ([("a", "mon", "x"), ("b", "mon", "x"), *[(str(n), "tue", "y") for n in range(8)]], asking({"day": "exact"}, 2, 100, {"area": {"l": None, "t": 0.5}})),
])
def test_the_last_look_stops_what_the_search_should_have_prevented(frame: Any, rows: list[tuple[Any, ...]], recipient: Recipient) -> None:
    with pytest.raises(IntegrityError, match="1 groups of the rows for glycemia_institute are smaller, less diverse or further from all rows than k 2"):
        refuse_small(frame(ROWS, rows), recipient, "person", frame(ROWS, rows))


def test_the_last_look_takes_a_null_for_a_value(frame: Any) -> None:
    rows = frame(ROWS, [("a", None, "x"), ("b", None, None)])
    refuse_small(rows, asking({"day": "exact"}, 2, 100, {"area": {"l": 2, "t": None}}), "person", rows)


@pytest.mark.parametrize(("gone", "sensitive", "stay"), [
    ([], {}, [0, 1, 2, 3, 4]), ([0], {}, [3, 4]), ([2], {}, [0, 1, 3, 4]), ([2], {"dose": {"l": 2, "t": None}}, [0, 1]),
    ([], {"dose": {"l": None, "t": 0.3}}, [0, 1, 2]), ([2], {"dose": {"l": None, "t": 0.3}}, []), ([2], {"dose": {"l": None, "t": 0.36}}, [0, 1]),
    ([2], {"dose": {"l": None, "t": 0.41}}, [0, 1, 3, 4])])
def test_a_group_of_which_some_stay_back_stays_whole_or_not_at_all(frame: Any, gone: list[int], sensitive: dict[str, Any], stay: list[int]) -> None:
    """Of the people of Monday one may stay back and the others are too few, or are all told one dose;
    nothing is a group of its own. Doses of Monday are 0.27 from those of all, without the last 0.35; of nothing 0.4."""
    rows = [("a", "mon", "x", 1), ("b", "mon", "x", 2), ("b", "mon", "x", 2), ("c", None, "x", 3), ("d", None, "x", 3)]
    recipient = asking({"day": "exact"}, 2, 100, sensitive)
    marked = frame(f"{ROWS}, {MARK} boolean", [(*row, n not in gone) for n, row in enumerate(rows)])
    found = whole_groups(marked, recipient, "person", marked)
    assert found.columns == marked.columns
    assert sorted((tuple(r)[:4] for r in found.where(MARK).collect()), key=str) == sorted((rows[n] for n in stay), key=str)


def test_what_is_said_of_groups_is_of_the_rows_that_leave(frame: Any) -> None:
    rows = frame(ROWS, [("a", "mon", "x", 1), ("b", "mon", "x", 2), ("b", "mon", "x", 2), ("c", None, "x", 3), ("d", None, "x", 3), ("e", None, "x", 3)])
    assert said_of(rows, asking({"day": "exact"}), "person") == {"groups": 2, "smallest_group": 2, "risk": {"average": 2 / 5, "maximum": 1 / 2}}
    assert said_of(rows, asking({}), "person") == {"groups": 1, "smallest_group": 5}


def test_no_row_at_all_is_no_extract(frame: Any) -> None:
    with pytest.raises(NotAnonymous, match="no row for glycemia_institute is left"):
        refuse_small(frame(ROWS, []), asking({"day": "exact"}), "person", frame(ROWS, []))
