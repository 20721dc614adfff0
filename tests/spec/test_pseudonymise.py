"""Pseudonyms: the published vector of their function, one key a domain, and no row under a person's key."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from jobs.stages import pseudonymise

KEY = bytes(range(32))


def naive(key: bytes, text: str) -> str:
    """HMAC-SHA256 as RFC 2104 writes it: H(K xor opad, H(K xor ipad, text)), first 32 hex digits."""
    padded = key.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(b ^ 0x36 for b in padded) + text.encode()).digest()
    return hashlib.sha256(bytes(b ^ 0x5C for b in padded) + inner).hexdigest()[:32]


def test_the_digest_is_hmac_sha256() -> None:
    # RFC 4231, test case 6, in its first 128 bits
    vector = pseudonymise.digest(b"\xaa" * 131, ["Test Using Larger Than Block-Size Key - Hash Key First"])
    assert vector == ["60e431591ee0b67f0d8a26aacbf5b77f"]
    persons = ["", "0" * 32, "f" * 32, "é"]
    assert pseudonymise.digest(KEY, persons) == [naive(KEY, p) for p in persons]


def test_another_domain_s_key_gives_other_pseudonyms() -> None:
    persons = [f"{n:032x}" for n in range(500)]
    one, other = pseudonymise.digest(KEY, persons), pseudonymise.digest(KEY[::-1], persons)
    assert len({*one, *other}) == 1000


def test_a_short_key_is_refused_without_being_shown() -> None:
    with pytest.raises(ValueError, match=r"^the key has 6 bytes; derive one of at least 32$"):
        pseudonymise.digest(b"secret", ["p"])


def test_rows_change_hands_by_domain(frame: Any) -> None:
    rows = frame("day string, person_key string, value long", [
        ("mon", "p1", 1), ("tue", "p1", 2), ("mon", "p2", 3), ("mon", "p3", 4), ("mon", None, 5)])
    known = frame("domain string, person_key string, pseudonym string", [
        ("mine", "p1", "x1"), ("mine", "p2", "x2"), ("theirs", "p1", "y1"), ("theirs", "p3", "y3")])
    left = pseudonymise.apply(rows, known, "mine", "person_id")
    assert left.columns == ["person_id", "day", "value"]
    assert sorted(tuple(r) for r in left.collect()) == [("x1", "mon", 1), ("x1", "tue", 2), ("x2", "mon", 3)]
