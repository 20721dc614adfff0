"""How old the newest value of a candidate may be, by the latency that its contract promises of a column: old, new, none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from contracts.load import folders, one
from contracts.service_levels import ServiceLevel, newest
from contracts.table import Column, Table
from contracts.vocabulary import DataCategory
from jobs.check import Finding, findings, gate

NOW = datetime.now(UTC)


def old(**ago: float) -> datetime:
    return NOW - timedelta(**ago)


def found(spark: SparkSession, kind: str, values: list[Any], within: timedelta) -> tuple[Finding, Table]:
    def column(name: str, type_: str) -> Column:
        return Column.model_validate({"name": name, "type": type_, "description": "", "category": DataCategory.TECHNICAL, "treatment": None,
                                      "required": name == "id", "key": 1 if name == "id" else None})
    columns = (column("id", "long"), column("seen", kind))
    level = ServiceLevel(promise="latency", within=within, element="seen", driver=None)
    plain = Table(name="product.x", description="", version="1.0.0", columns=columns)
    rule = newest(level, plain)
    assert rule is not None
    table = plain.model_copy(update={"quality": (rule,)})
    frame = spark.createDataFrame(list(enumerate(values)), f"id long, seen {kind}")
    gate(frame, table, NOW)  # It stops nothing.
    return next(f for f in findings(frame, table, NOW) if f.rule == "latency_of_seen"), table


@pytest.mark.parametrize(("kind", "values", "is_met"), [
    ("timestamp", [old(hours=5), old(days=90)], True), ("timestamp", [old(hours=49)], False), ("timestamp", [None, old(hours=1)], True),
    ("date", [old(days=2).date(), old(days=90).date()], True), ("date", [old(days=4).date()], False), ("date", [NOW.date()], True),
    ("date", [], False), ("timestamp", [None], False)])
def test_the_newest_value_counts(spark: SparkSession, kind: str, values: list[Any], is_met: bool) -> None:
    finding, _ = found(spark, kind, values, timedelta(days=2))
    assert (finding.is_met, finding.stops) == (is_met, False)


def test_a_latency_of_no_column_makes_no_rule(tmp_path: Path) -> None:
    path = folders()[0] / "products" / "glucose_daily.yaml"
    made = tmp_path / "products" / "glucose_daily.yaml"
    made.parent.mkdir()
    text, there = path.read_text("utf-8"), "slaProperties:\n"
    made.write_text(text.replace(there, there + "  - {property: latency, value: 3, unit: d, element: glucose_daily.observed_on}\n"), "utf-8")
    assert [rule.name for rule in one(path).table.quality] == []
    rule, = one(made).table.quality
    assert (rule.name, rule.description) == ("latency_of_observed_on", "The newest observed_on is at most 3 d old.")
