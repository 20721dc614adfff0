"""Decisions of permit put together: two uses that are both needed, data without a time, other keys, and until when they hold."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from contracts.vocabulary import PermitReason
from jobs.stages.people import People


def both(first: DataFrame, second: DataFrame) -> DataFrame:
    """The decisions of two uses as one, for a use that needs both: permitted by both; the first refusal's reason counts."""
    other = second.select("person_key", F.col("is_permitted").alias("_permitted"), F.col("reason_code").alias("_reason"))
    permitted = F.col("is_permitted")
    return first.join(other, "person_key").select(
        "person_key", (permitted & F.col("_permitted")).alias("is_permitted"),
        F.when(permitted, F.col("_reason")).otherwise(F.col("reason_code")).alias("reason_code"))


def whole(decisions: DataFrame) -> DataFrame:
    """Decisions for data that has no time of its own: a yes to a window of time is none to all of it."""
    windowed = F.col("is_permitted") & (F.col("data_from_at").isNotNull() | F.col("data_to_at").isNotNull())
    return decisions.select("person_key", (F.col("is_permitted") & ~windowed).alias("is_permitted"), F.when(
        windowed, F.lit(str(PermitReason.OUTSIDE_WINDOW))).otherwise(F.col("reason_code")).alias("reason_code"))


def carried(decisions: DataFrame, theirs: DataFrame, ours: DataFrame) -> DataFrame:
    """Decisions under one use's keys as decisions under another's: a person is permitted when all their identities are.

    decisions: person_key, is_permitted, reason_code. theirs, ours: the links that each use may follow.
    """
    names = ["source", "source_person_id"]
    keys = ours.select(*names, F.col("person_key").alias("_key")).join(theirs.select(*names, "person_key"), names)
    refused = F.max(F.when(~F.col("is_permitted"), F.col("reason_code")))
    return keys.select("_key", "person_key").distinct().join(decisions, "person_key").groupBy(
        F.col("_key").alias("person_key")).agg(
        F.min("is_permitted").alias("is_permitted"), F.coalesce(refused, F.max("reason_code")).alias("reason_code"))


def next_change(people: People, consent: DataFrame, as_of: datetime, lasts: Collection[int] = ()) -> DataFrame:
    """One row with ``at`` (microseconds since 1970): when, after a moment, time alone may next change a decision; else null.

    people, consent: as for ``permit.decide``. lasts: the days after which some countries let a yes lapse.
    """
    def soonest(moments: DataFrame, *columns: Column) -> DataFrame:
        later = [F.min(F.when(c > F.lit(as_of), c)) for c in columns]
        return moments.agg((F.least(*later) if len(later) > 1 else later[0]).alias("at"))

    said = soonest(consent, *(F.col(c) for c in ("recorded_at", "valid_from_at", "valid_to_at")),
                   *(F.col("recorded_at") + F.expr(f"INTERVAL {int(days)} DAYS") for days in lasts))
    if people.ages is not None:
        said = said.unionByName(soonest(people.ages, F.col("adult_at")))
    return said.agg(F.unix_micros(F.min("at")).alias("at"))
