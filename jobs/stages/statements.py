"""Consent statements as immutable rows: a newer version of a record closes the older ones, it does not replace them."""

from __future__ import annotations

from datetime import datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from contracts.vocabulary import ConsentDecision, Outcome


def current(statements: DataFrame, batch_id: str | None = None) -> DataFrame:
    """The statements that no newer version replaced; with a batch, as they were before it."""
    standing = F.col("superseded_by").isNull()
    return statements.where(standing if batch_id is None else
                            (F.col("batch_id") != batch_id) & (standing | (F.col("superseded_by") == batch_id)))


def known(statements: DataFrame, at: datetime) -> DataFrame:
    """The statements that stood at a moment (an aware datetime), as we knew them then."""
    until = F.col("superseded_at")
    return statements.where((F.col("known_at") <= F.lit(at)) & (until.isNull() | (until > F.lit(at))))


def doubted(rows: DataFrame, decided: DataFrame, held: DataFrame) -> DataFrame:
    """Consent rows of a batch after a rule for what cannot be read: a yes whose later version was rejected is a no.

    rows: what ``core_rows`` gives for core.consent. decided: the batch. held: the source's current statements before it.
    The statement may have been the withdrawal; only a version that can be read makes a yes of it again.
    """
    deny = F.lit(str(ConsentDecision.DENY))
    unread = decided.where((F.col("outcome") == str(Outcome.REJECTED)) & F.col("record_id").isNotNull()).groupBy(
        "record_id").agg(F.max("position").alias("unread_at"), F.max("batch_id").alias("unread_in"),
                         F.max("received_at").alias("unread_known_at"))
    read = decided.where(F.col("outcome") == str(Outcome.ACCEPTED)).select("record_id", "position")
    spoiled = unread.join(read, "record_id").where("unread_at > position").select("record_id", F.lit(True).alias("is_spoiled"))
    fresh = rows.join(spoiled, "record_id", "left").withColumn(
        "decision_code", F.when(F.col("is_spoiled"), deny).otherwise(F.col("decision_code"))).select(*rows.columns)
    older = held.where(F.col("decision_code") == str(ConsentDecision.PERMIT)).join(
        unread.select("record_id", "unread_in", "unread_known_at"), "record_id").join(
        rows.select("record_id").distinct(), "record_id", "left_anti")
    made = {"decision_code": deny, "batch_id": F.col("unread_in"), "known_at": F.col("unread_known_at"),
            "superseded_at": F.lit(None).cast("timestamp"), "superseded_by": F.lit(None).cast("string")}
    return fresh.unionByName(older.select(*[made.get(c, F.col(c)).alias(c) for c in rows.columns]))


def closed(rows: DataFrame, decided: DataFrame, held: DataFrame) -> DataFrame:
    """The batch's rows, and the statements they close: those of records that it holds a newer version or the deletion of.

    rows: what ``doubted`` gives. A closed statement says since when it is (superseded_at) and by which batch.
    """
    settled = decided.where(F.col("outcome").isin(str(Outcome.DELETION), str(Outcome.ACCEPTED)))
    newer = settled.where(F.col("record_id").isNotNull()).select("record_id", "batch_id", "received_at").unionByName(
        rows.select("record_id", "batch_id", F.col("known_at").alias("received_at"))).groupBy("record_id").agg(
        F.max("batch_id").alias("_by"), F.max("received_at").alias("_at"))
    ended = held.drop("superseded_at", "superseded_by").join(newer, "record_id").withColumnsRenamed(
        {"_by": "superseded_by", "_at": "superseded_at"})
    return rows.unionByName(ended.select(*rows.columns))
