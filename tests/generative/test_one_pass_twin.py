"""The one-pass engine beside the stock engine of Great Expectations: the same verdicts and the same counts."""

from __future__ import annotations

from typing import Any

import great_expectations as gx
import great_expectations.expectations as gxe
import pytest
from great_expectations.datasource.fluent import SparkDatasource
from great_expectations.expectations.row_conditions import Column
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.connect.dataframe import DataFrame as ConnectFrame

from contracts import catalog
from expectations.metric import ExpectQualityMetricToMeet
from jobs import one_pass
from jobs.check import RESULT_FORMAT, _context, gate
from jobs.one_pass import OnePassEngine
from tests.constraints import PAST, rows_of

TYPES = "source string, number long, code string, value double, other double"
ROW = st.tuples(st.sampled_from([None, "a", "b"]), st.sampled_from([None, 0, 1, 2]), st.sampled_from([None, "x", "y", "z-1", ""]),
                st.sampled_from([None, 0.0, -0.0, 1.5, 20.0, float("nan"), float("inf")]), st.sampled_from([None, 1.0, 20.0]))
GLUCOSE, BOTH = Column("code") == "x", (Column("code") == "y") | Column("value").is_null()
SUITE = [
    gxe.ExpectTableColumnsToMatchSet(column_set=["source", "number", "code", "value", "other"], exact_match=True),
    gxe.ExpectTableRowCountToBeBetween(min_value=1, max_value=6),
    gxe.ExpectCompoundColumnsToBeUnique(column_list=["source", "number"]),
    gxe.ExpectCompoundColumnsToBeUnique(column_list=["source", "code"], ignore_row_if="any_value_is_missing"),
    gxe.ExpectCompoundColumnsToBeUnique(column_list=["source", "code"], ignore_row_if="never"),
    gxe.ExpectCompoundColumnsToBeUnique(column_list=["number", "value"], row_condition=GLUCOSE),
    gxe.ExpectColumnValuesToBeUnique(column="number"),
    gxe.ExpectColumnValuesToBeUnique(column="value", row_condition=BOTH),
    gxe.ExpectColumnValuesToNotBeNull(column="code"),
    gxe.ExpectColumnValuesToNotBeNull(column="value", row_condition=GLUCOSE),
    gxe.ExpectColumnValuesToNotBeNull(column="other", mostly=0.5),
    gxe.ExpectColumnValuesToBeNull(column="other", row_condition=BOTH),
    gxe.ExpectColumnValuesToBeInSet(column="code", value_set=["x", "y"]),
    gxe.ExpectColumnValuesToNotBeInSet(column="code", value_set=["", "n/a"]),
    gxe.ExpectColumnValuesToMatchRegex(column="code", regex="^[a-z]$"),
    gxe.ExpectColumnValueLengthsToBeBetween(column="code", min_value=1, max_value=2),
    gxe.ExpectColumnValuesToBeBetween(column="value", min_value=0, max_value=10),
    gxe.ExpectColumnValuesToBeBetween(column="value", min_value=1, strict_min=True, row_condition=GLUCOSE),
    gxe.ExpectColumnValuesToBeBetween(column="value", max_value=10, mostly=0.6, row_condition=BOTH),
    gxe.ExpectColumnPairValuesAToBeGreaterThanB(column_A="value", column_B="other", or_equal=True),
    gxe.ExpectColumnMaxToBeBetween(column="value", max_value=20, row_condition=GLUCOSE),
    gxe.ExpectColumnMeanToBeBetween(column="other", min_value=1, max_value=20),
    gxe.UnexpectedRowsExpectation(unexpected_rows_query="SELECT code FROM {batch} WHERE value > 10"),
    gxe.ExpectColumnValuesToNotBeNull(column="nothing"),
    ExpectQualityMetricToMeet(metric="missingValues", columns=["code"], values=[None, ""], must="mustBeLessThan", numbers=[40], is_percent=True),
    ExpectQualityMetricToMeet(metric="invalidValues", columns=["code"], pattern="^[a-z]$", must="mustNotBeBetween", numbers=[1, 2]),
    ExpectQualityMetricToMeet(metric="duplicateValues", columns=["source", "code"], must="mustBeLessOrEqualTo", numbers=[2]),
    ExpectQualityMetricToMeet(metric="rowCount", must="mustBeGreaterThan", numbers=[3]),
]


