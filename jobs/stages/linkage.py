"""Linkage: how many people somebody finds who has the extracts of two recipients, and joins them by what both tell.

The attacker here is a stated one, in the manner of Narayanan and Shmatikov (Robust De-anonymization of Large Sparse Datasets,
IEEE S&P 2008): who has the same history in both extracts is guessed first; for everybody else what few people share counts, the
fewer the more, and the candidates with most of it are guessed. Among several of one rank one is drawn, so that who is one of ten
alike counts as a tenth. The house knows who is right.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from jobs.stages.comparable import Pair
from jobs.stages.hashes import hashed, number, text

WIDTHS = (1, 4, 16)  # Successive rows of a person that are looked at together; each is a multiple of the one before.
MOST_ALIKE = 25  # What more people than these share tells of nobody; in longer successions fewer share it.
MILLION = 1_000_000
Keep = Callable[[str, DataFrame], DataFrame]


def signs(rows: DataFrame, person: str, pairs: Sequence[Pair], is_ours: bool) -> DataFrame:
    """An extract as the attacker compares it: person (a number), day, position, sign; one row each.

    sign: a 64-bit hash of all that both extracts tell of the row; where days were moved, of the days since the person's row
    before it. position: 0 for the person's first row. day: that of the row, null where it was moved or is no column of both.
    """
    def form(pair: Pair) -> Column:
        return (pair.ours if is_ours else pair.theirs)(F.col(pair.name))

    moved = [F.to_date(pair.name) for pair in pairs if pair.is_moved]
    day = next((pair.name for pair in pairs if pair.is_day and not pair.is_moved), None)
    values = [form(pair) for pair in pairs if not pair.is_moved] + [F.datediff(other, moved[0]) for other in moved[1:]]
    order = moved[0] if moved else F.to_date(day) if day else F.lit(None).cast("date")
    found = rows.select(number(F.col(person)).alias("person"), order.alias("order"), hashed(F.col(person), *values).alias("sign"))
    steps = Window.partitionBy("person").orderBy("order", "sign")
    numbered = found.withColumn("position", F.row_number().over(steps) - 1)
    if moved:
        gap = F.xxhash64("sign", text(F.datediff(F.col("order"), F.lag("order").over(steps))))
        return numbered.select("person", F.lit(None).cast("date").alias("day"), "position", gap.alias("sign"))
    return numbered.select("person", F.col("order").alias("day"), "position", "sign")


def common_days(signs: DataFrame, others: DataFrame) -> DataFrame:
    """The rows of the days that the other extract tells of too, positions counted among them; all rows where days cannot be
    compared."""
    span = others.agg(F.min("day").alias("_first"), F.max("day").alias("_last"))
    is_told = F.col("day").isNull() | F.col("_first").isNull() | F.col("day").between(F.col("_first"), F.col("_last"))
    steps = Window.partitionBy("person").orderBy("position")
    kept = signs.join(span, how="cross").where(is_told).withColumn("position", F.row_number().over(steps) - 1)
    return kept.select(signs.columns)


def guessed(ours: DataFrame, theirs: DataFrame, same: DataFrame, keep: Keep) -> DataFrame:
    """How many people are found: one row with people (who are in both), right (millionths of people), others (of theirs).

    ours, theirs: signs. same: person, other (numbers of two pseudonyms of one person), of people of ours. keep: writes aside
    under a name what is used more than once.
    """
    their = keep("histories", _histories(theirs))
    known = same.join(their.select(F.col("person").alias("other")), on="other", how="left_semi")
    whole = keep("by_history", _by_history(_histories(ours), their, known))
    left = ours.join(whole.where("is_matched"), on="person", how="left_anti")
    parts = _by_parts(_successions(left, is_sliding=False), keep("successions", _successions(theirs, is_sliding=True)), known)
    chance = F.floor(F.lit(MILLION) / F.col("others"))
    right = F.when(F.col("is_matched"), F.col("by_history")).otherwise(F.coalesce("by_parts", chance))
    joined = known.join(whole, on="person", how="left").join(parts, on="person", how="left").join(
        their.select(F.count(F.lit(1)).alias("others")), how="cross")
    return joined.agg(F.count(F.lit(1)).alias("people"), F.sum(right.cast("long")).alias("right"),
                      F.max("others").alias("others"))


def percent_beyond_chance(people: int, right: int, others: int) -> float:
    """The share of people found (right: millionths of people) beyond what chance finds among ``others``, in percent of the rest.

    (share - chance) / (1 - chance), never below 0 (Giomi et al., A Unified Framework for Quantifying Privacy Risk, PoPETs 2023,
    for a control of pure chance). One other person alone is found for certain.
    """
    if people == 0:
        return 0.0
    if others <= 1:
        return 100.0
    share, chance = right / MILLION / people, 1 / others
    return max(0.0, 100 * (share - chance) / (1 - chance))


def _by_history(mine: DataFrame, their: DataFrame, same: DataFrame) -> DataFrame:
    """person, is_matched (somebody of theirs has the same history), by_history (millionths of being right)."""
    alike = their.groupBy("history").agg(F.count(F.lit(1)).alias("alike"))
    true = their.select(F.col("person").alias("other"), F.col("history").alias("true_history"))
    truth = same.join(true, on="other", how="inner")
    is_right = F.coalesce(F.col("history") == F.col("true_history"), F.lit(False))
    return mine.join(alike, on="history", how="left").join(truth, on="person", how="left").select(
        "person", F.col("alike").isNotNull().alias("is_matched"),
        F.when(is_right, F.floor(F.lit(MILLION) / F.col("alike"))).otherwise(0).alias("by_history"))


def _histories(signs: DataFrame) -> DataFrame:
    """person, history: a 64-bit hash of all signs of the person, each at its position."""
    return signs.groupBy("person").agg(F.bit_xor(F.xxhash64("position", "sign")).alias("history"))


def _by_parts(mine: DataFrame, their: DataFrame, same: DataFrame) -> DataFrame:
    """person, by_parts (millionths of being right): of whom theirs share successions that few have.

    Ours are cut into successions of rows that do not overlap, theirs into all there are, so that a row that only one of both
    tells of shifts nothing. A succession that n of theirs share weighs 1 / log2(1 + n).
    """
    holders = their.groupBy("what").agg(F.count(F.lit(1)).alias("holders")).where(F.col("holders") <= MOST_ALIKE)
    weight = F.floor(F.lit(MILLION) / F.log2(F.col("holders") + 1))
    shared = mine.join(holders, on="what", how="inner").join(their.withColumnRenamed("person", "other"), on="what", how="inner")
    scores = shared.groupBy("person", "other").agg(F.sum(weight).alias("score"))
    truth = same.select("person", "other", F.lit(1).alias("is_right"))
    ranks = scores.join(truth, on=["person", "other"], how="left").groupBy("person", "score").agg(
        F.count(F.lit(1)).alias("alike"), F.max(F.coalesce("is_right", F.lit(0))).alias("is_right"))
    best = ranks.groupBy("person").agg(F.max(F.struct("score", "alike", "is_right")).alias("best"))
    return best.select("person", F.floor(F.col("best.is_right") * MILLION / F.col("best.alike")).alias("by_parts"))


def _successions(signs: DataFrame, is_sliding: bool) -> DataFrame:
    """person, what: a 64-bit hash of each succession of WIDTHS rows of the person; each once."""
    steps = Window.partitionBy("person").orderBy("position")
    rows, parts = signs.select("person", "position", F.col("sign").alias("what")), []
    for width, next_width in zip(WIDTHS, (*WIDTHS[1:], None), strict=True):
        whole = rows if is_sliding else rows.where(F.col("position") % width == 0)
        parts.append(whole.where(F.col("what").isNotNull()).select("person", F.xxhash64(F.lit(width), "what").alias("what")))
        if next_width:
            ahead = [F.lead("what", n).over(steps) for n in range(width, next_width, width)]
            rows = rows.select("person", "position", "what", *[column.alias(f"_{n}") for n, column in enumerate(ahead)])
            names = ["what", *[f"_{n}" for n in range(len(ahead))]]
            rows = rows.select("person", "position", F.when(F.col(names[-1]).isNotNull(), F.xxhash64(*names)).alias("what"))
    return reduce(DataFrame.unionByName, parts).distinct()

