"""Sound rows of any table, and for every constraint a contract declares a value that breaks it and nothing else."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from contracts.model import Column, Table
from contracts.vocabulary import RejectReason
from jobs.schema import spark_schema

CANARY = "Kanarienvogel"
BELOW, ABOVE = 73_914.5, 73_915.5  # how far beyond a limit; told apart from any count
PAST, FUTURE = datetime(2026, 1, 1, tzinfo=UTC), datetime(2093, 7, 31, tzinfo=UTC)
CANARIES = (CANARY, "73914", "73915", "2093-07-31", "2093, 7, 31")
UNIQUE, ONE_UNIQUE = "expect_compound_columns_to_be_unique", "expect_column_values_to_be_unique"
COLUMNS = "expect_table_columns_to_match_set"
SAID = re.compile(r"(expect_\w+) on ([\w, ]+?) \((\d+) rows\)")
# What the gate says, and why conform itself sets the record apart.
EXPECTATIONS = {
    "required": "expect_column_values_to_not_be_null", "allowed_values": "expect_column_values_to_be_in_set",
    "pattern": "expect_column_values_to_match_regex", "max_length": "expect_column_value_lengths_to_be_between",
    "minimum": "expect_column_values_to_be_between", "maximum": "expect_column_values_to_be_between",
    "not_in_future": "expect_column_values_to_be_between"}
REASONS = {
    "required": RejectReason.MISSING, "allowed_values": RejectReason.UNKNOWN_CODE, "pattern": RejectReason.BAD_FORMAT,
    "max_length": RejectReason.TOO_LONG, "minimum": RejectReason.OUT_OF_RANGE, "maximum": RejectReason.OUT_OF_RANGE,
    "not_in_future": RejectReason.IN_FUTURE}
# What a column says beside its constraints; its place in the key is a constraint of the table.
DESCRIBES = {"name", "type", "description", "key", "category", "treatment", "treatment_options", "identifier", "event_time", "derived", "origins"}
# Sound values of required columns with a pattern; the code is one that no rule of quality is about.
SAMPLES = {"code": "8302-2", "payload_sha256": "0" * 64, "person_id": "0" * 32, "country_code": "DE"}


@dataclass(frozen=True)
class Constraint:
    """One constraint of one column."""

    column: Column
    kind: str

    def __str__(self) -> str:
        return f"{self.kind} of {self.column.name}"

    @property
    def expectation(self) -> tuple[str, str]:
        """The expectation and the column that the gate names when it is broken."""
        return EXPECTATIONS[self.kind], self.column.name

    @property
    def broken(self) -> Any:
        """A value that breaks this constraint alone; texts hold the canary."""
        match self.kind:
            case "required":
                return None
            case "allowed_values" | "pattern":
                return CANARY
            case "max_length":
                size = (self.column.max_length or 0) + 1
                return (CANARY * (size // len(CANARY) + 1))[:size]
            case "minimum":
                return _number(self.column, (self.column.minimum or 0) - BELOW)
            case "maximum":
                return _number(self.column, (self.column.maximum or 0) + ABOVE)
            case "not_in_future":
                return FUTURE.date() if self.column.type == "date" else FUTURE
        raise AssertionError(f"add a value that breaks {self} to tests/constraints.py")


def constraints(table: Table) -> Iterator[Constraint]:
    """Every constraint that the columns of a table declare."""
    for column in table.columns:
        for kind in EXPECTATIONS:
            value = getattr(column, kind)
            if value is not None and value is not False:
                yield Constraint(column, kind)


def sound(table: Table) -> dict[str, Any]:
    """A row of a table with all that is required and nothing else."""
    return {column.name: _sample(table, column) if column.required else None for column in table.columns}


def rows_of(spark: SparkSession, table: Table, changes: list[dict[str, Any]], is_one_key: bool = False) -> DataFrame:
    """Sound rows with these changes, each under a key of its own, or all under one."""
    free = next((c for c in table.columns if c.key and not c.pattern and not c.allowed_values), None)
    rows = []
    for number, change in enumerate(changes):
        place = 0 if is_one_key else number
        key: dict[str, Any] = {table.key[0]: f"{place:032x}"}  # Where all keys have a pattern: that of a person's.
        if free:
            key = {free.name: f"{CANARY}/{place}" if free.type == "string" else PAST.date() + timedelta(days=place)}
        row = {**sound(table), **key, **change}
        rows.append(tuple(row[c.name] for c in table.columns))
    return spark.createDataFrame(rows, spark_schema(table))


def named(said: str) -> Counter[tuple[str, str]]:
    """How many rows break which expectation on which columns, as the gate's message says."""
    return Counter({(what, columns): int(rows) for what, columns, rows in SAID.findall(said)})


def agree(found: Counter[tuple[str, str]], broken: list[Constraint], name: str) -> None:
    """Fail unless each constraint was found broken once, and nothing else was."""
    expected = Counter(c.expectation for c in broken)
    wrong = [str(c) for c in broken if found[c.expectation] != expected[c.expectation]]
    assert found == expected, (f"{name}: {', '.join(wrong) or 'something'} was not broken once by a row of its own; add a value "
                               "that breaks it alone to Constraint.broken in tests/constraints.py, or look at expectations/derive.py")


@contextmanager
def quiet(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Fail when a value that ``Constraint.broken`` gives is logged at any level, or printed by whomever."""
    caplog.set_level(logging.DEBUG)
    yield
    told = capfd.readouterr()
    text = told.out + told.err + "".join(r.getMessage() + str(r.exc_text or "") for r in caplog.records)
    assert [c for c in CANARIES if c in text] == []


def _sample(table: Table, column: Column) -> Any:
    if column.allowed_values:
        return column.allowed_values[0]
    if column.pattern:
        assert column.name in SAMPLES, f"add a sound value of {table.name}.{column.name} to SAMPLES in tests/constraints.py"
        return SAMPLES[column.name]
    least = column.minimum if column.minimum is not None else 0.0
    samples: dict[str, Any] = {"string": "x", "boolean": True, "timestamp": PAST, "date": PAST.date(),
                               "double": least, "long": int(least), "int": int(least)}
    return samples[column.type]


def _number(column: Column, value: float) -> float | int:
    return value if column.type == "double" else int(value)


def as_json(value: Any) -> Any:
    """A value as a payload writes it."""
    return value.isoformat() if isinstance(value, date) else value
