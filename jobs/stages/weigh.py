"""Weigh: what each statement says at the moment of a use, and which of them weighs most in each scope of it.

The decision (permit), its explanation (explain), withdrawals and refusals all read statements by these rules.
"""

from __future__ import annotations

from functools import reduce
from operator import and_, or_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from contracts.vocabulary import ConsentDecision, GivenBy, StatementFate
from jobs.stages.clocks import CLOCK_SKEW
from jobs.stages.people import People
from jobs.stages.use import ANY, Use

# What statements say; of several answers, the greatest counts.
UNKNOWN, LAPSED, YES, NO = range(4)
WORDS = 4
SPEAKER = ("person_key", "said_by", "source")
SCOPE = (*SPEAKER, "purpose_code", "recipient_id", "data_category_code")  # Within one, the latest wins.
WINDOW = ("data_from_at", "data_to_at")
DAY_MICROS = 86_400_000_000


def conditions(use: Use) -> dict[StatementFate, Column]:
    """What a statement must meet to concern the use, by the word for one that does not; null is not met."""
    at, is_no, names = F.lit(use.as_of), _is_no(), named_recipient()
    recipient = names.isNull() if use.recipient is None else names.isNull() | (names == F.lit(use.recipient))
    known = (F.col("recorded_at") <= at) | (is_no & (F.col("recorded_at") <= F.lit(use.as_of + CLOCK_SKEW)))
    category = F.col("data_category_code").isNull() | (
        F.col("data_category_code").isin(*sorted({str(c) for c in use.categories})) if use.categories else is_no)
    return {StatementFate.OTHER_PURPOSE: F.col("purpose_code").isin(*sorted({str(p) for p in use.purposes})),
            StatementFate.OTHER_RECIPIENT: recipient, StatementFate.OTHER_CATEGORY: category,
            StatementFate.ABOUT_CHANNEL: F.col("channel_code").isNull(),
            StatementFate.ONLY_ASKED: F.col("decision_code").isin(str(ConsentDecision.PERMIT), str(ConsentDecision.DENY)),
            StatementFate.NOT_KNOWN_YET: known}


def named_recipient() -> Column:
    """The third party that a statement names; null where it names none. Most name none, and then nothing is trimmed."""
    return F.when(F.col("recipient_id").isNotNull(), F.nullif(F.trim("recipient_id"), F.lit("")))


def has_begun(use: Use) -> Column:
    """Whether the validity of a statement has begun at the moment of the use."""
    return F.coalesce(F.col("valid_from_at"), F.col("recorded_at")) <= F.lit(use.as_of)


def says(use: Use) -> Column:
    """What a statement says at the moment of the use: NO, YES or LAPSED."""
    over = F.coalesce(F.col("valid_to_at") <= F.lit(use.as_of), F.lit(False))
    return F.when(_is_no(), F.lit(NO)).when(has_begun(use) & ~over, F.lit(YES)).otherwise(F.lit(LAPSED))


def given(people: People, use: Use) -> Column:
    """What a statement (column ``says``) says once it is asked who gave it, and how long yeses last where the person lives."""
    holds = _holds(people, use, F.unix_micros("recorded_at"), _by_guardian())
    return F.when((F.col("says") == YES) & ~holds, F.lit(LAPSED)).otherwise(F.col("says"))


def may_give(use: Use) -> Column:
    """Whether a yes was given by whom may give it: a guardian while the person is under age, else the person, once of age."""
    return _may_give(use, F.unix_micros("recorded_at"), _by_guardian())


def _by_guardian() -> Column:
    return F.coalesce(F.col("given_by_code") == str(GivenBy.GUARDIAN), F.lit(False))


def _holds(people: People, use: Use, said_at: Column, by_guardian: Column) -> Column:
    """Whether a yes of a microsecond still holds, by who gave it and how long yeses last where the person lives."""
    holds = F.lit(True)
    if people.knows("lapse_days"):
        until = said_at + F.col("lapse_days") * F.lit(DAY_MICROS)
        holds = F.coalesce(until > F.unix_micros(F.lit(use.as_of)), holds)
    return holds & _may_give(use, said_at, by_guardian) if people.knows("adult_at") else holds


