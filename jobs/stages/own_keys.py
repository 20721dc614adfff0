"""The key of an identity that stays apart from its person's others."""

from __future__ import annotations

import hashlib

KEY_DIGITS = 32


def own_key(person_key: str, source: str, source_person_id: str) -> str:
    """The key of an identity that stays apart, as ``people.apart`` makes it."""
    return hashlib.sha256(f"{person_key}/{source}/{source_person_id}".encode()).hexdigest()[:KEY_DIGITS]