def validated(frame: DataFrame, engine: type | None, result_format: dict[str, Any]) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SparkDatasource, "execution_engine_override", engine)
        patch.setattr(one_pass, "PART", 2)  # Keys of four rows and more are looked through in parts.
        asset = _context().data_sources.add_or_update_spark("frames", persist=False).add_dataframe_asset("t")
        batch = asset.add_batch_definition_whole_dataframe("all").get_batch(batch_parameters={"dataframe": frame})
        return batch.validate(gx.ExpectationSuite(name="t", expectations=SUITE), result_format=result_format)


def results(frame: DataFrame, engine: type | None) -> list[tuple[Any, ...]]:
    """Verdict and counts by expectation; a count of none is nought, since the stock engine sums no rows to null."""
    return sorted(
        (r.expectation_config.type, str(sorted((k, str(v)) for k, v in r.expectation_config.kwargs.items() if k != "batch_id")),
         r.success, *(r.result.get(k) or 0 for k in ("unexpected_count", "element_count", "missing_count")),
         str(r.result.get("observed_value") or 0), r.exception_info.get("raised_exception", True))
        for r in validated(frame, engine, RESULT_FORMAT).results)


@pytest.mark.parametrize("rows", [[], [("a", 1, "x", 2.0, 1.0)], [("a", 1, "x", 2.0, 1.0)] * 2, [(None,) * 5] * 2])
def test_few_rows(spark: SparkSession, rows: list[tuple[Any, ...]]) -> None:
    frame = spark.createDataFrame(rows, TYPES)
    assert results(frame, OnePassEngine) == results(frame, None)


@settings(max_examples=12, deadline=None)
@given(rows=st.lists(ROW, max_size=8))
def test_any_rows(spark: SparkSession, rows: list[tuple[Any, ...]]) -> None:
    frame = spark.createDataFrame(rows, TYPES)
    assert results(frame, OnePassEngine) == results(frame, None)


def test_rows_that_are_left_out_in_a_second_way_are_left_to_the_stock_engine(spark: SparkSession) -> None:
    """Folding the condition alone would count rows that the filter leaves out, or miss them."""
    engine = object.__new__(OnePassEngine)
    assert engine.kept({"row_condition": GLUCOSE}) is not None
    assert engine.kept({"row_condition": GLUCOSE, "filter_conditions": ["value IS NOT NULL"]}) is None


def test_what_a_contract_declares_is_three_queries(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """How many rows, how many of them break what, and how many keys."""
    table, asked = catalog().table("core.observation"), []
    frame = rows_of(spark, table, [{}, {}])
    collect = ConnectFrame.collect
    monkeypatch.setattr(ConnectFrame, "collect", lambda self: [asked.append(self), collect(self)][1])
    assert gate(frame, table, PAST) > 15 and len(asked) == 3


def test_rows_and_values_that_broke_an_expectation_are_never_asked_for(spark: SparkSession) -> None:
    """Whatever result format a suite or its reader asks for."""
    rows = [("canary", 1, "canary", 7391.5, None)] * 2
    found = validated(spark.createDataFrame(rows, TYPES), OnePassEngine, {"result_format": "COMPLETE", "include_unexpected_rows": True})
    failed = [r.expectation_config.type for r in found.results if not r.success]
    assert "expect_column_values_to_be_unique" in failed and "unexpected_rows_expectation" in failed
    assert "canary" not in str(found) and "7391" not in str(found)
