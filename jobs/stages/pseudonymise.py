"""Pseudonymise: person keys become the pseudonyms of one domain.

The digests are computed here, outside the engine, once per person: a key never enters a query plan.
"""

from __future__ import annotations

import hmac

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

SHORTEST_KEY = 32
DIGITS = 32


def digest(key: bytes, person_keys: list[str]) -> list[str]:
    """The pseudonyms of persons under a domain's key: HMAC-SHA256 (RFC 2104), its first 128 bits as 32 hex digits.

    With n persons two share a pseudonym with a probability of about n^2 / 2^129. Raises ValueError on a key of less
    than 256 bits.
    """
    if len(key) < SHORTEST_KEY:
        raise ValueError(f"the key has {len(key)} bytes; derive one of at least {SHORTEST_KEY}")
    return [hmac.digest(key, person.encode(), "sha256").hex()[:DIGITS] for person in person_keys]


def apply(rows: DataFrame, pseudonyms: DataFrame, domain: str, column: str) -> DataFrame:
    """The rows with ``column`` (the pseudonym) in place of person_key.

    pseudonyms: domain, person_key, pseudonym (vault.pseudonym), of which only ``domain`` is used. Rows of a person
    without a pseudonym are left out, never passed on under their key: the caller compares the counts.
    """
    known = pseudonyms.where(F.col("domain") == F.lit(domain)).select("person_key", F.col("pseudonym").alias(column))
    others = [c for c in rows.columns if c != "person_key"]
    return rows.join(known, on="person_key", how="inner").select(column, *others)
