"""Who is in and who is left out: the counts, and what is told of them, by hand."""

from __future__ import annotations

from datetime import date
from math import inf, nan, sqrt
from typing import Any

import pytest

from contracts.consent_loss import CODES, CONDITIONS, COUNTED, OTHER, SEVERAL, Attribute
from jobs.stages import balance
from jobs.stages import consent_loss as stage

LINKS = "source string, source_person_id string, person_key string"
IDENTITY = "source string, source_person_id string, birth_on date, sex_code string, country_code string"
AGE = Attribute("age_band", "core.identity", ("birth_on",), ("under 18", "18-29", "30-44", "45-59", "60-74", "75 and over", "unknown"))
SEX = Attribute("sex", "core.identity", ("sex_code",), ("male", "female", "other", "unknown"))
COUNTRY = Attribute("country", "core.identity", ("country_code",), ("DE", "FR", "other", "unknown"))
ILL = Attribute("condition", "core.condition", (*CODES, *COUNTED), (*CONDITIONS, OTHER, SEVERAL, "unknown"), SEVERAL)
ON = date(2026, 3, 1)
# What sources say of one person: (birth, sex, country), and the levels the person has.
PEOPLE: list[tuple[list[tuple[Any, ...]], tuple[str, str, str]]] = [
    ([], ("unknown", "unknown", "unknown")),
    ([(None, None, None)], ("unknown", "unknown", "unknown")),
    ([(date(1990, 5, 1), "female", "DE")], ("30-44", "female", "DE")),
    ([(None, None, None), (date(1990, 5, 1), "female", "DE")], ("30-44", "female", "DE")),
    ([(date(1990, 5, 1), "female", "DE"), (date(1991, 6, 2), "female", "DE")], ("30-44", "female", "DE")),
    ([(date(1990, 5, 1), "female", "DE"), (date(1960, 5, 1), "male", "FR")], ("unknown", "unknown", "unknown")),
    ([(None, "unknown", "US"), (None, "male", "CH")], ("unknown", "male", "other")),
    ([(None, "other", "US"), (None, "other", "DE")], ("unknown", "other", "unknown")),
    ([(date(2008, 3, 1), None, None)], ("18-29", "unknown", "unknown")),
    ([(date(2008, 3, 2), None, None)], ("under 18", "unknown", "unknown")),
    ([(date(2008, 2, 29), None, None)], ("18-29", "unknown", "unknown")),
    ([(date(1996, 3, 1), None, None)], ("30-44", "unknown", "unknown")),
    ([(date(1951, 3, 2), None, None)], ("60-74", "unknown", "unknown")),
    ([(date(1951, 3, 1), None, None)], ("75 and over", "unknown", "unknown")),
    ([(date(1900, 1, 1), None, None)], ("75 and over", "unknown", "unknown")),
    ([(date(2026, 3, 1), None, None)], ("under 18", "unknown", "unknown")),
    ([(date(2026, 3, 2), None, None)], ("unknown", "unknown", "unknown")),
]


def test_each_person_has_one_level_of_each_attribute(frame: Any) -> None:
    rows = [(f"s{m}", f"p{n}", *said) for n, (sources, _) in enumerate(PEOPLE) for m, said in enumerate(sources)]
    links = frame(LINKS, [(source, person, f"key-{person}") for source, person, *_ in rows])
    people = frame("person_key string, is_in boolean", [(f"key-p{n}", n % 2 == 0) for n in range(len(PEOPLE))])
    told = stage.described(people, links, {"core.identity": frame(IDENTITY, rows)}, (AGE, SEX, COUNTRY), ON)
    assert told.columns == ["person_key", "is_in", "age_band", "sex", "country"]
    assert {r.person_key: (r.is_in, (r.age_band, r.sex, r.country)) for r in told.collect()} == {
        f"key-p{n}": (n % 2 == 0, levels) for n, (_, levels) in enumerate(PEOPLE)}


