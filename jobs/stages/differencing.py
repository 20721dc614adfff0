"""Differencing: what two releases differ by must be the work of nobody or of a crowd.

A cell is a row of an aggregate and one of its measures; its name is the row's key and the measure. A state of it is the value
that was published and what each person added to it. Frames: members (cell, person, amount) are what people add; history is
members + entered, left (numbers of releases, the second null while it lasts), is_first: for each cell and person one interval
after the other, those in which nothing is added with amount 0; values (cell, value) are what is published, null where nothing
is; published is values + number.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

SEPARATOR = "\x1f"  # The unit separator of ASCII, which no code has.
UNNAMED = ""  # All who are not named are one person.
HISTORY = "cell string, person string, entered bigint, left bigint, amount bigint, is_first boolean"
FOR_GOOD = 2**31  # After every release.


def members(rows: DataFrame, keys: Sequence[str], measures: Sequence[str]) -> DataFrame:
    """cell, person, amount of what a product's module says of persons: the key, person and an amount a measure."""
    person = F.coalesce("person", F.lit(UNNAMED)).alias("person")
    return _long(rows.select(*keys, person, *measures), keys, measures, "amount", "bigint").select(
        "cell", "person", "amount").where(F.col("amount") != 0)


def values(rows: DataFrame, keys: Sequence[str], measures: Sequence[str], beside: Sequence[str] = ()) -> DataFrame:
    """cell, value of a product's rows, without those that are null, and the columns ``beside``."""
    return _long(rows, keys, measures, "value", "double").select(*beside, "cell", "value").where(F.col("value").isNotNull())


def rows(told: DataFrame, keys: Sequence[tuple[str, str]], measures: Sequence[tuple[str, str]], counts_people: str) -> DataFrame:
    """Rows of values again; keys and measures are (name, type). There is none where counts_people has no value."""
    part = F.split("cell", SEPARATOR)
    wide = told.select(*[part.getItem(n).cast(type_).alias(name) for n, (name, type_) in enumerate(keys)],
                       part.getItem(len(keys)).alias("measure"), "value")
    names = [name for name, _ in keys]
    made = wide.groupBy(*names).agg(*[F.max(F.when(F.col("measure") == name, F.col("value"))).cast(type_).alias(name)
                                      for name, type_ in measures])
    return made.where(F.col(counts_people).isNotNull())


def held(fresh: DataFrame, last: DataFrame, frozen: DataFrame) -> DataFrame:
    """Members or values of a candidate: those of the last state where the cell is frozen, the fresh ones elsewhere."""
    return fresh.join(frozen, on="cell", how="left_anti").unionByName(last.join(frozen, on="cell", how="left_semi"))


def last(history: DataFrame) -> DataFrame:
    """The members behind the newest state of each cell."""
    return history.where(F.col("left").isNull() & (F.col("amount") != 0)).select("cell", "person", "amount")


def changes(candidate: DataFrame, history: DataFrame, numbers: DataFrame, with_ways: bool = True) -> DataFrame:
    """How a candidate differs from each release (numbers: number) in whom it is made of.

    cell, number, people (whose amount is another), difference (of all amounts), most (the greatest change of one person), one_way
    (people of whom all that ever changed in cells of the measure grew, or all shrank), spread (in how many cells it did for one
    of them at most), both 0 without ``with_ways``; nothing where nobody's amount is another.

    The people of a cell are compared with all releases in one pass: each interval of a person's gives one number, and it counts
    for all releases in it.
    """
    both = history.withColumnRenamed("amount", "then").join(candidate.withColumnRenamed("amount", "now"), on=["cell", "person"],
                                                            how="full_outer")
    entered, ended = F.coalesce("entered", F.lit(FOR_GOOD)), F.coalesce("left", F.lit(FOR_GOOD))
    now, then, is_before = F.coalesce("now", F.lit(0)), F.coalesce("then", F.lit(0)), F.col("is_before")
    # Before their first interval people added nothing; before a later one, the interval before says what.
    since = F.when(~is_before, entered).when(F.coalesce("is_first", F.lit(True)), F.lit(0)).otherwise(entered)
    found = both.withColumn("is_before", F.explode(F.array(F.lit(True), F.lit(False)))).select(
        "cell", "person", _measure().alias("measure"), since.alias("since"),
        F.when(is_before, entered).otherwise(ended).alias("until"),
        (now - F.when(is_before, F.lit(0)).otherwise(then)).alias("change")).where("change <> 0 AND since < until")
    summed = _with_ways(found, with_ways).groupBy("cell", "since", "until").agg(
        F.count(F.lit(1)).alias("people"), F.sum("change").alias("difference"), F.max(F.abs("change")).alias("most"),
        F.sum(F.col("is_one_way").cast("long")).alias("one_way"), F.max("spread").alias("spread"))
    is_in = (F.col("number") >= F.col("since")) & (F.col("number") < F.col("until"))
    return summed.join(numbers, on=is_in, how="inner").groupBy("cell", "number").agg(
        *[F.sum(name).alias(name) for name in ("people", "difference", "one_way")],
        *[F.max(name).alias(name) for name in ("most", "spread")])


