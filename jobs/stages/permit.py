"""Permit: the only road from core to a product or an extract. What each person said decides what goes on.

A use names purposes, perhaps a recipient, a legal basis and a moment. Under consent a person is permitted when the
answer for every purpose of the use is yes:

- a statement counts when its purpose is one of the use's, it names the use's recipient or none, a category of data of the
  use or none, no channel (those are about being contacted, not about this use of data), it is a yes or a no, and it was
  recorded by then; a no also when a source's clock is ahead and it seems to be recorded a little later;
- within one source and scope (purpose, recipient, category) the latest statement wins; at one instant a no does;
- a winning yes counts only within its validity, where its country's rules let it, given by whom may give it (below), and,
  where the use has a recipient, only when it names them; a winning no counts whatever its dates say, for a lapsed no is
  not a yes: only a later yes in that source and scope lifts it;
- across scopes and sources a no beats a yes, every category of the use needs a yes, and nothing known is not a yes;
- of an identity that may not be joined, or whose match is held for review, only a no counts, and while it stands there;
- a yes about data of a window of time lets only rows of that window go on; of several, of all their windows, those of
  yeses of one instant too that not all were given by whom may give them.

Who may give it: before a person comes of age (adult_at) a yes is a guardian's, after that it is their own, given then.
"""

from __future__ import annotations

from functools import reduce
from operator import and_, or_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from contracts.vocabulary import LegalBasis, PermitReason
from jobs.stages import weigh
from jobs.stages.people import People
from jobs.stages.use import ANY, Use
from jobs.stages.weigh import LAPSED, NO, UNKNOWN, WINDOW, YES


def decide(people: People, consent: DataFrame, use: Use) -> DataFrame:
    """Who is permitted: one row a person.

    people: whose statements count for whom, and their ages. consent: core.consent, what stands.
    Gives person_key, is_permitted, reason_code (contracts.vocabulary.PermitReason), data_from_at, data_to_at.
    """
    if not use.legal_basis.rests_on_consent:
        ground = PermitReason(use.legal_basis.value)
        return people.links.select("person_key").distinct().select(
            "person_key", F.lit(True).alias("is_permitted"), F.lit(str(ground)).alias("reason_code"),
            *[F.lit(None).cast("timestamp").alias(c) for c in WINDOW])
    reason = _reason([F.coalesce(F.col(name), F.lit(UNKNOWN)) for name in _cells(use)])
    return _answers(weigh.latest(people, consent, use), weigh.windowed(people, consent, use), use).select(
        "person_key", (reason == str(PermitReason.PERMITTED)).alias("is_permitted"), reason.alias("reason_code"), *WINDOW)


def apply(rows: DataFrame, links: DataFrame, decisions: DataFrame, legal_basis: LegalBasis,
          event_time: str | None = None) -> DataFrame:
    """Give every row its person and its decision: the same rows + person_key, is_permitted, reason_code.

    rows: a core table; event_time: its column that says when it happened. links: source, source_person_id, person_key.
    decisions: what ``decide`` gives. Under consent a row without a link is withheld as no_identity, a linked person
    without a decision as nothing_known, and a row outside the window of a yes, or without a time, as outside_window.
    On another legal basis every row goes on, with a null person_key where nobody is linked.
    """
    since, until = F.col("_since"), F.col("_until")  # Statements have windows of their own.
    verdicts = links.select("source", "source_person_id", "person_key").join(decisions.withColumnsRenamed(
        dict(zip(WINDOW, ("_since", "_until"), strict=True))), on="person_key", how="left")
    joined = rows.join(verdicts, on=["source", "source_person_id"], how="left")
    columns = [*rows.columns, "person_key"]
    if not legal_basis.rests_on_consent:
        ground = PermitReason(legal_basis.value)
        return joined.select(*columns, F.lit(True).alias("is_permitted"), F.lit(str(ground)).alias("reason_code"))
    at = F.col(event_time) if event_time else F.lit(None).cast("timestamp")
    inside = F.coalesce(at >= since, since.isNull()) & F.coalesce(at < until, until.isNull())
    permitted = F.coalesce(F.col("is_permitted"), F.lit(False))
    reason = F.when(F.col("person_key").isNull(), F.lit(str(PermitReason.NO_IDENTITY))).when(
        permitted & ~inside, F.lit(str(PermitReason.OUTSIDE_WINDOW))).otherwise(
        F.coalesce(F.col("reason_code"), F.lit(str(PermitReason.NOTHING_KNOWN))))
    return joined.select(*columns, (permitted & inside).alias("is_permitted"), reason.alias("reason_code"))


def account(applied: DataFrame) -> DataFrame:
    """How many went on or were withheld, and why: outcome (permitted, withheld), reason_code, rows, people.

    ``people`` counts person keys, and source identities where nobody is linked; rows that name nobody count no one.
    """
    outcome = F.when(F.col("is_permitted"), F.lit("permitted")).otherwise(F.lit("withheld"))
    person = F.coalesce(F.col("person_key"), F.concat(F.col("source"), F.lit("/"), F.col("source_person_id")))
    return applied.select(outcome.alias("outcome"), "reason_code", person.alias("person")).groupBy(
        "outcome", "reason_code").agg(F.count(F.lit(1)).alias("rows"), F.count_distinct("person").alias("people"))


def about(purpose: str, category: str | None) -> Column:
    """Whether a statement is about a purpose and a category of a use; only a no about another reaches a use of none."""
    named = F.col("data_category_code")
    return (F.col("purpose_code") == purpose) & (named.isNull() | (named == category) if category else F.lit(True))


def _cells(use: Use) -> dict[str, list[str]]:
    """By a name for each of the use's cells, the scopes that concern it."""
    return {f"cell_{n}": [name for name, scope in use.scopes.items() if scope[0] == purpose and scope[2] in (None, ANY, category)]
            for n, (purpose, category) in enumerate(use.cells)}


def _answers(latest: DataFrame, windowed: DataFrame, use: Use) -> DataFrame:
    """person_key, a column for each cell with the person's answer over all scopes and sources (null: none), and the window
    of time that all their yeses have in common."""
    def answer(name: str) -> Column:
        says, mine = weigh.said(name), F.col("said_by").isNull()
        if use.recipient is not None and use.scopes[name][1] is None:
            mine = F.lit(False)  # A yes to the company, live or lapsed, says nothing about the recipient.
        return F.when(mine | (says == NO), says)

    counts = reduce(or_, [(F.col("scope") == number) & (F.col("weight") == F.col(name)) & (answer(name) == YES)
                          for number, name in enumerate(use.scopes)])
    return latest.join(windowed, on=["person_key", "source"], how="left").groupBy("person_key").agg(
        *[F.max(F.greatest(*[answer(name) for name in names])).alias(cell) for cell, names in _cells(use).items()],
        F.max(F.when(counts, F.col(WINDOW[0]))).alias(WINDOW[0]), F.min(F.when(counts, F.col(WINDOW[1]))).alias(WINDOW[1]))


def _reason(answers: list[Column]) -> Column:
    return F.when(reduce(or_, [a == NO for a in answers]), F.lit(str(PermitReason.DENIED))).when(
        reduce(and_, [a == YES for a in answers]), F.lit(str(PermitReason.PERMITTED))).when(
        reduce(or_, [a == LAPSED for a in answers]), F.lit(str(PermitReason.EXPIRED))).otherwise(
        F.lit(str(PermitReason.NOTHING_KNOWN)))
