"""Fixtures of all tests: an engine session, and frames made of rows."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
import structlog
from pyspark.sql import DataFrame, SparkSession

from jobs.engine import sail, session

os.environ.setdefault("CONCORD_ENVIRONMENT", "development")  # Made-up people; what production asks for is tested by name.

Frames = Callable[[str, Sequence[Sequence[Any]]], DataFrame]


@pytest.fixture(autouse=True)
def logs() -> Iterator[None]:
    """Logs go where they went before: a command that runs in this process, or Airflow, sends them to what is captured."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


@pytest.fixture(scope="session")
def engine() -> Iterator[str]:
    """Address of one engine for all tests: Sail in this process, or the server that CONCORD_ENGINE names (sc://host:port)."""
    address = os.environ.get("CONCORD_ENGINE")
    if address:
        yield address
        return
    with sail() as started:
        yield started


@pytest.fixture(scope="session")
def spark(engine: str) -> Iterator[SparkSession]:
    """A Spark Connect session on the engine."""
    with session(engine) as made:
        yield made


@pytest.fixture(scope="session")
def frame(spark: SparkSession) -> Frames:
    """``frame("a string, b long", rows)``: rows as a DataFrame; shorter rows end in nulls."""

    def make(schema: str, rows: Sequence[Sequence[Any]]) -> DataFrame:
        width = schema.count(",") + 1
        return spark.createDataFrame([(*row, *[None] * (width - len(row))) for row in rows], schema)

    return make
