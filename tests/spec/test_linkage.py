"""Whom somebody finds who has two extracts: what of their columns can be compared, and who is found by it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from pyspark.sql import functions as F

from jobs.stages import comparable, hashes, linkage
from jobs.stages.linkage import MILLION

DAY = date(2026, 1, 1)
SHIFT = {"maxDays": 30, "keepWeekday": False}
KEPT = [{"name": "person_id", "type": "string", "treatment": "pseudonym"}, {"name": "day", "type": "date", "treatment": "keep"},
        {"name": "value", "type": "string", "treatment": "keep"}]
MOVED = [KEPT[0], {**KEPT[1], "treatment": "date_shift", "treatment_options": SHIFT}, KEPT[2]]
Histories = dict[str, str]


def said(treatment: str, kind: str, before: str | None = None, **options: Any) -> dict[str, Any]:
    """What a manifest says of a column."""
    how = {"treatment": treatment, **({"treatment_options": options} if options else {})}
    return {"name": "it", "type": kind, **({"treatment": "keep", "treated_before": how} if before else how)}


# A column of ours and one of theirs, a value of each, and whether they are the same; None: they cannot be compared.
PAIRS: list[tuple[dict[str, Any], dict[str, Any], Any, Any, bool | None]] = [
    (said("keep", "long"), said("keep", "long"), 7, 7, True), (said("keep", "long"), said("keep", "long"), 7, 8, False),
    (said("keep", "long"), said("keep", "long"), None, None, True), (said("keep", "long"), said("keep", "long"), None, 0, False),
    (said("pseudonym", "string"), said("pseudonym", "string"), "a", "a", None),
    (said("keep", "double"), said("band", "string", edges=[70, 180]), 69.9, "<70", True),
    (said("keep", "double"), said("band", "string", edges=[70, 180]), 70.0, "<70", False),
    (said("band", "string", edges=[70, 180]), said("keep", "double"), "[70, 180)", 179.0, True),
    (said("band", "string", edges=[70, 140, 180]), said("band", "string", edges=[70, 180]), "[140, 180)", "[70, 180)", True),
    (said("band", "string", edges=[70, 140, 180]), said("band", "string", edges=[70, 180]), "<70", "[70, 180)", False),
    (said("band", "string", edges=[70]), said("band", "string", edges=[60, 70, 80]), ">=70", ">=80", True),
    (said("band", "string", edges=[70]), said("band", "string", edges=[80]), "<70", "<80", None),
    (said("age_band", "string", width=5), said("age_band", "string", width=10), "45-49", "40-49", True),
    (said("age_band", "string", width=4), said("age_band", "string", width=6), "48-51", "54-59", True),
    (said("age_band", "string", width=5), said("age_band", "string", width=10), "45-49", "50-59", False),
    (said("keep", "int"), said("age_band", "string", width=5), 93, "90+", True),
    (said("keep", "date"), said("year", "int", oldest=None), DAY, 2026, True),
    (said("keep", "date"), said("year", "int", oldest=None), DAY, 2025, False),
    (said("keep", "string"), said("mask", "string", keepLast=2), "abcdef", "***ef", True),
    (said("keep", "string"), said("year", "int", oldest=None), "2026", 2026, None),
    (said("mask", "string", keepLast=2), said("band", "string", edges=[1]), "***ef", "<1", None),
    (said("keep", "date"), said("keep", "timestamp"), DAY, datetime(2026, 1, 1, 8, tzinfo=UTC), True),
    (said("keep", "long"), said("keep", "double"), 5, 5.0, True), (said("keep", "long"), said("keep", "double"), 5, 5.5, False),
    (said("year", "int", before="yes", oldest=89), said("year", "int", before="yes", oldest=89), 1980, 1980, True),
]


def test_columns_are_brought_to_what_both_tell(frame: Any) -> None:
    made = []
    for number, (ours, theirs, mine, their, is_same) in enumerate(PAIRS):
        found = comparable.pairs(comparable.told([ours], "p"), comparable.told([theirs], "p"), DAY)
        assert bool(found) == (is_same is not None), PAIRS[number]
        made += [(pair.ours(F.lit(mine)) == pair.theirs(F.lit(their))).alias(str(number)) for pair in found]
    seen = frame("one int", [(1,)]).select(*made).collect()[0].asDict()
    assert seen == {str(n): case[4] for n, case in enumerate(PAIRS) if case[4] is not None}


def test_moved_days_are_compared_by_the_days_between() -> None:
    one, other, product = said("date_shift", "date", **SHIFT), said("keep", "date"), said("date_shift", "date", before="yes", **SHIFT)

    def pair(ours: dict[str, Any], theirs: dict[str, Any], product: str = "p") -> tuple[bool, bool]:
        found = comparable.pairs(comparable.told([ours], "p"), comparable.told([theirs], product), DAY)[0]
        return found.is_day, found.is_moved

    assert pair(one, one) == pair(one, other) == pair(other, one) == pair(product, product, "another") == (True, True)
    assert pair(product, product) == pair(other, other) == (True, False), "what one product moved is moved alike for all who read it"
    assert comparable.pairs(comparable.told([one], "p"), comparable.told([said("year", "int", oldest=None)], "p"), DAY) == []


# Each letter is what one day tells of a person, a dot a day without a row; a is A, b is B. Then: who has days moved, millionths found.
CASES: list[tuple[str, Histories, Histories, bool, int]] = [
    ("histories that nobody shares", {"a": "xy", "b": "yx"}, {"A": "xy", "B": "yx"}, False, 2 * MILLION),
    ("two who are alike", {"a": "xx", "b": "xx"}, {"A": "xx", "B": "xx"}, False, MILLION),
    ("one of three tells nothing of two", {"a": "xx", "b": "xx"}, {"A": "xx", "B": "xx", "C": "zz"}, False, MILLION),
    ("nothing shared is chance", {"a": "xx"}, {"A": "yy", "B": "yy", "C": "yy", "D": "yy"}, False, MILLION // 4),
    ("another who looks the same is taken", {"a": "xy"}, {"A": "xz", "B": "xy"}, False, 0),
    ("a row that the other lacks", {"a": "abcdefgh", "b": "hgfedcba"}, {"A": "abc.efgh", "B": "hgf.dcba"}, False, 2 * MILLION),
    ("more days in one of them", {"a": "xyxx", "b": "yxxx"}, {"A": "xy", "B": "yx"}, False, 2 * MILLION),
    ("moved days, unlike values", {"a": "xy", "b": "yx"}, {"A": "..xy", "B": "...yx"}, True, 2 * MILLION),
    ("moved days, unlike gaps", {"a": "x.x", "b": "x..x"}, {"A": "..x.x", "B": ".x..x"}, True, 2 * MILLION),
    ("moved days, all alike", {"a": "xx", "b": "xx"}, {"A": "..xx", "B": ".xx"}, True, MILLION),
    ("who is in one alone counts for nobody", {"a": "xy", "c": "zz"}, {"A": "xy", "B": "yx"}, False, MILLION),
]


def rows_of(frame: Any, histories: Histories) -> Any:
    return frame("person_id string, day date, value string", [
        (person, DAY + timedelta(days=n), value) for person, told in histories.items() for n, value in enumerate(told) if value != "."])


def found(frame: Any, ours: Any, theirs: Any, pairs: list[comparable.Pair], same: list[tuple[str, str]]) -> Any:
    mine, their = linkage.signs(ours, "person_id", pairs, is_ours=True), linkage.signs(theirs, "person_id", pairs, is_ours=False)
    known = frame("person string, other string", same).select(*[hashes.number(F.col(name)).alias(name) for name in ("person", "other")])
    return linkage.guessed(linkage.common_days(mine, their), linkage.common_days(their, mine), known, lambda name, made: made).collect()[0]


@pytest.mark.parametrize(("ours", "theirs", "is_moved", "right"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_who_is_found(frame: Any, ours: Histories, theirs: Histories, is_moved: bool, right: int) -> None:
    pairs = comparable.pairs(comparable.told(KEPT, "p"), comparable.told(MOVED if is_moved else KEPT, "p"), DAY)
    same = [(person, person.upper()) for person in ours if person.upper() in theirs]
    row = found(frame, rows_of(frame, ours), rows_of(frame, theirs), pairs, same)
    assert (row["people"], row["right"], row["others"]) == (len(same), right, len(theirs))


def test_without_a_column_in_common_the_numbers_of_rows_are_what_is_left(frame: Any) -> None:
    row = found(frame, rows_of(frame, {"a": "x", "b": "xx"}), rows_of(frame, {"A": "y", "B": "yy"}), [], [("a", "A"), ("b", "B")])
    assert row["right"] == 2 * MILLION


@pytest.mark.parametrize(("people", "right", "others", "percent"), [
    (0, 0, 0, 0.0), (10, 10 * MILLION, 10, 100.0), (10, MILLION, 10, 0.0), (10, 0, 10, 0.0), (1, MILLION, 1, 100.0),
    (100, 51 * MILLION, 50, 50.0), (99, 2 * MILLION, 99, 100 / 98 / 99 * 98 * 1.0)])
def test_what_is_beyond_chance(people: int, right: int, others: int, percent: float) -> None:
    assert linkage.percent_beyond_chance(people, right, others) == pytest.approx(percent, rel=0.02)


def test_bands_do_not_hide_a_month(frame: Any) -> None:
    """Two bands and a month of days: nearly everybody's pattern is their own."""
    from random import Random

    roll = Random(5)  # noqa: S311
    patterns = ["".join(roll.choice("xy") for _ in range(30)) for _ in range(200)]
    pairs = comparable.pairs(comparable.told(KEPT, "p"), comparable.told(MOVED, "p"), DAY)
    row = found(frame, rows_of(frame, {f"a{n}": p for n, p in enumerate(patterns)}), rows_of(frame, {f"b{n}": p for n, p in enumerate(patterns)}),
                pairs, [(f"a{n}", f"b{n}") for n in range(200)])
    assert row["right"] >= 199 * MILLION
