"""Refuse: records of a person who said no to everything that their source asks for are not taken in.

What was said is read as for every decision (``weigh``): within a scope the latest statement wins, a no at one instant beats
a yes, and a no never lapses. Only noes to a whole purpose count, since what is refused is purged: not those to a recipient,
to a category of data, or to a channel.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from functools import reduce
from operator import and_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from contracts.model import Feed, Source
from contracts.vocabulary import LegalBasis, Outcome, RefuseReason
from jobs.stages import weigh
from jobs.stages.people import People
from jobs.stages.use import Use

WHY = str(RefuseReason.EVERY_PURPOSE_DENIED)


def refusing(statements: DataFrame, purposes: Collection[str], as_of: datetime) -> DataFrame:
    """Who said no to each of the purposes as a whole: source_person_id, one row a person.

    statements: core.consent, what stands of one source. as_of: an aware datetime (ValueError otherwise).
    """
    use = Use(tuple(str(p) for p in purposes), None, LegalBasis.CONSENT, as_of)
    people = People(statements.where("source_person_id IS NOT NULL").select(
        "source", "source_person_id", F.col("source_person_id").alias("person_key")).distinct())
    whole = [weigh.said(name) == weigh.NO for name, (_, _, category) in use.scopes.items() if category is None]
    return weigh.latest(people, statements, use).where(reduce(and_, whole)).select(
        F.col("person_key").alias("source_person_id"))


def refused(decided: DataFrame, feeds: Collection[Feed], people: DataFrame) -> DataFrame:
    """The decided records of a stream with the outcome refused where their person is one of ``people``.

    A rejected record stays rejected and a deletion a deletion: neither makes a row that names a person.
    """
    theirs = people.select(F.col("source_person_id").alias("_who"), F.lit(True).alias("_refuses"))
    changed = {"outcome": str(Outcome.REFUSED), "reason_code": WHY}
    return decided.withColumn("_who", _person(feeds)).join(theirs, "_who", "left").select(
        *[F.when(F.col("_refuses"), F.lit(changed[c])).otherwise(F.col(c)).alias(c) if c in changed else F.col(c)
          for c in decided.columns])


def pointers(decided: DataFrame, source: Source, feeds: Collection[Feed]) -> DataFrame:
    """A pointer to each refused record of a stream (raw.<source>__refused); refused_at is when it was received."""
    return decided.where(F.col("outcome") == str(Outcome.REFUSED)).select(
        "batch_id", "position", F.lit(source.id).alias("source"),
        _person(feeds).alias("source_person_id"), "reason_code",
        F.lit(source.version).alias("contract_version"), F.col("received_at").alias("refused_at"))


def due(pointers: DataFrame, people: DataFrame, until: datetime) -> DataFrame:
    """The pointers to envelopes to purge: received until a moment, of people who still refuse."""
    return pointers.where(F.col("refused_at") <= F.lit(until)).join(people, "source_person_id", "left_semi")


def _person(feeds: Collection[Feed]) -> Column:
    return F.coalesce(*[F.col(f"row_{f.name}.source_person_id") for f in feeds])
