"""Commitments: what the ledger keeps about a person, so that it can be proved to be about them while they are known, and leads to
nobody once they were forgotten.

A commitment is HMAC-SHA256 (RFC 2104) of a text under a random key of its own, which lies in the vault beside the identities that
it is about and goes with them when they are erased. The ledger then still verifies, and no guess can be tried on it: any text has
some key that gives it.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Collection, Iterable
from functools import reduce
from operator import or_
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from jobs.lake import Lake
from jobs.run.asking import Asking, Person
from jobs.schema import arrow_schema

TABLE, LINK = "vault.commitment", "vault.link"
KEY_BYTES = 32


class Noting(Asking, Protocol):
    """Whatever has a trail and a lake: a shell, or less."""

    @property
    def lake(self) -> Lake:
        """Where the vault is."""


def about(shell: Noting, persons: Iterable[Person]) -> list[str]:
    """Let the audit's entry of this run be about identities: a commitment to each. To be called before anything is told of
    them."""
    found = [made(shell, _text(person), [person]) for person in persons]
    shell.trail.about += found
    return found


def made(shell: Noting, text: str, owners: Collection[Person]) -> str:
    """A commitment to a text about identities: 64 hexadecimal digits. Only of those that are linked is a key kept: an id that
    nobody knows, or one that was forgotten, does not come into the vault by being asked about."""
    key = secrets.token_bytes(KEY_BYTES)
    commitment = _digest(key, text)
    known = shell.lake.arrow(LINK, columns=["source", "source_person_id"], filters=_any_of(owners)).to_pylist() if owners else []
    if known:
        rows = [{"commitment": commitment, **identity, "key": key.hex()} for identity in known]
        shell.lake.append_arrow(TABLE, pa.Table.from_pylist(rows, schema=arrow_schema(shell.lake.contract(TABLE))))
    return commitment


def opens(lake: Lake, commitment: str, text: str) -> bool:
    """Whether a commitment is to this text; of one whose key is gone nobody can tell, which is no."""
    rows = lake.arrow(TABLE, columns=["key"], filters=pc.field("commitment") == commitment).to_pylist()
    return any(hmac.compare_digest(_digest(bytes.fromhex(row["key"]), text), commitment) for row in rows)


def those_about(lake: Lake, persons: Collection[Person]) -> set[str]:
    """The commitments to any of these identities, each opened."""
    rows = lake.arrow(TABLE, filters=_any_of(persons)).to_pylist() if persons else []
    return {row["commitment"] for row in rows if _is_to(row)}


def _is_to(row: dict[str, Any]) -> bool:
    person = Person(row["source"], row["source_person_id"])
    return hmac.compare_digest(_digest(bytes.fromhex(row["key"]), _text(person)), row["commitment"])


def _any_of(persons: Iterable[Person]) -> pc.Expression:
    return reduce(or_, [(pc.field("source") == person.source) & (pc.field("source_person_id") == person.source_person_id)
                        for person in persons])


def _text(person: Person) -> str:
    return f"{person.source}/{person.source_person_id}"


def _digest(key: bytes, text: str) -> str:
    return hmac.digest(key, text.encode(), "sha256").hex()
