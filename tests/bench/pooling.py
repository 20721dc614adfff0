"""What it takes to compare an extract with those that went out before.

    python -m tests.bench.pooling            # 100,000 people with 30 days each
    python -m tests.bench.pooling 0.1        # a tenth of them

Two recipients have the same people: with the same rows, with every twentieth row missing in either, and with days moved and numbers
in bands in one of them, and with 24 earlier extracts of one of them, of a day more each; and one recipient has three extracts already. Beside it: both extracts read and written once. Each step is
a process of its own, with a server of its own.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from tests.bench.process import keep, run

DAYS = 30
STEPS = {"copy": "read and write both", "same": "the same rows", "gaps": "every twentieth row missing in either",
         "treated": "bands and moved days in one", "over_time": "beside three earlier extracts",
         "series": "the same rows, 24 earlier extracts of ours"}
EDGES = [50.0, 80.0]
SCHEMA: list[dict[str, Any]] = [
    {"name": "person_id", "type": "string", "treatment": "pseudonym"}, {"name": "day", "type": "date", "treatment": "keep"},
    {"name": "readings", "type": "long", "treatment": "keep"}, {"name": "share", "type": "double", "treatment": "keep"}]
COARSE: list[dict[str, Any]] = [
    SCHEMA[0], {"name": "day", "type": "date", "treatment": "date_shift", "treatment_options": {"maxDays": 90, "keepWeekday": False}},
    {"name": "share", "type": "string", "treatment": "band", "treatment_options": {"edges": EDGES}}]


def main(size: float) -> None:
    """Run every step once and print it; figures also go to bench-pooling.json in the Concord home."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="concord-pooling-") as folder:
        run("tests.bench.pooling", "make", folder, str(size))
        for step, name in STEPS.items():
            said, peak = run("tests.bench.pooling", step, folder, str(size))
            rows.append({"step": name, "seconds": round(float(said[0]), 1), "percent": float(said[1]), "peak_mb": round(peak)})
            print(f"{name:45} {rows[-1]['seconds']:6.1f} s {rows[-1]['percent']:6.1f} % {rows[-1]['peak_mb']:8,} MB")
    keep("pooling", {"people": int(size * 100_000), "days": DAYS, "steps": rows})


def make(folder: Path, size: float) -> None:
    """Two extracts of the same people under other pseudonyms, in no order, and whose pseudonyms are one person's."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    roll, people = np.random.default_rng(7), int(size * 100_000)
    who, day = np.repeat(np.arange(people), DAYS), np.tile(np.arange(DAYS), people) + 20_000
    readings = roll.integers(1, 97, len(who))
    share = np.floor(roll.beta(4, 2, len(who)) * (readings + 1)) * 100 / readings
    for side in ("ours", "theirs"):
        names, order = pa.array([f"{side[0]}{n * 2654435761 % 2**128:031x}" for n in range(people)]), roll.permutation(len(who))
        pq.write_table(pa.table({
            "person_id": names.take(pa.array(who[order])), "day": pa.array(day[order].astype("int32"), pa.date32()),
            "readings": readings[order], "share": np.minimum(share, 100)[order]}), folder / f"{side}.parquet", row_group_size=64 * 1024)
        pq.write_table(pa.table({"key": np.arange(people), {"ours": "person", "theirs": "other"}[side]: names}), folder / f"{side}-names.parquet")


def copy(spark: Any, folder: Path) -> float:
    """The rival."""
    for side in ("ours", "theirs"):
        spark.read.parquet(f"{folder}/{side}.parquet").write.parquet(f"{folder}/copy-{side}")
    return 0.0


def same(spark: Any, folder: Path) -> float:
    return _found(spark, folder, SCHEMA, lambda rows, side: rows)


def gaps(spark: Any, folder: Path) -> float:
    return _found(spark, folder, SCHEMA, lambda rows, side: rows.where(f"pmod(hash(person_id, day, '{side}'), 20) > 0"))


def treated(spark: Any, folder: Path) -> float:
    from pyspark.sql import functions as F

    from contracts.treatments import Band
    from jobs.stages import treat

    def coarse(rows: Any, side: str) -> Any:
        moved = F.date_add("day", F.pmod(F.hash("person_id"), F.lit(181)) - 90)
        return rows if side == "ours" else rows.select("person_id", moved.alias("day"), treat.band(F.col("share"), Band(edges=EDGES)).alias("share"))
    return _found(spark, folder, COARSE, coarse)


def series(spark: Any, folder: Path) -> float:
    """Each row as it was told last, of 25 extracts."""
    from pyspark.sql import functions as F

    from jobs.run.linkage import _newest

    def told(rows: Any, side: str) -> Any:
        upto = [rows.where(F.col("day") < F.date_add(F.lit(date(2024, 10, 4)), DAYS - 24 + n)) for n in range(25)]
        return rows if side == "theirs" else _newest(upto, ["person_id", "day"])
    return _found(spark, folder, SCHEMA, told)


def _found(spark: Any, folder: Path, theirs: list[dict[str, Any]], change: Callable[[Any, str], Any]) -> float:
    """The percentage found by Concord's own stage, with signs written aside as its shell does."""
    from pyspark.sql import functions as F

    from jobs.stages import comparable, hashes, linkage
    from jobs.workspace import workspace

    pairs = comparable.pairs(comparable.told(SCHEMA, "p"), comparable.told(theirs, "p"), date(2026, 1, 1))
    names = [spark.read.parquet(f"{folder}/{side}-names.parquet") for side in ("ours", "theirs")]
    with workspace(str(folder), "pooling", spark) as work:
        mine, their = (work.keep(side, linkage.signs(change(spark.read.parquet(f"{folder}/{side}.parquet"), side), "person_id", pairs, side == "ours"))
                       for side in ("ours", "theirs"))
        same = names[0].join(names[1], on="key", how="inner").select(
            *[hashes.number(F.col(name)).alias(name) for name in ("person", "other")])
        row = linkage.guessed(linkage.common_days(mine, their), linkage.common_days(their, mine), same, work.keep).collect()[0]
    return linkage.percent_beyond_chance(row["people"], row["right"], row["others"])


def over_time(spark: Any, folder: Path) -> float:
    """The percentage of rows held back, where each extract has three days and a thirtieth of the people more than the one before."""
    from pyspark.sql import functions as F

    from jobs.stages import composition

    rows = spark.read.parquet(f"{folder}/ours.parquet")
    part = F.pmod(F.hash("person_id"), F.lit(30))
    known = [rows.where((F.col("day") < F.date_add(F.lit(date(2024, 10, 4)), 21 + 3 * n)) & (part < 27 + n)) for n in range(3)]
    earlier = [composition.told(frame, "person_id", ["day"], ["day"], n) for n, frame in enumerate(known)]
    held = composition.mark(rows, "person_id", ["day"], ["day"], earlier, 7).agg(F.avg(F.when(F.col("is_released"), 0.0).otherwise(100.0)))
    return float(held.collect()[0][0])


if __name__ == "__main__":
    if len(sys.argv) > 2:
        step, where = sys.argv[1], Path(sys.argv[2])
        if step == "make":
            make(where, float(sys.argv[3]))
        else:
            from jobs import engine

            with engine.session("sail") as session:
                started = time.monotonic()
                percent = {"copy": copy, "same": same, "gaps": gaps, "treated": treated, "over_time": over_time,
                           "series": series}[step](session, where)
                print(time.monotonic() - started, percent)
    else:
        main(float(sys.argv[1]) if len(sys.argv) > 1 else 1)
