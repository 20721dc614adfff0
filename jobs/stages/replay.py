"""Replay: a past release's permits, decided again, beside the people whose rows it holds."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def compare(decisions: DataFrame, pseudonyms: DataFrame, released: DataFrame) -> DataFrame:
    """One row of counts of people: considered, permitted, released, not_permitted, without_rows.

    decisions: what ``permit.decide`` gives. pseudonyms: person_key, pseudonym of the product's domain. released: the
    column pseudonym of the released rows. ``not_permitted`` are released without a permit, or a pseudonym of nobody we
    know; ``without_rows`` are permitted and not released, since the product has nothing on them.
    """
    known = decisions.join(pseudonyms.select("person_key", "pseudonym"), on="person_key", how="left")
    there = released.select("pseudonym").distinct().withColumn("_is_released", F.lit(True))
    both = known.join(there, on="pseudonym", how="full")
    allowed, present = (F.coalesce(F.col(c), F.lit(False)) for c in ("is_permitted", "_is_released"))
    return both.agg(F.count("person_key").alias("considered"), F.count_if(allowed).alias("permitted"),
                    F.count_if(present).alias("released"), F.count_if(present & ~allowed).alias("not_permitted"),
                    F.count_if(allowed & ~present).alias("without_rows"))
