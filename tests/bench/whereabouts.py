"""How long `concord where` takes, its start included, beside reading every table version for the person.

    python -m tests.bench.whereabouts            # 100,000 people in 30 table versions each
    python -m tests.bench.whereabouts 0.1        # a tenth of them

Ten tables have three versions, each written as a whole, so that no file is in two of them. The rival knows already what each table
calls the person, and reads the one column of each version that says it. Both are processes of their own and take turns; an
Airflow on loopback says who asks. Beside it: what keeping the index took while the tables were written.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.process import keep, run

ROUNDS, VERSIONS, DOMAIN = 5, 3, "engagement"
# Each table, and the column that says whom a row is about.
TABLES = {"core.identity": "source_person_id", "core.consent": "source_person_id", "core.observation": "source_person_id",
          "core.contact_point": "source_person_id", "vault.link": "source_person_id", "vault.person": "person_key",
          "vault.profile": "identity", "vault.pseudonym": "person_key", "product.glucose_daily": "person_id",
          "product.patient_profile": "person_id"}
ROWS = {"core.observation": 10, "core.consent": 3, "product.glucose_daily": 10}  # About each person; one elsewhere.
PERSON = 4711


def main(size: float) -> None:
    """Print medians; they also go to bench-whereabouts.json in the Concord home."""
    from tests.integration.airflow_stand_in import Users, serving

    with tempfile.TemporaryDirectory(prefix="concord-whereabouts-") as folder, serving(Users()) as address:
        said, _ = run("tests.bench.whereabouts", "make", folder, str(size))
        print(f"writing the tables took {said[0]} s, keeping the index {said[1]} s")
        where = {"CONCORD_HOME": folder, "CONCORD_ENVIRONMENT": "development",
                 "CONCORD_CONNECTION_CONCORD_AIRFLOW": json.dumps({"base_url": address})}
        asked = json.dumps({"person": {"source": "crm", "source_person_id": f"s-{PERSON}"}, "reason": "bench", "token": "officers-token"})
        steps: dict[str, tuple[list[str], str]] = {
            "concord where": ([sys.executable, "-m", "jobs", "where", "--json"], asked),
            "reading all versions": ([sys.executable, "-m", "tests.bench.whereabouts", "read", folder, str(size)], "")}
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in steps}
        for number in range(ROUNDS + 1):
            for name, (words, given) in steps.items():
                seconds, processor, answer = _timed(words, given, where)
                held = sum(len(row["versions"]) for row in json.loads(answer)["tables"])
                assert held == len(TABLES) * VERSIONS, (name, held)
                found[name] += [(seconds, processor)] if number else []  # The first finds nothing in the caches.
    rows = [{"step": name, "seconds": round(median(s for s, _ in times), 2), "processor_seconds": round(median(p for _, p in times), 2),
             "least": round(min(s for s, _ in times), 2)} for name, times in found.items()]
    for row in rows:
        print(f"{row['step']:22} {row['seconds']:6.2f} s (least {row['least']:.2f}), processor {row['processor_seconds']:6.2f} s")
    keep("whereabouts", {"people": int(size * 100_000), "versions": len(TABLES) * VERSIONS, "kept_seconds": float(said[1]), "steps": rows})


def _timed(words: list[str], given: str, where: dict[str, str]) -> tuple[float, float, str]:
    """Seconds and processor seconds of a process from its start to its end, and what it said. Ends the bench if it fails."""
    before, started = os.times(), time.monotonic()
    done = subprocess.run(words, input=given, text=True, env={**os.environ, **where}, stdout=subprocess.PIPE, check=False)
    seconds, after = time.monotonic() - started, os.times()
    if done.returncode:
        raise SystemExit(f"{' '.join(words[1:])} failed with exit status {done.returncode}")
    return seconds, after.children_user + after.children_system - before.children_user - before.children_system, done.stdout


def make(folder: Path, size: float) -> tuple[float, float]:
    """Write the tables, and the index after each version as a stage does; seconds of both."""
    from contracts import catalog
    from jobs.lake import Lake
    from jobs.whereabouts import index

    lake, count = Lake(str(folder / "lake"), catalog().tables), int(size * 100_000)
    written = kept = 0.0
    for _ in range(VERSIONS):
        for name in TABLES:
            rows = _rows(lake, name, count)
            started = time.monotonic()
            lake.replace_arrow(name, rows)
            between = time.monotonic()
            index.keep(lake, catalog())
            written, kept = written + between - started, kept + time.monotonic() - between
    lake.ensure("ledger.extract"), lake.ensure("ledger.release")
    return written, kept


def _rows(lake: Any, name: str, count: int) -> Any:
    """Rows about each person, those of one day after the other."""
    import pyarrow as pa

    from jobs.schema import arrow_schema

    filled: dict[str, Callable[[], Any]] = {"string": lambda: "x", "int64": lambda: 1, "int32": lambda: 1, "double": lambda: 1.0,
                                            "bool": lambda: True, "date32[day]": lambda: date(2026, 10, 1)}
    schema, names, times = arrow_schema(lake.contract(name)), [f"s-{n}" for n in range(count)], ROWS.get(name, 1)
    said = {"source": ["crm"] * count * times, "source_person_id": names * times, "domain": [DOMAIN] * count * times,
            "record_id": [f"{name}/{n}" for n in range(count * times)], "person_key": _hex(count, 7) * times,
            "identity": [f"crm/{n}" for n in names] * times, "pseudonym": _hex(count, 11) * times, "person_id": _hex(count, 11) * times,
            "observed_on": [date(2026, 10, 1 + day) for day in range(times) for _ in range(count)]}
    others = {f.name: filled.get(str(f.type), lambda: datetime(2026, 10, 1, tzinfo=UTC))() for f in schema}
    return pa.table({f.name: pa.array(said.get(f.name) or [others[f.name]] * count * times, f.type) for f in schema}, schema=schema)


def _hex(count: int, factor: int) -> list[str]:
    return [f"{(n + 1) * factor * 2654435761 * 40503**4 % 2**128:032x}" for n in range(count)]


def read(folder: Path, size: float) -> None:
    """The rival."""
    import pyarrow.dataset as ds
    from deltalake import DeltaTable

    from jobs.storage import arrow_files

    key, pseudonym = _hex(PERSON + 1, 7)[-1], _hex(PERSON + 1, 11)[-1]
    words = {"source_person_id": f"s-{PERSON}", "identity": f"crm/s-{PERSON}", "person_key": key, "person_id": pseudonym}
    found = []
    for name, column in TABLES.items():
        path = f"{folder}/lake/{name.replace('.', '/')}"
        files, wanted = arrow_files(path), ds.field(column) == words[column]
        versions = [v for v in range(1, DeltaTable(path).version() + 1)
                    if DeltaTable(path, version=v).to_pyarrow_dataset(filesystem=files).count_rows(filter=wanted)]
        found.append({"versions": versions})
    print(json.dumps({"tables": found}))


if __name__ == "__main__":
    if len(sys.argv) > 2:
        step, place, people = sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])
        if step == "make":
            print(*(f"{seconds:.1f}" for seconds in make(place, people)))
        else:
            read(place, people)
    else:
        main(float(sys.argv[1]) if len(sys.argv) > 1 else 1)
