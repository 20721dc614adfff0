"""Deciding and filtering beside the same write with a semi-join on a ready-made list of the allowed people.

    python -m tests.bench.permits            # 10 million readings, a million people, 5 million statements
    python -m tests.bench.permits 1          # a tenth of it

Each side is a process of its own on the embedded engine; it reads the readings as Delta, filters, and writes Delta. What is
timed is that, from the first read to the end of the write; the start of Python and of the engine, the same for both, is not.
"""

from __future__ import annotations

import shutil
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

from tests.bench import process

START, DAY = 1_767_225_600_000_000, 86_400_000_000  # 2026-01-01 in microseconds
NOW = datetime(2026, 11, 1, tzinfo=UTC)
PURPOSES = ("adherence_monitoring", "decision_support", "research", "brand_communication")
STEPS = {"semi": "semi-join on a ready-made list", "permit": "Concord decides and filters"}
WIDTHS = {"all": ("*",), "product": ("source", "source_person_id", "code", "value", "unit_code", "effective_at", "status_code")}


def make(folder: Path, millions: float) -> None:
    """core.observation, core.consent, core.identity and vault.link as their contracts have them, all columns, as Delta.

    Each person said something to four purposes and said it again to one of them: 85 % yes; of the yeses a tenth for a
    time, a hundredth to a window of data, a fiftieth by a guardian; a thirtieth of all to health data alone.
    """
    rows, people = int(millions * 1_000_000), int(millions * 100_000)
    roll = np.random.default_rng(7)
    ids, everyone = pa.array([f"p{i}" for i in range(people)]), np.arange(people)
    _write(folder, "vault.link", people, source_person_id=ids, person_key=pa.array([f"{i:032x}" for i in range(people)]))
    born = pa.array((roll.integers(-15_000, 14_000, people)).astype(np.int32), pa.date32())
    _write(folder, "core.identity", people, source_person_id=ids, birth_on=born, country_code=_some(roll, people, "DE", "FR", "IT", "ES"))
    who = np.tile(everyone, 5)
    about = np.concatenate([np.repeat(np.arange(4), people), roll.integers(0, 4, people)])
    said, days = len(who), np.sort(roll.integers(0, 200, 5 * people))
    _write(folder, "core.consent", said, source_person_id=ids.take(pa.array(who)), purpose_code=pa.array(PURPOSES).take(pa.array(about)),
           decision_code=_some(roll, said, *["permit"] * 17, *["deny"] * 3), recorded_at=_days(days),
           valid_to_at=_days(days + 200, roll.random(said) < 0.9), data_from_at=_days(days, roll.random(said) < 0.99),
           given_by_code=_some(roll, said, *["self"] * 49, "guardian"), data_category_code=_some(roll, said, *[None] * 29, "health"))
    for start in range(0, rows, 1_000_000):
        some = min(1_000_000, rows - start)
        taken = roll.integers(0, 300, some)
        _write(folder, "core.observation", some, source_person_id=ids.take(pa.array(roll.integers(0, people, some))),
               value=pa.array(roll.random(some) * 100), effective_at=_days(taken), recorded_at=_days(taken), version_at=_days(taken),
               record_id=pa.array([f"r{n}" for n in range(start, start + some)]), payload_sha256=pa.array([
                   roll.bytes(32).hex() for _ in range(some)]), device_id=_some(roll, some, *[f"device-{n}" for n in range(5000)]))
    with _engine() as spark:
        _decided(spark, folder).where("is_permitted").select("person_key", "data_from_at", "data_to_at").write.format("delta").save(f"{folder}/allowed")


def _some(roll: np.random.Generator, number: int, *values: str | None) -> pa.Array:
    return pa.array(values, pa.string()).take(pa.array(roll.integers(0, len(values), number)))


def _days(days: Any, is_null: Any = None) -> pa.Array:
    return pa.array(START + days * DAY, pa.timestamp("us", "UTC"), mask=is_null)


def _write(folder: Path, name: str, rows: int, **columns: pa.Array) -> None:
    """Rows of a table with every column of its contract: those given, the same word where it requires one, else nulls."""
    from contracts import catalog
    from jobs.schema import arrow_schema

    fixed = {"source": "app", "batch_id": "app-20260101T000000Z", "contract_version": "1.0.0", "code": "15074-8",
             "unit_code": "mg/dL", "status_code": "final", "evidence": "alone", "run_id": "given", "legal_basis_code": "explicit_consent"}
    schema = arrow_schema(catalog().table(name))
    made = {f.name: columns.get(f.name, pa.array([fixed[f.name]] * rows) if f.name in fixed else pa.nulls(rows)).cast(f.type)
            for f in schema}
    write_deltalake(f"{folder}/{name}", pa.table(made), mode="append")


