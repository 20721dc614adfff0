"""What the gate costs beside reading and writing the table, and beside the stock engine of Great Expectations.

    python -m tests.bench.gates          # 10 million readings
    python -m tests.bench.gates 1        # fewer

The table is core.observation. One suite is what its contract says of columns that sources fill, with a reference, a number
of rows and ranges by code: 18 expectations of nine kinds. The second adds the columns that Concord fills, a pattern of 64
characters among them, the third the contract's rules of quality to the first; nothing came before. Each step is a process of
its own, the steps take turns three times.
"""

from __future__ import annotations

import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from contracts.quality import HISTORY
from tests.bench.process import keep, run

ROUNDS = 3
STEPS = {"copy": "read and write the table", "stock": "stock Great Expectations", "gate": "Concord's gate",
         "all": "Concord's gate, all columns", "rules": "Concord's gate, rules too"}
AS_OF = datetime(2030, 1, 1, tzinfo=UTC)
CODES = {"2339-0": "mg/dL", "8867-4": "/min", "29463-7": "kg"}
MOST = {"2339-0": 1000, "8867-4": 300, "29463-7": 500}


def main(millions: float) -> None:
    """Run every step and print medians; they also go to bench-gates.json in the Concord home."""
    with tempfile.TemporaryDirectory(prefix="concord-gates-") as folder:
        run("tests.bench.gates", "make", folder, str(int(millions * 1_000_000)))
        found: dict[str, list[tuple[float, float]]] = {step: [] for step in STEPS}
        for _ in range(ROUNDS):
            for step in STEPS:
                said, peak = run("tests.bench.gates", step, folder)
                found[step].append((float(said[-1]), peak))
                print(f"  {STEPS[step]}: {' '.join(said[:-1])} {said[-1]} s", flush=True)
    seconds = {step: median(s for s, _ in times) for step, times in found.items()}
    rows = [{"step": STEPS[step], "seconds": round(seconds[step], 2), "of_reading_and_writing": round(seconds[step] / seconds["copy"], 2),
             "peak_mb": round(max(p for _, p in times))} for step, times in found.items()]
    for row in rows:
        print(f"{row['step']:28} {row['seconds']:6.2f} s {row['of_reading_and_writing']:5.0%} {row['peak_mb']:8,} MB")
    keep("gates", {"millions": millions, "steps": rows})


def make(spark: Any, folder: Path, rows: int) -> None:
    """The table, and the people that its rows are about."""
    from contracts import catalog

    at = "timestamp_micros(1767225600000000 + id * 1000000)"
    values = {"source": "'adherence_app'", "record_id": "concat('data_points/p', CAST(id AS STRING))",
              "source_person_id": "concat('u', CAST(id % 50000 AS STRING))", "version_at": at,
              "batch_id": "concat('adherence_app-', CAST(id % 10 AS STRING))", "payload_sha256": "sha2(CAST(id AS STRING), 256)",
              "contract_version": "'1.0.0'", "code": f"element_at(array{tuple(CODES)}, CAST(id % 3 + 1 AS INT))",
              "value": "CAST(60 + (id * 7919) % 190 AS DOUBLE)",
              "unit_code": f"element_at(array{tuple(CODES.values())}, CAST(id % 3 + 1 AS INT))", "effective_at": at,
              "recorded_at": at, "status_code": "'final'", "device_id": "IF(id % 2 = 0, concat('d', CAST(id % 9973 AS STRING)), NULL)"}
    columns = ", ".join(f"{values[c.name]} AS {c.name}" for c in catalog().table("core.observation").columns)
    spark.sql(f"SELECT {columns} FROM range({rows})").write.format("delta").save(str(folder / "table"))
    spark.sql("SELECT concat('u', CAST(id AS STRING)) AS source_person_id FROM range(50000)").write.format("delta").save(
        str(folder / "people"))


def copy(spark: Any, folder: Path) -> float:
    """Seconds to read and write the table."""
    started = time.monotonic()
    spark.read.format("delta").load(str(folder / "table")).write.format("delta").mode("overwrite").save(str(folder / "copy"))
    return time.monotonic() - started


def checked(spark: Any, folder: Path, step: str) -> float:
    """Seconds to check the table, on the stock engine or on ours; every expectation holds."""
    from great_expectations.datasource.fluent import SparkDatasource

    from jobs import check
    from jobs.one_pass import OnePassEngine

    spark.read.format("delta").load(str(folder / "people")).createOrReplaceTempView("people")
    SparkDatasource.execution_engine_override = None if step == "stock" else OnePassEngine  # type: ignore[misc]
    source = check._context().data_sources.add_or_update_spark("frames", persist=False)
    definition = source.add_dataframe_asset("t").add_batch_definition_whole_dataframe("all")
    made = _suite(step == "all", step == "rules")
    spark.read.format("delta").load(str(folder / "table")).limit(0).createOrReplaceTempView(HISTORY)
    started = time.monotonic()
    batch = definition.get_batch(batch_parameters={"dataframe": spark.read.format("delta").load(str(folder / "table"))})
    result = batch.validate(made, result_format=check.RESULT_FORMAT)
    seconds = time.monotonic() - started
    kinds = {str(r.expectation_config.type) for r in result.results}
    assert result.success and len(kinds) == (10 if step == "rules" else 9), kinds
    print(f"{len(result.results)} expectations")
    return seconds


def _suite(with_ours: bool, with_rules: bool) -> Any:
    import great_expectations.expectations as gxe
    from great_expectations.expectations.row_conditions import Column

    from contracts import catalog
    from contracts.translate import OURS
    from expectations.derive import suite

    table = catalog().table("core.observation")
    made = suite(table if with_rules else table.model_copy(update={"quality": ()}), AS_OF)
    for expectation in list(made.expectations):
        if not with_ours and getattr(expectation, "column", None) in OURS:
            made.delete_expectation(expectation)
    made.add_expectation(gxe.UnexpectedRowsExpectation(
        unexpected_rows_query="SELECT 1 FROM {batch} b LEFT ANTI JOIN people p ON b.source_person_id = p.source_person_id"))
    made.add_expectation(gxe.ExpectTableRowCountToBeBetween(min_value=1))
    for code, most in MOST.items():
        made.add_expectation(gxe.ExpectColumnValuesToBeBetween(
            column="value", min_value=20, max_value=most, row_condition=Column("code") == code))
    return made


if __name__ == "__main__":
    if len(sys.argv) < 3:
        main(float(sys.argv[1]) if len(sys.argv) > 1 else 10)
    else:
        from jobs.engine import session

        step, where = sys.argv[1], Path(sys.argv[2])
        with session("sail") as engine:
            if step == "make":
                make(engine, where, int(sys.argv[3]))
            else:
                print(copy(engine, where) if step == "copy" else checked(engine, where, step))
