"""Permit: the only road from core to a product or an extract. What each person said decides what goes on.

A use names purposes, perhaps a recipient, a legal basis and a moment. Under consent a person is permitted when the
answer for every purpose of the use is yes:

- a statement counts when its purpose is one of the use's, it names the use's recipient or none, it names no channel
  (those are about being contacted, not about this use of data), it is a yes or a no, and it was recorded by then; a no
  also when a source's clock is ahead and it seems to be recorded a little later;
- within one source and scope (purpose, recipient) the latest statement wins; at one instant a no does;
- a winning yes counts only within its validity, and, where the use has a recipient, only when it names them; a winning
  no counts whatever its dates say, for a lapsed no is not a yes: only a later yes in that source and scope lifts it;
- across scopes and sources a no beats a yes, and nothing known is not a yes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import and_, or_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from contracts.vocabulary import ConsentDecision, LegalBasis, PermitReason
from jobs.stages.clocks import CLOCK_SKEW

# What statements say; of several answers, the greatest counts.
UNKNOWN, LAPSED, YES, NO = range(4)
WORDS = 4


@dataclass(frozen=True)
class Use:
    """What data is to be used for, by whom, on what ground, and as of when (an aware datetime).

    ``recipient`` is None where the company itself uses it. Raises ValueError on a naive moment, and on a use that
    rests on consent and names no purpose, which nobody could refuse.
    """

    purposes: tuple[str, ...]
    recipient: str | None
    legal_basis: LegalBasis
    as_of: datetime

    def __post_init__(self) -> None:
        if self.as_of.tzinfo is None:
            raise ValueError("as_of has no time zone; give an aware datetime, for example one in UTC")
        if self.legal_basis.rests_on_consent and not self.purposes:
            raise ValueError("a use that rests on consent must name at least one purpose")


def decide(people: DataFrame, consent: DataFrame, use: Use) -> DataFrame:
    """Who is permitted: one row a person.

    people: source, source_person_id, person_key (vault.link). consent: core.consent.
    Gives person_key, is_permitted, reason_code (contracts.vocabulary.PermitReason).
    """
    persons = people.select("person_key").distinct()
    if not use.legal_basis.rests_on_consent:
        ground = PermitReason(use.legal_basis.value)
        return persons.select("person_key", F.lit(True).alias("is_permitted"), F.lit(str(ground)).alias("reason_code"))
    purposes = sorted({str(p) for p in use.purposes})
    answers = _answers(_winners(people, _statements(consent, use)), purposes, use.recipient)
    reason = _reason([F.coalesce(F.col(p), F.lit(UNKNOWN)) for p in purposes])
    return persons.join(answers, on="person_key", how="left").select(
        "person_key", (reason == str(PermitReason.PERMITTED)).alias("is_permitted"), reason.alias("reason_code"))


def both(first: DataFrame, second: DataFrame) -> DataFrame:
    """The decisions of two uses as one, for a use that needs both: permitted by both; the first refusal's reason counts."""
    other = second.select("person_key", F.col("is_permitted").alias("_permitted"), F.col("reason_code").alias("_reason"))
    permitted = F.col("is_permitted")
    return first.join(other, "person_key").select(
        "person_key", (permitted & F.col("_permitted")).alias("is_permitted"),
        F.when(permitted, F.col("_reason")).otherwise(F.col("reason_code")).alias("reason_code"))


def next_change(consent: DataFrame, as_of: datetime) -> DataFrame:
    """One row with ``at`` (microseconds since 1970): when, after a moment, time alone may next change a decision; else null."""
    later = [F.min(F.when(F.col(c) > F.lit(as_of), F.col(c))) for c in ("recorded_at", "valid_from_at", "valid_to_at")]
    return consent.agg(F.unix_micros(F.least(*later)).alias("at"))


def apply(rows: DataFrame, links: DataFrame, decisions: DataFrame, legal_basis: LegalBasis) -> DataFrame:
    """Give every row its person and its decision: the same rows + person_key, is_permitted, reason_code.

    rows: a core table. links: source, source_person_id, person_key. decisions: what ``decide`` gives.
    Under consent a row without a link is withheld as no_identity, and a linked person without a decision as
    nothing_known. On another legal basis every row goes on, with a null person_key where nobody is linked.
    """
    verdicts = links.select("source", "source_person_id", "person_key").join(decisions, on="person_key", how="left")
    joined = rows.join(verdicts, on=["source", "source_person_id"], how="left")
    columns = [*rows.columns, "person_key"]
    if not legal_basis.rests_on_consent:
        ground = PermitReason(legal_basis.value)
        return joined.select(*columns, F.lit(True).alias("is_permitted"), F.lit(str(ground)).alias("reason_code"))
    unlinked = F.col("person_key").isNull()
    reason = F.when(unlinked, F.lit(str(PermitReason.NO_IDENTITY))).otherwise(
        F.coalesce(F.col("reason_code"), F.lit(str(PermitReason.NOTHING_KNOWN))))
    return joined.select(*columns, F.coalesce(F.col("is_permitted"), F.lit(False)).alias("is_permitted"),
                         reason.alias("reason_code"))


