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
- a yes about data of a window of time lets only rows of that window go on; of several, of all their windows.

Who may give it: before a person comes of age (adult_at) a yes is a guardian's, after that it is their own, given then.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import and_, or_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from contracts.model import Product, Recipient
from contracts.vocabulary import ConsentDecision, GivenBy, LegalBasis, PermitReason, StatementFate
from jobs.stages.clocks import CLOCK_SKEW

# What statements say; of several answers, the greatest counts.
UNKNOWN, LAPSED, YES, NO = range(4)
WORDS = 4
SCOPE = ("person_key", "source", "purpose_code", "recipient_id", "data_category_code")  # Within one, the latest wins.
WINDOW = ("data_from_at", "data_to_at")
DAY_MICROS = 86_400_000_000


@dataclass(frozen=True)
class Use:
    """What data is to be used for, by whom, on what ground, and as of when (an aware datetime).

    ``recipient`` is None where the company itself uses it; ``categories`` are those of the data that is used: without any,
    a yes to a category is no yes, and a no to any is a no. Raises ValueError on a naive moment, and on a use that
    rests on consent and names no purpose, which nobody could refuse.
    """

    purposes: tuple[str, ...]
    recipient: str | None
    legal_basis: LegalBasis
    as_of: datetime
    categories: tuple[str, ...] = ()

    @classmethod
    def of(cls, product: Product, as_of: datetime) -> Use:
        """The company's own use of a product."""
        return cls(tuple(str(p) for p in product.purposes), None, product.legal_basis, as_of, _asked(product))

    @classmethod
    def by(cls, recipient: Recipient, product: Product, as_of: datetime) -> Use:
        """A recipient's use of a product."""
        return cls(tuple(str(p) for p in recipient.purposes), recipient.id, recipient.legal_basis, as_of, _asked(product))

    @property
    def cells(self) -> list[tuple[str, str | None]]:
        """Each purpose and category that needs a yes; no category where the use names none."""
        categories: list[str | None] = [*sorted({str(c) for c in self.categories})]
        return list(itertools.product(sorted({str(p) for p in self.purposes}), categories or [None]))

    def __post_init__(self) -> None:
        if self.as_of.tzinfo is None:
            raise ValueError("as_of has no time zone; give an aware datetime, for example one in UTC")
        if self.legal_basis.rests_on_consent and not self.purposes:
            raise ValueError("a use that rests on consent must name at least one purpose")


def _asked(product: Product) -> tuple[str, ...]:
    return tuple(str(c) for c in product.data_categories if c.is_asked)


