"""A thousand people forgotten beside one plain rewrite of the files that they are in.

    python -m tests.bench.forgetting            # 10 million rows of 100,000 people
    python -m tests.bench.forgetting 1          # a tenth of it, a hundred people forgotten

The lake has payloads in 16 batches and what conform made of them, statements, rejected records, the vault, and a product in two
versions of which the older one is released. The rival knows already which rows are theirs: of each file that holds some it reads
all rows, leaves theirs out, and writes the others with the options of erasure, two files at a time. Concord is given the people
and does all of `concord forget`: it finds what is theirs, rewrites, keeps the older version readable, and looks at every byte.
Then Polars, which knows nothing of Concord, looks again. Each step is a process of its own; the steps take turns.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tests.bench.forgotten_lake import make
from tests.bench.process import keep, run

ROUNDS, THREADS, ROW_GROUP = 3, 2, 64 * 1024
STEPS = {"rewrite": "read, filter and write the touched files once", "forget": "concord forget"}
AIM = 2.0


def main(millions: float) -> None:
    """Run both steps in turn and print medians; they also go to bench-forgetting.json in the Concord home."""
    with tempfile.TemporaryDirectory(prefix="concord-forgetting-") as folder:
        run("tests.bench.forgetting", "make", folder, str(millions))
        found: dict[str, list[tuple[float, float, float]]] = {step: [] for step in STEPS}
        for _ in range(ROUNDS):
            for step in STEPS:
                said, peak = run("tests.bench.forgetting", step, folder)
                found[step].append((float(said[-2]), float(said[-1]), peak))
                print(f"  {STEPS[step]}: {' '.join(said[:-2])} {said[-2]} s, {said[-1]} processor s", flush=True)
        said, _ = run("tests.bench.forgetting", "look", folder)
        print(f"  Polars looks: {' '.join(said)}")
    seconds, processor = ({step: median(time[n] for time in times) for step, times in found.items()} for n in (0, 1))
    rows = [{"step": STEPS[step], "seconds": round(seconds[step], 2), "of_rewriting": round(seconds[step] / seconds["rewrite"], 2),
             "processor_seconds": round(processor[step], 2), "of_its_processor": round(processor[step] / processor["rewrite"], 2),
             "peak_mb": round(max(peak for *_, peak in times))} for step, times in found.items()]
    for row in rows:
        print(f"{row['step']:46} {row['seconds']:6.2f} s {row['of_rewriting']:5.2f} (aim: {AIM}) {row['processor_seconds']:6.2f} processor s "
              f"{row['of_its_processor']:5.2f} {row['peak_mb']:8,} MB")
    keep("forgetting", {"millions": millions, "steps": rows})


def rewrite(folder: Path) -> tuple[float, float]:
    """The rival: seconds and processor seconds for the files that hold rows of theirs."""
    wanted = {path.stem: pq.read_table(path) for path in (folder / "theirs").iterdir()}
    files = [(path, name) for name in wanted for path in _files(folder / "home" / "lake" / name.replace(".", "/"))]
    (folder / "rewritten").mkdir()
    started = time.monotonic(), time.process_time()
    with ThreadPoolExecutor(THREADS) as threads:
        gone = sum(threads.map(lambda file: _without(folder, *file, wanted[file[1]]), files))
    seconds = time.monotonic() - started[0], time.process_time() - started[1]
    shutil.rmtree(folder / "rewritten")
    print(len(files), "files,", gone, "rows gone,")
    return seconds


def _without(folder: Path, path: Path, name: str, theirs: pa.Table) -> int:
    rows, column = pq.read_table(path, partitioning=None), theirs.column_names[0]
    stay = rows.filter(pc.invert(pc.is_in(rows[column], value_set=theirs[column])))
    pq.write_table(stay, folder / "rewritten" / f"{name}-{path.name}", compression="snappy", row_group_size=ROW_GROUP)
    return len(rows) - len(stay)


def forget(folder: Path) -> tuple[float, float]:
    """Seconds and processor seconds of `concord forget`, on a copy of the home: a rewrite puts other files in the place of those that the copies share."""
    from jobs.run.asking import Question, persons_in
    from jobs.run.forget import forget as stage
    from jobs.settings import Settings
    from tests.integration.airflow_stand_in import Users, serving

    shutil.rmtree(folder / "again", ignore_errors=True)
    shutil.copytree(folder / "home", folder / "again", copy_function=os.link)
    given = json.dumps({"reason": "a measurement", "token": "officers-token"}).encode()
    with serving(Users()) as address:
        os.environ["CONCORD_CONNECTION_CONCORD_AIRFLOW"] = json.dumps({"base_url": address})
        started = time.monotonic(), time.process_time()
        report = stage(Settings(home=folder / "again", lake="", actor="bench"), Question(given), persons_in(folder / "people.jsonl"))
        seconds = time.monotonic() - started[0], time.process_time() - started[1]
    assert (report.facts["found"], report.facts["unknown"]) == (0, 0) and report.facts["releases"] == 1
    print(report.facts["rows"], "rows gone,", report.facts["looked_at"], "files looked at,")
    return seconds


def look(folder: Path) -> None:
    """Every text of every file that is left, by Polars: none holds a word of theirs. The same words are in the lake of before."""
    import polars as pl

    words = (folder / "words.txt").read_text("utf-8").split()

    def texts(home: str) -> Iterator[pl.Series]:
        for path in sorted((folder / home / "lake").rglob("*")):
            if path.suffix == ".parquet":
                yield from (pl.from_arrow(column.cast(pa.large_string())) for column in pq.read_table(path, partitioning=None).columns
                            if str(column.type) in ("string", "binary", "string_view"))
            elif path.is_file():
                yield pl.Series([path.read_bytes().decode(errors="replace")])
    left, before = (sum(int(text.str.contains_any(words).sum()) for text in texts(home)) for home in ("again", "home"))
    assert before and not left, f"{left} values hold something of theirs"
    print(f"{left} of {before:,} values hold one of {len(words):,} words")


def _files(table: Path) -> list[Path]:
    return [path for path in sorted(table.rglob("*.parquet")) if "_delta_log" not in path.parts]


if __name__ == "__main__":
    os.environ.setdefault("CONCORD_ENVIRONMENT", "development")
    if len(sys.argv) > 2:
        where = Path(sys.argv[2])
        timed = {"rewrite": rewrite, "forget": forget}
        if sys.argv[1] in timed:
            print(*timed[sys.argv[1]](where))
        elif sys.argv[1] == "make":
            make(where, float(sys.argv[3]))
        else:
            look(where)
    else:
        main(float(sys.argv[1]) if len(sys.argv) > 1 else 10)