def _may_give(use: Use, said_at: Column, by_guardian: Column) -> Column:
    grown_at = F.unix_micros("adult_at")
    return F.coalesce(F.when(by_guardian, grown_at > F.unix_micros(F.lit(use.as_of))).otherwise(grown_at <= said_at), F.lit(True))


def weight() -> Column:
    """The microsecond and what is said then (column ``says``), packed into one whole number: the greatest of a scope wins.

    The greatest of numbers is found many times faster than the greatest of structs.
    """
    return F.unix_micros("recorded_at") * WORDS + F.col("says")


def linked(people: People) -> DataFrame:
    """Each identity whose statements count for a person: source, source_person_id, person_key, said_by; and their ages."""
    links = _links(people)
    return links if people.ages is None else links.join(people.ages, on="person_key", how="left")


def _links(people: People) -> DataFrame:
    said_by = F.col("said_by") if "said_by" in people.links.columns else F.lit(None).cast("string")
    return people.links.select("source", "source_person_id", "person_key", said_by.alias("said_by"))


def _is_no() -> Column:
    return F.col("decision_code") == str(ConsentDecision.DENY)


def said(weight: str) -> Column:
    """What a weight says."""
    return F.pmod(F.col(weight), F.lit(WORDS))


def _concerning(consent: DataFrame, use: Use) -> DataFrame:
    """The statements that concern the use, each with what it says at that moment, and the number of its scope."""
    return consent.where(reduce(and_, conditions(use).values())).select(
        "source", "source_person_id", "recorded_at", "given_by_code", *WINDOW, says(use).alias("says"),
        reduce(lambda found, one: F.when(_is_in(one[1]), F.lit(one[0])).otherwise(found),
               enumerate(use.scopes.values()), F.lit(None).cast("int")).alias("scope"))


def _is_in(scope: tuple[str, str | None, str | None]) -> Column:
    """Whether a statement that concerns the use is in a scope of it."""
    def is_named(column: Column, wanted: str | None) -> Column:
        return column.isNull() if wanted is None else column.isNotNull() if wanted == ANY else column == wanted

    purpose, recipient, category = scope
    return (F.col("purpose_code") == purpose) & is_named(named_recipient(), recipient) & is_named(
        F.col("data_category_code"), category)


def latest(people: People, consent: DataFrame, use: Use) -> DataFrame:
    """What weighs most in each scope: a row per SPEAKER, with a weight for each of ``use.scopes``.

    people, consent: as for ``permit.decide``. Somebody who said nothing has a row too. What was said of each identity, by
    the person or a guardian, is gathered before it meets the people, who decide what a yes is worth: that depends on its
    instant and on who gave it alone, so the greatest weight stays the greatest.
    """
    voices = _concerning(consent, use).select(
        "source", "source_person_id", _by_guardian().alias("by_guardian"), "scope", weight().alias("weight")).groupBy(
        "source", "source_person_id", "by_guardian").agg(
        *[F.max(F.when(F.col("scope") == number, F.col("weight"))).alias(name) for number, name in enumerate(use.scopes)])

    def worth(name: str) -> Column:
        said_at = F.shiftright(F.col(name), WORDS.bit_length() - 1)
        ends = (said(name) == YES) & ~_holds(people, use, said_at, F.col("by_guardian"))
        return F.when(ends, F.col(name) - (YES - LAPSED)).otherwise(F.col(name))

    return linked(people).join(voices, on=["source", "source_person_id"], how="left").groupBy(*SPEAKER).agg(
        *[F.max(worth(name)).alias(name) for name in use.scopes])


def windowed(people: People, consent: DataFrame, use: Use) -> DataFrame:
    """The few yeses of one's own about data of a window of time: person_key, source, scope, weight, WINDOW.

    Those that do not hold are among them: their weight is that of no yes that does, but for one of the same instant.
    """
    bounded = consent.where(reduce(or_, [F.col(c).isNotNull() for c in WINDOW]))  # Few: asked first, it spares the rest.
    yeses, own = _concerning(bounded, use).where(F.col("says") == YES), _links(people).where("said_by IS NULL")
    return yeses.join(own, on=["source", "source_person_id"], how="inner").select(
        "person_key", "source", "scope", weight().alias("weight"), *WINDOW)
