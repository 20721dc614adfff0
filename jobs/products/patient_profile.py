"""Patient profile: what all sources tell of a person, one row each."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

# Names of the product, before treatment, and the columns they are made of.
MADE_OF = {"birth_year": "birth_on", "sex_code": "sex_code", "country_code": "country_code", "region_code": "postcode"}


def build(identity: DataFrame) -> DataFrame:
    """person_key, birth_year (a day still), sex_code, country_code, region_code (a postcode still); one row a person.

    identity: core.identity + person_key. Of each column what was last said by any of the person's identities, by version_at,
    then source and record.
    """
    known = identity.where(F.col("person_key").isNotNull())
    return known.groupBy("person_key").agg(*[_last_said(column).alias(name) for name, column in MADE_OF.items()])


def _last_said(column: str) -> Column:
    said = F.struct("version_at", "source", "record_id", F.col(column).alias("said"))
    return F.max(F.when(F.col(column).isNotNull(), said))["said"]
