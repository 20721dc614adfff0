"""What becomes of a contract's rules of quality: each kind, met and broken, over rows and over none."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pyspark.sql import SparkSession

from contracts.quality import HISTORY, MOMENT, AnyRule, CustomRule, LibraryRule, Limit, Metric, Must, Reference, Severity, SqlRule
from contracts.reading import ContractError
from contracts.table import Column, Table
from contracts.vocabulary import DataCategory
from expectations.derive import suite
from jobs.check import Finding, findings, gate
from jobs.errors import GateFailed
from jobs.row_rules import breaking

AS_OF = datetime(2030, 1, 1, tzinfo=UTC)
TYPES = {"id": "long", "value": "double", "code": "string"}
ROWS = [(1, 1.0, "x"), (2, None, "N/A"), (3, 3.0, None), (4, 1.0, "x"), (5, 2.5, "it's \\d"), (6, 9.0, "y1")]


def said(column: str | None, severity: Severity) -> dict[str, Any]:
    return {"name": "rule", "description": "", "severity": severity, "column": column}


def limit(must: str, *numbers: float) -> Limit:
    return Limit(must=Must(must), numbers=numbers)


def library(metric: str, column: str | None, bound: Limit, **more: Any) -> LibraryRule:
    return LibraryRule(**said(column, Severity.WARN), metric=Metric(metric), limit=bound, is_percent=more.pop("percent", False), **more)


def query(text: str, bound: Limit) -> SqlRule:
    return SqlRule(**said(None, Severity.WARN), query=text, limit=bound)


def custom(expectation: str, **kwargs: Any) -> CustomRule:
    return CustomRule(**said(None, Severity.WARN), expectation=expectation, kwargs=kwargs)


def reference(*columns: str) -> Reference:
    return Reference(**said(None, Severity.WARN), columns=columns, to_table="core.known", to_columns=("code", "id")[-len(columns):])


NONE, AT_MOST = limit("mustBe", 0), "mustBeLessOrEqualTo"
MISSING, VALID = (None, "N/A", ""), ("x", "it's \\d")
# Rule; over the rows above: whether it is met, and how many rows break it (None: it counts none); over none: the same.
Case = tuple[AnyRule, tuple[bool, int | None], tuple[bool, int | None]]
CASES: dict[str, Case] = {
    "no nulls": (library("nullValues", "value", NONE), (False, 1), (True, 0)),
    "at most one null": (library("nullValues", "value", limit(AT_MOST, 1)), (True, 1), (True, 0)),
    "less than a sixth is null": (library("nullValues", "value", limit("mustBeLessThan", 16.6), percent=True), (False, 1), (True, 0)),
    "at most a fifth is null": (library("nullValues", "value", limit(AT_MOST, 20), percent=True), (True, 1), (True, 0)),
    "few missing": (library("missingValues", "code", limit(AT_MOST, 2), values=MISSING), (True, 2), (True, 0)),
    "fewer missing": (library("missingValues", "code", limit(AT_MOST, 1), values=MISSING), (False, 2), (True, 0)),
    "missing words alone": (library("missingValues", "code", limit(AT_MOST, 1), values=("N/A",)), (True, 1), (True, 0)),
    "a word is missing": (library("missingValues", "code", NONE, values=("N/A",)), (False, 1), (True, None)),
    "some are invalid": (library("invalidValues", "code", limit("mustBeBetween", 1, 3), values=VALID), (True, 2), (False, 0)),
    "none is invalid": (library("invalidValues", "code", NONE, values=(*VALID, "y1")), (False, 1), (True, None)),
    "a pattern": (library("invalidValues", "code", limit("mustNotBe", 2), pattern=r"^[a-z]+\d?$"), (False, 2), (True, 0)),
    "every one a pattern": (library("invalidValues", "code", NONE, pattern=r"^[^z]*$"), (True, 0), (True, None)),
    "duplicates of two columns": (library("duplicateValues", None, limit("mustBeLessThan", 3), columns=("value", "code")), (True, 2), (True, 0)),
    "duplicates of one": (library("duplicateValues", None, limit("mustBe", 2), columns=("code",)), (True, 2), (False, 0)),
    "no duplicates of one": (library("duplicateValues", "code", NONE, columns=("code",)), (False, 2), (True, 0)),
    "no duplicates of two": (library("duplicateValues", None, NONE, columns=("id", "code")), (True, 0), (True, 0)),
    "more rows": (library("rowCount", None, limit("mustBeGreaterThan", 6)), (False, None), (False, None)),
    "some rows": (library("rowCount", None, limit("mustBeGreaterOrEqualTo", 6)), (True, None), (False, None)),
    "no rows": (library("rowCount", None, NONE), (False, None), (True, None)),
    "a query": (query("SELECT max(value) FROM {batch}", limit("mustBeLessThan", 9.5)), (True, None), (False, None)),
    "a query of nought when empty": (query("SELECT count(*) FROM {batch} WHERE value > 5", NONE), (False, None), (True, None)),
    "a query of several values": (query("SELECT count(*) FROM {batch} GROUP BY code", limit("mustBeLessThan", 2)), (False, None), (True, None)),
    "a query out of a range": (query("SELECT count(*) FROM {batch}", limit("mustNotBeBetween", 2, 5)), (True, None), (True, None)),
    "an expectation": (custom("expect_column_values_to_be_between", column="value", max_value=2), (False, 3), (True, None)),
    "an expectation of some rows": (custom("expect_column_values_to_be_between", column="value", max_value=2, row_condition="code = 'x'",
                                           condition_parser="spark"), (True, 0), (True, None)),
    "a reference": (reference("id"), (False, 2), (True, 0)),
    "a reference of two columns": (reference("code", "id"), (False, 2), (True, 0)),
}


def table(*rules: AnyRule) -> Table:
    columns = tuple(Column(name=name, type=kind, description=name, category=DataCategory.TECHNICAL, treatment=None, key=1 if name == "id" else None,
                           required=name == "id") for name, kind in TYPES.items())
    return Table(name="core.made", description="", version="1.0.0", columns=columns, quality=rules)


def found(spark: SparkSession, rows: list[tuple[Any, ...]], *rules: AnyRule) -> dict[str | None, Finding]:
    spark.createDataFrame([(1, "x"), (2, "a"), (4, "x"), (6, "y1")], "id long, code string").createOrReplaceTempView("known_core_known")
    frame = spark.createDataFrame(rows, ", ".join(f"{name} {kind}" for name, kind in TYPES.items()))
    return {finding.rule: finding for finding in findings(frame, table(*rules), AS_OF)}


@pytest.fixture(scope="module")
def judged(spark: SparkSession) -> dict[bool, dict[str | None, Finding]]:
    rules = [rule.model_copy(update={"name": name.replace(" ", "_")}) for name, (rule, *_) in CASES.items()]
    return {is_empty: found(spark, [] if is_empty else ROWS, *rules) for is_empty in (False, True)}


@pytest.mark.parametrize("is_empty", [False, True], ids=["rows", "none"])
@pytest.mark.parametrize("name", CASES)
def test_rule(judged: dict[bool, dict[str | None, Finding]], name: str, is_empty: bool) -> None:
    finding = judged[is_empty][name.replace(" ", "_")]
    assert (finding.is_met, finding.rows) == CASES[name][1 + is_empty]
    assert not finding.stops and str(finding).startswith(f"{finding.rule}: ")


def test_a_missing_null_and_a_missing_word_are_two_expectations(spark: SparkSession) -> None:
    rule = library("missingValues", "code", NONE, values=MISSING)
    frame = spark.createDataFrame(ROWS, ", ".join(f"{name} {kind}" for name, kind in TYPES.items()))
    broken = [(f.expectation, f.rows) for f in findings(frame, table(rule), AS_OF) if f.rule]
    assert sorted(broken) == [("expect_column_values_to_not_be_in_set", 1), ("expect_column_values_to_not_be_null", 1)]


@pytest.mark.parametrize("severity", Severity)
def test_a_warning_stops_nothing(spark: SparkSession, severity: Severity) -> None:
    rule = custom("expect_column_values_to_be_between", column="value", max_value=2).model_copy(update={"severity": severity})
    frame, kept = spark.createDataFrame(ROWS, ", ".join(f"{name} {kind}" for name, kind in TYPES.items())), []
    if severity == Severity.WARN:
        assert gate(frame, table(rule), AS_OF, keep=kept.extend) == len(kept)
    else:
        with pytest.raises(GateFailed, match=r"core.made: 1 of 4 .*rule: expect_column_values_to_be_between on value \(3 rows\)"):
            gate(frame, table(rule), AS_OF, keep=kept.extend)
    assert [(f.rule, f.stops) for f in kept if not f.is_met] == [("rule", severity != Severity.WARN)]


ROW = Severity.REJECT_ROW
BREAKING: dict[str, tuple[AnyRule, list[int]]] = {
    "a null": (library("nullValues", "value", NONE), [2]),
    "a missing word or null": (library("missingValues", "code", NONE, values=MISSING), [2, 3]),
    "another value": (library("invalidValues", "code", NONE, values=VALID), [2, 6]),
    "another form": (library("invalidValues", "code", NONE, pattern="^[a-z]"), [2]),
    "an expectation": (custom("expect_column_values_to_be_between", column="value", max_value=2), [3, 5, 6]),
    "an expectation of some rows": (custom("expect_column_values_to_be_between", column="value", max_value=0, row_condition="code = 'x'",
                                           condition_parser="spark"), [1, 4]),
    "an expectation of two columns": (custom("expect_column_pair_values_a_to_be_greater_than_b", column_A="id", column_B="value"), [1, 3, 6]),
    "two columns where one is missing": (custom("expect_column_pair_values_to_be_equal", column_A="id", column_B="value",
                                                ignore_row_if="either_value_is_missing"), [4, 5, 6]),
    "two columns where both are missing": (custom("expect_column_pair_values_to_be_equal", column_A="id", column_B="value"), [2, 4, 5, 6]),
}


@pytest.mark.parametrize("name", BREAKING)
def test_rows_that_break_a_rule_are_those_that_the_gate_counts(spark: SparkSession, name: str) -> None:
    rule, expected = BREAKING[name]
    frame = spark.createDataFrame(ROWS, ", ".join(f"{column} {kind}" for column, kind in TYPES.items()))
    made = table(rule.model_copy(update={"severity": ROW}))
    found = breaking(frame, made, "id")
    assert found is not None and sorted(found.collect()) == [(number, "rule") for number in expected]
    assert sum(f.rows or 0 for f in findings(frame, made, AS_OF) if f.rule) == len(expected)


def test_a_record_is_set_apart_once_and_by_one_rule(spark: SparkSession) -> None:
    """Two rows of a record break three rules; the record's number is given once."""
    frame = spark.createDataFrame([(7, *ROWS[1]), (7, *ROWS[5]), (8, *ROWS[0])], "position long, id long, value double, code string")
    rules = [rule.model_copy(update={"severity": ROW, "name": name.replace(" ", "_")}) for name, (rule, _) in BREAKING.items()][:5]
    found = breaking(frame, table(*rules), "position")
    assert found is not None and found.collect() == [(7, "a_null")]
    assert breaking(frame, table(rules[0].model_copy(update={"severity": Severity.REJECT_BATCH})), "position") is None


