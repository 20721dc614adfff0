"""The guard against differencing: what a monthly refresh costs beside 24 releases, and how many cells it freezes without need.

    python -m tests.bench.differencing            # a million people
    python -m tests.bench.differencing 0.05       # fewer

People are asked for opt-ins in four channels, six purposes and ten countries over 24 months: a month brings a twenty-fourth of
them, 1 in 100 of all who said yes take it back, and 1 in 200 of those who come were first asked in an earlier month. A refresh
is the whole guard of one release: comparing with every earlier one, freezing, and writing whom the cells count.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.bench.process import keep, run

MONTHS, CHANNELS, PURPOSES, COUNTRIES = 24, 4, 6, 10
REFRESHES = 0.02  # Millions of people of the 24 refreshes in which frozen cells are counted.


def main(millions: float) -> None:
    """Print seconds and megabytes of the last refreshes, and the counts; they also go to bench-differencing.json."""
    with tempfile.TemporaryDirectory(prefix="concord-differencing-") as folder:
        said, peak = run("tests.bench.differencing", "refresh", folder, str(millions))
        first, last, size, rows = said
        print(f"{millions:g} million people, release 1: {first} s; release {MONTHS}: {last} s, {peak:,.0f} MB; {rows} rows, {size} MB kept")
        counts, _ = run("tests.bench.differencing", "count", folder, str(REFRESHES))
        cells, frozen, false = map(int, counts)
        print(f"{MONTHS} refreshes of {REFRESHES * 1e6:,.0f} people: {cells:,} cells published, {frozen:,} frozen at another value, "
              f"{false:,} of them without need")
    keep("differencing", {"millions": millions, "first_seconds": float(first), "last_seconds": float(last), "peak_mb": round(peak),
                          "kept_mb": float(size), "cells": cells, "frozen": frozen, "false": false})


def members(spark: Any, folder: Path, millions: float, month: int) -> Any:
    """What people add to the cells in the refresh of a month, from 1: as Parquet, read as a frame."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    roll = np.random.default_rng(7)
    count = int(millions * 1_000_000)
    came = np.arange(count) * MONTHS // count + 1
    first = np.where(roll.random(count) < 1 / 200, np.maximum(1, came - roll.integers(1, 12, count)), came)
    countries = roll.choice(COUNTRIES, count, p=np.array([2.0**-min(n, 6) for n in range(COUNTRIES)]) / sum(2.0**-min(n, 6) for n in range(COUNTRIES)))
    channels, purposes = roll.integers(0, CHANNELS, count), roll.integers(0, PURPOSES, count)
    is_yes = roll.random(count) < 0.7
    back = came + np.ceil(np.log(roll.random(count)) / np.log(0.99)).astype(int)
    there = came <= month
    gone = is_yes & (back <= month)
    days = np.array([f"{2024 + (m - 1) // 12}-{(m - 1) % 12 + 1:02d}-01" for m in range(1, MONTHS + 1)], dtype="datetime64[D]")
    table = pa.table({
        "person": pa.array([f"{n * 2654435761 % 2**128:032x}" for n in range(count)]).filter(pa.array(there)),
        "channel_code": pa.array([f"channel_{n}" for n in channels[there]]), "purpose_code": pa.array([f"purpose_{n}" for n in purposes[there]]),
        "country_code": pa.array([f"C{n}" for n in countries[there]]), "month": pa.array(days[first[there] - 1]),
        "asked": pa.array(np.ones(there.sum(), dtype="int64")), "opted_in": pa.array((is_yes & ~gone)[there].astype("int64")),
        "withdrawn": pa.array(gone[there].astype("int64"))})
    pq.write_table(table, folder / f"members{month}.parquet")
    return spark.read.parquet(str(folder / f"members{month}.parquet"))


def refresh(folder: Path, millions: float) -> None:
    """Seconds of the first and the last refresh, and what is kept."""
    from jobs import engine
    from tests.series import Series, optin_rates

    with engine.session("sail") as spark:
        series, seconds = Series(spark, folder / "series", optin_rates()), []
        for month in range(1, MONTHS + 1):
            frame = members(spark, folder, millions, month)
            started = time.monotonic()
            series.release(frame)
            seconds.append(time.monotonic() - started)
            print(f"release {month}: {seconds[-1]:.1f} s", file=sys.stderr)
        size = sum(path.stat().st_size for path in (folder / "series" / str(MONTHS) / "history").rglob("*.parquet"))
        print(f"{seconds[0]:.2f}", f"{seconds[-1]:.2f}", f"{size / 1e6:.1f}", series.history.count())


def count(folder: Path, millions: float) -> None:
    """How many cells 24 refreshes publish and freeze, and how many of these could have moved alone without telling of anybody."""
    from jobs import engine
    from tests.series import Series, falsely_frozen, optin_rates

    with engine.session("sail") as spark:
        series, cells, frozen, false = Series(spark, folder / "counted", optin_rates()), 0, 0, 0
        for month in range(1, MONTHS + 1):
            before = series.past()
            told = series.release(members(spark, folder, millions, month))
            cells += told.count()
            if before:
                one, other = falsely_frozen(series, before, folder / f"oracle{month}")
                frozen, false = frozen + one, false + other
            print(f"release {month}: {frozen} of {cells}, {false} without need", file=sys.stderr)
        print(cells, frozen, false)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        {"refresh": refresh, "count": count}[sys.argv[1]](Path(sys.argv[2]), float(sys.argv[3]))
    else:
        main(float(sys.argv[1]) if len(sys.argv) > 1 else 1)
