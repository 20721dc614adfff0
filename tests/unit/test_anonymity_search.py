"""The search for levels beside all of them, and distances beside those that were published."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from jobs.anonymity import risk, steps
from jobs.anonymity import search as search_module
from jobs.anonymity.counts import Column, Counts, Sensitive, in_order
from jobs.anonymity.groups import Privacy, grouped
from jobs.anonymity.numbering import numbered
from jobs.anonymity.people import People, apart
from jobs.anonymity.search import search
from jobs.errors import ConfigurationError


def counts_of(rows: list[tuple[str, ...]], kinds: tuple[str, ...]) -> Counts:
    """Counts of rows whose last value is sensitive and ordered, and none of whose values is rare by itself."""
    *columns, last = zip(*rows, strict=True)
    made = []
    for number, (values, kind) in enumerate(zip(columns, kinds, strict=True)):
        known = sorted(set(values))
        made.append(Column("", steps.made(f"c{number}", kind, known), np.array([Counter(values)[v] for v in known]), 0))
    codes = np.array([[c.hierarchy.values.index(v) for c, v in zip(made, row, strict=False)] for row in rows])
    order = sorted(set(last), key=float)
    return Counts(tuple(made), codes, np.ones(len(rows), dtype=np.int64), {"last": Sensitive(
        np.arange(len(rows)), np.array([order.index(v) for v in last]), np.ones(len(rows), dtype=np.int64), True)})


@pytest.mark.parametrize("seed", range(12))
def test_no_levels_lose_less_than_those_that_are_found(seed: int) -> None:
    random = np.random.default_rng(seed)
    rows = [(str(age), f"{code:04d}", sex, str(random.integers(5)))
            for age, code, sex in zip(random.normal(50, 15, 160).astype(int), random.integers(0, 40, 160) ** 2, random.choice(list("fmx"), 160),
                                      strict=True)]
    counts = counts_of(rows, ("integer", "string", "string"))
    privacy, most = Privacy(int(random.integers(2, 8)), {"last": 2}, {"last": 0.5} if seed % 3 == 0 else {}), int(random.integers(0, 40))
    losses = {}
    for node in itertools.product(*[range(c.hierarchy.levels) for c in counts.columns]):
        groups = grouped(counts, node, privacy)
        kept = ~groups.is_bad[groups.of]
        told = sum(c.hierarchy.loss(level)[counts.codes[:, at]][kept].sum() for at, (c, level) in enumerate(zip(counts.columns, node, strict=True)))
        if groups.bad_rows <= most:
            losses[node] = (told / 3 + groups.bad_rows) / len(rows)
    found = search(counts, privacy, most)
    assert found is not None and losses[found.levels] == pytest.approx(min(losses.values())) == pytest.approx(found.loss)
    assert found.looked_at < found.nodes == len(list(itertools.product(*[range(c.hierarchy.levels) for c in counts.columns])))


def test_levels_below_those_that_are_less_close_are_looked_at() -> None:
    """Groups that are close alone may be far when they are joined: 12 rows are too far at level 0, all 20 at level 1."""
    rows = [("aa", "1")] * 6 + [("ab", "1")] * 3 + [("ab", "2")] + [("ba", "2")] * 6 + [("bb", "2")] * 3 + [("bb", "1")]
    counts = counts_of([(f"{code}z", value) for code, value in rows], ("string",))
    kinds = [tuple(labels) for labels in counts.columns[0].hierarchy.labels]
    assert kinds[1:] == [("a**", "b**"), ("*",)]
    found = search(counts, Privacy(2, {}, {"last": 0.3}), 12)
    assert found is not None and (found.levels, found.groups.bad_rows, found.loss) == ((0,), 12, pytest.approx(0.6))


def test_of_levels_that_lose_the_same_those_that_suppress_least_are_taken() -> None:
    found = search(counts_of([("xq", "1"), ("yq", "2"), ("zq", "3")], ("string",)), Privacy(2), 3)
    assert found is not None and (found.levels, found.groups.bad_rows, found.loss) == ((1,), 0, 1.0)


def test_more_levels_than_can_be_looked_through_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = counts_of([("xq", "1"), ("yq", "2")] * 3, ("string",))
    monkeypatch.setattr(search_module, "MOST_NODES", 1)
    with pytest.raises(ConfigurationError, match="2 combinations of levels are more than the 1"):
        search(counts, Privacy(2), 0)


def test_numbers_are_in_order_and_what_is_none_comes_last() -> None:
    said = ["3.0", "NaN", "1.0", None, "2.0", "10.0", "-Infinity"]
    texts = pa.array(said).dictionary_encode("encode")
    assert in_order(texts, is_number=True).tolist() == [4, 6, 2, 0, 3, 5, 1]
    assert in_order(pa.array(["b", None, "a"]).dictionary_encode("encode"), is_number=False).tolist() == [2, 0, 1]


@pytest.mark.parametrize(("values", "kind"), [
    (["1", "-2.5", None, "0"], "double"), (["01067", "10115"], "string"), (["12", "SECRET"], "string"), ([None], "string"),
    (["2026-11-30", "1950-01-01"], "date"), (["2026-11-30", "7"], "string")])
def test_texts_are_what_they_all_look_like(values: list[str | None], kind: str) -> None:
    assert steps.kind_of(values) == kind


def test_distances_are_those_of_the_paper() -> None:
    """Li, Li and Venkatasubramanian 2007, section 3.1: of 3 to 11 thousand, {3, 4, 5} is 0.375 away and {6, 8, 11} 0.167."""
    for kept, expected in (((3, 4, 5), 0.375), ((6, 8, 11), 1 / 6)):
        rows = [("in" if salary in kept else "out", str(salary)) for salary in range(3, 12)]
        counts = counts_of(rows, ("string",))
        for close, is_bad in ((expected + 0.001, False), (expected - 0.001, True)):
            groups = grouped(counts, (0,), Privacy(1, {}, {"last": close}))
            assert groups.is_bad[groups.of[rows.index(("in", str(kept[0])))]] == is_bad


def test_risk_is_of_the_rows_that_are_left() -> None:
    counts = counts_of([("a", "1")] * 4 + [("b", "1")] * 2 + [("c", "1")], ("string",))
    assert risk.of(counts, grouped(counts, (0,), Privacy(2))) == risk.Risk(6, 2, 2, 2 / 6, 1 / 2)
    assert risk.of(counts, grouped(counts, (0,), Privacy(9))) == risk.Risk(0, 0, None, None, None)


def test_risk_is_of_people_and_not_of_their_rows() -> None:
    """Ten rows of a are of two people, five of b of five: who knows one row of a finds one of two."""
    counts = counts_of([("a", "1")] * 10 + [("b", "1")] * 5, ("string",))
    people = People(np.r_[[0] * 2, np.arange(10, 15)], np.r_[[0, 1], np.arange(2, 7)], np.r_[2, [0] * 9, [1] * 5])
    grouped_by = grouped(replace(counts, people=people), (0,), Privacy(2))
    assert risk.of(replace(counts, people=people), grouped_by) == risk.Risk(15, 2, 2, 2 / 7, 1 / 2)
    assert grouped(replace(counts, people=people), (0,), Privacy(3)).bad_rows == 10 and grouped(counts, (0,), Privacy(6)).bad_rows == 5


def test_people_are_counted_where_bounds_leave_it_open() -> None:
    """Two combinations of three people each: together three, four or six."""
    for second, number in (([0, 1, 2], 3), ([1, 2, 3], 4), ([3, 4, 5], 6)):
        people = People(np.array([0, 0, 0, 1, 1, 1]), np.array([0, 1, 2, *second]), np.array([3, 3]))
        together = np.array([0, 0])
        assert people.number(together, 1).tolist() == [number]
        assert [bool(people.fewer(together, 1, k)[0]) for k in range(1, 9)] == [number < k for k in range(1, 9)]


def test_values_of_one_person_are_no_diversity() -> None:
    """Group 0: five values of one person and one of another. Group 1: three people with one value each. Group 2: a chain."""
    group, value = np.array([0] * 6 + [1] * 3 + [2] * 5), np.array([0, 1, 2, 3, 4, 0, 0, 1, 2, 0, 1, 1, 2, 2])
    who = np.array([0, 0, 0, 0, 0, 1, 0, 1, 2, 0, 0, 1, 1, 2])
    assert apart(group, value, who, 4).tolist() == [2, 3, 3, 0]


def test_combinations_are_numbered_whatever_their_number_could_be() -> None:
    random = np.random.default_rng(1)
    columns = [(random.integers(0, 3, 50), 1 << 21) for _ in range(4)]
    found = numbered(columns, 50)
    same = {tuple(c[at] for c, _ in columns): found[at] for at in range(50)}
    assert all(found[at] == same[tuple(c[at] for c, _ in columns)] for at in range(50)) and len(set(same.values())) == len(same)
    assert numbered([(columns[0][0], 3)], 50).max() == 2 and numbered([], 2).tolist() == [0, 0]


@pytest.mark.parametrize(("kind", "values", "told"), [
    ("integer", ["18", "21", "24", "47", "93", None], [{"18": "[15, 20)", "21": "[20, 25)", "24": "[20, 25)", None: None},
                                                       {"18": "[0, 40)", "24": "[0, 40)", "93": "[80, 120)", None: None}]),
    ("date", ["1950-01-02", "1950-01-09", "1951-02-01"], [{"1950-01-02": "1950-01", "1951-02-01": "1951-02"}, {"1951-02-01": "1950s"}]),
    ("timestamp", ["1950-01-02 10:00:00", "1950-03-02 11:00:00", "1961-01-01 00:00:00"], [{"1950-03-02 11:00:00": "1950"}]),
    ("string", ["10115", "10117", "20095"], [{"10115": "1011*", "20095": "2009*"}, {"10117": "*"}]),
    ("string", ["north", "south west"], [{"north": "*"}]), ("double", ["0.5", "nan", "4.75"], [{"0.5": "[0, 8)", "nan": "nan"}]),
    ("double", ["0.6", "0.62", "0.7", "1.9"], [{"0.6": "[0.6, 0.65)", "0.62": "[0.6, 0.65)", "1.9": "[1.9, 1.95)"}]),
    ("long", ["1700000000000", "1700000000001", "1700000000099"], [{"1700000000001": "[1700000000000, 1700000000005)"}]),
])
def test_columns_without_a_hierarchy_get_one_for_their_type(kind: str, values: list[str | None], told: list[dict[str | None, str]]) -> None:
    made = steps.made("c", kind, values)
    for level, labels in enumerate(told, 1):
        for value, label in labels.items():
            assert made.labels[level][made.groups[level][values.index(value)]] == label
    assert len(made.labels[-1]) == 1
