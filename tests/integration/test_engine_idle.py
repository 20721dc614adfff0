"""A session outlives a long silence: a slow source, another's turn, or files of tests that ask no engine."""

from __future__ import annotations

import os
import subprocess
import sys

from jobs import engine

SILENT = """
import sys, time
from jobs import engine
engine.IDLE_SECONDS = int(sys.argv[1])
with engine.session("sail") as spark:
    spark.range(3).count()
    time.sleep(3)
    print(spark.range(4).count())
"""


def test_how_long_a_session_may_be_silent_is_ours_to_say() -> None:
    short, ours = silent(1), silent(engine.IDLE_SECONDS)
    assert short.returncode != 0 and "is not running" in short.stderr
    assert ours.returncode == 0 and ours.stdout.split() == ["4"]
    assert engine.IDLE_SECONDS >= 24 * 3600


def silent(allowed_seconds: int) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SAIL_")}
    return subprocess.run([sys.executable, "-c", SILENT, str(allowed_seconds)], capture_output=True, text=True, check=False,
                          env=environment)
