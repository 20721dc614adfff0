"""From a contract's rules of quality to expectations of Great Expectations."""

from __future__ import annotations

from typing import Any

import great_expectations.expectations as gxe
from great_expectations.compatibility.pydantic import ValidationError
from great_expectations.exceptions import ExpectationNotFoundError
from great_expectations.expectations.registry import get_expectation_impl

from contracts.quality import AnyRule, CustomRule, LibraryRule, Metric, Reference, RuleError, Severity, SqlRule
from contracts.queries import VIEWS
from expectations.metric import ExpectQualityMetricToMeet

SEVERITIES = {Severity.REJECT_ROW: "critical", Severity.REJECT_BATCH: "critical", Severity.WARN: "warning"}


def rule(said: AnyRule) -> list[gxe.Expectation]:
    """The expectations that a rule is made of, each with the rule's name in its ``meta``. Raises RuleError."""
    found = _expectations(said)
    if said.severity == Severity.REJECT_ROW:
        for expectation in found:
            _refuse_no_row(said.name, expectation)
    return found


def _refuse_no_row(name: str, expectation: gxe.Expectation) -> None:
    """Raise RuleError where an expectation does not tell of each row whether it breaks it."""
    metric = getattr(expectation, "map_metric", None)
    if metric is None or metric.endswith(".unique"):
        raise RuleError(f"severity of {name} is reject_row, but {expectation.configuration.type} does not say which rows "
                        "break it; write reject_batch or warn", name)
    if getattr(expectation, "mostly", 1) != 1:
        raise RuleError(f"{name} lets some rows be (mostly), but its severity is reject_row, which sets each apart; write "
                        "reject_batch or warn, or take mostly out", name)


def _expectations(said: AnyRule) -> list[gxe.Expectation]:
    common: dict[str, Any] = {"severity": SEVERITIES[said.severity], "meta": {"rule": said.name}}
    if said.description:
        common["description"] = said.description
    match said:
        case LibraryRule():
            return _library(said, common)
        case SqlRule():
            holds = said.limit.sql("measured.value")
            return [gxe.UnexpectedRowsExpectation(
                unexpected_rows_query=f"SELECT value FROM ({said.query}) AS measured(value) WHERE NOT COALESCE({holds}, FALSE)",
                **common)]
        case CustomRule():
            return [made(said.expectation, said.kwargs, said.name, **common)]
        case Reference():
            pairs = zip(said.columns, said.to_columns, strict=True)
            there = " AND ".join(f"given.{own} = known.{theirs}" for own, theirs in pairs)
            given = " AND ".join(f"given.{own} IS NOT NULL" for own in said.columns)
            query = f"SELECT 1 FROM {{batch}} AS given LEFT ANTI JOIN {view(said.to_table)} AS known ON {there} WHERE {given}"
            common["meta"] |= {"columns": list(said.columns), "counts": "rows"}
            return [gxe.UnexpectedRowsExpectation(unexpected_rows_query=query, **common)]


def view(table: str) -> str:
    """The name by which a suite calls another table; who asks has to make a view of that name."""
    return f"{VIEWS}{table.replace('.', '_')}"


def made(expectation: str, kwargs: dict[str, Any], name: str, **common: Any) -> gxe.Expectation:
    """An expectation by its name. Raises RuleError where there is none, or where it does not take these arguments."""
    try:
        kind = get_expectation_impl(expectation)
    except ExpectationNotFoundError:
        raise RuleError(f"{name} names {expectation}, which Great Expectations does not know; write one of its expectations, for "
                        "example expect_column_values_to_be_between", name) from None
    try:
        return kind(**kwargs, **common)
    except (ValueError, TypeError) as error:
        wrong = error.errors() if isinstance(error, ValidationError) else []
        what = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in wrong) or error
        raise RuleError(f"{name} does not say what {expectation} takes: {what}", name) from None


def _library(said: LibraryRule, common: dict[str, Any]) -> list[gxe.Expectation]:
    """The library's own expectations where nothing is allowed, else one that compares."""
    columns = list(said.columns) or ([said.column] if said.column else [])
    if not said.limit.is_none or said.metric == Metric.ROW_COUNT:
        return [ExpectQualityMetricToMeet(
            metric=str(said.metric), columns=columns, must=str(said.limit.must), numbers=list(said.limit.numbers),
            is_percent=said.is_percent, values=list(said.values), pattern=said.pattern, **common)]
    common = common | ({} if said.metric == Metric.DUPLICATE_VALUES else {"column": said.column})
    nulls = gxe.ExpectColumnValuesToNotBeNull
    match said.metric:
        case Metric.NULL_VALUES:
            return [nulls(**common)]
        case Metric.MISSING_VALUES:
            values = [value for value in said.values if value is not None]
            return [*([nulls(**common)] if None in said.values else []),
                    *([gxe.ExpectColumnValuesToNotBeInSet(value_set=values, **common)] if values else [])]
        case Metric.INVALID_VALUES if said.pattern is not None:
            return [gxe.ExpectColumnValuesToMatchRegex(regex=said.pattern, **common)]
        case Metric.INVALID_VALUES:
            return [gxe.ExpectColumnValuesToBeInSet(value_set=list(said.values), **common)]
    if len(columns) == 1:
        return [gxe.ExpectColumnValuesToBeUnique(column=columns[0], **common)]
    return [gxe.ExpectCompoundColumnsToBeUnique(column_list=columns, ignore_row_if="never", **common)]
