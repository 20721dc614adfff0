"""check: Great Expectations as a gate before a write becomes visible. Nothing it says quotes a value."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from contracts.model import Table
from jobs.errors import GateFailed

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

# Counts only: neither samples of unexpected values nor rows are ever asked for.
RESULT_FORMAT = {"result_format": "BASIC", "partial_unexpected_count": 0, "include_unexpected_rows": False}


@dataclass(frozen=True)
class Finding:
    """A broken expectation: what, on which columns, and how many rows break it (None where it does not count)."""

    expectation: str
    columns: str
    rows: int | None

    def __str__(self) -> str:
        many = "" if self.rows is None else f" ({self.rows} rows)"
        return f"{self.expectation} on {self.columns}{many}"


def gate(frame: DataFrame, table: Table, as_of: datetime, needed: frozenset[str] = frozenset()) -> int:
    """Check a frame against the suite of its contract; returns how many expectations held.

    Raises GateFailed with every broken expectation, without any value; then nothing may be written.
    """
    found, count = findings(frame, table, as_of, needed)
    if found:
        raise GateFailed(f"{table.name}: {len(found)} of {count} expectations failed, nothing was written: "
                         + "; ".join(str(f) for f in found))
    return count


def findings(frame: DataFrame, table: Table, as_of: datetime,
             needed: frozenset[str] = frozenset()) -> tuple[list[Finding], int]:
    """The broken expectations of a frame, and how many there were in all."""
    context = _context()
    from great_expectations.datasource.fluent import SparkDatasource

    from expectations.derive import suite
    from jobs.one_pass import OnePassEngine

    SparkDatasource.execution_engine_override = OnePassEngine  # type: ignore[misc]  # a class variable of a generic class
    source = context.data_sources.add_or_update_spark("frames", persist=False)
    definition = source.add_dataframe_asset(table.name).add_batch_definition_whole_dataframe("all")
    batch = definition.get_batch(batch_parameters={"dataframe": frame})
    result = batch.validate(suite(table, as_of, needed), result_format=RESULT_FORMAT)
    return [_finding(r) for r in result.results if not r.success], len(result.results)


def _finding(result: Any) -> Finding:
    kwargs = result.expectation_config.kwargs
    columns = kwargs.get("column") or ", ".join(kwargs.get("column_list") or kwargs.get("column_set") or [])
    count = None if result.exception_info.get("raised_exception") else (result.result or {}).get("unexpected_count")
    return Finding(result.expectation_config.type, str(columns), count)


@lru_cache(maxsize=1)
def _context() -> Any:
    """One ephemeral context a process. Great Expectations sets its own log level when it is imported: ours comes after."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    import great_expectations

    logging.getLogger("great_expectations").setLevel(logging.CRITICAL)
    context: Any = great_expectations.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    return context
