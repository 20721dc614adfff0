"""Which single rows break the rules of a contract that set rows apart: asked of Great Expectations, row by row."""

from __future__ import annotations

from functools import reduce
from operator import and_
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from contracts.model import Table
from contracts.quality import Severity
from contracts.queries import refuse_unaskable


def breaking(rows: DataFrame, table: Table, number: str) -> DataFrame | None:
    """The numbers of rows that break a rule, with the first such rule's name; None where the table has no rule of that kind.

    ``rows`` have the table's columns, and ``number``: several may have one. Columns: ``number``, rule.
    Raises ContractError where a rule cannot be asked.
    """
    rules = [rule for rule in table.quality if rule.severity == Severity.REJECT_ROW]
    if not rules:
        return None
    from expectations.rules import rule as expectations

    refuse_unaskable(table)
    asked = [(rule.name, expectation) for rule in rules for expectation in expectations(rule)]
    conditions = _broken(rows, [expectation for _, expectation in asked])
    broken = [F.when(condition, F.lit(name)) for (name, _), condition in zip(asked, conditions, strict=True)]
    found = rows.select(number, F.coalesce(*broken).alias("rule")).where(F.col("rule").isNotNull())
    return found.groupBy(number).agg(F.min("rule").alias("rule"))


def _broken(rows: DataFrame, expectations: list[Any]) -> list[Column]:
    """Whether a row breaks each expectation, as Great Expectations counts; not where a row condition leaves the row out."""
    from great_expectations.validator.metric_configuration import MetricConfiguration
    from great_expectations.validator.metrics_calculator import MetricsCalculator

    from jobs.one_pass import OnePassEngine, not_ignored

    engine = OnePassEngine(persist=False, spark=rows.sparkSession)
    engine.load_batch_data("rows", rows)
    asked: list[Any] = []
    for expectation in expectations:
        needed = expectation.get_validation_dependencies(execution_engine=engine)
        count = needed.get_metric_configuration(f"{expectation.map_metric}.unexpected_count")
        domain = {**count.metric_domain_kwargs, "batch_id": "rows"}
        asked.append(MetricConfiguration(f"{expectation.map_metric}.condition", domain, count.metric_value_kwargs))
    calculator: Any = MetricsCalculator(execution_engine=engine)
    known, _ = calculator.compute_metrics(asked)
    found = []
    for metric in asked:
        domain = metric.metric_domain_kwargs
        kept = [engine.kept(domain), None if "column" in domain else not_ignored(domain)]
        found.append(reduce(and_, [known[metric.id][0], *(c for c in kept if c is not None)]))
    return found
