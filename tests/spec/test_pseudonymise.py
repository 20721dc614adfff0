"""Pseudonyms: the published vector of their function, one key a domain, and no row under a person's key."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from jobs.stages import pseudonymise

KEY = bytes(range(32))


def naive(key: bytes, text: str, begin: int = 0, end: int = 32) -> str:
    """HMAC-SHA256 as RFC 2104 writes it: H(K xor opad, H(K xor ipad, text)), its first 32 hex digits or others."""
    padded = key.ljust(64, b"\0")
    inner = hashlib.sha256(bytes(b ^ 0x36 for b in padded) + text.encode()).digest()
    return hashlib.sha256(bytes(b ^ 0x5C for b in padded) + inner).hexdigest()[begin:end]


def test_the_digest_is_hmac_sha256() -> None:
    # RFC 4231, test case 6, in its first 128 bits
    vector = pseudonymise.digest(b"\xaa" * 131, ["Test Using Larger Than Block-Size Key - Hash Key First"])
    assert vector == ["60e431591ee0b67f0d8a26aacbf5b77f"]
    persons = ["", "0" * 32, "f" * 32, "é"]
    assert pseudonymise.digest(KEY, persons) == [naive(KEY, p) for p in persons]


def test_the_number_to_move_dates_by_is_of_the_next_bits() -> None:
    persons = ["", "0" * 32, "f" * 32, "é"]
    made, seeds = pseudonymise.digest_with_seeds(KEY, persons)
    assert made == pseudonymise.digest(KEY, persons)
    assert seeds.tolist() == [int(naive(KEY, p, 32, 40), 16) >> 1 for p in persons]
    assert pseudonymise.digest_with_seeds(KEY, [])[0] == [] and len(pseudonymise.digest_with_seeds(KEY, [])[1]) == 0


def test_another_domain_s_key_gives_other_pseudonyms() -> None:
    persons = [f"{n:032x}" for n in range(500)]
    one, other = pseudonymise.digest(KEY, persons), pseudonymise.digest(KEY[::-1], persons)
    assert len({*one, *other}) == 1000


def test_a_short_key_is_refused_without_being_shown() -> None:
    with pytest.raises(ValueError, match=r"^the key has 6 bytes; derive one of at least 32$"):
        pseudonymise.digest(b"secret", ["p"])


def test_rows_change_hands_or_stay_out(frame: Any) -> None:
    rows = frame("day string, person_key string, value long", [
        ("mon", "p1", 1), ("tue", "p1", 2), ("mon", "p2", 3), ("mon", "p3", 4), ("mon", None, 5)])
    known = frame("person_key string, pseudonym string, date_seed long", [("p1", "x1", 1), ("p2", "x2", 2), ("p4", "x4", 4)])
    left = pseudonymise.apply(rows, known, "person_id")
    assert left.columns == ["person_id", "__date_seed", "day", "value"]
    assert sorted(tuple(r) for r in left.collect()) == [("x1", 1, "mon", 1), ("x1", 1, "tue", 2), ("x2", 2, "mon", 3)]
