"""Sums of cells that anybody can make: over the columns of a key, and over what its days may be put together to.

Frames are those of jobs/stages/differencing.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from itertools import product
from operator import or_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.stages.differencing import SEPARATOR

OWN, EVERY = "own", "every"


def named(cells: DataFrame, keys: Sequence[str], levels: Mapping[str, Sequence[str]]) -> DataFrame:
    """The rows of a frame of cells, each once for every union that its cell is part of: + union (its name)."""
    ways = [[_named(n, level) for level in (OWN, *levels.get(key, ()), EVERY)] for n, key in enumerate(keys)]
    measure = F.element_at(F.split("cell", SEPARATOR), -1)
    made = [F.concat_ws(SEPARATOR, *way, measure) for way in list(product(*ways))[1:]]  # The first is the cell itself.
    return cells.withColumn("union", F.explode(F.array(*made)))


def isolating(beside: DataFrame, candidate: DataFrame, history: DataFrame, keys: Sequence[str],
              levels: Mapping[str, Sequence[str]], fewest: int) -> DataFrame:
    """union: those whose published sum is another than in some release, though fewer than ``fewest`` people make the difference.

    beside: what ``compared`` gives, for cells that can be summed. A person makes a difference to a sum where what they add to all
    of its published cells is another. People are counted for those sums alone that the amounts leave in doubt: were there fewer,
    the amounts could not differ by more than the most that so many add.
    """
    totals = candidate.groupBy("cell").agg(F.sum("amount").alias("total"), F.max("amount").alias("top")).select(
        "cell", "total", "top")
    before = history.groupBy("cell").agg(F.max("amount").alias("top_before"))
    told = beside.join(totals, on="cell", how="left").join(before, on="cell", how="left")
    is_shown, was_shown = F.col("value").isNotNull(), F.col("was").isNotNull()
    total = F.coalesce("total", F.lit(0))
    shown = F.when(is_shown, total).otherwise(0) - F.when(was_shown, total - F.col("difference")).otherwise(0)
    most = F.when(is_shown & was_shown, F.col("most")).otherwise(
        F.greatest(F.coalesce("top", F.lit(0)), F.coalesce("top_before", F.lit(0))))
    parts = named(told.where(is_shown | was_shown).select(
        "cell", "number", is_shown.alias("is_shown"), was_shown.alias("was_shown"), shown.alias("shown"), most.alias("most"),
        (F.coalesce("value", F.lit(0.0)) - F.coalesce("was", F.lit(0.0))).alias("moved")), keys, levels)
    sums = [F.sum(name).alias(name) for name in ("moved", "shown", "most")]
    doubtful = parts.groupBy("union", "number").agg(*sums, F.count(F.lit(1)).alias("cells")).where(
        (F.col("moved") != 0) & (F.col("cells") > 1) & (F.abs("shown") < F.lit(fewest) * F.col("most")))
    asked = parts.join(doubtful.select("union", "number"), on=["union", "number"], how="left_semi").select(
        "union", "number", "cell", "is_shown", "was_shown")
    return _few(asked, candidate, history, fewest)


def _few(asked: DataFrame, candidate: DataFrame, history: DataFrame, fewest: int) -> DataFrame:
    """union: those that differ from a release by what one to ``fewest`` - 1 people add."""
    now = asked.where("is_shown").join(candidate, on="cell", how="inner").select("union", "number", "person", "amount")
    covers = (F.col("entered") <= F.col("number")) & (F.col("left").isNull() | (F.col("left") > F.col("number")))
    then = asked.where("was_shown").join(history.where("amount <> 0"), on="cell", how="inner").where(covers).select(
        "union", "number", "person", (-F.col("amount")).alias("amount"))
    of_persons = now.unionByName(then).groupBy("union", "number", "person").agg(F.sum("amount").alias("amount"))
    people = of_persons.where("amount <> 0").groupBy("union", "number").agg(F.count(F.lit(1)).alias("people"))
    return people.where(F.col("people") < fewest).select("union").distinct()


def cells_of(cells: DataFrame, unions: DataFrame, keys: Sequence[str], levels: Mapping[str, Sequence[str]]) -> DataFrame:
    """cell: those that are part of one of the unions."""
    return named(cells, keys, levels).join(unions, on="union", how="left_semi").select("cell").distinct()


def of_measures(cells: DataFrame, measures: Sequence[str]) -> DataFrame:
    """The rows of cells of these measures."""
    measure = F.element_at(F.split("cell", SEPARATOR), -1)
    return cells.where(reduce(or_, [measure == name for name in measures]))


def _named(place: int, level: str) -> Column:
    part = F.split("cell", SEPARATOR).getItem(place)
    if level == OWN:
        return part
    return F.lit("*") if level == EVERY else F.concat(F.lit(f"{level} "), F.trunc(part.cast("date"), level).cast("string"))