def account(applied: DataFrame) -> DataFrame:
    """How many went on or were withheld, and why: outcome (permitted, withheld), reason_code, rows, people.

    ``people`` counts person keys, and source identities where nobody is linked; rows that name nobody count no one.
    """
    outcome = F.when(F.col("is_permitted"), F.lit("permitted")).otherwise(F.lit("withheld"))
    person = F.coalesce(F.col("person_key"), F.concat(F.col("source"), F.lit("/"), F.col("source_person_id")))
    return applied.select(outcome.alias("outcome"), "reason_code", person.alias("person")).groupBy(
        "outcome", "reason_code").agg(F.count(F.lit(1)).alias("rows"), F.count_distinct("person").alias("people"))


def _statements(consent: DataFrame, use: Use) -> DataFrame:
    """The statements that concern the use, each with what it says at that moment."""
    at, is_no = F.lit(use.as_of), F.col("decision_code") == str(ConsentDecision.DENY)
    names = F.nullif(F.trim("recipient_id"), F.lit(""))
    recipient = names.isNull() if use.recipient is None else names.isNull() | (names == F.lit(use.recipient))
    known = (F.col("recorded_at") <= at) | (is_no & (F.col("recorded_at") <= F.lit(use.as_of + CLOCK_SKEW)))
    concerns = (F.col("purpose_code").isin(*sorted({str(p) for p in use.purposes})) & recipient
                & F.col("channel_code").isNull() & known
                & F.col("decision_code").isin(str(ConsentDecision.PERMIT), str(ConsentDecision.DENY)))
    begun = F.coalesce(F.col("valid_from_at"), F.col("recorded_at")) <= at
    over = F.coalesce(F.col("valid_to_at") <= at, F.lit(False))
    says = F.when(is_no, F.lit(NO)).when(begun & ~over, F.lit(YES)).otherwise(F.lit(LAPSED))
    return consent.where(concerns).select(
        "source", "source_person_id", "purpose_code", names.alias("recipient_id"), "recorded_at", says.alias("says"))


def _winners(people: DataFrame, statements: DataFrame) -> DataFrame:
    """What the latest statement says, per person, source and scope: one small aggregate, no window.

    The microsecond and what is said then are packed into one whole number, since the greatest of numbers is found many
    times faster than the greatest of structs.
    """
    links = people.select("source", "source_person_id", "person_key")
    packed = F.unix_micros("recorded_at") * WORDS + F.col("says")
    return statements.join(links, on=["source", "source_person_id"], how="inner").groupBy(
        "person_key", "source", "purpose_code", "recipient_id").agg(F.max(packed).alias("latest")).select(
        "person_key", "purpose_code", "recipient_id", F.pmod("latest", F.lit(WORDS)).alias("says"))


def _answers(winners: DataFrame, purposes: list[str], recipient: str | None) -> DataFrame:
    """person_key, and a column per purpose with the person's answer over all scopes and sources (null: none)."""
    says = F.col("says")
    if recipient is not None:  # a yes to the company itself, live or lapsed, is no answer about the recipient
        says = F.when((says != NO) & F.col("recipient_id").isNull(), F.lit(UNKNOWN)).otherwise(says)
    return winners.groupBy("person_key").agg(
        *[F.max(F.when(F.col("purpose_code") == p, says)).alias(p) for p in purposes])


def _reason(answers: list[Column]) -> Column:
    return F.when(reduce(or_, [a == NO for a in answers]), F.lit(str(PermitReason.DENIED))).when(
        reduce(and_, [a == YES for a in answers]), F.lit(str(PermitReason.PERMITTED))).when(
        reduce(or_, [a == LAPSED for a in answers]), F.lit(str(PermitReason.EXPIRED))).otherwise(
        F.lit(str(PermitReason.NOTHING_KNOWN)))