@pytest.mark.parametrize(("rule", "parts"), [
    (custom("expect_column_values_to_be_unique", column="value").model_copy(update={"severity": ROW}), ("rule is reject_row", "which rows")),
    (custom("expect_column_max_to_be_between", column="value", max_value=1).model_copy(update={"severity": ROW}), ("which rows",)),
    (custom("expect_column_values_to_be_null", column="value", mostly=0.9).model_copy(update={"severity": ROW}), ("mostly",)),
    (custom("expect_values_to_be_nice", column="value"), ("rule names expect_values_to_be_nice", "does not know")),
    (custom("expect_column_values_to_be_in_set", column="value", values=[1]), ("rule does not say", "value_set")),
])
def test_an_expectation_that_is_none_is_refused(rule: AnyRule, parts: tuple[str, ...]) -> None:
    with pytest.raises(ContractError) as caught:
        suite(table(rule), AS_OF)
    assert all(part in str(caught.value) for part in parts)


@pytest.mark.parametrize(("rule", "what"), [
    (query("SELECT count(*) FROM {batch}, other", NONE), r"must read \$\{object\}"),
    (query("SELECT max(valu) FROM {batch}", NONE), "cannot be asked"),
    (custom("expect_column_values_to_be_null", column="value", row_condition="id IN (SELECT id FROM other)", condition_parser="spark"),
     r"must read \$\{object\}")])
