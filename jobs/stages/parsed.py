"""Feeds with a parser: one record gives an array of rows, and is rejected as a whole when one of them is not sound."""

from __future__ import annotations

import importlib
from collections.abc import Callable

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from contracts.model import Feed


def columns(feed: Feed, text: Column) -> list[Column]:
    """The array of rows a feed's parser makes of a payload, and the problem it found, each under a name of its own."""
    rows, problem = importlib.import_module(f"jobs.sources.{feed.parse}").parse(text)
    return [rows.alias(rows_name(feed)), problem.alias(problem_name(feed))]


def rows_name(feed: Feed) -> str:
    """The column that holds a feed's rows."""
    return f"value_{feed.name}__rows"


def problem_name(feed: Feed) -> str:
    """The column that holds what is wrong with them."""
    return f"trouble_{feed.name}__rows"


def broken(feed: Feed, column: str, reason: Callable[[Column], Column]) -> Column:
    """The first reason why a value of one column of a feed's rows is not sound; null when all are."""
    reasons = F.transform(F.col(rows_name(feed)), lambda row: reason(row[column]))
    return F.get(F.filter(reasons, lambda r: r.isNotNull()), F.lit(0))


def exploded(decided: DataFrame, row: str) -> DataFrame:
    """One row for each that a record gives, with its number in ``part``; ``row`` names the array and then the struct."""
    return decided.select(*[c for c in decided.columns if c != row], F.posexplode(row).alias("part", row))