ACTIVE = ("active", "confirmed")
TYPE_1, TYPE_2, PREGNANCY, REST = CONDITIONS
# What sources say of one person: (ICD-10, SNOMED CT, clinical status, verification status), and the level the person has.
ILLNESSES: list[tuple[list[tuple[Any, ...]], str]] = [
    ([], "unknown"), ([(None, None, *ACTIVE)], "unknown"),
    ([("E10.9", None, *ACTIVE)], TYPE_1), ([("E11", None, *ACTIVE)], TYPE_2), ([(" e1165", None, *ACTIVE)], TYPE_2),
    ([("O24.4", None, *ACTIVE)], PREGNANCY), ([("E14.9", None, *ACTIVE)], REST), ([("E08.00", None, *ACTIVE)], REST),
    ([(None, "46635009", *ACTIVE)], TYPE_1), ([(None, "44054006", *ACTIVE)], TYPE_2), ([(None, "11687002", *ACTIVE)], PREGNANCY),
    ([("E10.9", "73211009", *ACTIVE)], TYPE_1), ([("I10", None, *ACTIVE)], OTHER), ([(None, "440540060", *ACTIVE)], OTHER),
    ([("XE11", None, *ACTIVE)], OTHER), ([("E1", None, *ACTIVE)], OTHER),
    ([("E11.9", None, *ACTIVE), (None, "44054006", *ACTIVE)], TYPE_2),
    ([("E11.9", None, *ACTIVE), ("E10.9", None, *ACTIVE)], SEVERAL), ([("E11.9", None, *ACTIVE), ("O24.1", None, *ACTIVE)], SEVERAL),
    ([("E11.9", None, *ACTIVE), ("I10", None, *ACTIVE)], TYPE_2), ([("I10", None, *ACTIVE), ("J45", None, *ACTIVE)], OTHER),
    ([("E11.9", None, *ACTIVE), (None, None, *ACTIVE)], TYPE_2),
    *[([("E11.9", None, *told)], TYPE_2) for told in (
        ("recurrence", "confirmed"), ("relapse", "confirmed"), (None, "confirmed"), ("active", None), (None, None))],
    *[([("E11.9", None, *told)], "unknown") for told in (
        ("inactive", "confirmed"), ("remission", "confirmed"), ("resolved", "confirmed"), ("active", "refuted"), ("active", "entered-in-error"),
        ("active", "unconfirmed"), ("active", "provisional"), ("active", "differential"), (None, "refuted"), ("resolved", None),
        (None, "entered-in-error"), ("inactive", "refuted"))],
    ([("E11.9", None, "inactive", "refuted"), ("E10.9", None, *ACTIVE)], TYPE_1),
    ([("E11.9", None, None, "entered-in-error"), ("I10", None, *ACTIVE)], OTHER),
    ([("E11.9", None, *ACTIVE), ("E11.9", None, "inactive", "refuted")], TYPE_2),
]


def test_the_condition_of_each_person(frame: Any) -> None:
    rows = [(f"s{m}", f"p{n}", *said) for n, (told, _) in enumerate(ILLNESSES) for m, said in enumerate(told)]
    table = frame("source string, source_person_id string, " + ", ".join(f"{column} string" for column in ILL.columns), rows)
    links = frame(LINKS, [(f"s{m}", f"p{n}", f"p{n}") for n in range(len(ILLNESSES)) for m in range(2)])
    people = frame("person_key string, is_in boolean", [(f"p{n}", True) for n in range(len(ILLNESSES))])
    told = {r.person_key: r.condition for r in stage.described(people, links, {"core.condition": table}, (ILL,), ON).collect()}
    assert [(said, told[f"p{n}"]) for n, (said, _) in enumerate(ILLNESSES)] == ILLNESSES


