"""k-anonymity over six quasi-identifiers, beside pyCanon, which only measures the k of rows that it holds in memory.

    python -m tests.bench.anonymity            # 10 million rows
    python -m tests.bench.anonymity 1          # a tenth of it

The rows have an age, a sex, a postcode (few have most people), a country, one of 40 jobs and a year: 7.4 of 10 million
combinations are of their own. Concord's step is the whole command, from the start of Python to the printed levels. ARX, which
searches for levels too, holds the rows in memory and needs Java; it is not run here.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.process import keep, run

QUASI = ("age", "sex", "postcode", "country", "job", "year")
STEPS = {"concord": "Concord finds the best levels for k = 5", "pycanon": "pyCanon measures k of the rows as they are"}


def main(millions: float) -> None:
    """Run both; the figures also go to bench-anonymity.json in the Concord home."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="concord-anonymity-") as folder:
        run("tests.bench.anonymity", "make", folder, str(millions))
        for step, name in STEPS.items():
            said, peak = run("tests.bench.anonymity", step, folder, "")
            rows.append({"step": name, "seconds": round(float(said[-1]), 1), "peak_mb": round(peak), "found": " ".join(said[:-1])})
            print(f"{name:44} {rows[-1]['seconds']:6.1f} s {rows[-1]['peak_mb']:8,} MB   {rows[-1]['found']}", flush=True)
    keep("anonymity", {"millions": millions, "steps": rows})


def make(folder: Path, millions: float) -> None:
    """The rows, as Parquet."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    roll, count = np.random.default_rng(3), int(millions * 1_000_000)

    def some(*values: str, of: tuple[float, ...] | None = None) -> pa.Array:
        return pa.array(values).take(pa.array(roll.choice(len(values), count, p=of)))

    pq.write_table(pa.table({
        "age": pa.array(np.clip(roll.normal(45, 18, count).astype(int), 0, 100)), "sex": some("female", "male", "other", of=(.5, .49, .01)),
        "postcode": pa.array([f"{n:05d}" for n in roll.zipf(1.3, count) % 900 * 100 + 1000]), "country": some("DE", "FR", "IT", "ES", "GB"),
        "job": some(*[f"job {n}" for n in range(40)]), "year": pa.array(roll.integers(1995, 2026, count)),
        "diagnosis": some("E10", "E11", "O24", "E13", of=(.2, .7, .05, .05))}), folder / "rows.parquet")


def concord(folder: Path) -> None:
    """The command, imports and all, in this process, whose memory has the engine's in it."""
    from typer.testing import CliRunner

    started = time.monotonic()
    from jobs.cli import app

    ended = CliRunner().invoke(app, ["anonymity", str(folder / "rows.parquet"), "--quasi", ",".join(QUASI), "--k", "5",
                                     "--suppress", "0.05", "--json"], catch_exceptions=False)
    seconds, found = time.monotonic() - started, json.loads(ended.stdout)
    print("levels", *[f"{name}={level['level']}" for name, level in found["levels"].items()], f"loss={found['loss']:.3f}", seconds)


def pycanon(folder: Path) -> None:
    """The rival reads the rows and groups them."""
    import pandas as pd
    from pycanon import anonymity

    started = time.monotonic()
    k = anonymity.k_anonymity(pd.read_parquet(folder / "rows.parquet"), list(QUASI))
    print(f"k={k}", time.monotonic() - started)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        step, where = sys.argv[1], Path(sys.argv[2])
        make(where, float(sys.argv[3])) if step == "make" else {"concord": concord, "pycanon": pycanon}[step](where)
    else:
        main(float(sys.argv[1]) if len(sys.argv) > 1 else 10)
