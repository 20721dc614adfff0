"""Great Expectations over a Spark frame in one pass: every count of a suite in one query, whichever rows it is about.

The stock engine asks once for each row condition, and looks for repeated keys with a window over the whole table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import reduce
from operator import and_, or_
from typing import Any, ClassVar

from great_expectations.execution_engine import SparkDFExecutionEngine
from great_expectations.expectations.row_conditions import Condition, PassThroughCondition, deserialize_row_condition
from pyspark.sql import Column
from pyspark.sql import functions as F

UNIQUE = ("column_values.unique.unexpected_count", "compound_columns.unique.unexpected_count")
ROWS = "table.row_count"
TYPES = "table.column_types"
PART = 100_000  # Rows whose keys are looked through together.
NULLS = "column_values.nonnull.unexpected_count"  # Counting what is there costs an engine a third of summing what is not.
COUNT = ".unexpected_count"
# Metrics that show rows, or values that broke an expectation. Nobody may see those: they are empty, and cost no query.
SAMPLES = (".unexpected_values", ".unexpected_value_counts", ".unexpected_rows", ".unexpected_index_list",
           ".unexpected_index_query", "unexpected_rows_query.table")
# What narrows the rows that a count is about, in the words of the stock engine.
NARROWS = ("row_condition", "condition_parser", "filter_conditions", "ignore_row_if", "column", "column_list")


class OnePassEngine(SparkDFExecutionEngine):
    """The stock engine, but rows that a count is not about are left out within the count and not by a query of their own.

    Keys are unique when no 64-bit hash of them is there twice; where one is, the stock engine counts the rows.
    Verdicts and counts are the stock engine's (tests/generative/test_one_pass_twin.py).
    """

    session: ClassVar[Any] = None  # Of the frame that is checked; None: the one that the library finds.

    @staticmethod
    def get_or_create_spark_session(spark_config: Any = None) -> Any:
        """The session of the frame: a process may have made others, and stopped them."""
        return OnePassEngine.session or SparkDFExecutionEngine.get_or_create_spark_session(spark_config)

    def load_batch_data(self, batch_id: str, batch_data: Any) -> None:
        """Take a batch, and ask queries of its own session: the library takes whichever the process made first."""
        super().load_batch_data(batch_id, batch_data)
        self.spark = getattr(batch_data, "dataframe", batch_data).sparkSession

    def resolve_metrics(self, metrics_to_resolve: Iterable[Any], metrics: Any = None, runtime_configuration: Any = None) -> Any:
        """Values of metrics by their ids. Raises MetricResolutionError, which names the metrics that failed."""
        samples: dict[Any, Any] = {m.id: [] for m in metrics_to_resolve if m.metric_name.endswith(SAMPLES)}
        if samples or not metrics_to_resolve:
            return samples or metrics or {}
        direct, bundle = self._build_direct_and_bundled_metric_computation_configurations(
            metrics_to_resolve, metrics, runtime_configuration)
        keys = {c.metric_configuration.id: c for c in direct if c.metric_configuration.metric_name in UNIQUE and _is_hashable(c)}
        sooner = [_told_of_all_rows(c) for c in direct if c.metric_configuration.id not in keys]
        if sooner:  # What is not given now is asked for again, by then with the counts that rest on what is.
            return self._process_direct_and_bundled_metric_computation_configurations(sooner, [])
        return self._process_direct_and_bundled_metric_computation_configurations(
            [replace(c, metric_fn=self._keys_first(c, _most_rows(metrics or {}))) for c in keys.values()],
            [self._in_one_query(c, metrics or {}) for c in bundle])

    def _in_one_query(self, asked: Any, metrics: dict) -> Any:
        """A count, asked of all rows where that is possible: those it is not about are left out within it."""
        domain = asked.compute_domain_kwargs
        everything = not any(domain.get(name) for name in NARROWS)
        kept = F.lit(True) if everything else self.kept(domain)
        if kept is None:
            return asked
        if asked.metric_configuration.metric_name == NULLS:
            column = F.col(asked.metric_configuration.metric_domain_kwargs["column"])
            every, filled = (F.count(e if everything else F.when(kept, e)) for e in (F.lit(1), column))
            return replace(asked, metric_fn=every - filled, compute_domain_kwargs=_all_rows(domain))
        if everything:
            return replace(asked, compute_domain_kwargs=_all_rows(domain))
        if asked.metric_configuration.metric_name == ROWS:
            return replace(asked, metric_fn=F.count(F.when(kept, F.lit(1))), compute_domain_kwargs=_all_rows(domain))
        count = asked.metric_configuration.metric_dependencies.get("metric_partial_fn")
        if count is None or not asked.metric_configuration.metric_name.endswith(COUNT):
            return asked
        known = self._get_computed_metric_evaluation_dependencies_by_metric_name(count, metrics)
        broken = known["unexpected_condition"][0]
        return replace(asked, metric_fn=F.sum(F.when(kept & broken, 1).otherwise(0)), compute_domain_kwargs=_all_rows(domain))

    def _keys_first(self, asked: Any, rows_known: int) -> Callable[..., int]:
        """The stock engine's count of rows with a repeated key, but nought without asking it where no hash of a key is repeated.

        Grouped, since counting distinct hashes beside other counts takes an engine ten times as long once in a while; in parts
        whose hashes fit into a processor's cache, which takes it half as long.
        """
        domain = asked.metric_configuration.metric_domain_kwargs
        kept = [c for c in (self.kept(domain), not_ignored(domain)) if c is not None]

        def count(**known: Any) -> int:
            rows = self.get_domain_records(_all_rows(domain)).where(reduce(and_, kept, F.lit(True)))
            hashes = rows.select(F.xxhash64(*(domain.get("column_list") or [domain["column"]])).alias("hash"))
            if rows_known >= 2 * PART:
                hashes = hashes.repartition(rows_known // PART, "hash")
            return 0 if hashes.groupBy("hash").count().where("count > 1").isEmpty() else asked.metric_fn(**known)

        return count

    def kept(self, domain: dict) -> Column | None:
        """The rows that a domain is about; None where it does not say, says it twice, or in the stock engine's older words."""
        if domain.get("filter_conditions"):
            return None
        condition = domain.get("row_condition")
        if isinstance(condition, dict):
            condition = deserialize_row_condition(condition)
        if isinstance(condition, PassThroughCondition):
            return F.expr(condition.pass_through_filter)
        return F.expr(self.condition_to_filter_clause(condition)) if isinstance(condition, Condition) else None


