"""Deciding and filtering beside the same write with a semi-join on a ready-made list of the allowed people.

    python -m tests.bench.permits            # 10 million readings, a million people, 5 million statements
    python -m tests.bench.permits 1          # a tenth of it

Each side is a process of its own on the embedded engine; it reads the readings as Delta, filters, and writes Delta. What is
timed is that, from the first read to the end of the write; the start of Python and of the engine, the same for both, is not.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from deltalake import write_deltalake
from rich.console import Console
from rich.table import Table

START, DAY = 1_767_225_600_000_000, 86_400_000_000  # 2026-01-01 in microseconds
NOW = datetime(2026, 11, 1, tzinfo=UTC)
PURPOSES = ("adherence_monitoring", "decision_support", "research", "brand_communication", "patient_education")
STEPS = (("semi", "semi-join on a ready-made list"), ("permit", "Concord decides and filters"))


def make(folder: Path, millions: float) -> None:
    """readings, statements, links and identities as Delta tables; about one person in three does not permit."""
    rows, people = int(millions * 1_000_000), int(millions * 100_000)
    roll, ids = np.random.default_rng(7), pa.array([f"p{i}" for i in range(people)])
    source = pa.array(["app"]).take(pa.array(np.zeros(people, dtype=np.int64)))
    _write(folder, "links", source=source, source_person_id=ids, person_key=pa.array([f"{i:032x}" for i in range(people)]))
    born = pa.array((roll.integers(-15_000, 14_000, people)).astype(np.int32), pa.date32())
    _write(folder, "identity", source=source, source_person_id=ids, birth_on=born,
           country_code=pa.array(["DE", "FR", "IT", "ES", "GB"]).take(pa.array(roll.integers(0, 5, people))))
    who = np.tile(np.arange(people), 5)
    said = len(who)
    text = pa.nulls(said, pa.string())
    decisions = pa.array(["permit", "deny"]).take(pa.array((roll.random(said) < 0.15).astype(np.int64)))
    stamps = START + np.sort(roll.integers(0, 200, said)) * DAY
    at = pa.array(stamps, pa.timestamp("us", "UTC"))
    none = pa.nulls(said, pa.timestamp("us", "UTC"))
    _write(folder, "statements", source=pa.array(["app"]).take(pa.array(np.zeros(said, dtype=np.int64))),
           source_person_id=ids.take(pa.array(who)), purpose_code=pa.array(PURPOSES).take(pa.array(roll.integers(0, 2, said))),
           recipient_id=text, channel_code=text, data_category_code=text, decision_code=decisions, given_by_code=text,
           recorded_at=at, valid_from_at=none, valid_to_at=none, data_from_at=none, data_to_at=none)
    person = roll.integers(0, people, rows)
    _write(folder, "readings", source=pa.array(["app"]).take(pa.array(np.zeros(rows, dtype=np.int64))),
           source_person_id=ids.take(pa.array(person)), value=pa.array(roll.random(rows) * 100),
           effective_at=pa.array(START + roll.integers(0, 300, rows) * DAY, pa.timestamp("us", "UTC")),
           record_id=pa.array(np.arange(rows)).cast(pa.string()))
    with _engine() as spark:
        _decided(spark, folder).where("is_permitted").select("person_key").write.format("delta").save(f"{folder}/allowed")


def semi(folder: Path) -> None:
    """The rival: links and a list of allowed keys are there; the rows get their person all the same."""
    with _engine() as spark:
        links, allowed, readings = (spark.read.format("delta").load(f"{folder}/{n}") for n in ("links", "allowed", "readings"))
        names = links.join(allowed, "person_key", "left_semi")
        _timed(readings.join(names, ["source", "source_person_id"], "inner"), f"{folder}/semi")


def permit(folder: Path) -> None:
    """Concord's own stages: people, decide, apply."""
    from contracts.vocabulary import LegalBasis
    from jobs.stages import permit as stage

    with _engine() as spark:
        readings, links = (spark.read.format("delta").load(f"{folder}/{n}") for n in ("readings", "links"))
        kept = stage.apply(readings, links, _decided(spark, folder), LegalBasis.EXPLICIT_CONSENT, "effective_at")
        _timed(kept.where("is_permitted").drop("is_permitted", "reason_code"), f"{folder}/permit")


