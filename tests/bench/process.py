"""A measured step in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys


def run(module: str, step: str, *words: str) -> tuple[list[str], float]:
    """Run a step of a module; the words that it said last, and the peak megabytes of its process. Ends the bench if it fails."""
    process = subprocess.Popen([sys.executable, "-m", module, step, *words], stdout=subprocess.PIPE, text=True)
    said = process.stdout.read() if process.stdout else ""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"step {step} failed with exit status {process.returncode}")
    return said.split(), usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6
