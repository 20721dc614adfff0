"""Intakes: by which contract the records of a batch or a replay are decided, noted before core gets the first row of them."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from contracts.model import Source
from jobs.errors import ContractChanged
from jobs.lake import Lake
from jobs.ledger import replays
from jobs.schema import arrow_schema

TABLE = "ledger.intake"


def begin(lake: Lake, intake_id: str, source: Source, declared: str) -> None:
    """Note that core is about to get rows of an intake; ``declared`` is ``rules.declared`` of its contract."""
    row = {"intake_id": intake_id, "source": source.id, "contract_version": source.version, "contract_sha256": declared}
    lake.merge_arrow(TABLE, pa.Table.from_pylist([row], schema=arrow_schema(lake.contract(TABLE))))


def refuse_edited(lake: Lake, intake_id: str, source: Source, declared: str) -> None:
    """Raise ContractChanged when a killed run began an intake under another contract: rows of both would stand side by side."""
    for row in lake.arrow(TABLE, filters=pc.field("intake_id") == intake_id).to_pylist():
        if row["contract_sha256"] != declared:
            command = "replay" if replays.of(source.id, {intake_id}) else "conform"
            raise ContractChanged(
                f"{intake_id}: a run that was killed began to write it by version {row['contract_version']} of {source.path}, "
                "which was edited since, or a contract of core that it feeds was. Put them back as they were, run "
                f"`concord {command} {source.id}`, then edit them again")


def edited(lake: Lake, source: Source, declared: str) -> set[str]:
    """Intakes of a source that were begun under another contract than today's, those that came to their end among them."""
    rows = lake.arrow(TABLE, filters=(pc.field("source") == source.id) & (pc.field("contract_sha256") != declared))
    return set(rows["intake_id"].to_pylist())
