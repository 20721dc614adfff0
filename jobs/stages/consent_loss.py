"""Consent loss: who is in a product and who is left out, counted by attribute and level.

A person has one level an attribute. Where sources say different ones it is the attribute's ``disagreeing`` level
(``unknown``, or ``several`` where a person may have more than one), and where none says any it is ``unknown``. A condition
that is none of those compared, ``other``, is not counted beside one that is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from contracts.consent_loss import AGE_BANDS, CONDITIONS, COUNTED, OTHER, SEVERAL, UNKNOWN, Attribute

WHOM = ["source", "source_person_id"]


def considered(inputs: Sequence[DataFrame], links: DataFrame, decisions: DataFrame) -> DataFrame:
    """The linked persons with a row in an input: person_key, is_in. Who was not decided about is out.

    inputs: core tables. links: source, source_person_id, person_key. decisions: what ``permit.decide`` gives.
    """
    named = reduce(DataFrame.unionByName, [rows.select(*WHOM).distinct() for rows in inputs])
    persons = named.join(links.select(*WHOM, "person_key"), on=WHOM, how="inner").select("person_key").distinct()
    return persons.join(decisions.select("person_key", "is_permitted"), on="person_key", how="left").select(
        "person_key", F.coalesce("is_permitted", F.lit(False)).alias("is_in"))


def described(people: DataFrame, links: DataFrame, tables: Mapping[str, DataFrame], attributes: Sequence[Attribute],
              on: date) -> DataFrame:
    """The people with a column for each attribute, the level each has on a day.

    tables: the core tables that the attributes name.
    """
    for name in dict.fromkeys(a.table for a in attributes):
        these = [a for a in attributes if a.table == name]
        said = tables[name].select(*WHOM, *[_level(a, on).alias(a.name) for a in these])
        linked = said.join(links.select(*WHOM, "person_key"), on=WHOM, how="inner")
        levels = linked.groupBy("person_key").agg(*[_agreed(a).alias(a.name) for a in these])
        people = people.join(levels, on="person_key", how="left")
    return people.select("person_key", "is_in", *[F.coalesce(a.name, F.lit(UNKNOWN)).alias(a.name) for a in attributes])


def counts(people: DataFrame, attributes: Sequence[Attribute]) -> DataFrame:
    """Exact counts, never to be shown: attribute, level, people_in, people_out; levels nobody has are not there."""
    pairs = F.array(*[F.struct(F.lit(a.name).alias("attribute"), F.col(a.name).alias("level")) for a in attributes])
    return people.select("is_in", F.explode(pairs).alias("pair")).groupBy("pair.attribute", "pair.level").agg(
        F.count_if("is_in").alias("people_in"), F.count_if(~F.col("is_in")).alias("people_out"))


def _level(attribute: Attribute, on: date) -> Column:
    """The level that a row says, null where it says none."""
    if attribute.name == "condition":
        return _condition()
    value = F.col(attribute.columns[0])
    if attribute.name == "age_band":
        return _band(value, on)
    known = F.when(value == F.lit(UNKNOWN), F.lit(None)).otherwise(value)
    return F.when(known.isin(*attribute.levels), known).when(known.isNotNull(), F.lit(OTHER))


def _condition() -> Column:
    """The condition that a row of core.condition says; null where it was taken back, is suspected, over, or in words only."""
    category, concept = F.upper(F.substring(F.trim("icd10_code"), 1, 3)), F.trim("snomed_code")
    level = reduce(lambda column, of: F.when(category.isin(*of[1][0]) | concept.isin(*of[1][1]), F.lit(of[0])).otherwise(column),
                   reversed(CONDITIONS.items()), F.when(F.coalesce(category, concept).isNotNull(), F.lit(OTHER)))
    counts = [F.coalesce(F.col(name).isin(*values), F.lit(True)) for name, values in COUNTED.items()]
    return F.when(reduce(Column.__and__, counts), level)


def _band(birth: Column, on: date) -> Column:
    """The band of the age in whole years; one born on 29 February has a birthday on 1 March where there is no such day."""
    had_none = F.month(birth) * 100 + F.dayofmonth(birth) > on.month * 100 + on.day
    age = F.lit(on.year) - F.year(birth) - had_none.cast("int")
    return reduce(lambda column, band: F.when(age >= band[0], F.lit(band[1])).otherwise(column),
                  AGE_BANDS.items(), F.lit(None).cast("string"))


def _agreed(attribute: Attribute) -> Column:
    level = F.col(attribute.name)
    named = F.when(level != OTHER, level) if attribute.disagreeing == SEVERAL else level
    least, most = F.min(named), F.max(named)
    return F.when(least == most, least).when(least < most, F.lit(attribute.disagreeing)).otherwise(F.max(level))
