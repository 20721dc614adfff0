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
    asked = _Conditions(rows)
    broken = [F.when(asked.broken(expectation), F.lit(rule.name)) for rule in rules for expectation in expectations(rule)]
    found = rows.select(number, F.coalesce(*broken).alias("rule")).where(F.col("rule").isNotNull())
    return found.groupBy(number).agg(F.min("rule").alias("rule"))


class _Conditions:
    """The conditions under which Great Expectations counts a row as broken, over one frame."""

    def __init__(self, rows: DataFrame) -> None:
        from great_expectations.validator.metrics_calculator import MetricsCalculator

        from jobs.one_pass import OnePassEngine

        self._engine = OnePassEngine(persist=False, spark=rows.sparkSession)
        self._engine.load_batch_data("rows", rows)
        self._metrics: Any = MetricsCalculator(execution_engine=self._engine)

    def broken(self, expectation: Any) -> Column:
        """Whether a row breaks an expectation; not where its row condition leaves the row out."""
        from great_expectations.validator.metric_configuration import MetricConfiguration

        from jobs.one_pass import not_ignored

        needed = expectation.get_validation_dependencies(execution_engine=self._engine)
        count = needed.get_metric_configuration(f"{expectation.map_metric}.unexpected_count")
        domain = {**count.metric_domain_kwargs, "batch_id": "rows"}
        condition, *_ = self._metrics.get_metric(
            MetricConfiguration(f"{expectation.map_metric}.condition", domain, count.metric_value_kwargs))
        kept = [self._engine.kept(domain), None if "column" in domain else not_ignored(domain)]
        return reduce(and_, [condition, *(c for c in kept if c is not None)])
