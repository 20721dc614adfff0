"""An expectation of Great Expectations for the library metrics of the Open Data Contract Standard, with any limit."""

from __future__ import annotations

from typing import Any, ClassVar

from great_expectations.expectations.expectation import BatchExpectation
from great_expectations.render import LegacyRendererType, RenderedStringTemplateContent
from great_expectations.render.renderer.renderer import renderer
from great_expectations.validator.metric_configuration import MetricConfiguration

from contracts.quality import Limit, Metric, Must

ROWS = "table.row_count"
UNEXPECTED = ".unexpected_count"


class ExpectQualityMetricToMeet(BatchExpectation):
    """Expect a number of rows, or their share of all in percent, to be as a contract says; of no rows the share is nought.

    ``metric`` is a name of the standard. ``columns``: the one whose values are counted, or those whose values together count
    as duplicates; a duplicate is a row whose value another row has. ``values`` are valid or missing (a null among them).
    """

    metric: str
    must: str
    numbers: list[float]
    is_percent: bool = False
    columns: list[str] = []  # noqa: RUF012  # a field of a model, copied for each
    values: list[Any] = []  # noqa: RUF012
    pattern: str | None = None

    args_keys: ClassVar[tuple[str, ...]] = ("metric", "columns", "must", "numbers", "is_percent", "values", "pattern")
    success_keys: ClassVar[tuple[str, ...]] = args_keys

    def get_validation_dependencies(self, execution_engine: Any = None, runtime_configuration: Any = None) -> Any:
        """The numbers of rows that it takes."""
        found = super().get_validation_dependencies(execution_engine, runtime_configuration)
        table = {"batch_id": self.configuration.kwargs.get("batch_id")}
        for name, domain, arguments in [(ROWS, {}, {}), *self._counts()]:
            found.set_metric_configuration(name, MetricConfiguration(name, {**table, **domain}, arguments))
        return found

    def _counts(self) -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
        """The counts whose sum is the metric: names in Great Expectations, what they are about, their arguments."""
        one = {"column": self.columns[0]} if self.columns else {}
        nulls: tuple[str, dict[str, Any], dict[str, Any]] = (f"column_values.nonnull{UNEXPECTED}", one, {})
        match Metric(self.metric):
            case Metric.ROW_COUNT:
                return []
            case Metric.NULL_VALUES:
                return [nulls]
            case Metric.MISSING_VALUES:
                said = [value for value in self.values if value is not None]
                others = [(f"column_values.not_in_set{UNEXPECTED}", one, {"value_set": said})] if said else []
                return [*others, *([nulls] if None in self.values else [])]
            case Metric.INVALID_VALUES if self.pattern is not None:
                return [(f"column_values.match_regex{UNEXPECTED}", one, {"regex": self.pattern})]
            case Metric.INVALID_VALUES:
                return [(f"column_values.in_set{UNEXPECTED}", one, {"value_set": self.values})]
            case Metric.DUPLICATE_VALUES if len(self.columns) > 1:
                return [(f"compound_columns.unique{UNEXPECTED}", {"column_list": self.columns, "ignore_row_if": "never"}, {})]
            case Metric.DUPLICATE_VALUES:
                return [(f"column_values.unique{UNEXPECTED}", one, {})]

    def _validate(self, metrics: dict[str, Any], runtime_configuration: Any = None, execution_engine: Any = None) -> Any:
        rows = metrics[ROWS]
        counts = [metrics[name] or 0 for name, _, _ in self._counts()]  # Of no rows an engine sums nothing.
        value = sum(counts) if counts else rows
        if self.is_percent:
            value = 100 * value / rows if rows else 0
        counted = {"element_count": rows, "unexpected_count": sum(counts)} if counts else {}
        return {"success": Limit(must=Must(self.must), numbers=tuple(self.numbers)).holds(value),
                "result": {"observed_value": value, **counted}}

    @classmethod
    @renderer(renderer_type=LegacyRendererType.PRESCRIPTIVE)
    def _prescriptive_renderer(cls, configuration: Any = None, result: Any = None, runtime_configuration: Any = None,
                               **_: Any) -> list[RenderedStringTemplateContent]:
        kwargs = configuration.kwargs
        columns = kwargs.get("columns")
        params = {"metric": kwargs["metric"], "columns": ", ".join(columns or []), "must": kwargs["must"],
                  "numbers": " and ".join(f"{n:g}" for n in kwargs["numbers"]),
                  "unit": "percent" if kwargs.get("is_percent") else "rows"}
        return [RenderedStringTemplateContent(content_block_type="string_template", string_template={
            "template": f"$metric{' of $columns' if columns else ''} $must $numbers $unit", "params": params,
            "styling": (runtime_configuration or {}).get("styling") or {}})]
