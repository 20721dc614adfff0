"""What recipients have or may have: our copies of the extracts that were sent, checked, as frames."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from contracts.model import Recipient
from jobs.files import EXTRACTS, Files
from jobs.ledger import erasures, extracts
from jobs.run.shell import Shell
from jobs.settings import Settings
from jobs.stages import recall
from jobs.stages.extract import DATA, MANIFEST

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@dataclass(frozen=True)
class Copy:
    """Our copy of an extract that a recipient was sent: its manifest, and its rows."""

    manifest: dict[str, Any]
    rows: DataFrame

    @property
    def schema(self) -> list[dict[str, Any]]:
        """What the manifest says of the columns, but for their descriptions."""
        return told_of(self.manifest["schema"])


def told_of(schema: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What a manifest says of columns, but for their descriptions."""
    return [{name: value for name, value in column.items() if name != "description"} for column in schema]


def folder(settings: Settings, recipient: Recipient, extract_id: str) -> str:
    """Where the files of an extract lie until and after their delivery."""
    return f"{settings.lake_root}/{EXTRACTS}/{recipient.id}/{extract_id}"


def copies(shell: Shell, recipient: Recipient, now: datetime) -> list[Copy]:
    """Everything that a recipient was ever sent, oldest first: that it should have deleted some is no proof that it did, and what
    began to leave may be there.

    One of which the manifest alone is left, and that expired by it, is left out: its rows were removed here and had to be there.
    Raises IntegrityError where another copy is missing or altered: nobody could say what the recipient knows.
    """
    found = []
    for entry in extracts.sent(shell.lake, recipient.id):
        where = folder(shell.settings, recipient, entry["extract_id"])
        files = Files(where)
        held = {name: files.read(name) for name in (MANIFEST, DATA)}
        if held[DATA] is None and has_expired(held[MANIFEST], entry["manifest_sha256"], now):
            continue
        manifest, _ = recall.delivered(entry["extract_id"], entry["manifest_sha256"], held,
                                       erasures.copies(shell.lake, entry["extract_id"]))
        found.append(Copy(manifest, shell.lake.spark.read.parquet(f"{where}/{DATA}")))
    return found


def has_expired(manifest: bytes | None, sha256: str, now: datetime) -> bool:
    """Whether a manifest is the one that the ledger knows, and its extract was to be deleted by now."""
    if manifest is None or hashlib.sha256(manifest).hexdigest() != sha256:
        return False
    return datetime.fromisoformat(json.loads(manifest)["expires_at"]) <= now
