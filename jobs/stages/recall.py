"""recall: the notice that tells a recipient whom to delete from an extract, and what an extract that left says of itself."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from contracts.model import Recipient
from contracts.vocabulary import GoneReason, LegalBasis, Purpose
from jobs.errors import IntegrityError
from jobs.stages.extract import DATA, MANIFEST


def names(number: int) -> tuple[str, str]:
    """The files of a recall: its notice and the notice's signature."""
    return f"recall-{number}.json", f"recall-{number}.sig"


def notice(manifest: Mapping[str, Any], manifest_sha256: str, number: int, pseudonyms: Iterable[str],
           because: Iterable[GoneReason], at: datetime) -> bytes:
    """The notice as canonical JSON (sorted keys, no white space, UTF-8): the bytes that are signed and hashed.

    It names people by the recipient's own pseudonyms, and the reasons of all together, not of each: a recipient has to
    delete them whatever the reason.
    """
    body = {
        "extract_id": manifest["extract_id"], "recipient": manifest["recipient"], "manifest_sha256": manifest_sha256,
        "agreement": manifest["agreement"], "number": number, "delete": sorted(pseudonyms),
        "because": sorted({str(reason) for reason in because}), "made_at": at.isoformat()}
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def is_signed(content: bytes, signature: bytes | None, key: Ed25519PublicKey) -> bool:
    """Whether the signature is there and is the key's (base64, Ed25519) over the content."""
    try:
        key.verify(base64.b64decode(signature or b"", validate=True), content)
    except (InvalidSignature, ValueError):
        return False
    return True


def delivered(extract_id: str, manifest_sha256: str, files: Mapping[str, bytes | None],
              erased: Mapping[str, str]) -> tuple[dict[str, Any], bytes]:
    """The manifest and the rows (Parquet) of an extract that left.

    files: our copies by name. erased: SHA-256 of those that people were taken out of since. Raises IntegrityError when one is
    missing or altered: then nobody can say who is in it.
    """
    content, rows = files.get(MANIFEST) or b"", files.get(DATA) or b""
    body: dict[str, Any] = json.loads(content) if hashlib.sha256(content).hexdigest() == manifest_sha256 else {}
    wanted = {entry["name"]: entry["sha256"] for entry in body.get("files", ())}
    if (erased.get(DATA) if body and DATA in erased else wanted.get(DATA)) != hashlib.sha256(rows).hexdigest():
        raise IntegrityError(f"our copy of extract {extract_id} is missing or altered, so that nobody can say who is in it; "
                             "restore it from its backup and run it again")
    return body, rows


def terms(recipient: Recipient, manifest: Mapping[str, Any]) -> Recipient:
    """The recipient under the purposes and the legal basis for which an extract was made, whatever the contract says now."""
    return recipient.model_copy(update={"purposes": tuple(Purpose(p) for p in manifest["purposes"]),
                                        "legal_basis": LegalBasis(manifest["legal_basis"])})
