"""What gates found: every expectation of every check, met or not, without a value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from contracts.model import Table
from jobs.check import Finding
from jobs.lake import Lake
from jobs.schema import arrow_schema

TABLE = "ledger.quality"


def write(lake: Lake, subject: str, table: Table, found: Iterable[Finding], at: datetime) -> None:
    """Write what a gate found of a subject's rows for a table, in place of what an earlier try found."""
    numbers: Counter[tuple[str, str]] = Counter()
    rows: list[dict[str, Any]] = []
    for finding in sorted(found, key=lambda f: f.configuration):
        numbers[alike := (finding.expectation, finding.columns)] += 1
        rows.append({"subject": subject, "table_name": table.name, "expectation": finding.expectation, "columns": finding.columns,
                     "number": numbers[alike], "is_met": finding.is_met, "rows": finding.of, "broken": finding.rows,
                     "configuration": finding.configuration, "rule": finding.rule,
                     "severity_code": "critical" if finding.stops else "warning",
                     "contract_version": table.version, "checked_at": at})
    made = pa.Table.from_pylist(rows, schema=arrow_schema(lake.contract(TABLE)))
    key = list(lake.contract(TABLE).key)
    held = lake.arrow(TABLE, columns=key, filters=(pc.field("subject") == subject) & (pc.field("table_name") == table.name))
    lake.merge_arrow(TABLE, made, gone=held.join(made.select(key), keys=key, join_type="left anti"))


def stopped(lake: Lake) -> set[str]:
    """Subjects of which a check failed that stops a write, when it was asked last."""
    rows = lake.arrow(TABLE, columns=["subject"], filters=~pc.field("is_met") & (pc.field("severity_code") == "critical"))
    return set(rows["subject"].to_pylist())