def test_what_may_not_be_asked_is_refused_before_it_is(spark: SparkSession, rule: AnyRule, what: str) -> None:
    """Whoever loaded a contract without checking it."""
    frame = spark.createDataFrame(ROWS, ", ".join(f"{column} {kind}" for column, kind in TYPES.items()))
    for ask in (lambda made: findings(frame, made, AS_OF), lambda made: breaking(frame, made, "id")):
        with pytest.raises(ContractError, match=f"contract of core.made: query of rule {what}"):
            ask(table(rule.model_copy(update={"severity": ROW})))


def test_a_query_compares_with_rows_that_came_before_and_with_the_moment(spark: SparkSession) -> None:
    """Without such rows it compares with none."""
    types = ", ".join(f"{name} {kind}" for name, kind in TYPES.items())
    rule = query(f"SELECT (SELECT count(*) FROM {HISTORY}) FROM {{batch}} LIMIT 1", limit("mustBe", 3))
    late = query(f"SELECT year({MOMENT}) FROM {{batch}} LIMIT 1", limit("mustBe", 2030))
    for before, is_met in ((spark.createDataFrame(ROWS[:3], types), True), (spark.createDataFrame(ROWS[:2], types), False), (None, False)):
        of = table(rule, late.model_copy(update={"name": "late"}))
        met = {f.rule: f.is_met for f in findings(spark.createDataFrame(ROWS, types), of, AS_OF, history=before) if f.rule}
        assert met == {"rule": is_met, "late": True}


def test_a_query_that_no_engine_can_answer_is_not_met_and_quotes_nothing(spark: SparkSession) -> None:
    """Contracts refuse a column that is not there; what passes them and fails all the same must stop a write."""
    rule = query("SELECT raise_error(code) FROM {batch} WHERE code = 'y1'", NONE).model_copy(update={"severity": Severity.REJECT_BATCH})
    finding = found(spark, ROWS, rule)["rule"]
    assert not finding.is_met and finding.rows is None and "y1" not in str(finding)