def _timed(rows: Any, path: str) -> None:
    """Write, and print how many seconds that took: frames are lazy, all the work is in here."""
    started = time.monotonic()
    rows.write.format("delta").save(path)
    print(time.monotonic() - started)


def _decided(spark: Any, folder: Path) -> Any:
    from pyspark.sql import functions as F

    from contracts import catalog
    from contracts.vocabulary import LegalBasis
    from jobs.stages import people, permit
    from jobs.stages.use import Use

    links, identity, said = (spark.read.format("delta").load(f"{folder}/{n}") for n in ("links", "identity", "statements"))
    followed = people.apart(links, {"app"}).select(*people.LINK, F.lit(None).cast("string").alias("said_by"))
    whom = people.grown(followed, identity, catalog().jurisdictions, is_special=True)
    use = Use(PURPOSES[:2], None, LegalBasis.EXPLICIT_CONSENT, NOW, ("health",))
    return permit.decide(whom, said, use)


@contextmanager
def _engine() -> Iterator[Any]:
    from jobs import engine

    with engine.session("sail") as spark:
        yield spark


def _write(folder: Path, name: str, **columns: Any) -> None:
    write_deltalake(f"{folder}/{name}", pa.table(columns))


def main(millions: float) -> None:
    """Both sides three times in turn, and the ratio of their medians."""
    console = Console(width=120)
    with tempfile.TemporaryDirectory(prefix="concord-permits-") as name:
        folder = Path(name)
        console.print(f"making {millions:g} million readings, {millions / 10:g} million people, {millions / 2:g} million statements")
        _measured("make", folder, millions)
        found: dict[str, list[tuple[float, float]]] = {step: [] for step, _ in STEPS}
        for _ in range(3):
            for step, _ in STEPS:
                found[step].append(_measured(step, folder, millions))
        sizes = {step: _rows(folder / step) for step, _ in STEPS}
    if len(set(sizes.values())) != 1:
        raise SystemExit(f"the two sides kept different rows: {sizes}")
    table = Table("who", "rows kept", "seconds (median of 3)", "peak MB")
    middle = {step: sorted(seconds for seconds, _ in found[step])[1] for step, _ in STEPS}
    for step, who in STEPS:
        table.add_row(who, f"{sizes[step]:,}", f"{middle[step]:.2f}", f"{max(peak for _, peak in found[step]):,.0f}")
    console.print(table)
    console.print(f"ratio {middle['permit'] / middle['semi']:.2f}")


def _measured(step: str, folder: Path, millions: float) -> tuple[float, float]:
    import shutil
    import subprocess

    shutil.rmtree(folder / step, ignore_errors=True)
    process = subprocess.Popen([sys.executable, "-m", "tests.bench.permits", step, str(folder), str(millions)],
                               stdout=subprocess.PIPE, text=True)
    said = process.stdout.read() if process.stdout else ""
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"step {step} failed with exit status {process.returncode}")
    return float(said.split()[-1]) if said else 0.0, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


def _rows(path: Path) -> int:
    from deltalake import DeltaTable

    return int(DeltaTable(str(path)).count())


if __name__ == "__main__":
    if len(sys.argv) > 2:
        steps = {"make": lambda: make(Path(sys.argv[2]), float(sys.argv[3])), "semi": lambda: semi(Path(sys.argv[2])),
                 "permit": lambda: permit(Path(sys.argv[2]))}
        steps[sys.argv[1]]()
    else:
        main(float(sys.argv[1]) if len(sys.argv) > 1 else 10)
