"""Reviews of contracts: signed by the platform for an officer who proved who they are, and void once the contract is edited."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import pyarrow as pa
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from jobs.lake import Lake
from jobs.schema import arrow_schema

TABLE = "ledger.contract_review"
APPROVED, REFUSED = "approved", "refused"
Review = Mapping[str, Any]


class State(StrEnum):
    """What the reviews of a contract come to, as it is now."""

    VALID = "valid"
    REFUSED = "refused"
    VOID = "void"  # Edited since it was approved.
    NONE = "none"
    ALTERED = "altered"  # A row that the platform did not sign so.


@dataclass(frozen=True)
class Standing:
    """What the reviews of a contract come to, and the one that says so; None where there is none."""

    state: State
    review: Review | None = None


def write(lake: Lake, review: dict[str, Any], key: Ed25519PrivateKey) -> None:
    """Sign a review (all columns but signature; reviewed_at aware) and append it."""
    row = {**review, "signature": base64.b64encode(key.sign(_signed(review))).decode()}
    lake.append_arrow(TABLE, pa.Table.from_pylist([row], schema=arrow_schema(lake.contract(TABLE))))


def every(lake: Lake) -> list[Review]:
    """Every review, oldest first."""
    return sorted(lake.arrow(TABLE).to_pylist() if lake.exists(TABLE) else [], key=lambda row: row["reviewed_at"])


def standing(reviews: Iterable[Review], contract: str, fingerprint: str, key: Ed25519PublicKey) -> Standing:
    """What reviews (oldest first) come to for a contract as it is now.

    The newest of this very fingerprint counts, so one that is edited back is reviewed still. A single row that was altered
    spoils all of a contract's: it may have been the refusal.
    """
    mine = [review for review in reviews if review["contract"] == contract]
    for review in mine:
        if not _is_sound(review, key):
            return Standing(State.ALTERED, review)
    same = [review for review in mine if review["fingerprint"] == fingerprint]
    if same:
        return Standing(State.VALID if same[-1]["decision"] == APPROVED else State.REFUSED, same[-1])
    approved = [review for review in mine if review["decision"] == APPROVED]
    if approved:
        return Standing(State.VOID, approved[-1])
    return Standing(State.NONE, mine[-1] if mine else None)


def _is_sound(review: Review, key: Ed25519PublicKey) -> bool:
    try:
        key.verify(base64.b64decode(review["signature"], validate=True), _signed(review))
    except (InvalidSignature, ValueError):
        return False
    return True


def _signed(review: Review) -> bytes:
    """The bytes that are signed: canonical JSON of all columns but the signature; times as ISO 8601 in UTC."""
    body = {name: value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value
            for name, value in review.items() if name != "signature"}
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
