"""The spec tables and the twin of explanations on Apache Spark: what a stage must do, it does on both engines."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.spark

ROOT = Path(__file__).resolve().parents[2]
SPECS = ("tests/spec", "tests/generative/test_explain_twin.py")


def test_every_spec_of_a_stage(apache: str) -> None:
    environment = {**os.environ, "CONCORD_ENGINE": apache, "PYTEST_ADDOPTS": ""}
    ran = subprocess.run([sys.executable, "-m", "pytest", "-p", "tests.spark.on_an_engine", *SPECS, "--tb=short"],
                         cwd=ROOT, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    said = re.search(r"(\d+) passed, (\d+) deselected", ran.stdout)
    assert said and int(said[1]) > 100, ran.stdout
