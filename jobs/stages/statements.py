"""Consent statements as immutable rows: a newer version of a record closes the older ones, it does not replace them."""

from __future__ import annotations

from datetime import datetime
from functools import reduce

from pyspark.sql import Column, DataFrame
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


def spoiled(rows: DataFrame, decided: DataFrame) -> DataFrame:
    """Consent rows of a batch; a yes of which the batch has a later version that was rejected is a no.

    rows: what ``core_rows`` gives for core.consent. decided: the batch. What could not be read may have been the
    withdrawal; only a version that can be read makes a yes of it again.
    """
    read = decided.where(F.col("outcome") == str(Outcome.ACCEPTED)).select("record_id", "position")
    later = _unread(decided).join(read, "record_id").where("unread_at > position").select(
        "record_id", F.lit(True).alias("is_spoiled"))
    return rows.join(later, "record_id", "left").withColumn(
        "decision_code", F.when(F.col("is_spoiled"), _deny()).otherwise(F.col("decision_code"))).select(*rows.columns)


def doubted(rows: DataFrame, decided: DataFrame, held: DataFrame) -> DataFrame:
    """What ``spoiled`` gives, and the noes that rejected versions make of the yeses that the batch says nothing newer of.

    held: the source's current statements before the batch.
    """
    older = held.where(F.col("decision_code") == str(ConsentDecision.PERMIT)).join(
        _unread(decided).select("record_id", "unread_in", "unread_known_at"), "record_id").join(
        _settled(decided).select("record_id"), "record_id", "left_anti")
    made = {"decision_code": _deny(), "batch_id": F.col("unread_in"), "known_at": F.col("unread_known_at"),
            "superseded_at": F.lit(None).cast("timestamp"), "superseded_by": F.lit(None).cast("string")}
    return spoiled(rows, decided).unionByName(older.select(*[made.get(c, F.col(c)).alias(c) for c in rows.columns]))


def restored(rows: DataFrame, decided: DataFrame, held: DataFrame) -> DataFrame:
    """The rows of standing versions, read once more, that end a doubt: those of records of which a yes is held as a no.

    rows: what ``core_rows`` gives of the versions that stand. decided: they, and the versions of a replay.
    """
    read, part = spoiled(rows, decided), ["record_id", "part"]
    yes = read.where(F.col("decision_code") == str(ConsentDecision.PERMIT)).select(*part)
    ends = held.where(F.col("decision_code") == str(ConsentDecision.DENY)).join(yes, part, "left_semi")
    return read.join(ends.select("record_id").distinct(), "record_id", "left_semi")


def closed(rows: DataFrame, decided: DataFrame, held: DataFrame) -> DataFrame:
    """The batch's rows, and the statements they close: those of records that it holds a newer version or the deletion of.

    rows: what ``doubted`` gives; where it makes a no of a yes, that yes alone is closed: the other statements of its record
    stand. A closed statement says since when it is (superseded_at) and by which batch.
    """
    by = (F.max("batch_id").alias("superseded_by"), F.max("known_at").alias("superseded_at"))
    whole, stands = _settled(decided).groupBy("record_id").agg(*by), held.drop("superseded_at", "superseded_by")
    parts = rows.join(whole, "record_id", "left_anti").groupBy("record_id", "part").agg(*by)
    ended = [stands.join(whole, "record_id"), stands.join(parts, ["record_id", "part"])]
    return reduce(lambda a, b: a.unionByName(b.select(*rows.columns)), ended, rows)


def _settled(decided: DataFrame) -> DataFrame:
    """The versions that were taken in, and the deletions."""
    return decided.where(F.col("outcome").isin(str(Outcome.DELETION), str(Outcome.ACCEPTED)) & F.col("record_id").isNotNull())


def _unread(decided: DataFrame) -> DataFrame:
    """The last rejected version of each record: record_id, unread_at (position), unread_in (batch), unread_known_at."""
    return decided.where((F.col("outcome") == str(Outcome.REJECTED)) & F.col("record_id").isNotNull()).groupBy(
        "record_id").agg(F.max("position").alias("unread_at"), F.max("batch_id").alias("unread_in"),
                         F.max("known_at").alias("unread_known_at"))


def _deny() -> Column:
    return F.lit(str(ConsentDecision.DENY))