def semi(folder: Path, width: str) -> None:
    """The rival: links and a list of allowed keys are there; the rows get their person all the same."""
    with _engine() as spark:
        links, allowed, readings = _tables(spark, folder, "vault.link", "allowed", "core.observation")
        names = links.select("source", "source_person_id", "person_key").join(
            allowed.select("person_key"), "person_key", "left_semi")
        _timed(readings.select(*WIDTHS[width]).join(names, ["source", "source_person_id"], "inner"), f"{folder}/semi_{width}")


def permit(folder: Path, width: str) -> None:
    """Concord's own stages: people, decide, apply."""
    from contracts.vocabulary import LegalBasis
    from jobs.stages import permit as stage

    with _engine() as spark:
        readings, links = _tables(spark, folder, "core.observation", "vault.link")
        kept = stage.apply(readings.select(*WIDTHS[width]), links, _decided(spark, folder), LegalBasis.EXPLICIT_CONSENT, "effective_at")
        _timed(kept.where("is_permitted").drop("is_permitted", "reason_code"), f"{folder}/permit_{width}")


def _tables(spark: Any, folder: Path, *names: str) -> list[Any]:
    return [spark.read.format("delta").load(f"{folder}/{name}") for name in names]


def _timed(rows: Any, path: str) -> None:
    """Write, and print how many seconds that took: frames are lazy, all the work is in here."""
    started = time.monotonic()
    rows.write.format("delta").save(path)
    print(time.monotonic() - started)


def _decided(spark: Any, folder: Path) -> Any:
    from pyspark.sql import functions as F

    from contracts import catalog
    from contracts.vocabulary import LegalBasis
    from jobs.stages import people, permit, statements
    from jobs.stages.use import Use

    links, identity, said = _tables(spark, folder, "vault.link", "core.identity", "core.consent")
    followed = people.apart(links, {"app"}).select(*people.LINK, F.lit(None).cast("string").alias("said_by"))
    whom = people.grown(followed, identity, catalog().jurisdictions, is_special=True)
    use = Use(PURPOSES[:2], None, LegalBasis.EXPLICIT_CONSENT, NOW, ("health",))
    return permit.decide(whom, statements.current(said), use)


@contextmanager
def _engine() -> Iterator[Any]:
    from jobs import engine

    with engine.session("sail") as spark:
        yield spark


def main(millions: float) -> None:
    """Both sides five times in turn, once with all columns and once with those a product reads, and the ratios of medians."""
    console = Console(width=120)
    table = Table("columns", "who", "rows kept", "seconds (median of 5)", "peak MB")
    with tempfile.TemporaryDirectory(prefix="concord-permits-") as name:
        folder = Path(name)
        console.print(f"making {millions:g} million readings, {millions / 10:g} million people, {millions / 2:g} million statements")
        _measured("make", folder, str(millions))
        for width in WIDTHS:
            found: dict[str, list[tuple[float, float]]] = {step: [] for step in STEPS}
            for _ in range(5):
                for step in STEPS:
                    shutil.rmtree(folder / f"{step}_{width}", ignore_errors=True)
                    found[step].append(_measured(step, folder, width))
            sizes = {step: _rows(folder / f"{step}_{width}") for step in STEPS}
            if sizes["permit"] != (expected := _inside(folder, f"semi_{width}")):
                raise SystemExit(f"Concord kept {sizes['permit']} rows, and {expected} of the rival's lie within their person's window")
            middle = {step: sorted(seconds for seconds, _ in found[step])[2] for step in STEPS}
            for step, who in STEPS.items():
                table.add_row(width, who, f"{sizes[step]:,}", f"{middle[step]:.2f}", f"{max(peak for _, peak in found[step]):,.0f}")
            console.print(f"{width} columns: ratio {middle['permit'] / middle['semi']:.2f}")
    console.print(table)


def _measured(step: str, folder: Path, what: str) -> tuple[float, float]:
    """Seconds that a step says it took, and the peak megabytes of its process."""
    said, peak = process.run("tests.bench.permits", step, str(folder), what)
    return float(said[-1]) if said else 0.0, peak


def _inside(folder: Path, name: str) -> int:
    """How many rows of the rival's lie within the window of time of their person, which it does not ask."""
    import polars as pl

    kept = pl.scan_delta(f"{folder}/{name}").join(pl.scan_delta(f"{folder}/allowed"), on="person_key")
    at, since, until = pl.col("effective_at"), pl.col("data_from_at"), pl.col("data_to_at")
    return int(kept.filter((since.is_null() | (at >= since)) & (until.is_null() | (at < until))).select(pl.len()).collect().item())


def _rows(path: Path) -> int:
    from deltalake import DeltaTable

    return int(DeltaTable(str(path)).count())


if __name__ == "__main__":
    if len(sys.argv) > 2:
        steps = {"make": lambda: make(Path(sys.argv[2]), float(sys.argv[3])), "semi": lambda: semi(Path(sys.argv[2]), sys.argv[3]),
                 "permit": lambda: permit(Path(sys.argv[2]), sys.argv[3])}
        steps[sys.argv[1]]()
    else:
        main(float(sys.argv[1]) if len(sys.argv) > 1 else 10)
