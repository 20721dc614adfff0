"""Pseudonymise: person keys become the pseudonyms of one epoch of one domain.

The digests are computed here, outside the engine, once per person: a key never enters a query plan.
"""

from __future__ import annotations

import hmac

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

SHORTEST_KEY = 32
DIGITS = 32
WORDS = 8  # of four bytes in a digest
SEED, HELD_SEED = "__date_seed", "date_seed"  # No column of a contract can be called like the first.


def digest(key: bytes, person_keys: list[str]) -> list[str]:
    """The pseudonyms of persons under a domain's key: HMAC-SHA256 (RFC 2104), its first 128 bits as 32 hex digits.

    With n persons two share a pseudonym with a probability of about n^2 / 2^129. Raises ValueError on a key of less
    than 256 bits.
    """
    return _hex(_digests(key, person_keys))


def digest_with_seeds(key: bytes, person_keys: list[str]) -> tuple[list[str], np.ndarray]:
    """Pseudonyms, and for each person a number below 2^31 from which their dates are moved: the next bits of the same digest.

    Who knows a pseudonym knows nothing of the number: to anybody without the key all bits of a digest are random (RFC 2104).
    """
    digests = _digests(key, person_keys)
    bits = np.frombuffer(digests, dtype=">u4").reshape(-1, WORDS)[:, DIGITS // 8]
    return _hex(digests), (bits >> 1).astype("int64")


def _digests(key: bytes, texts: list[str]) -> bytes:
    if len(key) < SHORTEST_KEY:
        raise ValueError(f"the key has {len(key)} bytes; derive one of at least {SHORTEST_KEY}")
    return b"".join([hmac.digest(key, text.encode(), "sha256") for text in texts])


def _hex(digests: bytes) -> list[str]:
    text, step = digests.hex(), WORDS * 8
    return [text[at:at + DIGITS] for at in range(0, len(text), step)]


def apply(rows: DataFrame, pseudonyms: DataFrame, column: str) -> DataFrame:
    """The rows with ``column`` (the pseudonym) and ``__date_seed`` in place of person_key.

    pseudonyms: person_key, pseudonym, date_seed of one epoch of one domain, one row a person. Rows of a person without a
    pseudonym are left out, never passed on under their key: the caller compares the counts.
    """
    known = pseudonyms.select("person_key", F.col("pseudonym").alias(column), F.col(HELD_SEED).alias(SEED))
    others = [c for c in rows.columns if c != "person_key"]
    return rows.join(known, on="person_key", how="inner").select(column, SEED, *others)
