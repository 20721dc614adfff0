"""Which extracts that left hold a person, by our copies and the ledger, and with which rows."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import UTC
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from jobs.errors import IntegrityError
from jobs.files import EXTRACTS, Files
from jobs.ledger import erasures, extracts, releases
from jobs.run import pins
from jobs.run.forgotten_extracts import recalled
from jobs.run.linking import LINK
from jobs.run.shell import Shell
from jobs.run.theirs import Theirs, under
from jobs.stages import recall as stage
from jobs.stages.extract import DATA, MANIFEST

BATCH = 16 * 1024
EXTRACT = "extract"  # As a table is called whose versions are extracts.
Row = dict[str, Any]


def passed_on(theirs: Theirs) -> Iterator[tuple[Row, Iterator[Row]]]:
    """Each extract that left or may have left, oldest first: what the ledger and its manifest tell, and their rows in it.

    ``held`` is None until the rows were read, or where nobody can tell, since our copy is gone or is not what left.
    """
    shell = theirs.shell
    kept = pins.standing(shell.lake, shell.catalog).versions(LINK)
    links = {(pin["release_group"], pin["number"], pin["product"]): version for pin in releases.every(shell.lake)
             if (version := json.loads(pin["inputs"]).get(LINK)) in kept}
    for entry in extracts.all_sent(shell.lake):
        files = Files(f"{shell.settings.lake_root}/{EXTRACTS}/{entry['recipient']}/{entry['extract_id']}")
        told = {"extract": entry["extract_id"], "recipient": entry["recipient"], "sent_at": _moment(entry["delivered_at"]),
                "held": None}
        try:
            manifest, data = stage.delivered(entry["extract_id"], entry["manifest_sha256"],
                                             {name: files.read(name) for name in (MANIFEST, DATA)},
                                             erasures.copies(shell.lake, entry["extract_id"]))
        except IntegrityError:
            yield told, iter(())
            continue
        column = next(c["name"] for c in manifest["schema"] if c["treatment"] == "pseudonym")
        release = manifest["release"]
        version = links.get((release["release_group"], release["number"], manifest["product"]))
        told |= {name: manifest[name] for name in ("product", "purposes", "legal_basis", "agreement", "expires_at")}
        yield told, under(theirs, _batches(data), column, manifest["pseudonym_domain"], version, EXTRACT)


def is_recalled(shell: Shell, theirs: Theirs, extract_id: str) -> bool:
    """Whether a notice about them was sent to who has an extract."""
    entry = next(row for row in extracts.all_sent(shell.lake) if row["extract_id"] == extract_id)
    recipient = shell.catalog.recipients.get(entry["recipient"])
    if recipient is None:
        return False
    mine = theirs.pseudonyms(recipient.pseudonym_domain, theirs.keys)
    return not recalled(shell, entry).isdisjoint(mine.to_pylist())


def _batches(data: bytes) -> Iterator[pa.Table]:
    with pq.ParquetFile(io.BytesIO(data)) as file:
        yield from (pa.Table.from_batches([batch]) for batch in file.iter_batches(BATCH))


def _moment(at: Any) -> Any:
    return at.replace(tzinfo=UTC) if at is not None else None
