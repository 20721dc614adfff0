"""Which errors say that another writer came in between: those are tried again, and no others."""

from __future__ import annotations

import pytest

from jobs.races import is_lost_race

TRACE = "\n at java.util.concurrent.ThreadPoolExecutor.runWorker(Unknown Source)\n at scala.concurrent.impl.Promise.run(Promise.scala)"


@pytest.mark.parametrize("text", ["io.delta.exceptions.ConcurrentAppendException: files were added", "Transaction conflict",
                                  "missing commit file 7"])
def test_another_writer(text: str) -> None:
    assert is_lost_race(RuntimeError(text + TRACE))


def test_a_file_that_cannot_be_read_is_no_race_whatever_the_trace_names() -> None:
    assert not is_lost_race(RuntimeError("part-0.parquet is not a Parquet file" + TRACE))