def _with_ways(found: DataFrame, is_wanted: bool) -> DataFrame:
    """Changes of persons + is_one_way and spread (in how many cells), by person and measure."""
    if not is_wanted:
        return found.withColumn("is_one_way", F.lit(False)).withColumn("spread", F.lit(0).cast("long"))
    is_one_way = (F.min("change") > 0) | (F.max("change") < 0)
    ways = found.groupBy("measure", "person").agg(is_one_way.alias("is_one_way"), F.count_distinct("cell").alias("spread"))
    return found.join(ways, on=["measure", "person"], how="inner")


def compared(changed: DataFrame, told: DataFrame, published: DataFrame, numbers: DataFrame) -> DataFrame:
    """Each cell of a candidate beside each release where people or values differ: changes + value, was (both perhaps null)."""
    is_moved, zero = ~F.col("value").eqNullSafe(F.col("was")), F.lit(0)
    before = published.withColumnRenamed("value", "was")
    every = told.crossJoin(numbers).join(before, on=["number", "cell"], how="full_outer").join(
        changed, on=["number", "cell"], how="full_outer")
    counts = [F.coalesce(name, zero).alias(name) for name in ("people", "difference", "most", "one_way", "spread")]
    return every.select("number", "cell", "value", "was", *counts).where((F.col("people") > 0) | is_moved)


def isolating(beside: DataFrame, fewest: int) -> DataFrame:
    """cell: those whose value is another than in some release, though fewer than ``fewest`` people make the difference."""
    few = (F.col("people") > 0) & (F.col("people") < fewest)
    return beside.where(few & ~F.col("value").eqNullSafe(F.col("was"))).select("cell").distinct()


def incoherent(told: DataFrame, counts_people: str) -> DataFrame:
    """cell: all cells of rows that have a value, but none of ``counts_people``, without which the row is not published."""
    place = told.select("cell", _measure().alias("measure"), _place().alias("place"))
    counted = place.where(F.col("measure") == counts_people).select("place")
    return place.join(counted, on="place", how="left_anti").select("place").distinct()


def of_places(cells: DataFrame, places: DataFrame) -> DataFrame:
    """cell: those of the rows that are named."""
    return cells.withColumn("place", _place()).join(places, on="place", how="left_semi").select("cell")


def _long(rows: DataFrame, keys: Sequence[str], measures: Sequence[str], name: str, kind: str) -> DataFrame:
    """The rows, each once a measure: + cell, and in column ``name`` what is said of it."""
    each = rows.withColumn("measure", F.explode(F.array(*[F.lit(m) for m in measures])))
    said = F.coalesce(*[F.when(F.col("measure") == m, F.col(m).cast(kind)) for m in measures])
    cell = F.concat_ws(SEPARATOR, *[F.col(k).cast("string") for k in keys], F.col("measure"))
    return each.withColumn("cell", cell).withColumn(name, said)


def _measure() -> Column:
    return F.element_at(F.split("cell", SEPARATOR), -1)


def _place() -> Column:
    return F.regexp_replace("cell", f"{SEPARATOR}[^{SEPARATOR}]*$", "")


def continued(candidate: DataFrame, history: DataFrame, number: int, oldest: int) -> DataFrame:
    """The history with a candidate as release ``number``, and without what no release from ``oldest`` on is made of."""
    is_idle = F.col("left").isNull() & (F.col("amount") == 0) & (F.col("entered") <= oldest)
    kept = history.where((F.col("left").isNull() | (F.col("left") > oldest)) & ~is_idle)
    ended, standing = kept.where(F.col("left").isNotNull()), kept.where(F.col("left").isNull())
    both = standing.join(candidate.withColumnRenamed("amount", "now"), on=["cell", "person"], how="full_outer").withColumn(
        "now", F.coalesce("now", F.lit(0)))
    is_new, is_known = F.col("is_new"), F.col("entered").isNotNull()
    is_same = F.coalesce(F.col("amount") == F.col("now"), F.lit(False))
    went_on = both.withColumn("is_new", F.explode(F.array(F.lit(True), F.lit(False)))).where(
        F.when(is_new, ~is_same).otherwise(is_known)).select(
        "cell", "person", F.when(is_new, F.lit(number)).otherwise(F.col("entered")).cast("long").alias("entered"),
        F.when(~is_new & ~is_same, F.lit(number)).cast("long").alias("left"),
        F.when(is_new, F.col("now")).otherwise(F.col("amount")).alias("amount"),
        F.when(is_new, ~is_known).otherwise(F.col("is_first")).alias("is_first"))
    return ended.select(*went_on.columns).unionByName(went_on)
