"""Writers that come in between: how their errors are told, and trying again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
TRIES = 6
# The last: Sail listed the log while another writer added to it.
WORDS = ("concurrent", "conflict", "commit failed", "commitfailed", "failed to commit", "transaction failed",
         "missing commit file")


def is_lost_race(error: BaseException) -> bool:
    """Whether an error of delta-rs or an engine says that another writer came in between."""
    text = f"{type(error).__name__} {error}".lower()
    for package in ("java.util.concurrent", "scala.concurrent"):  # In the trace of any error of Apache Spark.
        text = text.replace(package, "")
    return any(word in text for word in WORDS)


def retried(write: Callable[[], T], tries: int) -> T:
    """What a write gives, tried again after a short while where it lost a race; its error after the last try."""
    for attempt in range(tries):
        try:
            return write()
        except Exception as error:
            if attempt == tries - 1 or not is_lost_race(error):
                raise
        time.sleep(min(2.0, 0.05 * 2**attempt) * (0.5 + random.random()))  # noqa: S311
    raise AssertionError("unreachable")
