"""Fixtures of all tests: an engine session, and frames made of rows."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
import structlog
from pyspark.sql import DataFrame, SparkSession
from xdist.scheduler import LoadFileScheduling

from jobs.engine import sail, session

os.environ.setdefault("CONCORD_ENVIRONMENT", "development")  # Made-up people; what production asks for is tested by name.

Frames = Callable[[str, Sequence[Sequence[Any]]], DataFrame]
APACHE = "tests/spark"
REFUSED = "Apache Spark is not here: "
# What takes longest starts first, the longest of it before all else: no worker then works on when the others have done.
LONGEST = (
    "tests/acceptance/test_whole_run", APACHE, "tests/faults/test_seeds", "tests/attacks/test_keys_leak_nowhere",
    "tests/generative/test_conservation", "tests/integration/test_run_local", "tests/acceptance/test_population",
    "tests/acceptance/test_corruptions", "tests/faults", "tests/integration/test_differencing", "tests/integration/test_bad_input",
    "tests/integration/test_deadlines", "tests/generative/test_conform_twin", "tests/generative/test_replay_twin",
    "tests/generative/test_growing_twin", "tests/attacks", "tests/generative", "tests/external", "tests/integration")


gc.set_threshold(100_000)  # A million objects are made before the first test, and nearly all of them stay.


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest goes first; all else in its order."""
    items.sort(key=lambda item: next((n for n, name in enumerate(LONGEST) if item.nodeid.startswith(name)), len(LONGEST)))


class Scheduling(LoadFileScheduling):
    """One worker does all tests of a file; those on Apache Spark, which have one server, are as one file."""

    def _split_scope(self, nodeid: str) -> str:
        return APACHE if nodeid.startswith(f"{APACHE}/") else str(super()._split_scope(nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling | None:
    """Who does what, where several processes test."""
    return Scheduling(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly at the end what was not tested on Apache Spark, and why."""
    reasons = [str(report.longrepr) for report in terminalreporter.stats.get("skipped", [])]
    found = [reason.partition(REFUSED)[2] for reason in reasons if REFUSED in reason]
    if found:
        terminalreporter.section("NOT TESTED ON APACHE SPARK", sep="!", red=True, bold=True)
        terminalreporter.line(f"{len(found)} tests were skipped: {found[0]}")


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
