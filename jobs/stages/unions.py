"""Sums of cells that anybody can make: over the columns of a key, and over what its days may be put together to.

Frames are those of jobs/stages/differencing.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import or_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from contracts.table import ALL
from jobs.stages.differencing import SEPARATOR

OWN, EVERY = "own", "every"


def named(cells: DataFrame, keys: Sequence[str], levels: Mapping[str, Sequence[str]], marked: Sequence[str] = ()) -> DataFrame:
    """The rows of a frame of cells, each once for every union that its cell is part of: + union (its name). Over a key of
    ``marked``, which has totals, a total is added to nothing: its parts are in it."""
    made, columns = cells.withColumn("parts", F.split("cell", SEPARATOR)), cells.columns
    for n, key in enumerate(keys):
        part = F.col("parts").getItem(n)
        ways = F.array(*[_named(part, level) for level in (OWN, *levels.get(key, ()), EVERY)])
        ways = F.when(part == ALL, F.array(_named(part, OWN))).otherwise(ways) if key in marked else ways
        made = made.withColumn(f"way_{n}", F.explode(ways))
    name = F.concat_ws(SEPARATOR, *[f"way_{n}" for n in range(len(keys))], F.element_at("parts", -1))
    return made.select(*columns, name.alias("union")).where(F.col("union") != F.col("cell"))


def isolating(beside: DataFrame, candidate: DataFrame, history: DataFrame, keys: Sequence[str],
              levels: Mapping[str, Sequence[str]], fewest: int, marked: Sequence[str] = ()) -> DataFrame:
    """union: those whose published sum is another than in some release, though fewer than ``fewest`` people make the difference.

    beside: what ``compared`` gives, for cells that can be summed. A person makes a difference to a sum where what they add to all
    of its published cells is another. People are counted for those sums alone that are in doubt: not where the amounts differ by
    more than so few can add, and not where enough people changed who did so one way, which no other cell of the sum takes back.
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
    # Of a cell that is shown in one of the two only, those whom the other one hides made no difference to the sum.
    is_plain = (is_shown & was_shown) | (is_shown & (total == F.col("difference"))) | (was_shown & (total == 0))
    one_way = F.when(is_plain, F.col("one_way")).otherwise(0)
    parts = named(told.where(is_shown | was_shown).select(
        "cell", "number", is_shown.alias("is_shown"), was_shown.alias("was_shown"), shown.alias("shown"), most.alias("most"),
        one_way.alias("one_way"), is_plain.alias("is_plain"), "spread",
        (F.coalesce("value", F.lit(0.0)) - F.coalesce("was", F.lit(0.0))).alias("moved")), keys, levels, marked)
    sums = [F.sum(name).alias(name) for name in ("moved", "shown", "most")]
    at_least = F.greatest(F.max("one_way"), F.floor(F.sum("one_way") / F.greatest(F.max("spread"), F.lit(1))))
    # Where a cell was shown and is hidden, whom it hides may be who left it for another.
    sure = F.when(F.min(F.col("is_plain").cast("int")) == 1, at_least).otherwise(0)
    is_in_doubt = (F.col("sure") < fewest) & (F.abs("shown") < F.lit(fewest) * F.col("most"))
    doubtful = parts.groupBy("union", "number").agg(*sums, sure.alias("sure"), F.count(F.lit(1)).alias("cells")).where(
        (F.col("moved") != 0) & (F.col("cells") > 1) & is_in_doubt)
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


def cells_of(cells: DataFrame, unions: DataFrame, keys: Sequence[str], levels: Mapping[str, Sequence[str]],
             marked: Sequence[str] = ()) -> DataFrame:
    """cell: those that are part of one of the unions."""
    return named(cells, keys, levels, marked).join(unions, on="union", how="left_semi").select("cell").distinct()


def of_measures(cells: DataFrame, measures: Sequence[str]) -> DataFrame:
    """The rows of cells of these measures."""
    measure = F.element_at(F.split("cell", SEPARATOR), -1)
    return cells.where(reduce(or_, [measure == name for name in measures]))


def _named(part: Column, level: str) -> Column:
    if level == OWN:
        return part
    return F.lit("*") if level == EVERY else F.concat(F.lit(f"{level} "), F.trunc(part.cast("date"), level).cast("string"))