def _most_rows(metrics: dict) -> int:
    """The most rows that were counted so far, of all or under a condition; 0 where none were."""
    return max((value for key, value in metrics.items() if key.metric_name == ROWS and isinstance(value, int)), default=0)


def _is_hashable(asked: Any) -> bool:
    """Whether a key's uniqueness may be asked by hashes: its rows are all, or are told by a condition that can be folded."""
    condition = asked.metric_configuration.metric_domain_kwargs.get("row_condition")
    return condition is None or isinstance(condition, (dict, Condition))


def not_ignored(domain: dict) -> Column | None:
    """What the stock engine leaves out of the rows of a key, or of columns beside each other: as ``ignore_row_if`` says."""
    if "column" in domain:
        return F.col(domain["column"]).isNotNull()
    named = domain.get("column_list") or [domain["column_A"], domain["column_B"]]
    missing = [F.col(name).isNull() for name in named]
    every, some = ~reduce(and_, missing), ~reduce(or_, missing)
    return {"all_values_are_missing": every, "both_values_are_missing": every, "any_value_is_missing": some,
            "either_value_is_missing": some}.get(domain.get("ignore_row_if", "never"))


def _told_of_all_rows(asked: Any) -> Any:
    """Types of columns are the same in every row: they are asked of the whole frame, which knows them once it was asked."""
    if asked.metric_configuration.metric_name != TYPES:
        return asked
    given = asked.metric_provider_kwargs
    return replace(asked, metric_provider_kwargs={**given, "metric_domain_kwargs": _all_rows(given["metric_domain_kwargs"])})


def _all_rows(domain: dict) -> dict:
    return {name: value for name, value in domain.items() if name not in NARROWS}
