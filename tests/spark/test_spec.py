"""The spec tables and the twin of explanations on Apache Spark: what a stage must do, it does on both engines."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.spark

ROOT = Path(__file__).resolve().parents[2]
SPECS = sorted(f"spec/{path.name}" for path in (ROOT / "tests" / "spec").glob("test_*.py"))


@pytest.mark.parametrize("spec", [*SPECS, "generative/test_explain_twin.py"])
def test_spec(apache: str, spec: str) -> None:
    environment = {**os.environ, "CONCORD_ENGINE": apache, "PYTEST_ADDOPTS": ""}
    ran = subprocess.run([sys.executable, "-m", "pytest", f"tests/{spec}", "--tb=short"], cwd=ROOT, env=environment,
                         capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
