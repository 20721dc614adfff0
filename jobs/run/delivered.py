"""What recipients have or may have: our copies of the extracts that were sent, checked, as frames."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from contracts.hierarchies import Declared, of_text
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
    """Our copy of an extract that a recipient was sent: its manifest, its rows, and the hierarchies that it was told by, by the
    sha256 of their files: those in the contracts may have been edited since."""

    manifest: dict[str, Any]
    rows: DataFrame
    hierarchies: Mapping[str, Declared]

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
        found.append(Copy(manifest, shell.lake.spark.read.parquet(f"{where}/{DATA}"), _kept(files, manifest)))
    return found


def keep(files: Files, hierarchies: Iterable[Declared]) -> None:
    """Keep hierarchies beside the rows that are told by them."""
    for declared in hierarchies:
        files.write(_file(declared.sha256, Path(declared.file).suffix), declared.said.encode())


def _kept(files: Files, manifest: Mapping[str, Any]) -> dict[str, Declared]:
    """The hierarchies of a manifest that lie beside it as they were; what was altered is not one of them."""
    found = {}
    for name, sha256 in manifest["anonymity"].get("hierarchies", {}).items():
        for suffix in (".csv", ".yaml"):
            content = files.read(_file(sha256, suffix))
            if content is not None and hashlib.sha256(content).hexdigest() == sha256:
                found[sha256] = of_text(Path(f"{name}{suffix}"), content.decode())
    return found


def _file(sha256: str, suffix: str) -> str:
    return f"hierarchy-{sha256}{suffix}"


def has_expired(manifest: bytes | None, sha256: str, now: datetime) -> bool:
    """Whether a manifest is the one that the ledger knows, and its extract was to be deleted by now."""
    if manifest is None or hashlib.sha256(manifest).hexdigest() != sha256:
        return False
    return datetime.fromisoformat(json.loads(manifest)["expires_at"]) <= now
