"""A measured step in a process of its own, and where figures are kept."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any


def run(module: str, step: str, *words: str) -> tuple[list[str], float]:
    """Run a step of a module; the words that it said last, and the peak megabytes of its process. Ends the bench if it fails."""
    process = subprocess.Popen([sys.executable, "-m", module, step, *words], stdout=subprocess.PIPE, text=True)
    said = process.stdout.read() if process.stdout else ""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"step {step} failed with exit status {process.returncode}")
    return said.split(), usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


def keep(name: str, figures: dict[str, Any]) -> None:
    """Write figures to bench-NAME.json in the Concord home."""
    home = Path(os.environ.get("CONCORD_HOME", ".concord"))
    home.mkdir(exist_ok=True)
    (home / f"bench-{name}.json").write_text(json.dumps(figures, indent=2), encoding="utf-8")
