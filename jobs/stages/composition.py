"""Composition: what one recipient learns of people by laying a new extract beside those it was delivered before.

Its pseudonyms stay the same, so it sees who came since, and of each row in which words it was told each time. People whom
all of this tells alike must be as many as a group of the contract has.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from jobs.stages.hashes import hashed, number
from jobs.stages.protect import MARK

WHEN, NOW = "delivery", -1


def told(rows: DataFrame, person: str, key: Sequence[str], told_by: Sequence[str], delivery: int | None) -> DataFrame:
    """What an extract tells: person, row, words, delivery; one row each.

    person: the pseudonym as a 64-bit number, which is quicker to join by. row: a 64-bit hash of what a row is about (``key``).
    words: one of what may be known of the person (``told_by``), and of the names of these columns. delivery: its number, None
    for the extract that is looked at.
    """
    return rows.select(number(F.col(person)).alias("person"), _hash(person, key).alias("row"),
                       _hash(person, told_by).alias("words"), F.lit(delivery).cast("int").alias(WHEN))


def mark(rows: DataFrame, person: str, key: Sequence[str], told_by: Sequence[str], earlier: Sequence[DataFrame],
         minimum: int) -> DataFrame:
    """Rows about persons + is_released: whether at least ``minimum`` persons are told of in the same way over all deliveries.

    earlier: what ``told`` gives of each delivery, at least one. Persons are told of in the same way who were in the same
    deliveries, and whose rows were told in the same words at each of them. A row that is told for the first time is told in
    today's words alone: a new day is no difference. Who is in no later extract is not looked at: a recall names them.
    """
    now = told(rows, person, key, told_by, None)
    before = reduce(DataFrame.unionByName, earlier)
    # The exclusive or of hashes stands for the set of them; where words changed, when each was told is part of it.
    again = before.join(now.select("person", "row").distinct(), on=["person", "row"], how="left_semi")
    word = F.xxhash64("words", F.coalesce(WHEN, F.lit(NOW)))
    each = now.unionByName(again).select("person", "row", "words", word.alias("_word"))
    one, all_of_them = F.min("words"), F.bit_xor("_word")
    words = each.distinct().groupBy("person", "row").agg(
        F.when(one == F.max("words"), one).otherwise(all_of_them).alias("_words"))
    seen = before.select("person", F.xxhash64(WHEN).alias("_in")).distinct().groupBy("person").agg(
        F.bit_xor("_in").alias("_seen"))
    known = words.join(seen, on="person", how="left").withColumn("_seen", F.coalesce("_seen", F.lit(0)))
    sizes = known.groupBy("_seen", "_words").agg(F.count_distinct("person").alias("_persons"))
    verdicts = known.join(sizes, on=["_seen", "_words"], how="inner").select(
        F.col("person").alias("_person"), F.col("row").alias("_row"), (F.col("_persons") >= minimum).alias(MARK))
    same = (number(F.col(person)) == F.col("_person")) & (_hash(person, key) == F.col("_row"))
    return rows.join(verdicts, on=same, how="inner").select(*rows.columns, MARK)


def _hash(person: str, names: Sequence[str]) -> Column:
    """Of the values of columns and of their names, in an order of their own."""
    return hashed(F.col(person), *[column for name in sorted(names) for column in (F.lit(name), F.col(name))])
