"""extract: the manifest of an extract, its signature, and whether what lies there is what was approved."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from contracts.life import SERVED
from contracts.model import Column, Contract, Product, Recipient
from contracts.vocabulary import Treatment
from jobs.errors import ContractChanged, NotApproved

DATA, MANIFEST, SIGNATURE = "data.parquet", "manifest.json", "manifest.sig"


def manifest(recipient: Recipient, extract_id: str, release: Mapping[str, Any], snapshot: Mapping[str, Any],
             files: Mapping[str, tuple[bytes, int]], said: Mapping[str, Any], at: datetime) -> bytes:
    """The manifest as canonical JSON (sorted keys, no white space, UTF-8): the bytes that are signed and hashed.

    release: group, number, table_version of the product. snapshot: table versions the consent decision rests on.
    files: content and rows by name. said: what is said of the rows: ``schema``; ``anonymity``, asked and found; ``linked``, how
    many percent of people were found to be linkable, and how many may be; ``pseudonym_domain`` and ``pseudonym_epoch``, those of
    their key: pseudonyms of two epochs cannot be compared.
    """
    body = {
        "extract_id": extract_id, "recipient": recipient.id, "product": recipient.product,
        "purposes": [str(p) for p in recipient.purposes], "legal_basis": str(recipient.legal_basis),
        "contract": {"id": recipient.id, "version": recipient.version, "sha256": recipient.sha256},
        "agreement": {"id": recipient.agreement, "version": recipient.agreement_version,
                      "expires_on": recipient.agreement_expires_on},
        "release": dict(release), "consent_snapshot": dict(snapshot), **said,
        "files": [{"name": name, "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content), "rows": rows}
                  for name, (content, rows) in sorted(files.items())],
        "created_at": at.isoformat(), "expires_at": (at + timedelta(days=recipient.expires_after_days)).isoformat()}
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def told(anonymity: Mapping[str, Any], linked: Mapping[str, float]) -> str:
    """What a manifest says of its rows' anonymity, and of whom others' extracts link to them, for the officer who is to approve
    them: in words, without a value."""
    levels = ", ".join(f"{name} at level {at['level']} of {at['of']}" for name, at in anonymity.get("levels", {}).items())
    groups = f"{anonymity['groups']} groups of at least {anonymity['smallest_group']} people (k {anonymity['k']})"
    beside = (f"{linked['linked_percent']:g} percent of people linkable by others' extracts "
              f"({linked['max_linked_percent']:g} allowed)")
    if not levels:
        return f"{groups}; no quasi-identifiers: {anonymity['reason']}; {beside}"
    risk = anonymity["risk"]
    return (f"{groups}; {levels}; {anonymity['suppressed']} rows suppressed, {anonymity['told_apart']} kept back "
            f"beside earlier extracts; who knows one row of a person finds them with a chance of "
            f"{risk['average']:.2%} on average and {risk['maximum']:.2%} at most; loss {anonymity['loss']:.1%}; {beside}")


def schema(recipient: Recipient, product: Product, levels: Mapping[str, Mapping[str, int]]) -> list[dict[str, Any]]:
    """What a manifest says of each column: name, type, description, treatment and its options, the product's before it, and the
    hierarchy and its level at which it is told, where it has one (``levels``)."""
    return [{"name": c.name, "type": c.type, "description": c.description, **_treatments(c, product.table.column(c.name)),
             **_generalised(recipient, c.name, levels)} for c in recipient.table.columns]


def _generalised(recipient: Recipient, name: str, levels: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    if name not in recipient.anonymity.generalised or name not in levels:
        return {}
    hierarchy = recipient.anonymity.quasi_identifiers[name]
    known = {declared.name: declared.sha256 for declared in recipient.hierarchies}
    return {"generalised": {"hierarchy": hierarchy, "sha256": known.get(hierarchy), **levels[name]}}


def _treatments(column: Column, made_of: Column) -> dict[str, Any]:
    """What was done to a column, and to the product's before it, so that whoever analyses it knows."""
    before = {} if made_of.treatment in (Treatment.KEEP, Treatment.PSEUDONYM) else {"treated_before": _treatment(made_of)}
    return {**_treatment(column), **before}


