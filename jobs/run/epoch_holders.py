"""Who may still have pseudonyms of an epoch, so that somebody must be able to tell from whom they are."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from contracts.model import Recipient
from jobs.files import Files
from jobs.ledger import extracts, releases
from jobs.run import recall
from jobs.run.delivered import folder
from jobs.run.shell import Shell
from jobs.stages.extract import MANIFEST


def holders(shell: Shell, domain: str, epoch: int, now: datetime) -> list[str]:
    """Releases that can be read, and extracts that a recipient has or may be sent, each with what ends it.

    Raises IntegrityError when our copy of an extract is not what left: then nobody can say which pseudonyms it has.
    """
    sent = [said for recipient in shell.catalog.recipients.values() for said in (
        *_delivered(shell, recipient, (domain, epoch), now), *_approved(shell, recipient, (domain, epoch), now))]
    return [*_releases(shell, domain, epoch), *sent]


def _releases(shell: Shell, domain: str, epoch: int) -> Iterator[str]:
    """Every release is one that readers may read, until retention takes it away."""
    pins, held = releases.every(shell.lake), defaultdict[tuple[str, int], list[str]](list)
    for pin in pins:
        use = json.loads(pin["use"])
        if (use["pseudonym_domain"], use["pseudonym_epoch"]) == (domain, epoch):
            held[pin["release_group"], pin["number"]].append(pin["product"])
    for (group, number), products in sorted(held.items()):
        newest = max(pin["number"] for pin in pins if pin["release_group"] == group)
        ends = (f"build its products and run `concord release {group}`" if number == newest else
                "`concord retention` takes it away after the retentionDays of its products")
        yield f"release {group}/{number} ({', '.join(sorted(products))}): {ends}"


def _delivered(shell: Shell, recipient: Recipient, epoch: tuple[str, int], now: datetime) -> Iterator[str]:
    for delivered in recall.standing(shell, recipient, now):
        if _epoch(delivered.manifest) == epoch and recall.not_recalled(shell, delivered):
            yield (f"extract {delivered.entry['extract_id']}, delivered: {recipient.id} has it until it expires on "
                   f"{delivered.manifest['expires_at'][:10]}")


def _approved(shell: Shell, recipient: Recipient, epoch: tuple[str, int], now: datetime) -> Iterator[str]:
    """What was approved and not sent yet; what is not what was approved, nothing sends."""
    states = {row["extract"]: row["state"] for row in extracts.overview(shell.lake)}
    for row in shell.lake.arrow(extracts.EXTRACT).to_pylist():
        if row["recipient"] != recipient.id or states[row["extract_id"]] != "approved":
            continue
        content = Files(folder(shell.settings, recipient, row["extract_id"])).read(MANIFEST) or b""
        if hashlib.sha256(content).hexdigest() != row["manifest_sha256"]:
            continue
        body: dict[str, Any] = json.loads(content)
        if _epoch(body) == epoch and datetime.fromisoformat(body["expires_at"]) > now:
            yield f"extract {row['extract_id']}, approved: deliver it, or wait until it expires on {body['expires_at'][:10]}"


def _epoch(manifest: dict[str, Any]) -> tuple[str, int]:
    """Domain and epoch of an extract's pseudonyms, as they were when it was prepared."""
    return manifest["pseudonym_domain"], manifest["pseudonym_epoch"]
