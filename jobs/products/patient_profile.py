"""Patient profile: what all sources tell of a person, one row each."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

TWO_DIGITS_NAME_A_REGION = ("DE", "ES", "FR", "IT")  # With five digits, each of enough people (contracts/areas.py).


def build(identity: DataFrame) -> DataFrame:
    """person_key, birth_year (a day still), sex_code, country_code, region_code (a postcode still); one row a person.

    identity: core.identity + person_key. Of each what was last said by any of the person's identities, by version_at, then
    source and record; a region is that of the identity that names the country.
    """
    region = F.when(F.col("country_code").isin(*TWO_DIGITS_NAME_A_REGION), F.col("postcode"))
    found = identity.where(F.col("person_key").isNotNull()).withColumn("region", region).groupBy("person_key").agg(
        _last("birth_on"), _last("sex_code"), _last("country_code", "region"))
    made = {"birth_year": "birth_on.birth_on", "sex_code": "sex_code.sex_code", "country_code": "country_code.country_code",
            "region_code": "country_code.region"}
    return found.select("person_key", *[F.col(place).alias(name) for name, place in made.items()])


def _last(name: str, *beside: str) -> Column:
    """The last row that says a column, with others of that row, as a struct of that column's name."""
    said = F.struct("version_at", "source", "record_id", name, *beside)
    return F.max(F.when(F.col(name).isNotNull(), said)).alias(name)
