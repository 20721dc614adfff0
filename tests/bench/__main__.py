"""Concord beside a hand-written Polars job that makes the same product without any governance.

    python -m tests.bench            # 1 and 5 million readings
    python -m tests.bench 0.2        # smaller

Each step is a process of its own; its wall time and peak memory (all of the process, the engine included) are measured
from outside. Both sides read the same NDJSON file of Open mHealth points and write glucose by person and day.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

STEPS = (("land", "concord", "land"), ("conform", "concord", "conform"), ("resolve", "concord", "resolve"),
         ("build", "concord", "build"), ("polars", "Polars, no governance", "all of it"))


def main(sizes: list[float]) -> None:
    """Run every step at every size and print the table; the figures also go to bench.json in the Concord home."""
    console, results = Console(width=120), []
    for size in sizes:
        rows = int(size * 1_000_000)
        with tempfile.TemporaryDirectory(prefix="concord-bench-") as folder:
            console.print(f"making {rows:,} readings", highlight=False)
            _measured("make", Path(folder), rows)
            for step, who, what in STEPS:
                seconds, peak = _measured(step, Path(folder), rows)
                results.append({"readings": rows, "who": who, "step": what, "seconds": round(seconds, 2),
                                "rows_per_second": round(rows / seconds), "peak_mb": round(peak)})
                console.print(f"  {who}: {what} {seconds:.1f} s, {peak:,.0f} MB", highlight=False)
    _show(console, results)
    home = Path(os.environ.get("CONCORD_HOME", ".concord"))
    home.mkdir(exist_ok=True)
    (home / "bench.json").write_text(json.dumps(results, indent=2), encoding="utf-8")


def _measured(step: str, folder: Path, rows: int) -> tuple[float, float]:
    """Seconds and peak megabytes of one step in a process of its own."""
    started = time.monotonic()
    process = subprocess.Popen([sys.executable, "-m", "tests.bench.step", step, str(folder), str(rows)])
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"step {step} failed with exit status {process.returncode}")
    scale = 1 if sys.platform == "darwin" else 1024
    return time.monotonic() - started, _peak(usage) * scale / 1e6


def _peak(usage: resource.struct_rusage) -> int:
    return int(usage.ru_maxrss)


def _show(console: Console, results: list[dict]) -> None:
    table = Table("readings", "who", "step", "seconds", "rows/s", "peak MB")
    for row in results:
        table.add_row(f"{row['readings']:,}", row["who"], row["step"], f"{row['seconds']:.1f}",
                      f"{row['rows_per_second']:,}", f"{row['peak_mb']:,}")
    console.print(table)


if __name__ == "__main__":
    main([float(a) for a in sys.argv[1:]] or [1, 5])
