"""The people of a file: read, compared, scored, and written down as clusters."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from contracts.matching import ColumnMap, Matching
from jobs.errors import ConfigurationError
from jobs.matching import charts, pairs, quality, records
from jobs.matching.clusters import UNSEEN, Ints, Scored, cluster, threshold
from jobs.matching.model import Model, linker, score, weight
from jobs.matching.training import train

WRITERS: dict[str, Callable[[pa.Table, str], Any]] = {".csv": pyarrow.csv.write_csv, ".parquet": pyarrow.parquet.write_table}
Tell = Callable[[str], None]


@dataclass
class Linked:
    """What became of a file, in numbers; none of them names anybody."""

    records: int
    people: int
    pairs: int
    matches: int
    threshold: float
    rules: list[str]
    set_aside: dict[str, dict[str, int]]
    before: quality.Quality | None = None
    after: quality.Quality | None = None
    charts: list[Path] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """As JSON."""
        known = {"before_clustering": self.before, "after_clustering": self.after}
        judged = {name: found.document() for name, found in known.items() if found}
        return {"records": self.records, "people": self.people, "pairs": self.pairs, "matches": self.matches,
                "threshold": round(self.threshold, 3), "blocking": self.rules, "set_aside": self.set_aside, **judged,
                **({"charts": [str(p) for p in self.charts]} if self.charts else {})}


def link(path: Path, columns: ColumnMap, out: Path, matching: Matching, tell: Tell, truth: str | None = None,
         chart_folder: Path | None = None) -> Linked:
    """Write record_id and cluster_id of every record of a file; cluster_id is a number from 0. Raises ConfigurationError.

    truth: the column that says who is who, to measure with. tell: is told of each step, once it is done.
    """
    if out.suffix.lower() not in WRITERS:
        raise ConfigurationError(f"{out.name} is neither CSV nor Parquet; its name must end in {' or '.join(WRITERS)}")
    step = _Steps(tell)
    people = records.read(path, columns, matching, truth)
    step.done(f"read {len(people):,} records")
    rules = pairs.find(people, matching)
    looked_at = int(people.one(f"select count(*) from {pairs.PAIRS}"))
    step.done(f"{looked_at:,} pairs to look at")
    model = train(people, matching)
    step.done("trained the model")
    splink = linker(people, matching, model)
    table = score(splink, lowest=UNSEEN)
    scored = _scored(people, table, model)
    least = threshold(scored.weight, matching.precision)
    step.done(f"scored them; a match needs a weight of {least:.1f}")
    found = cluster(scored, len(people), least)
    matches = int((scored.weight >= least).sum())
    made = Linked(len(people), int(found.max()) + 1, looked_at, matches, least, rules, people.set_aside)
    if people.truth is not None:
        made.before, made.after = quality.of_pairs(scored, least, people.truth), quality.of_clusters(found, people.truth)
    _write(out, people.ids, found)
    if chart_folder is not None:
        made.charts = charts.write(chart_folder, people, matching, model, table, least)
    step.done(f"found {made.people:,} people")
    return made


class _Steps:
    """Says what was done and how long it took."""

    def __init__(self, tell: Tell) -> None:
        self._tell, self._since = tell, time.monotonic()

    def done(self, what: str) -> None:
        now = time.monotonic()
        self._tell(f"{what} ({now - self._since:.1f} s)")
        self._since = now


def _scored(people: records.Records, table: str, model: Model) -> Scored:
    """Pairs and their weights; those that count as if nobody had looked at them are left out."""
    found = people.connection.execute(
        f"select unique_id_l, unique_id_r, {weight(model)} as weight from {table} where weight > {UNSEEN}").fetchnumpy()
    left, right = (np.asarray(found[name], dtype=np.int64) for name in ("unique_id_l", "unique_id_r"))
    return Scored(left, right, np.asarray(found["weight"], dtype=np.float64))


def _write(out: Path, ids: list[str], found: Ints) -> None:
    table = pa.table({"record_id": pa.array(ids, pa.string()), "cluster_id": pa.array(found)})
    try:
        WRITERS[out.suffix.lower()](table, str(out))
    except OSError as error:
        raise ConfigurationError(f"{out} cannot be written: {error.strerror or error}") from None