def test_considered_are_linked_people_with_a_row_in_an_input(frame: Any) -> None:
    whom = "source string, source_person_id string, other string"
    readings = frame(whom, [("app", "a", "x"), ("app", "a", "y"), ("app", "b", "x"), ("app", "nobody", "x"), ("app", None, "x")])
    doses = frame(whom, [("crm", "A", "x"), ("app", "c", "x"), ("crm", "d", "x"), ("app", "e", "x")])
    links = frame(LINKS, [("app", "a", "1"), ("crm", "A", "1"), ("app", "b", "2"), ("app", "c", "3"), ("crm", "d", "4"),
                          ("app", "e", "5"), ("app", "idle", "6")])
    decisions = frame("person_key string, is_permitted boolean, reason_code string", [
        ("1", True, "permitted"), ("2", False, "denied"), ("3", True, "permitted"), ("4", False, "nothing_known"), ("6", True, "permitted")])
    people = stage.considered([readings, doses], links, decisions)
    assert sorted(map(tuple, people.collect())) == [("1", True), ("2", False), ("3", True), ("4", False), ("5", False)]


def test_people_are_counted_by_level(frame: Any) -> None:
    people = frame("person_key string, is_in boolean, sex string, country string", [
        ("1", True, "male", "DE"), ("2", True, "male", "FR"), ("3", False, "male", "FR"), ("4", False, "unknown", "FR")])
    assert sorted(map(tuple, stage.counts(people, (SEX, COUNTRY)).collect())) == [
        ("country", "DE", 1, 0), ("country", "FR", 1, 2), ("sex", "male", 2, 1), ("sex", "unknown", 0, 1)]


# Exact counts -> what is shown of them with a minimum of 7 and rounding to 5.
HIDDEN: list[tuple[list[int], list[int | None]]] = [
    ([20, 30, 8], [20, 30, 10]),
    ([0, 0, 0], [None, None, None]), ([1, 0, 0], [None, None, None]), ([7, 0, 0], [None, None, None]),
    ([100, 3, 5], [100, None, None]),              # two are hidden: neither follows from the total
    ([100, 60, 3], [100, None, None]),             # one alone would: the next smallest goes with it
    ([100, 60, 60, 3], [100, None, None, None]),   # and all that are as small as that
    ([100, 7], [None, None]), ([98, 0, 0], [None, None, None]),  # 98 is the least that 100 stands for: so nobody is hidden
    ([99, 0, 0], [100, None, None]), ([98, 1, 0], [100, None, None]), ([48, 48, 0, 0], [None] * 4), ([48, 49, 0, 0], [50, 50, None, None]),
    ([102, 7, 7], [None, None, None]),             # 102 is the most: so all are 7
    ([101, 7, 7], [100, None, None]), ([102, 7, 6], [100, None, None]),
]


@pytest.mark.parametrize(("exact", "shown"), HIDDEN)
def test_what_is_hidden(exact: list[int], shown: list[int | None]) -> None:
    assert balance.protected(exact, 7, 5) == shown


# Shares in two groups -> the standardised difference.
DIFFERENCES = [(0.5, 0.5, 0.0), (0.0, 0.0, 0.0), (1.0, 1.0, 0.0), (1.0, 0.0, None), (0.0, 1.0, None),
               (0.6, 0.4, 0.2 / sqrt(0.24)), (0.4, 0.6, -0.2 / sqrt(0.24)), (0.1, 0.2, -0.1 / sqrt((0.09 + 0.16) / 2)),
               (1.0, 0.5, 0.5 / sqrt(0.125))]


@pytest.mark.parametrize(("first", "second", "expected"), DIFFERENCES)
def test_the_difference_of_two_shares(first: float, second: float, expected: float | None) -> None:
    assert balance.difference(first, second) == pytest.approx(expected, abs=1e-12)


def test_the_distance_of_two_distributions() -> None:
    """Of two levels it is the size of the difference of either; three are worked out by hand."""
    assert balance.distance([60, 40], [40, 60], [100, 100]) == pytest.approx(0.2 / sqrt(0.24))
    # T = (.5, .3), C = (.3, .3), S = ((.23, -.12), (-.12, .21)): 0.2^2 * 0.21 / (0.23 * 0.21 - 0.12^2)
    assert balance.distance([50, 30, 20], [30, 30, 40], [100, 100]) == pytest.approx(sqrt(0.04 * 0.21 / (0.23 * 0.21 - 0.0144)))
    assert balance.distance([50, 50], [50, 50], [100, 100]) == pytest.approx(0, abs=1e-9)


