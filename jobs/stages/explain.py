"""Explain: what became of each statement of a person when a use was decided, and which of them decided it.

The decision is permit's, and so are the rules: a statement fails one of ``weigh.conditions``, or it is weighed by
``weigh.weight`` against the others of its scope.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from contracts.vocabulary import PermitReason, StatementFate
from jobs.stages import permit, weigh
from jobs.stages.people import People
from jobs.stages.use import Use
from jobs.stages.weigh import LAPSED, NO, WORDS, YES

WINNING = (StatementFate.COUNTS, StatementFate.LAPSED, StatementFate.NOT_YET_VALID, StatementFate.GIVEN_BY_ANOTHER)
DECIDING = {PermitReason.DENIED: NO, PermitReason.PERMITTED: YES, PermitReason.EXPIRED: LAPSED}


def statements(people: People, consent: DataFrame, use: Use, decisions: DataFrame) -> DataFrame:
    """Each statement of the people with its part in their decision: consent's columns, person_key, fate_code, decides.

    people, consent: as for ``permit.decide``; decisions: what it gave for them and a use that rests on consent.
    ``fate_code`` is one of contracts.vocabulary.StatementFate. ``decides`` is true for the winners that the reason
    rests on: each no of a refusal, each yes of a permit, each lapsed yes of what is expired.
    """
    said = consent.join(weigh.linked(people), on=["source", "source_person_id"], how="inner").withColumn(
        "recipient_id", weigh.named_recipient())
    unmet = F.coalesce(*[F.when(~F.coalesce(met, F.lit(False)), F.lit(str(word)))
                         for word, met in weigh.conditions(use).items()])
    heard = said.withColumn("says", weigh.says(use)).withColumn("_given", weigh.given(people, use))
    weighed = (heard.withColumn("_unmet", unmet).withColumn("_said", F.col("says"))
               .withColumn("says", F.col("_given")).withColumn("_weight", F.when(F.col("_unmet").isNull(), weigh.weight())))
    latest = weighed.withColumn("_latest", F.max("_weight").over(Window.partitionBy(*weigh.SCOPE)))
    told = latest.withColumn("fate_code", F.coalesce(F.col("_unmet"), _fate(people, use)))
    judged = told.join(decisions.select("person_key", "reason_code"), on="person_key", how="inner")
    decides = F.coalesce(_decides(use), F.lit(False))
    return judged.select(*consent.columns, "person_key", "fate_code", decides.alias("decides"))


def _decides(use: Use) -> Column:
    """Whether a statement is one that the reason rests on: it wins, and says what its purpose and category came to."""
    wins = F.col("fate_code").isin(*[str(f) for f in WINNING])
    deciding = F.coalesce(*[F.when(F.col("reason_code") == str(reason), F.lit(word)) for reason, word in DECIDING.items()])
    found = F.lit(False)
    for cell in use.cells:
        concerned = wins & permit.about(*cell)
        answer = F.max(F.when(concerned, F.col("says"))).over(Window.partitionBy("person_key"))
        found = found | (concerned & (F.col("says") == answer) & (F.col("says") == deciding))
    return found


def _fate(people: People, use: Use) -> Column:
    """What became of a statement that concerns the use."""
    mine, latest, says = F.col("_weight"), F.col("_latest"), F.col("says")
    is_at_once = mine - says == latest - F.pmod(latest, F.lit(WORDS))
    is_to_company = F.lit(use.recipient is not None) & F.col("recipient_id").isNull() & (says != NO)
    by_another = (F.col("_said") == YES) & ~weigh.may_give(use) if people.knows("adult_at") else F.lit(False)
    return (F.when(mine < latest, F.when(is_at_once, _word(StatementFate.OUTWEIGHED)).otherwise(_word(StatementFate.SUPERSEDED)))
            .when(F.col("said_by").isNotNull() & (says != NO), _word(StatementFate.STAYS_APART))
            .when(is_to_company, _word(StatementFate.TO_COMPANY_ONLY))
            .when(by_another, _word(StatementFate.GIVEN_BY_ANOTHER))
            .when(says != LAPSED, _word(StatementFate.COUNTS))
            .when(weigh.has_begun(use), _word(StatementFate.LAPSED))
            .otherwise(_word(StatementFate.NOT_YET_VALID)))


def _word(fate: StatementFate) -> Column:
    return F.lit(str(fate))
