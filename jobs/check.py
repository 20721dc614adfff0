"""check: Great Expectations as a gate before a write becomes visible. Nothing it says quotes a value."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from contracts.model import Table
from contracts.quality import HISTORY, MOMENT, SqlRule, in_sql
from jobs.errors import GateFailed

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

# Counts only: neither samples of unexpected values nor rows are ever asked for.
RESULT_FORMAT = {"result_format": "BASIC", "partial_unexpected_count": 0, "include_unexpected_rows": False}

AS_OF = "the moment of the check"  # What a result says where a suite holds a time: there is no other.

ERROR = re.compile(r"^Traceback .*\n(?: .*\n)+(?:\w+\.)*(\w+)", re.MULTILINE)  # The type stands behind the frames.


@dataclass(frozen=True)
class Finding:
    """What became of an expectation: whether it holds, of how many rows, and how many break it (None where it counts none).

    ``rule`` is the contract's own name for it, None where it follows from columns. ``stops``: whether nothing may be written
    when it does not hold. ``configuration`` is what the suite says of it as JSON, so that a result can be shown again; no
    value of a row is in it. ``error``: the type of the error for which it could not be asked; it counts as broken then.
    """

    expectation: str
    columns: str
    is_met: bool
    of: int | None
    rows: int | None
    configuration: str
    rule: str | None
    stops: bool
    error: str | None = None

    def __str__(self) -> str:
        many = f" (not asked: {self.error})" if self.error else "" if self.rows is None else f" ({self.rows} rows)"
        on = f" on {self.columns}" if self.columns else ""
        return f"{f'{self.rule}: ' if self.rule else ''}{self.expectation}{on}{many}"


def gate(frame: DataFrame, table: Table, as_of: datetime, needed: frozenset[str] = frozenset(),
         keep: Callable[[list[Finding]], None] = lambda _: None, history: DataFrame | None = None) -> int:
    """Check a frame against the suite of its contract; returns how many expectations were asked.

    ``history``: the rows that the same source brought to the table before; None where nothing came before.
    ``keep`` gets what was found, whatever it is. Raises GateFailed with every broken expectation that stops a write, without
    any value; then nothing may be written.
    """
    found = findings(frame, table, as_of, needed, history)
    keep(found)
    broken = [f for f in found if f.stops and not f.is_met]
    if broken:
        raise GateFailed(f"{table.name}: {len(broken)} of {len(found)} expectations failed, nothing was written: "
                         + "; ".join(str(f) for f in broken))
    return len(found)


def findings(frame: DataFrame, table: Table, as_of: datetime, needed: frozenset[str] = frozenset(),
             history: DataFrame | None = None) -> list[Finding]:
    """What became of each expectation of a table's contract over a frame."""
    if any(isinstance(rule, SqlRule) and rule.reads_history for rule in table.quality):
        from jobs.schema import spark_schema

        before = frame.sparkSession.createDataFrame([], spark_schema(table)) if history is None else history
        before.createOrReplaceTempView(HISTORY)
    context = _context()
    from great_expectations.datasource.fluent import SparkDatasource

    from expectations.derive import suite
    from jobs.one_pass import OnePassEngine

    SparkDatasource.execution_engine_override = OnePassEngine  # type: ignore[misc]  # a class variable of a generic class
    OnePassEngine.session = frame.sparkSession
    source = context.data_sources.add_or_update_spark("frames", persist=False)
    definition = source.add_dataframe_asset(table.name).add_batch_definition_whole_dataframe("all")
    batch = definition.get_batch(batch_parameters={"dataframe": frame})
    result = batch.validate(suite(table, as_of, needed), result_format=RESULT_FORMAT)
    return [_finding(r, in_sql(as_of)) for r in result.results]


def _finding(result: Any, moment: str) -> Finding:
    """``moment``: how queries write when they are asked; what is kept says it by its name, the same at each asking."""
    said = result.expectation_config
    kwargs = {name: value for name, value in said.kwargs.items() if name != "batch_id"}
    columns = kwargs.get("column") or ", ".join(
        kwargs.get("column_list") or kwargs.get("column_set") or kwargs.get("columns") or said.meta.get("columns") or [])
    error = _error(result.exception_info)
    counted = {} if error else result.result or {}
    broken = counted.get("observed_value" if said.meta.get("counts") == "rows" else "unexpected_count")
    configuration = json.dumps(kwargs, sort_keys=True, default=str if said.meta.get("rule") else lambda _: AS_OF)
    return Finding(said.type, str(columns), bool(result.success), counted.get("element_count"), broken,
                   configuration.replace(moment, MOMENT), said.meta.get("rule"), said.severity == "critical", error)


def _error(said: dict[str, Any]) -> str | None:
    """The type of an error for which an expectation, or a count that it needs, could not be asked; its text may quote a value."""
    each = [said] if "raised_exception" in said else said.values()
    raised = [one["exception_traceback"] or "" for one in each if one["raised_exception"]]
    found = [match[1] for text in raised if (match := ERROR.search(text))]
    return found[0] if found else "an error" if raised else None


@lru_cache(maxsize=1)
def _context() -> Any:
    """The one in which a process checks."""
    return new_context()


def new_context() -> Any:
    """An ephemeral context that is silent. Great Expectations sets its own log level when it is imported: ours comes after."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    import great_expectations

    logging.getLogger("great_expectations").setLevel(logging.CRITICAL)
    context: Any = great_expectations.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    return context
