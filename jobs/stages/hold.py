"""Hold: matches of two persons that are likely and not proved. They stay two until somebody decides; a no counts for both."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.stages.resolve import MOST_SHARING

WHO = ["source", "source_person_id"]
VALUE = ["kind", "value"]


def held(identity: DataFrame, contact_point: DataFrame, links: DataFrame) -> DataFrame:
    """Pairs of persons who share an e-mail address or phone number, verified or not, and a birth date.

    identity, contact_point: the core tables. links: vault.link. Gives person_key and other_key, the smaller key first. One
    address alone is shared by families; a value that more than ``MOST_SHARING`` identities name stands for nobody.
    """
    said = _claims(identity, contact_point)
    telling = said.groupBy(*VALUE).agg(F.count(F.lit(1)).alias("times")).where(F.col("times").between(2, MOST_SHARING))
    people = links.select(*WHO, "person_key")
    claimed = said.join(telling.select(*VALUE), VALUE, "left_semi").join(people, WHO).select("person_key", *VALUE).distinct()
    born = identity.where(F.col("birth_on").isNotNull()).join(people, WHO).select("person_key", "birth_on").distinct()
    known = claimed.join(born, "person_key")
    pairs = known.join(known.withColumnRenamed("person_key", "other_key"), [*VALUE, "birth_on"])
    return pairs.where(F.col("person_key") < F.col("other_key")).select("person_key", "other_key").distinct()


def _claims(identity: DataFrame, contact_point: DataFrame) -> DataFrame:
    """Every address and number as a source has it: source, source_person_id, kind, value."""
    parts = [(identity, "email", F.col("email")), (identity, "phone", F.col("phone")),
             *[(contact_point.where(F.col("system_code") == kind), kind, F.col("value")) for kind in ("email", "phone")]]
    made = [rows.where(F.col("source_person_id").isNotNull()).select(
        *WHO, F.lit(kind).alias("kind"), F.lower(F.trim(value)).alias("value")) for rows, kind, value in parts]
    return reduce(DataFrame.unionByName, made).where("value <> ''").distinct()
