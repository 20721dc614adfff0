"""Pseudonyms and treatments beside the same read, join and write with no treatment; keyed digests beside a bare loop.

    python -m tests.bench.treatments            # 10 million rows of a million people
    python -m tests.bench.treatments 1          # a tenth of it

The rows have a person, a day, an age, a postcode, a value, and a name, an address and a note that are dropped. The rival joins
the same ready-made table of pseudonyms and writes the same columns as they are; Concord moves the day by the person's own
number and puts age and postcode into bands and areas. Each step is a process of its own, the steps take turns.
"""

from __future__ import annotations

import hmac
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.process import keep, run

ROUNDS = 5
STEPS = {"copy": "read, join and write", "treat": "Concord pseudonymises and treats", "loop": "bare loop of hmac.digest",
         "digest": "Concord's pseudonyms and numbers"}
RIVALS = {"copy": "copy", "treat": "copy", "loop": "loop", "digest": "loop"}
KEPT = ("person_id", "observed_on", "age", "area", "value")
DOMAIN = "bench"


def main(millions: float) -> None:
    """Run every step and print medians; they also go to bench-treatments.json in the Concord home."""
    with tempfile.TemporaryDirectory(prefix="concord-treatments-") as folder:
        run("tests.bench.treatments", "make", folder, str(millions))
        found: dict[str, list[tuple[float, float]]] = {step: [] for step in STEPS}
        for number in range(ROUNDS):
            for step in STEPS:
                said, peak = run("tests.bench.treatments", step, folder, f"{step}{number}" if step in ("copy", "treat") else str(millions))
                found[step].append((float(said[-1]), peak))
    seconds = {step: median(s for s, _ in times) for step, times in found.items()}
    rows = [{"step": STEPS[step], "seconds": round(seconds[step], 2), "of_its_rival": round(seconds[step] / seconds[RIVALS[step]], 2),
             "peak_mb": round(max(p for _, p in times))} for step, times in found.items()]
    for row in rows:
        print(f"{row['step']:34} {row['seconds']:6.2f} s {row['of_its_rival']:5.2f} {row['peak_mb']:8,} MB")
    keep("treatments", {"millions": millions, "steps": rows})


def make(folder: Path, millions: float) -> None:
    """Rows about people, ten each, in no order, and their pseudonyms."""
    import numpy as np
    import pyarrow as pa
    from deltalake import write_deltalake

    from jobs.stages.pseudonymise import digest_with_seeds

    roll, count = np.random.default_rng(11), int(millions * 100_000)
    people = [f"{n * 2654435761 % 2**128:032x}" for n in range(count)]
    made, seeds = digest_with_seeds(bytes(range(32)), people)
    write_deltalake(f"{folder}/pseudonym", pa.table({"domain": [DOMAIN] * count, "person_key": people, "pseudonym": made, "date_seed": seeds}))
    keys, some = pa.array(people), min(1_000_000, count * 10)
    for _ in range(0, count * 10, some):
        who = roll.integers(0, count, some)
        write_deltalake(f"{folder}/rows", pa.table({
            "person_key": keys.take(pa.array(who)), "observed_on": pa.array(roll.integers(19_000, 20_500, some).astype("int32"), pa.date32()),
            "age": pa.array((who % 100).astype("int32")), "area": pa.array([f"{n:05d}" for n in who % 99_999]), "value": roll.random(some),
            "name": pa.array([f"Name {n}" for n in who]), "email": pa.array([f"p{n}@example.org" for n in who]),
            "note": pa.array(["A note that may not leave."] * some)}), mode="append")


def copy(folder: Path, name: str) -> None:
    """The rival: the join to a ready-made table, and the same columns as they are."""
    from pyspark.sql import functions as F

    def rows(spark: Any) -> Any:
        known = _table(spark, folder, "pseudonym").where(f"domain = '{DOMAIN}'").select("person_key", F.col("pseudonym").alias("person_id"))
        return _table(spark, folder, "rows").join(known, on="person_key", how="inner").select(*KEPT)

    _written(rows, folder / name)


def treat(folder: Path, name: str) -> None:
    """Concord's own stages."""
    from contracts.table import Column
    from jobs.stages import pseudonymise, treat

    said: list[dict[str, Any]] = [
        {"name": "person_id", "type": "string", "treatment": "pseudonym"},
        {"name": "observed_on", "type": "date", "treatment": "date_shift", "treatment_options": {"max_days": 182, "keep_weekday": False}},
        {"name": "age", "type": "string", "treatment": "age_band", "treatment_options": {"width": 5}},
        {"name": "area", "type": "string", "treatment": "area", "treatment_options": {"scheme": "us_zip3"}},
        {"name": "value", "type": "double", "treatment": "keep"}]
    columns = [Column.model_validate({"description": "", "category": "demographic", **one}) for one in said]

    def rows(spark: Any) -> Any:
        names = _table(spark, folder, "pseudonym").where(f"domain = '{DOMAIN}'").select("person_key", "pseudonym", "date_seed")
        own = pseudonymise.apply(_table(spark, folder, "rows"), names, "person_id")
        return treat.apply(own, columns, pseudonymise.SEED, date(2026, 1, 1))

    _written(rows, folder / name)


def loop(millions: float) -> None:
    """The rival: nothing but the digests of new people."""
    people = _people(millions)
    started = time.monotonic()
    _ = [hmac.digest(bytes(range(32)), person.encode(), "sha256") for person in people]
    print(time.monotonic() - started)


def digest(millions: float) -> None:
    """Concord's pseudonyms and numbers to move dates by, as a table for the vault."""
    import pyarrow as pa

    from jobs.stages.pseudonymise import digest_with_seeds

    people = _people(millions)
    started = time.monotonic()
    made, seeds = digest_with_seeds(bytes(range(32)), people)
    pa.table({"domain": [DOMAIN] * len(people), "person_key": people, "pseudonym": made, "date_seed": seeds})
    print(time.monotonic() - started)


def _people(millions: float) -> list[str]:
    return [f"{n:032x}" for n in range(int(millions * 100_000))]


def _table(spark: Any, folder: Path, name: str) -> Any:
    return spark.read.format("delta").load(f"{folder}/{name}")


def _written(rows: Callable[[Any], Any], path: Path) -> None:
    """Write, and print how many seconds that took: frames are lazy, all the work is in here."""
    from jobs import engine

    with engine.session("sail") as spark:
        made = rows(spark)
        started = time.monotonic()
        made.write.format("delta").save(str(path))
        print(time.monotonic() - started)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        step, where = sys.argv[1], Path(sys.argv[2])
        if step in ("copy", "treat"):
            {"copy": copy, "treat": treat}[step](where, sys.argv[3])
        else:
            {"make": lambda n: make(where, n), "loop": loop, "digest": digest}[step](float(sys.argv[3]))
    else:
        main(float(sys.argv[1]) if len(sys.argv) > 1 else 10)