def test_levels_hidden_in_one_group_count_as_one_and_those_hidden_in_both_not() -> None:
    whole = balance.distance([60, 40], [40, 60], [100, 100])
    assert balance.distance([60, None, None], [40, None, 20], [100, 100]) == pytest.approx(whole)
    assert balance.distance([60, 35, None], [40, 55, None], [100, 100]) == pytest.approx(balance.distance([60, 35], [40, 55], [95, 95]))
    assert balance.distance([40, 40, None], [50, 50, None], [80, 105]) == pytest.approx(0, abs=1e-9), "rounding is no difference"
    assert balance.distance([None, None], [40, 60], [None, 100]) is None
    assert balance.distance([60, None], [None, 60], [100, 100]) is None
    assert balance.distance([40], [30], [40, 30]) == pytest.approx(0)
    assert balance.distance([55, 50], [10, 20], [100, 30]) not in (None, inf, nan), "roundings may exceed the total"


def test_a_report_by_hand() -> None:
    counts = {"sex": {"male": (101, 40), "female": (60, 78), "unknown": (3, 0), "other": (0, 0)}}
    rows = balance.report(counts, (SEX,), 7, 5)
    assert [r["position"] for r in rows] == list(range(6))
    told = {(r["attribute"], r["level"]): (r["people_in"], r["people_out"], r["share_in"], r["share_out"]) for r in rows}
    assert told == {
        ("everyone", "all"): (165, 120, 1.0, 1.0), ("sex", "all"): (165, 120, 1.0, 1.0),
        ("sex", "male"): (100, 40, 100 / 165, 40 / 120), ("sex", "female"): (60, 80, 60 / 165, 80 / 120),
        ("sex", "other"): (None, None, None, None), ("sex", "unknown"): (None, None, None, None)}
    apart = {r["level"]: r["standardised_difference"] for r in rows if r["attribute"] == "sex"}
    assert apart["male"] == pytest.approx(balance.difference(100 / 165, 40 / 120)) and apart["male"] > 0 > apart["female"]
    assert apart["all"] == pytest.approx(balance.distance([100, 60, None, None], [40, 80, None, None], [165, 120])) and apart["all"] > 0
    assert rows[0]["standardised_difference"] is apart["other"] is apart["unknown"] is None


@pytest.mark.parametrize("counts", [
    {}, {"sex": {"male": (1, 0)}}, {"sex": {"male": (7, 7)}}, {"sex": {"male": (3, 0), "unknown": (4, 0)}}])
def test_of_too_few_people_nothing_is_told(counts: Any) -> None:
    rows = balance.report(counts, (SEX,), 7, 5)
    assert len(rows) == 6 and {v for r in rows for k, v in r.items() if k not in ("attribute", "level", "position")} == {None}


@pytest.mark.parametrize(("counts", "shown"), [
    ({"sex": {"male": (40, 0), "female": (31, 0)}}, (70, None)), ({"sex": {"male": (0, 40), "female": (0, 31)}}, (None, 70))])
def test_nobody_left_out_or_nobody_in(counts: Any, shown: tuple[Any, ...]) -> None:
    rows = balance.report(counts, (SEX,), 7, 5)
    assert (rows[0]["people_in"], rows[0]["people_out"]) == shown
    assert {r["standardised_difference"] for r in rows} == {None}
    side = "people_in" if shown[1] else "people_out"
    assert {r[side] for r in rows} == {None}


def test_unknown_for_everybody() -> None:
    rows = balance.report({"sex": {"unknown": (41, 32)}}, (SEX,), 7, 5)
    assert [(r["people_in"], r["people_out"]) for r in rows] == [(40, 30), (40, 30), (None, None), (None, None), (None, None), (40, 30)]
    assert [r["standardised_difference"] for r in rows] == [None, 0.0, None, None, None, 0.0]
