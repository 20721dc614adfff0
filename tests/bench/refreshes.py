"""Two years of monthly extracts for one partner: how many rows the guard over time holds back, and how many of them without need.

    python -m tests.bench.refreshes            # 5,000 people
    python -m tests.bench.refreshes 0.2        # a fifth of them

Half of the people are there in the first month, the others come over 23 more; 1 in 100 takes their yes back each month, and they are in no later
extract. They report on four days a month, seven times in ten; 1 in 50 of these rows comes one to three months late, and in 1 in
200 the number of readings is another one a month later. Each extract tells all days so far, as the partner's contract in this
repository asks, and goes the way of a real one: levels searched, composed with all that was delivered before, groups whole.

A row was held back without need where a count in plain Python, over what really left, finds k people or more who were in the same
deliveries and of whom each delivery, this one too, told the same; and where the rows of its group that left would still have
had what is asked of them with it.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bench.process import keep, run

REFRESHES, DAYS_A_MONTH, PEOPLE = 24, 4, 5_000
PERSON, KEY = "person_id", "observed_on"
Rows = dict[tuple[str, Any], tuple[Any, ...]]  # What each row of a person and a day tells: the quasi-identifiers.


def main(size: float) -> None:
    """Print each refresh and the sums; they also go to bench-refreshes.json."""
    with tempfile.TemporaryDirectory(prefix="concord-refreshes-") as folder:
        said, peak = run("tests.bench.refreshes", "count", folder, str(size))
    names = ("rows", "suppressed", "told_apart", "not_whole", "false", "blocked")
    sums = dict(zip(names, map(int, said), strict=True))
    print(f"{REFRESHES} refreshes of {int(size * PEOPLE):,} people: {sums['rows']:,} rows, of which {sums['suppressed']:,} were "
          f"suppressed, {sums['told_apart']:,} held back as told apart and {sums['not_whole']:,} since too few of their group were left; "
          f"{sums['false']:,} of them without need; {sums['blocked']} extracts blocked ({peak:,.0f} MB)")
    keep("refreshes", {"people": int(size * PEOPLE), "refreshes": REFRESHES, **sums})


def world(people: int) -> Any:
    """Every row of every person in two years: person_id, observed_on, readings (corrected from ``corrected`` on, to ``later``),
    time_in_range_percent, arrives, leaves (months, from 1)."""
    import numpy as np
    import pandas as pd

    roll = np.random.default_rng(7)
    half = people // 2
    came = np.maximum(1, 2 + (np.arange(people) - half) * (REFRESHES - 1) // (people - half))
    leaves = came + np.ceil(np.log(roll.random(people)) / np.log(0.99)).astype(int)
    often = np.round(2 + roll.gamma(2.0, 2.0, people))  # Readings a day, of which each person has a habit.
    who, day = np.repeat(np.arange(people), REFRESHES * DAYS_A_MONTH), np.tile(np.arange(REFRESHES * DAYS_A_MONTH), people)
    month = day // DAYS_A_MONTH + 1
    told = (roll.random(len(who)) < 0.7) & (month >= came[who]) & (month < leaves[who])
    who, day, month = who[told], day[told], month[told]
    late = np.where(roll.random(len(who)) < 1 / 50, roll.integers(1, 4, len(who)), 0)
    readings = np.maximum(1, roll.poisson(often[who]))
    is_wrong = roll.random(len(who)) < 1 / 200
    start = np.datetime64("2024-01-01")
    return pd.DataFrame({
        PERSON: np.array([f"{n * 2654435761 % 2**128:032x}" for n in range(people)])[who],
        KEY: start + (day * 7).astype("timedelta64[D]"), "readings": readings,
        "later": np.where(is_wrong, readings + roll.integers(1, 4, len(who)), readings), "corrected": month + late + 1,
        "time_in_range_percent": np.round(100 * roll.beta(4, 2, len(who)), 1), "arrives": month + late, "leaves": leaves[who]})


def count(folder: Path, size: float) -> None:
    """Each refresh on the way; the sums at last."""
    from contracts import catalog
    from jobs import engine

    everything, sums = world(int(size * PEOPLE)), Counter[str]()
    with engine.session("sail") as spark:
        partner = Partner(spark, folder, catalog().recipients["glycemia_institute"])
        for month in range(1, REFRESHES + 1):
            started, found = time.monotonic(), partner.refresh(everything, month)
            sums.update(found)
            print(f"refresh {month}: " + ", ".join(f"{name} {number:,}" for name, number in found.items())
                  + f"; levels {partner.levels}; {time.monotonic() - started:.0f} s", file=sys.stderr)
    print(*[sums[name] for name in ("rows", "suppressed", "told_apart", "not_whole", "false", "blocked")])


@dataclass
class Partner:
    """What one recipient was delivered, as Parquet and as the naive count has it."""

    spark: Any
    folder: Path
    recipient: Any
    levels: dict[str, int] = field(default_factory=dict)
    delivered: list[Any] = field(default_factory=list)
    history: dict[tuple[str, Any], list[tuple[int, tuple[Any, ...]]]] = field(default_factory=lambda: defaultdict(list))
    seen: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def refresh(self, everything: Any, month: int) -> dict[str, int]:
        """Make the next extract, deliver it, and count what stayed back."""
        from pyspark.sql import functions as F

        from jobs.errors import NotAnonymous
        from jobs.stages import anonymise, composition
        from jobs.stages.protect import MARK
        from jobs.workspace import Workspace

        there = everything[(everything.arrives <= month) & (everything.leaves > month)]
        readings = there.readings.where(there.corrected > month, there.later)
        table = there.assign(readings=readings, observed_on=there.observed_on.dt.date)[[PERSON, KEY, "readings", "time_in_range_percent"]]
        work = Workspace(str(self.folder / str(month)), self.spark)
        quasi = list(self.recipient.anonymity.quasi_identifiers)
        rows = work.keep("rows", self.spark.createDataFrame(table))
        found = anonymise.anonymise(rows, self.recipient, PERSON)
        anonymous, marked = work.keep("anonymous", found.rows), None
        self.levels = {name: at["level"] for name, at in found.said["levels"].items()}
        earlier = [composition.told(frame, PERSON, [KEY], quasi, n) for n, frame in enumerate(self.delivered)]
        marked = (composition.mark(anonymous, PERSON, [KEY], quasi, earlier, self.recipient.anonymity.k) if earlier
                  else anonymous.withColumn(MARK, F.lit(True)))
        marked = work.keep("marked", marked)
        whole = work.keep("whole", anonymise.whole_groups(marked, self.recipient, PERSON, rows))
        made, blocked = work.keep("made", whole.where(MARK).drop(MARK)), 0
        try:
            anonymise.refuse_small(made, self.recipient, PERSON, rows)
        except NotAnonymous:
            blocked = 1
        before, after = (frame.where(f"NOT {MARK}").count() for frame in (marked, whole))
        false = self._false(whole.toPandas(), quasi)
        if not blocked:
            self._deliver(made, quasi)
        return {"rows": len(table), "suppressed": len(table) - anonymous.count(), "told_apart": before, "not_whole": after - before,
                "false": false, "blocked": blocked}

    def _false(self, whole: Any, quasi: list[str]) -> int:
        """How many rows stayed back whose people are told apart from no fewer than k, and whose group is whole with them."""
        asked = self.recipient.anonymity
        crowds, ways, groups = defaultdict(set), [], defaultdict(list)
        for row in whole.to_dict("records"):
            words = tuple(row[name] for name in quasi)
            told = [*self.history.get((row[PERSON], row[KEY]), []), (len(self.delivered), words)]
            way = (self.seen.get(row[PERSON], ()), words if len({w for _, w in told}) == 1 else tuple(told))
            crowds[way].add(row[PERSON])
            ways.append((way, words, row))
            if row["is_released"]:
                groups[words].append(row)
        held = defaultdict(list)
        for way, words, row in ways:
            if not row["is_released"] and len(crowds[way]) >= asked.k:
                held[words].append(row)
        return sum(len(rows) for words, rows in held.items() if all(
            len({r[name] for r in [*groups[words], *rows]}) >= least for name, least in asked.diverse.items()))

    def _deliver(self, made: Any, quasi: list[str]) -> None:
        number = len(self.delivered)
        told = made.toPandas()
        for person, day, *words in zip(told[PERSON], told[KEY], *[told[name] for name in quasi], strict=True):
            self.history[person, day].append((number, tuple(words)))
        for person in told[PERSON].unique():
            self.seen[person] = (*self.seen.get(person, ()), number)
        self.delivered.append(made)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        count(Path(sys.argv[2]), float(sys.argv[3]))
    else:
        main(float(sys.argv[1]) if len(sys.argv) > 1 else 1)
