"""Frozen models of what a contract says of the quality of a table, beyond what its columns declare."""

from __future__ import annotations

import operator
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

# Names that stand in a query for the rows that the same source brought before, and for the moment of the check.
HISTORY, MOMENT = "history_of_the_source", "moment_of_the_check"
RuleName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class RuleError(ValueError):
    """A rule that cannot be kept; ``words`` lead to the line to look at."""

    def __init__(self, message: str, *words: str) -> None:
        super().__init__(message)
        self.words = words


class Severity(StrEnum):
    """What becomes of rows that break a rule."""

    REJECT_ROW = "reject_row"
    REJECT_BATCH = "reject_batch"
    WARN = "warn"


class Metric(StrEnum):
    """What the Open Data Contract Standard counts."""

    NULL_VALUES = "nullValues"
    MISSING_VALUES = "missingValues"
    INVALID_VALUES = "invalidValues"
    DUPLICATE_VALUES = "duplicateValues"
    ROW_COUNT = "rowCount"


class Must(StrEnum):
    """How the standard compares a number with its limits."""

    BE = "mustBe"
    NOT_BE = "mustNotBe"
    BE_GREATER_THAN = "mustBeGreaterThan"
    BE_GREATER_OR_EQUAL_TO = "mustBeGreaterOrEqualTo"
    BE_LESS_THAN = "mustBeLessThan"
    BE_LESS_OR_EQUAL_TO = "mustBeLessOrEqualTo"
    BE_BETWEEN = "mustBeBetween"
    NOT_BE_BETWEEN = "mustNotBeBetween"

    @property
    def is_range(self) -> bool:
        """Whether it takes two numbers, both of them within."""
        return self in (Must.BE_BETWEEN, Must.NOT_BE_BETWEEN)


_COMPARE: dict[Must, Callable[[float, float], bool]] = {
    Must.BE: operator.eq, Must.NOT_BE: operator.ne, Must.BE_GREATER_THAN: operator.gt, Must.BE_GREATER_OR_EQUAL_TO: operator.ge,
    Must.BE_LESS_THAN: operator.lt, Must.BE_LESS_OR_EQUAL_TO: operator.le}
_SQL = {Must.BE: "=", Must.NOT_BE: "<>", Must.BE_GREATER_THAN: ">", Must.BE_GREATER_OR_EQUAL_TO: ">=", Must.BE_LESS_THAN: "<",
        Must.BE_LESS_OR_EQUAL_TO: "<="}


class Part(BaseModel):
    """Frozen; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Limit(Part):
    """What a number must be: one number to compare with, or the two of a range."""

    must: Must
    numbers: Annotated[tuple[float, ...], Field(min_length=1, max_length=2)]

    @property
    def is_none(self) -> bool:
        """Whether it allows nothing but nought."""
        return self.must in (Must.BE, Must.BE_LESS_OR_EQUAL_TO) and self.numbers == (0,)

    def holds(self, value: float) -> bool:
        """Whether a number is as it must be."""
        if self.must.is_range:
            return (self.numbers[0] <= value <= self.numbers[1]) == (self.must == Must.BE_BETWEEN)
        return _COMPARE[self.must](value, self.numbers[0])

    def sql(self, value: str) -> str:
        """The same as a condition on an expression; null where the value is."""
        if self.must.is_range:
            within = f"{value} BETWEEN {self.numbers[0]!r} AND {self.numbers[1]!r}"
            return within if self.must == Must.BE_BETWEEN else f"NOT {within}"
        return f"{value} {_SQL[self.must]} {self.numbers[0]!r}"


class Rule(Part):
    """One entry of ``quality``; ``column`` is None where it is about the table."""

    name: RuleName
    description: str
    severity: Severity
    column: str | None


class LibraryRule(Rule):
    """A metric of the standard, in rows or in percent of the rows.

    ``values`` are those that are valid, or those that count as missing (None among them: a null is missing), ``pattern`` a
    regular expression of valid ones, ``columns`` those whose values together must not be there twice.
    """

    metric: Metric
    limit: Limit
    is_percent: bool
    values: tuple[str | float | bool | None, ...] = ()
    pattern: str | None = None
    columns: tuple[str, ...] = ()


def in_sql(moment: datetime) -> str:
    """A moment as queries write it, to the second."""
    return f"TIMESTAMP '{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}'"


class SqlRule(Rule):
    """A query of the rows to be written, which it calls ``{batch}``; each value that it gives must be as ``limit`` says."""

    query: str
    limit: Limit

    @property
    def reads_history(self) -> bool:
        """Whether it compares with rows that the source brought before."""
        return HISTORY in self.query

    def at(self, moment: datetime) -> SqlRule:
        """The rule as it is asked at a moment."""
        return self.model_copy(update={"query": self.query.replace(MOMENT, in_sql(moment))})


class CustomRule(Rule):
    """An expectation of Great Expectations by its name, with its arguments."""

    expectation: str
    kwargs: dict[str, Any]


class Reference(Rule):
    """Values of ``columns`` that must be there in ``to_columns`` of another table; a row where one is null refers to nothing."""

    columns: tuple[str, ...]
    to_table: str
    to_columns: tuple[str, ...]


AnyRule = LibraryRule | SqlRule | CustomRule | Reference
