"""Linking a million records beside Splink alone; and growing by a fiftieth beside growing over everything.

    python -m tests.bench.linking            # a million records
    python -m tests.bench.linking 0.1        # a tenth of it

Each step is a process of its own. Splink alone is given what it needs ready-made: the cleaned records, and a column for
each blocking rule that is null in blocks too large to look at, so that both sides score the same pairs. It is trained as usual
(u by random sampling, m by expectation maximisation over three blocks), predicts, and clusters by connected components.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from tests.bench import process

STEPS = {"link": "Concord: link, from the file to the clusters", "splink": "Splink alone, from cleaned records to the clusters",
         "learn": "learn the model of profiles", "first": "grow over 98 %", "rest": "grow by 2 %",
         "everything": "grow over everything"}
RECORDS_A_PERSON = 1.6
NEW = 50  # One profile in so many is new.


def make(folder: Path, millions: float) -> None:
    """Made-up people as records, as profiles of identities, and as Splink is given them."""
    from contracts.matching import ColumnMap, Role, load
    from jobs.matching import pairs, records
    from jobs.matching.profiles import PROFILE
    from tests.synthetic_people import MAP, people

    drawn = people(int(millions * 1_000_000 / RECORDS_A_PERSON * 1.008))
    pq.write_table(drawn, folder / "people.parquet")
    verified = pa.array(np.random.default_rng(3).random(len(drawn)) < 0.4)
    proofs = pc.if_else(verified, pc.binary_join_element_wise("email", pc.utf8_lower(drawn["mail"]), ":"), None)
    known = {**{role: drawn[column] for role, column in MAP.items()}, "proofs": proofs,
             "name": pc.binary_join_element_wise("app", drawn["id"], "/")}
    profiles = pa.table({f.name: known.get(f.name, pa.nulls(len(drawn), f.type)) for f in PROFILE})
    pq.write_table(profiles, folder / "profiles.parquet")
    columns = ColumnMap(record_id="id", roles={role: MAP[role] for role in Role if role in MAP})
    cleaned, matching = records.read(folder / "people.parquet", columns, load()), load()
    for number, rule in enumerate(pairs.fitting(cleaned, matching)):
        names = ", ".join(f"k{i}" for i in range(len(rule)))
        cleaned.run(f"create or replace table of_rule as select unique_id, hash({names}) as block_{number} "
                    f"from keyed semi join blocks using ({names})")
        cleaned.run(f"create or replace table {records.TABLE} as from {records.TABLE} left join of_rule using (unique_id)")
    cleaned.run(f"copy (from {records.TABLE} order by unique_id) to '{folder}/cleaned.parquet'")


def link(folder: Path) -> None:
    from contracts.matching import ColumnMap, Role, load
    from jobs.matching import file
    from tests.synthetic_people import MAP

    columns = ColumnMap(record_id="id", roles={role: MAP[role] for role in Role if role in MAP})
    people, links = folder / "people.parquet", folder / "links.parquet"
    _timed(lambda: file.link(people, columns, links, load(), lambda said: print(said, file=sys.stderr)))


def splink(folder: Path) -> None:
    import duckdb
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    from contracts.matching import Role, load
    from jobs.matching.clusters import UNSEEN
    from jobs.matching.model import linker_over
    from tests.synthetic_people import MAP

    connection = duckdb.connect()
    connection.execute(f"create table cleaned as from '{folder}/cleaned.parquet'")
    rules = [name for name, *_ in connection.execute("describe cleaned").fetchall() if name.startswith("block_")]
    compared = linker_over(DuckDBAPI(connection).register("cleaned", dataset_display_name="one"), [r for r in Role if r in MAP],
                           load(), None, 1e-6).misc.save_model_to_json()

    def run() -> None:
        started = time.monotonic()
        settings = SettingsCreator(link_type="dedupe_only", comparisons=compared["comparisons"],
                                   blocking_rules_to_generate_predictions=[block_on(name) for name in rules])
        alone = Linker(DuckDBAPI(connection).register("cleaned", dataset_display_name="records"), settings, log_level=None)
        alone.training.estimate_probability_two_random_records_match([block_on("email", "birth_date")], recall=0.5)
        alone.training.estimate_u_using_random_sampling(max_pairs=2_000_000, seed=1)
        for keys in (["birth_date"], ["given_name", "family_name"], ["email"]):
            alone.training.estimate_parameters_using_expectation_maximisation(block_on(*keys))
        print(f"Splink alone: trained ({time.monotonic() - started:.1f} s)", file=sys.stderr)
        started = time.monotonic()
        scored = alone.inference.predict(threshold_match_weight=UNSEEN)
        print(f"Splink alone: scored ({time.monotonic() - started:.1f} s)", file=sys.stderr)
        found = alone.clustering.cluster_pairwise_predictions_at_threshold(scored, threshold_match_probability=0.95)
        connection.execute(f"copy (select unique_id, cluster_id from {found.physical_name}) to '{folder}/alone.parquet'")

    _timed(run)


def learn(folder: Path) -> None:
    from contracts.matching import load
    from jobs.matching import learning

    profiles = pq.read_table(folder / "profiles.parquet")
    stored = _timed(lambda: learning.learn(profiles, load()))
    (folder / "model.json").write_text(stored.text(), encoding="utf-8")
    pq.write_table(stored.frequencies, folder / "frequencies.parquet")


def first(folder: Path) -> None:
    profiles = pq.read_table(folder / "profiles.parquet")
    _grow(folder, "first", profiles.filter(pa.array(np.arange(len(profiles)) % NEW > 0)))


def rest(folder: Path) -> None:
    _grow(folder, "rest", pq.read_table(folder / "profiles.parquet"), "first")


def everything(folder: Path) -> None:
    _grow(folder, "everything", pq.read_table(folder / "profiles.parquet"))


def _grow(folder: Path, name: str, profiles: pa.Table, before: str | None = None) -> None:
    """A run of growing, after that of another one; what it gives as Parquet."""
    from contracts.matching import load
    from jobs.matching import growing
    from jobs.matching.profiles import KEPT
    from jobs.matching.stored import Stored

    stored = Stored.parse((folder / "model.json").read_text(encoding="utf-8"), pq.read_table(folder / "frequencies.parquet"))
    kept, edges = (pq.read_table(folder / f"{before}_{part}.parquet") if before else schema.empty_table()
                   for part, schema in (("profiles", KEPT), ("edges", growing.EDGES)))
    grown = _timed(lambda: growing.grow(profiles, kept, edges, load(), stored, growing.DECISIONS.empty_table()))
    stale = pa.array(grown.stale, pa.string())
    for side in ("left_name", "right_name"):
        edges = edges.filter(pc.invert(pc.is_in(edges[side], value_set=stale)))
    for part, rows in (("profiles", grown.profiles), ("edges", pa.concat_tables([edges, grown.edges])), ("groups", grown.groups)):
        pq.write_table(rows, folder / f"{name}_{part}.parquet")


def _timed(work: Callable[[], Any]) -> Any:
    """What it gives; how many seconds it took, by the clock and of the processors, is printed."""
    started, used = time.monotonic(), time.process_time()
    found = work()
    print(time.monotonic() - started, time.process_time() - used)
    return found


def main(millions: float) -> None:
    """Every step once, the ratios, and whether growing twice gave what growing once did."""
    console = Console(width=120)
    table = Table("step", "seconds", "processor seconds", "peak MB")
    with tempfile.TemporaryDirectory(prefix="concord-linking-") as name:
        folder = Path(name)
        console.print(f"making {millions:g} million records")
        _measured("make", folder, str(millions))
        took = {}
        for step, said in STEPS.items():
            *took[step], peak = _measured(step, folder)
            table.add_row(said, *(f"{seconds:,.1f}" for seconds in took[step]), f"{peak:,.0f}")
        same = _is_same(folder)
    console.print(table)
    for ours, theirs in (("link", "splink"), ("rest", "everything")):
        ratios = [mine / other for mine, other in zip(took[ours], took[theirs], strict=True)]
        console.print(f"{STEPS[ours]} / {STEPS[theirs]}: {ratios[0]:.2f} of the time, {ratios[1]:.2f} of the processors' time")
    if not same:
        raise SystemExit("growing twice gave other links or persons than growing once")


def _is_same(folder: Path) -> bool:
    import duckdb

    rest, everything = (f"'{folder}/{name}_{{}}.parquet'" for name in ("rest", "everything"))
    again = rest.format("groups")
    groups = f"(from {again} union all by name from '{folder}/first_groups.parquet' anti join {again} using (name))"
    unlike = [f"(from {one} except from {other})" for mine, theirs in ((rest.format("edges"), everything.format("edges")),
              (groups, everything.format("groups"))) for one, other in ((mine, theirs), (theirs, mine))]
    return all(duckdb.sql(f"select count(*) from {one}").fetchall() == [(0,)] for one in unlike)


def _measured(step: str, folder: Path, *what: str) -> list[float]:
    """Seconds that a step says it took, by the clock and of the processors, and the peak megabytes of its process."""
    said, peak = process.run("tests.bench.linking", step, str(folder), *what)
    return [*(float(one) for one in said), peak]


if __name__ == "__main__":
    if len(sys.argv) > 2:
        if sys.argv[1] == "make":
            make(Path(sys.argv[2]), float(sys.argv[3]))
        else:
            steps = {step.__name__: step for step in (link, splink, learn, first, rest, everything)}
            steps[sys.argv[1]](Path(sys.argv[2]))
    else:
        main(float(sys.argv[1]) if len(sys.argv) > 1 else 1)
