"""Who counts as one person for a use, when they come of age, and whose no counts for whom.

A product follows only identity links that both sources allow to be used for all its purposes. An identity it may not join
stays apart, under a key of its own; a no that the person said anywhere counts for it all the same. While a match of two
persons is held for review, a no of either counts for both.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import TypeVar

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from contracts.jurisdictions import Jurisdiction
from jobs.stages.own_keys import KEY_DIGITS

LINK = ("source", "source_person_id", "person_key")
V = TypeVar("V")


@dataclass(frozen=True)
class People:
    """Whose statements count for whom, and what is known of their ages.

    ``links``: source, source_person_id, person_key, and said_by, which may be left out where it is null throughout: the
    person behind an identity of which only a no counts. ``ages``: a row a person, person_key, adult_at (null: nothing
    known) and, where a country lets a yes lapse, lapse_days (null: never); None where no rule of a country is asked.
    """

    links: DataFrame
    ages: DataFrame | None = None

    def knows(self, column: str) -> bool:
        """Whether ``ages`` has the column."""
        return self.ages is not None and column in self.ages.columns


def apart(links: DataFrame, joining: Collection[str]) -> DataFrame:
    """The links a use may follow: identities of sources that do not allow it get a key of their own.

    links: vault.link. joining: the sources that allow their links to be used. Gives source, source_person_id,
    person_key, and linked_key, the key of the link. A key of one's own is 32 hexadecimal digits of a SHA-256 over the
    link's key and the identity's name, so it says nothing to whom the link's key is unknown.
    """
    own = F.substring(F.sha2(F.concat_ws("/", "person_key", "source", "source_person_id"), 256), 1, KEY_DIGITS)
    joins = F.col("source").isin(*sorted(joining)) if joining else F.lit(False)
    return links.select("source", "source_person_id", F.when(joins, F.col("person_key")).otherwise(own).alias("person_key"),
                        F.col("person_key").alias("linked_key"))


def noes(followed: DataFrame, held: DataFrame) -> DataFrame:
    """Links over which only a no counts: identities of one person that stay apart, and of matches held for review.

    followed: what ``apart`` gives. held: person_key, other_key (vault.held), either way round. Gives source,
    source_person_id, person_key, said_by, where both keys are of ``followed``: whose no counts for whom is said_by's for
    person_key's.
    """
    pairs = held.select(F.col("person_key").alias("linked_key"), F.col("other_key").alias("reached"))
    pairs = pairs.unionByName(pairs.select(F.col("reached").alias("linked_key"), F.col("linked_key").alias("reached")))
    split = followed.where(F.col("person_key") != F.col("linked_key")).select("linked_key", F.col("linked_key").alias("reached"))
    reach = pairs.unionByName(split).distinct()
    keys = followed.join(reach, "linked_key").select("person_key", "reached").distinct()
    others = followed.select("source", "source_person_id", F.col("person_key").alias("said_by"),
                             F.col("linked_key").alias("reached"))
    return others.join(keys, "reached").where(F.col("said_by") != F.col("person_key")).select(*LINK, "said_by")


def grown(links: DataFrame, identity: DataFrame, rules: Mapping[str, Jurisdiction], is_special: bool) -> People:
    """The people of the links, with when each comes of age by the rules of their countries, and how long their yeses last.

    identity: core.identity. is_special: whether data is used that needs explicit consent, so that the age of majority
    counts and not that of digital consent. Where sources disagree, or the country is unknown, the strictest counts.
    """
    known = links.select(*LINK).join(identity.where("source_person_id IS NOT NULL").select(
        "source", "source_person_id", "birth_on", F.upper("country_code").alias("country")), ["source", "source_person_id"])
    ages = {c: r.age_of_majority if is_special else r.age_of_digital_consent for c, r in rules.items()}
    lasts = {c: r.lapses_after_days for c, r in rules.items()}
    of_age = _by_country(ages, max(ages.values(), default=0), lambda age: F.add_months("birth_on", age * 12))
    found = [F.to_timestamp(F.max(of_age)).alias("adult_at")]
    if shortest := min((d for d in lasts.values() if d), default=None):
        found.append(F.min(_by_country(lasts, shortest, lambda days: F.lit(days).cast("int"))).alias("lapse_days"))
    return People(links, known.groupBy("person_key").agg(*found))


def _by_country(values: Mapping[str, V], otherwise: V, made: Callable[[V], Column]) -> Column:
    """What is made of the value of a row's country: made once for each value, and not row by row."""
    def one(found: Column, value: V) -> Column:
        return F.when(F.col("country").isin(*sorted(c for c, v in values.items() if v == value)), made(value)).otherwise(found)

    return reduce(one, sorted(set(values.values()) - {otherwise}, key=str), made(otherwise))