def _treatment(column: Column) -> dict[str, Any]:
    options = column.treatment_options
    return {"treatment": str(column.treatment), **({"treatment_options": options.model_dump(by_alias=True)} if options else {})}


def sign(content: bytes, key: Ed25519PrivateKey) -> bytes:
    """The Ed25519 signature (RFC 8032) of a manifest, base64."""
    return base64.b64encode(key.sign(content))


def verify(recipient: Recipient, files: Mapping[str, bytes | None], key: Ed25519PublicKey, now: datetime) -> dict[str, Any]:
    """The manifest's content, after its signature, every file's hash, its contract and both expiries were checked.

    files: content by name, None where a file is missing. Raises NotApproved saying what is wrong.
    """
    content, signature = files.get(MANIFEST), files.get(SIGNATURE)
    if content is None or signature is None:
        raise NotApproved("the manifest or its signature is not there; prepare the extract again")
    try:
        key.verify(base64.b64decode(signature, validate=True), content)
    except (InvalidSignature, ValueError):
        raise NotApproved("the manifest's signature does not fit: it was altered or signed by another key") from None
    body: dict[str, Any] = json.loads(content)
    for entry in body["files"]:
        held = files.get(entry["name"])
        if held is None or hashlib.sha256(held).hexdigest() != entry["sha256"]:
            raise NotApproved(f"file {entry['name']} is missing or was altered since the manifest was signed")
    if body["contract"]["sha256"] != recipient.sha256:
        raise NotApproved(f"the contract {recipient.id} was edited since the extract was prepared; prepare it again")
    if datetime.fromisoformat(body["expires_at"]) <= now:
        raise NotApproved(f"the extract expired at {body['expires_at']}; prepare it again")
    refuse_expired_agreement(recipient, now.date())
    return body


def refuse_inactive(*contracts: Contract) -> None:
    """Raise NotApproved when a contract that an extract rests on is neither active nor deprecated."""
    for contract in contracts:
        if contract.status not in SERVED:
            raise NotApproved(f"contract {contract.id} is {contract.status}; only active and deprecated ones are served")


def refuse_edited(product: Product, pin: Mapping[str, Any]) -> None:
    """Raise ContractChanged when a product's contract is not the one that its release (a row of ledger.release) was made by."""
    if pin["contract_sha256"] != product.sha256:
        raise ContractChanged(f"{product.path} was edited since release {pin['number']} of {pin['release_group']} was made by "
                              f"version {pin['contract_version']} of it; build and release {product.id} again, then prepare the "
                              "extract")


def refuse_expired_agreement(recipient: Recipient, today: date) -> None:
    """Raise NotApproved when the data use agreement has ended."""
    if date.fromisoformat(recipient.agreement_expires_on) < today:
        raise NotApproved(f"agreement {recipient.agreement} with {recipient.id} ended on {recipient.agreement_expires_on}")


def approved_by(recipient: Recipient, extract_id: str, manifest_sha256: str, requester: str,
                approvals: Sequence[Mapping[str, Any]]) -> str:
    """The officer whose approval stands: on the contract's list, not the requester, for this very manifest.

    approvals: rows of ledger.approval. Raises NotApproved saying why none of them does.
    """
    mine = [a for a in approvals if a["extract_id"] == extract_id]
    if any(a["decision"] == "rejected" for a in mine):
        raise NotApproved(f"extract {extract_id} was rejected; nothing is delivered")
    for approval in mine:
        if approval["manifest_sha256"] != manifest_sha256:
            continue
        refuse_approver(recipient, str(approval["approver"]), requester)
        return str(approval["approver"])
    raise NotApproved(f"extract {extract_id} has no approval for manifest {manifest_sha256[:12]}...; an officer of "
                      f"{', '.join(recipient.approvers)} must approve it in Airflow")


def refuse_approver(recipient: Recipient, approver: str, requester: str) -> None:
    """Raise NotApproved unless the approver is on the contract's list and is not the requester."""
    if approver not in recipient.approvers:
        raise NotApproved(f"user {approver!r} is no approver of {recipient.id}; the contract names "
                          f"{', '.join(recipient.approvers)}")
    if approver == requester:
        raise NotApproved(f"user {approver!r} asked for this extract and may not approve it; another officer must")
