"""withdrawal: who was in a release or an extract and does not permit it any more, why, and the no that took them out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import and_
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from contracts.vocabulary import GoneReason, PermitReason
from jobs.stages import weigh
from jobs.stages.people import People
from jobs.stages.use import Use


@dataclass(frozen=True)
class Denial:
    """A statement that says no. ``said_at`` is the source's time, ``known_at`` when it was conformed, if a batch tells."""

    source: str
    record_id: str
    said_at: datetime
    known_at: datetime | None


def gone(held: DataFrame, decisions: DataFrame) -> DataFrame:
    """Who is held and is not permitted: the columns of ``held``, and reason_code (null where nothing was decided).

    held: person_key (null where no person has the pseudonym any more), and columns of its own. decisions: what
    ``permit.decide`` gives. Whom the decisions do not name is gone: a person without a decision permits nothing.
    """
    verdicts = decisions.select("person_key", "is_permitted", "reason_code")
    joined = held.join(verdicts, on="person_key", how="left")
    return joined.where(~F.coalesce("is_permitted", F.lit(False))).select(*held.columns, "reason_code")


def denials(persons: DataFrame, people: People, consent: DataFrame, use: Use) -> DataFrame:
    """Every no that stands between these persons and a use: person_key, source, record_id, batch_id, said_at.

    persons: person_key. people, consent: as for ``permit.decide``, by whose rules a no stands when nothing of its scope
    outweighs it.
    """
    theirs = weigh.linked(people).join(persons.distinct(), on="person_key", how="inner")
    said = consent.where(reduce(and_, weigh.conditions(use).values())).select(
        "source", "source_person_id", "purpose_code", weigh.named_recipient().alias("recipient_id"), "data_category_code",
        "recorded_at", "given_by_code", "record_id", "batch_id", weigh.says(use).alias("says"))
    heard = said.join(theirs, on=["source", "source_person_id"], how="inner").withColumn(
        "says", weigh.given(people, use)).withColumn("_weight", weigh.weight())
    latest = heard.groupBy(*[F.col(c).alias(f"_{c}") for c in weigh.SCOPE]).agg(F.max("_weight").alias("_latest"))
    same = reduce(and_, [F.col(c).eqNullSafe(F.col(f"_{c}")) for c in weigh.SCOPE])
    standing = (F.col("says") == weigh.NO) & (F.col("_weight") == F.col("_latest"))
    return heard.join(latest, same, "inner").where(standing).select(
        "person_key", "source", "record_id", "batch_id", F.col("recorded_at").alias("said_at"))


def first_news(denials: Iterable[Mapping[str, Any]], conformed: Mapping[str, datetime | None],
               since: datetime) -> Denial | None:
    """Of one person's standing noes the one said first that was not known at ``since``; None when all were.

    denials: rows of ``denials``. conformed: when each batch was conformed or replay ended; one it does not name is news.
    """
    fresh = [Denial(d["source"], d["record_id"], d["said_at"], conformed.get(d["batch_id"])) for d in denials]
    fresh = [d for d in fresh if d.known_at is None or d.known_at > since]
    return min(fresh, key=lambda d: (d.said_at, d.source, d.record_id), default=None)


def because(reason_code: str | None, news: Denial | None, same_terms: bool) -> GoneReason:
    """Why somebody is gone. ``same_terms``: the contract is that under which they were let in.

    A no that was known when they were let in is not what took them out: somebody else's no became theirs when two
    identities were found to be one person, unless the terms changed.
    """
    match reason_code:
        case None:
            return GoneReason.IDENTITY_CHANGED
        case PermitReason.DENIED if news is not None:
            return GoneReason.WITHDRAWAL
        case PermitReason.DENIED if same_terms:
            return GoneReason.IDENTITY_CHANGED
        case PermitReason.EXPIRED:
            return GoneReason.CONSENT_LAPSED
        case _:
            return GoneReason.NOT_PERMITTED
