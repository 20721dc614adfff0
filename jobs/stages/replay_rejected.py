"""Replay what was set apart: which records are taken up, and where they stand among the other versions of theirs."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from contracts.vocabulary import Outcome

PLACE = ("batch_id", "position")
POINTER = (*PLACE, "outcome", "reason_code")
MOST_IN_BATCH = 10**12


def chosen(rejected: DataFrame, refused: DataFrame, rules_sha256: str, reason: str | None) -> DataFrame:
    """Pointers to what a replay takes up: ``POINTER``, with what had become of it.

    rejected: raw.<source>__rejected, of which what today's rules rejected stays. With a record every rejected version of it
    is taken up, since which is the last is decided over all of them. refused: those of raw.<source>__refused
    whose person does not refuse any more. reason: only what has it.
    """
    asked = F.lit(True) if reason is None else F.col("reason_code") == reason
    due = (F.col("rules_sha256") != rules_sha256) & asked
    names = rejected.where(due & F.col("record_id").isNotNull()).select("record_id", F.lit(True).alias("is_named")).distinct()
    apart = rejected.join(names, "record_id", "left").where(due | F.coalesce("is_named", F.lit(False)))
    return apart.withColumn("outcome", F.lit(str(Outcome.REJECTED))).select(*POINTER).unionByName(
        refused.where(asked).withColumn("outcome", F.lit(str(Outcome.REFUSED))).select(*POINTER))


def landed(raw: DataFrame, taken: DataFrame) -> DataFrame:
    """The envelopes of the taken records, and of all other versions of theirs, in the order in which they came.

    raw: envelopes of conformed batches. taken: ``POINTER``. The columns of raw; place, which orders them by batch and position;
    was and was_because, null where the envelope is not taken up.
    """
    mine = taken.select(*PLACE, F.col("outcome").alias("was"), F.col("reason_code").alias("was_because"))
    names = raw.join(mine, list(PLACE), "left_semi").where("record_id IS NOT NULL").select(
        "record_id", F.lit(True).alias("is_named")).distinct()
    found = raw.join(mine, list(PLACE), "left").join(names, "record_id", "left").where("was IS NOT NULL OR is_named")
    number = F.substring_index("batch_id", ".", -1).cast("long")
    return found.drop("is_named").withColumn("place", number * MOST_IN_BATCH + F.col("position"))


def envelopes(landed: DataFrame, replay_id: str, taken_at: datetime) -> DataFrame:
    """The taken records as ``conform.typed`` reads them: a batch of their own, in their order, known since it began."""
    return _envelopes(landed.where("was IS NOT NULL"), replay_id, taken_at)


def standing(landed: DataFrame, held: DataFrame, said: DataFrame, replay_id: str, taken_at: datetime) -> DataFrame:
    """The envelopes of the versions that stand, where the replay takes up others of their record, as for ``envelopes``.

    held: what stands. said: every statement (both record_id, payload_sha256 and batch_id). A payload may have come several
    times: where it was last taken in counts, else the first, so that what came later and cannot be read still does.
    """
    version = ["record_id", "sha256"]
    theirs = landed.where("was IS NULL").join(_versions(held), version, "left_semi")
    taken_in = theirs.join(_versions(said, "batch_id").withColumn("is_said", F.lit(True)), [*version, "batch_id"], "left")
    place = F.coalesce(F.max(F.when(F.col("is_said"), F.col("place"))), F.min("place"))
    found = taken_in.groupBy("record_id").agg(place.alias("place"))
    return _envelopes(landed.join(found.select("place"), "place", "left_semi"), replay_id, taken_at)


def seen(known: DataFrame, landed: DataFrame) -> DataFrame:
    """``known`` of ``conform.contested`` with the last place at which each version of it was landed."""
    last = landed.groupBy("record_id", F.col("sha256").alias("payload_sha256")).agg(F.max("place").alias("position"))
    return known.drop("position").join(last, ["record_id", "payload_sha256"], "left").select(*known.columns)


def pointers(made: DataFrame, landed: DataFrame, was: Outcome) -> DataFrame:
    """How the pointers of a kind change: those made, back at the places of their batches; with is_gone those that left.

    made: pointers of that kind, by the replay's positions. was: the outcome that the kind stands for.
    """
    places = landed.select(*PLACE, "place")
    stay = made.drop("batch_id").withColumnRenamed("position", "place").join(places, "place").drop("place")
    left = landed.where(F.col("was") == str(was)).select(*PLACE).join(stay, list(PLACE), "left_anti")
    return stay.withColumn("is_gone", F.lit(False)).unionByName(left.withColumn("is_gone", F.lit(True)), allowMissingColumns=True)


def _versions(statements: DataFrame, *more: str) -> DataFrame:
    return statements.select("record_id", F.col("payload_sha256").alias("sha256"), *more).distinct()


def _envelopes(landed: DataFrame, replay_id: str, taken_at: datetime) -> DataFrame:
    ours = {"batch_id": F.lit(replay_id), "position": F.col("place"), "known_at": F.lit(taken_at)}
    kept: Collection[str] = ("stream", "record_id", "payload", "is_deleted", "received_at", "sha256")
    return landed.select(*[column.alias(name) for name, column in ours.items()], *kept)
