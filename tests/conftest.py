"""Fixtures of all tests: an engine session, and frames made of rows."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

Frames = Callable[[str, Sequence[Sequence[Any]]], DataFrame]


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """A Spark Connect session: with Sail in this process, or with the server that CONCORD_ENGINE names (sc://host:port)."""
    address, server = os.environ.get("CONCORD_ENGINE"), None
    if not address:
        from pysail.spark import SparkConnectServer

        server = SparkConnectServer()
        server.start(background=True)
        address = f"sc://localhost:{server.listening_address[1]}"
    session = SparkSession.builder.remote(address).getOrCreate()
    session.conf.set("spark.sql.session.timeZone", "UTC")
    yield session
    session.stop()
    if server:
        server.stop()


@pytest.fixture(scope="session")
def frame(spark: SparkSession) -> Frames:
    """``frame("a string, b long", rows)``: rows as a DataFrame; shorter rows end in nulls."""

    def make(schema: str, rows: Sequence[Sequence[Any]]) -> DataFrame:
        width = schema.count(",") + 1
        return spark.createDataFrame([(*row, *[None] * (width - len(row))) for row in rows], schema)

    return make
