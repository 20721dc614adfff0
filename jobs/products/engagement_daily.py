"""Engagement per day and channel: what people say to the company and how fast it answers."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

CELLS = ("mentions", "complaints", "answers")
DELAYS = 2**40  # Digests of delays are summed below it, so that a sum of many stays a long.


def build(message: DataFrame, interaction: DataFrame) -> DataFrame:
    """Exact counts: day (UTC), channel_code, people, mentions, complaints, answers, median_answer_minutes.

    message, interaction: the core tables + person_key; where it is null a source identity stands for the person.
    What the brand itself posts is no event but an answer to the post it replies to, of which the first counts. Mentions
    are posts and interactions that are no complaint. Answers are events answered by then, on the day of the event, and
    their delay is at least 0: the clocks of two systems may disagree. People: distinct persons, as far as named; for
    each count of events also those behind it (people_in_mentions, people_in_complaints, people_in_answers) and the most
    that one of them has of it (most_in_...), all who are not named being one.
    """
    is_named = F.col("person").isNotNull()
    counts = members(message, interaction).groupBy("day", "channel_code").agg(
        *[F.sum(name).alias(name) for name in ("people", *CELLS)],
        *[F.count(F.when(is_named & (F.col(name) > 0), 1)).alias(f"people_in_{name}") for name in CELLS],
        *[F.max(name).alias(f"most_in_{name}") for name in CELLS])
    events = _posts(message).unionByName(_interactions(interaction))
    medians = events.groupBy("day", "channel_code").agg((F.median("delay_seconds") / 60).alias("median_answer_minutes"))
    return counts.join(medians, on=["day", "channel_code"], how="inner")


def members(message: DataFrame, interaction: DataFrame) -> DataFrame:
    """What each person adds to a day and channel: person (null: who is not named), people (1, and 0 for who is not named),
    mentions, complaints, answers, and in median_answer_minutes a number that is another when their delays are."""
    events = _posts(message).unionByName(_interactions(interaction))
    is_answered = F.col("delay_seconds").isNotNull()
    is_one = {"mentions": ~F.col("is_complaint"), "complaints": F.col("is_complaint"), "answers": is_answered}
    delays = F.sum(F.when(is_answered, F.pmod(F.xxhash64("delay_seconds"), F.lit(DELAYS))))
    return events.groupBy("day", "channel_code", "person").agg(
        *[F.count(F.when(is_one[name], 1)).alias(name) for name in CELLS],
        F.coalesce(delays, F.lit(0)).alias("median_answer_minutes")).withColumn(
        "people", F.col("person").isNotNull().cast("long"))


def derive(protected: DataFrame) -> DataFrame:
    """The protected rows with the median in whole minutes, null where too few were answered for a count to leave."""
    minutes = F.floor(F.col("median_answer_minutes") + 0.5).cast("double")
    return protected.withColumn("median_answer_minutes", F.when(F.col("answers").isNotNull(), minutes))


def _posts(message: DataFrame) -> DataFrame:
    own = F.col("is_from_brand")
    replies = message.where(own & F.col("reply_to_id").isNotNull()).groupBy(
        "source", F.col("reply_to_id").alias("record_id")).agg(F.min("posted_at").alias("answered_at"))
    posts = message.where(~own).select("source", "record_id", "source_person_id", "person_key", "channel_code",
                                       F.col("posted_at").alias("occurred_at"), F.lit(False).alias("is_complaint"))
    return _events(posts.join(replies, on=["source", "record_id"], how="left"))


def _interactions(interaction: DataFrame) -> DataFrame:
    return _events(interaction.withColumn("is_complaint", F.col("kind_code") == "complaint"))


def _events(rows: DataFrame) -> DataFrame:
    person = F.coalesce(F.col("person_key"), F.concat("source", F.lit("/"), "source_person_id"))
    delay = F.unix_timestamp("answered_at") - F.unix_timestamp("occurred_at")
    return rows.select(F.to_date("occurred_at").alias("day"), "channel_code", person.alias("person"), "is_complaint",
                       F.when(delay < 0, F.lit(0)).otherwise(delay).alias("delay_seconds"))
