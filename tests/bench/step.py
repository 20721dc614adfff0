"""One step of the benchmark, run as a process of its own: make, land, conform, resolve, build or polars."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

START = datetime(2026, 1, 1, tzinfo=UTC)
PER_PERSON = 200


def make(folder: Path, rows: int) -> None:
    """Points, users and consents as NDJSON; 200 readings a person over 50 days, one person in ten says no."""
    people = max(1, rows // PER_PERSON)
    with open(folder / "points.ndjson", "w", encoding="utf-8") as file:
        for i in range(rows):
            person, n = i % people, i // people
            at = START + timedelta(hours=6 * n, seconds=person % 3600)
            stamp = at.strftime("%Y-%m-%dT%H:%M:%SZ")
            file.write(f'{{"header":{{"id":"p{i}","creation_date_time":"{stamp}","modified_date_time":"{stamp}",'
                       f'"user_id":"u{person}","schema_id":{{"namespace":"omh","name":"blood-glucose","version":"4.0"}},'
                       '"acquisition_provenance":{"source_name":"bench","modality":"sensed"}},"body":{"blood_glucose":'
                       f'{{"unit":"mg/dL","value":{60 + (i * 7919) % 190}}},"effective_time_frame":{{"date_time":"{stamp}"}}}}}}\n')
    with open(folder / "others.ndjson", "w", encoding="utf-8") as file:
        for person in range(people):
            stamp = START.strftime("%Y-%m-%dT%H:%M:%SZ")
            file.write(json.dumps(["users", f"u{person}", {"id": f"u{person}", "updated_at": stamp, "country": "DE"}]) + "\n")
            for purpose in ("adherence_monitoring", "decision_support"):
                file.write(json.dumps(["consents", f"{purpose}{person}", {
                    "id": f"{purpose}{person}", "user_id": f"u{person}", "purpose": purpose, "recorded_at": stamp,
                    "updated_at": stamp, "decision": "refused" if person % 10 == 0 else "granted"}]) + "\n")


def land(folder: Path, rows: int) -> None:
    """Concord's landing, with a connector that reads the file instead of a server."""
    from jobs.connectors import Record
    from jobs.run import land as module
    from jobs.settings import Settings

    def fetch(*_: Any) -> Iterator[Any]:
        with open(folder / "others.ndjson", encoding="utf-8") as file:
            for line in file:
                stream, name, payload = json.loads(line)
                yield Record(stream, f"{stream}/{name}", json.dumps(payload).encode(), False)
        with open(folder / "points.ndjson", "rb") as file:
            for number, line in enumerate(file):
                yield Record("data_points", f"data_points/p{number}", line.rstrip(), False)
        yield "data_points", {"done": True}

    module.fetch, module.access = fetch, lambda _: None  # type: ignore[assignment]
    assert module.land(Settings(), "adherence_app").facts["rows"] > rows


def conform(folder: Path, rows: int) -> None:
    """Concord's conform with its gate."""
    from jobs.run.conform import conform as run
    from jobs.settings import Settings

    assert run(Settings(), "adherence_app").facts["outcomes"]["accepted"] > rows


def resolve(folder: Path, rows: int) -> None:
    """Concord's resolve."""
    from jobs.run.people import resolve as run
    from jobs.settings import Settings

    run(Settings())


def build(folder: Path, rows: int) -> None:
    """Concord's build of glucose_daily: consent, product, pseudonyms."""
    from jobs.run.product import build as run
    from jobs.settings import Settings

    assert run(Settings(), "glucose_daily").facts["released"] > 0


def polars(folder: Path, rows: int) -> None:
    """What a hand-written job does: read, parse, group, write; nobody asks for consent."""
    import polars as pl

    schema = {"header": pl.Struct({"user_id": pl.String}),
              "body": pl.Struct({"blood_glucose": pl.Struct({"value": pl.Float64}),
                                 "effective_time_frame": pl.Struct({"date_time": pl.String})})}
    value = pl.col("body").struct.field("blood_glucose").struct.field("value").alias("value")
    at = pl.col("body").struct.field("effective_time_frame").struct.field("date_time")
    made = (pl.scan_ndjson(folder / "points.ndjson", schema=schema)
            .select(pl.col("header").struct.field("user_id").alias("person_id"), value,
                    at.str.to_datetime("%Y-%m-%dT%H:%M:%SZ").dt.date().alias("observed_on"))
            .group_by("person_id", "observed_on")
            .agg(pl.len().alias("readings"), pl.col("value").mean().alias("mean_mg_dl"),
                 (pl.col("value").is_between(70, 180).mean() * 100).alias("time_in_range_percent"))
            .with_columns((3.31 + 0.02392 * pl.col("mean_mg_dl")).alias("gmi_percent")))
    made.collect().write_delta(str(folder / "polars"))


if __name__ == "__main__":
    name, where, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    os.environ["CONCORD_HOME"] = str(where / "home")
    from jobs import keys

    keys.create(where / "home" / "keys")
    {"make": make, "land": land, "conform": conform, "resolve": resolve, "build": build, "polars": polars}[name](where, count)