def decide(people: DataFrame, consent: DataFrame, use: Use) -> DataFrame:
    """Who is permitted: one row a person.

    people: source, source_person_id, person_key (vault.link, or what ``stages.people`` makes of it: adult_at and
    lapse_days may be null, only_no marks identities of which only a no counts). consent: core.consent, what stands.
    Gives person_key, is_permitted, reason_code (contracts.vocabulary.PermitReason), data_from_at, data_to_at.
    """
    persons = people.select("person_key").distinct()
    if not use.legal_basis.rests_on_consent:
        ground = PermitReason(use.legal_basis.value)
        return persons.select("person_key", F.lit(True).alias("is_permitted"), F.lit(str(ground)).alias("reason_code"),
                              *[F.lit(None).cast("timestamp").alias(c) for c in WINDOW])
    cells = {f"cell_{n}": cell for n, cell in enumerate(use.cells)}
    answers = _answers(winners(people, consent, use), cells, use.recipient)
    reason = _reason([F.coalesce(F.col(name), F.lit(UNKNOWN)) for name in cells])
    return persons.join(answers, on="person_key", how="left").select(
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


def given(people: DataFrame, use: Use) -> Column:
    """What a statement (column ``says``) says once it is asked who gave it, and how long yeses last where the person lives."""
    is_yes, said = F.col("says") == YES, F.col("says")
    if "lapse_days" in people.columns:
        lasts = F.unix_micros("recorded_at") + F.col("lapse_days") * F.lit(DAY_MICROS)
        said = F.when(is_yes & F.coalesce(lasts <= F.unix_micros(F.lit(use.as_of)), F.lit(False)), LAPSED).otherwise(said)
    if "adult_at" in people.columns:
        said = F.when(is_yes & ~may_give(use), LAPSED).otherwise(said)
    return said


def may_give(use: Use) -> Column:
    """Whether a yes was given by whom may give it: a guardian while the person is under age, else the person, once of age."""
    guardian = F.coalesce(F.col("given_by_code") == str(GivenBy.GUARDIAN), F.lit(False))
    may = F.when(guardian, F.col("adult_at") > F.lit(use.as_of)).otherwise(F.col("adult_at") <= F.col("recorded_at"))
    return F.coalesce(may, F.lit(True))


def is_heard(people: DataFrame) -> Column:
    """Whether a statement (column ``says``) of that identity counts: of some only a no does."""
    return ~F.col("only_no") | (F.col("says") == NO) if "only_no" in people.columns else F.lit(True)


def weight() -> Column:
    """The microsecond and what is said then (column ``says``), packed into one whole number: the greatest of a scope wins.

    The greatest of numbers is found many times faster than the greatest of structs.
    """
    return F.unix_micros("recorded_at") * WORDS + F.col("says")


def linked(people: DataFrame) -> DataFrame:
    """The columns of the people that a decision asks for."""
    return people.select("source", "source_person_id", "person_key", *[
        c for c in people.columns if c in ("adult_at", "lapse_days", "only_no")])


def _is_no() -> Column:
    return F.col("decision_code") == str(ConsentDecision.DENY)


def _statements(consent: DataFrame, use: Use) -> DataFrame:
    """The statements that concern the use, each with what it says at that moment and, of a yes, who gave it."""
    return consent.where(reduce(and_, conditions(use).values())).select(
        "source", "source_person_id", "purpose_code", named_recipient().alias("recipient_id"), "data_category_code",
        "recorded_at", "given_by_code", *WINDOW, says(use).alias("says"))


def winners(people: DataFrame, consent: DataFrame, use: Use) -> DataFrame:
    """What the latest statement says, per person, source and scope: SCOPE, says, WINDOW. One small aggregate, no window.

    The few yeses about a window of time are found again by their weight.
    """
    said = _statements(consent, use).join(linked(people), on=["source", "source_person_id"], how="inner").withColumn(
        "says", given(people, use)).where(is_heard(people))
    won = said.groupBy(*SCOPE).agg(F.max(weight()).alias("latest"))
    windowed = said.where((F.col("says") == YES) & (F.col(WINDOW[0]).isNotNull() | F.col(WINDOW[1]).isNotNull()))
    bounds = windowed.select(*SCOPE, weight().alias("latest"), *WINDOW).groupBy(*SCOPE, "latest").agg(
        F.max(WINDOW[0]).alias(WINDOW[0]), F.min(WINDOW[1]).alias(WINDOW[1]))
    same = [won[c].eqNullSafe(bounds[c]) for c in (*SCOPE, "latest")]
    return won.join(bounds, reduce(and_, same), "left").select(
        *[won[c] for c in SCOPE], F.pmod(won["latest"], F.lit(WORDS)).alias("says"), *[bounds[c] for c in WINDOW])


def about(purpose: str, category: str | None) -> Column:
    """Whether a statement is about a purpose and a category of a use; only a no about another reaches a use of none."""
    named = F.col("data_category_code")
    return (F.col("purpose_code") == purpose) & (named.isNull() | (named == category) if category else F.lit(True))


def _answers(winners: DataFrame, cells: dict[str, tuple[str, str | None]], recipient: str | None) -> DataFrame:
    """person_key, a column per purpose and category with the person's answer over all scopes and sources (null: none),
    and the window of time that all their yeses have in common."""
    answer = F.col("says")
    if recipient is not None:  # a yes to the company itself, live or lapsed, is no answer about the recipient
        answer = F.when((answer != NO) & F.col("recipient_id").isNull(), F.lit(UNKNOWN)).otherwise(answer)
    yes = answer == YES
    return winners.groupBy("person_key").agg(
        *[F.max(F.when(about(*cell), answer)).alias(name) for name, cell in cells.items()],
        F.max(F.when(yes, F.col(WINDOW[0]))).alias(WINDOW[0]), F.min(F.when(yes, F.col(WINDOW[1]))).alias(WINDOW[1]))


def _reason(answers: list[Column]) -> Column:
    return F.when(reduce(or_, [a == NO for a in answers]), F.lit(str(PermitReason.DENIED))).when(
        reduce(and_, [a == YES for a in answers]), F.lit(str(PermitReason.PERMITTED))).when(
        reduce(or_, [a == LAPSED for a in answers]), F.lit(str(PermitReason.EXPIRED))).otherwise(
        F.lit(str(PermitReason.NOTHING_KNOWN)))
