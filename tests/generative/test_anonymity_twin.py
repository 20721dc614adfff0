"""Anonymity beside a naive twin: every node of the lattice, every group and every distance, in plain Python."""

from __future__ import annotations

import itertools
from collections import Counter
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from jobs.anonymity import hierarchies, risk
from jobs.anonymity.counts import count
from jobs.anonymity.groups import Privacy
from jobs.anonymity.hierarchies import TOP, Hierarchy
from jobs.anonymity.labels import applied
from jobs.anonymity.search import search

UP = {"age": {None: (None, "none"), "1": ("0-4", "0-9"), "3": ("0-4", "0-9"), "7": ("5-9", "0-9"), "12": ("10-14", "10-19")},
      "code": {None: (None,), "ab": ("a*",), "ac": ("a*",), "b1": ("b*",)}, "sex": {None: (), "f": (), "m": ()}}
ROW = st.tuples(st.sampled_from(list(UP["age"])), st.sampled_from(list(UP["code"])), st.sampled_from([None, "f", "m"]),
                st.sampled_from(["x", "y", "z"]), st.sampled_from([1, 2, 5]), st.sampled_from("abcde"))
COLUMNS, SENSITIVE, PERSON = ("age", "code", "sex"), {"state": 3, "stage": 4}, 5
ASKED = st.builds(Privacy, st.integers(2, 4), st.fixed_dictionaries({}, optional={"state": st.integers(2, 3), "stage": st.just(2)}),
                  st.fixed_dictionaries({}, optional={"state": st.sampled_from([0.2, 0.5]), "stage": st.sampled_from([0.1, 0.4])}))
Row = tuple[Any, ...]


def make(name: str, kind: str, values: Any) -> Hierarchy:
    if name == "sex":
        return hierarchies.exact(name, values)
    above = [UP[name][value] for value in values]
    return hierarchies.of(name, values, list(zip(*above, strict=True)))


def told(name: str, value: Any, level: int, values: set[Any]) -> tuple[Any, Fraction]:
    """What is told of a value at a level, and what it loses."""
    def at(v: Any) -> Any:
        steps = (v, *UP[name][v]) if name != "sex" else (v,)
        return steps[level] if level < len(steps) else TOP

    alike = sum(at(v) == at(value) for v in values)
    return at(value), Fraction(alike - 1, len(values) - 1) if len(values) > 1 else Fraction(int(level > 0))


def distance(here: list[Any], everywhere: list[Any], is_ordered: bool) -> Fraction:
    values = sorted(set(everywhere))
    apart = [Fraction(here.count(v), len(here)) - Fraction(everywhere.count(v), len(everywhere)) for v in values]
    if not is_ordered:
        return sum((abs(a) for a in apart), Fraction(0)) / 2
    sums = list(itertools.accumulate(apart))
    return sum((abs(s) for s in sums), Fraction(0)) / max(len(values) - 1, 1)


def each_of_another(owners: list[set[Any]]) -> int:
    """How many values, of which each is had by these people, can be told of as many different people: by trying all ways."""
    if not owners:
        return 0
    first, *rest = owners
    return max(each_of_another(rest), *(1 + each_of_another([o - {person} for o in rest]) for person in first), 0)


def is_bad(group: list[Row], rows: list[Row], privacy: Privacy) -> bool:
    few = len({r[PERSON] for r in group}) < privacy.k or any(
        each_of_another([{r[PERSON] for r in group if r[at] == value} for value in {r[at] for r in group}]) < least
        for at, least in ((SENSITIVE[n], least) for n, least in privacy.diverse.items()))
    return few or any(distance([r[SENSITIVE[n]] for r in group], [r[SENSITIVE[n]] for r in rows], n == "stage") > Fraction(str(most))
                      for n, most in privacy.close.items())


def least_loss(rows: list[Row], privacy: Privacy, most: int, tops: list[int]) -> Fraction | None:
    """The least loss of all levels; None where too many rows are suppressed at each."""
    found = []
    for node in itertools.product(*[range(top + 1) for top in tops]):
        of = [[told(name, row[at], level, {r[at] for r in rows}) for at, (name, level) in enumerate(zip(COLUMNS, node, strict=True))]
              for row in rows]
        keys = [tuple(label for label, _ in labels) for labels in of]
        bad = {key for key in keys if is_bad([row for row, other in zip(rows, keys, strict=True) if other == key], rows, privacy)}
        if sum(key in bad for key in keys) <= most:
            found.append(sum((Fraction(1) if key in bad else sum((lost for _, lost in labels), Fraction(0)) / len(COLUMNS)
                              for key, labels in zip(keys, of, strict=True)), Fraction(0)) / len(rows))
    return min(found, default=None)


@pytest.mark.parametrize("has_many", [False, True], ids=["a row a person", "many rows a person"])
@settings(max_examples=40, deadline=None)
@given(rows=st.lists(ROW, min_size=4, max_size=14), privacy=ASKED, share=st.sampled_from([0.0, 0.2, 0.5]))
def test_the_levels_found_lose_least(spark: SparkSession, has_many: bool, rows: list[Row], privacy: Privacy, share: float) -> None:
    rows = rows if has_many else [(*row[:PERSON], str(number)) for number, row in enumerate(rows)]
    frame = spark.createDataFrame(rows, "age string, code string, sex string, state string, stage int, person string")
    asked = sorted({*privacy.diverse, *privacy.close})
    most = int(share * len(rows))
    counts = count(frame, dict(zip(COLUMNS, COLUMNS, strict=True)), dict(zip(asked, asked, strict=True)), privacy.k, most, make,
                   person="person")
    assert (counts.people is None) == (len({row[PERSON] for row in rows}) == len(rows))
    found = search(counts, privacy, most)
    expected = least_loss(rows, privacy, most, [column.hierarchy.levels - 1 for column in counts.columns])
    if expected is None:
        assert found is None
        return
    assert found is not None and found.loss == pytest.approx(float(expected))
    left = [tuple(row) for row in applied(frame, counts, found).collect()]
    groups: dict[Row, list[Row]] = {}
    for row in left:
        groups.setdefault(row[:3], []).append(row)
    assert len(left) == len(rows) - found.groups.bad_rows >= len(rows) - most
    assert not any(is_bad(group, rows, privacy) for group in groups.values())
    assert not Counter(row[3:] for row in left) - Counter(row[3:] for row in rows)
    people = [len({row[PERSON] for row in group}) for group in groups.values()]
    assert risk.of(counts, found.groups) == risk.Risk(
        len(left), len(groups), min(people, default=None), len(people) / sum(people) if people else None, 1 / min(people) if people else None)
