"""Totals of held people: cells and the totals over them, of a candidate and of all that was released before.

Frames are those of jobs/stages/differencing.py; a cell whose name has the mark of a total counts each of its people once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from contracts.table import ALL
from jobs.stages import states
from jobs.stages.differencing import SEPARATOR
from jobs.stages.protect import HIDDEN
from jobs.stages.states import Count, Key

HASHES = 2**40  # Digests of people are summed below it, so that a sum of many stays a long.
Tables = dict[int, dict[str, dict[Key, Count]]]  # By number of a release and by measure.


def every(members: DataFrame, over: Sequence[int]) -> DataFrame:
    """Members of cells, and of the totals over these places of their keys, each person once in each."""
    return named(members, over, "cell").groupBy("cell", "person").agg(F.max("amount").alias("amount"))


def named(cells: DataFrame, over: Sequence[int], name: str) -> DataFrame:
    """The rows of a frame of cells, each once for its cell and each total over it: + column ``name``, which may be cell."""
    made, columns = cells.withColumn("parts", F.split("cell", SEPARATOR)), [c for c in cells.columns if c != name]
    for place in over:
        part = F.element_at("parts", place + 1)
        made = made.withColumn("way", F.explode(F.array(part, F.lit(ALL)))).withColumn(
            "parts", F.concat(F.slice("parts", 1, place), F.array("way"), F.slice("parts", place + 2, 2**30)))
    return made.select(*columns, F.array_join("parts", SEPARATOR).alias(name))


def is_part(over: Sequence[int]) -> Column:
    """Whether a cell is no total."""
    is_total = [F.element_at(F.split("cell", SEPARATOR), place + 1) == ALL for place in over]
    return ~F.greatest(F.lit(False), *is_total)


def sizes(members: DataFrame, history: DataFrame, numbers: DataFrame, newest: int) -> pa.Table:
    """number, cell, size and state (a number that stands for whom it counts), of all releases and of a candidate, ``newest``."""
    covers = (F.col("entered") <= F.col("number")) & (F.col("left").isNull() | (F.col("left") > F.col("number")))
    then = history.where("amount <> 0").join(numbers, on=covers, how="inner").select("number", "cell", "person", "amount")
    both = then.unionByName(members.select(F.lit(newest).cast("long").alias("number"), "cell", "person", "amount"))
    digest = F.pmod(F.xxhash64("person", "amount"), F.lit(HASHES))
    return both.groupBy("number", "cell").agg(F.sum("amount").alias("size"), F.sum(digest).alias("state")).toArrow()


@dataclass(frozen=True)
class Settled:
    """What a candidate's cells and totals count, which of them are hidden, by measure, and which are hidden in vain."""

    counts: dict[str, dict[Key, Count]]
    hidden: dict[str, set[Key]] = field(default_factory=dict)
    vain: dict[str, set[Key]] = field(default_factory=dict)

    def rows(self, keys: Sequence[str]) -> pa.Table:
        """The keys as text, and for each measure its exact count and hidden_<measure>."""
        people = next(iter(self.counts.values()))
        columns = {name: pa.array([str(key[n]) for key in people], pa.string()) for n, name in enumerate(keys)}
        for name, counts in self.counts.items():
            columns[name] = pa.array([counts[key].size for key in people], pa.int64())
            columns[HIDDEN + name] = pa.array([key in self.hidden[name] for key in people], pa.bool_())
        return pa.table(columns)


def settled(sizes: pa.Table, published: Collection[tuple[int, str]], measures: Sequence[str], newest: int, over: Sequence[int],
            minimum: int, fewest: int) -> Settled:
    """What of release ``newest`` must vanish beside all before. published: number and cell of what these told. The first measure
    counts the people of rows."""
    tables = _tables(sizes, published, measures)
    candidate = tables.pop(newest, {name: {} for name in measures})
    earlier, made = [tables[number] for number in sorted(tables)], Settled({**candidate})
    gone: set[Key] = set()
    for name in measures:
        bound = {key: count.size for key, count in candidate[measures[0]].items() if name != measures[0] and key not in gone}
        counts = {key: replace(count, most=bound.get(key, count.most)) for key, count in candidate[name].items()}
        made.hidden[name], made.vain[name] = states.hidden(counts, [each[name] for each in earlier], over, minimum, fewest, gone)
        gone = made.hidden[measures[0]]
    return made


def _tables(sizes: pa.Table, published: Collection[tuple[int, str]], measures: Sequence[str]) -> Tables:
    """Counts by release and measure, of rows that count anybody; the people of a row, where told, are what no other exceeds."""
    found: dict[tuple[int, Key], dict[str, Count]] = defaultdict(dict)
    told, people = set(published), measures[0]
    for number, cell, size, state in zip(*[sizes[c].to_pylist() for c in ("number", "cell", "size", "state")], strict=True):
        *key, measure = cell.split(SEPARATOR)
        found[number, tuple(key)][measure] = Count(size, state, (number, cell) in told)
    tables: Tables = defaultdict(lambda: {name: {} for name in measures})
    for number, key in sorted(found):
        row = found[number, key]
        if people not in row:
            continue
        for name in measures:
            count = row.get(name, Count(0, 0))
            is_bound = name != people and row[people].is_shown
            tables[number][name][key] = replace(count, most=row[people].size) if is_bound else count
    return tables


def tables(cells: DataFrame, keys: int, over: Sequence[int]) -> DataFrame:
    """A frame of cells, whose keys have so many columns, + table: the name of all cells that totals can tie a cell to."""
    parts = [F.element_at(F.split("cell", SEPARATOR), n + 1) for n in range(keys) if n not in over]
    return cells.withColumn("table", F.concat_ws(SEPARATOR, F.lit(""), *parts))


def is_of(keys: Iterable[Key], over: Sequence[int]) -> Column:
    """Whether a cell is of the table of one of these keys."""
    names = {SEPARATOR.join(["", *(str(part) for n, part in enumerate(key) if n not in over)]) for key in keys}
    return F.col("table").isin(*sorted(names)) if names else F.lit(False)


def hidden_sums(beside: DataFrame) -> DataFrame:
    """Of what ``compared`` gives, cells that are hidden in one of the two: their sum follows from a total and the cells that are
    shown. Their values are what they differ by, so that it can be asked who makes the difference to sums of them."""
    is_hidden = F.col("value").isNull() | F.col("was").isNull()
    return beside.where((F.col("people") > 0) & is_hidden).withColumn("value", F.col("difference").cast("double")).withColumn(
        "was", F.lit(0.0))


def few(changed: DataFrame, fewest: int) -> DataFrame:
    """cell: those in which a few people are others than in some release, whatever is shown of it."""
    return changed.where((F.col("people") > 0) & (F.col("people") < fewest)).select("cell").distinct()


def beneath(cells: DataFrame, flagged: DataFrame, over: Sequence[int]) -> DataFrame:
    """cell: those that are flagged, or of which a total is."""
    return named(cells, over, "above").join(flagged.withColumnRenamed("cell", "above"), on="above", how="left_semi").select(
        "cell").distinct()


