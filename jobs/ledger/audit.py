"""One audit entry and one OpenLineage event for every run of a stage."""

from __future__ import annotations

import getpass
import json
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pyarrow as pa

from jobs.lake import Lake
from jobs.schema import arrow_schema
from jobs.settings import Settings

TABLE = "ledger.audit"


@dataclass
class Trail:
    """What a stage read and wrote, filled in while it runs; only names, versions and counts.

    ``proved_actor`` is who a log-in proved to have asked, where a stage demands proof; empty until it is given.
    """

    stage: str
    subject: str
    run_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    inputs: list[str] = field(default_factory=list)
    outputs: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    detail: dict[str, object] = field(default_factory=dict)
    proved_actor: str = ""

    def reads(self, *names: str) -> None:
        """Note tables or addresses that were read."""
        self.inputs.extend(n for n in names if n not in self.inputs)

    def writes(self, name: str, columns: dict[str, list[str]] | None = None) -> None:
        """Note a table that was written, with the origins (table.column) of its columns."""
        self.outputs[name] = columns or self.outputs.get(name, {})


def close(settings: Settings, lake: Lake, trail: Trail, result: str) -> None:
    """Write the audit entry and the lineage event of a run that ended as ``result``."""
    now = enter(settings, lake, trail, result)
    from jobs.ledger import lineage

    lineage.emit(settings, lake, trail.stage, trail.subject, trail.run_id, trail.inputs, trail.outputs,
                 failed=result == "failed", at=now)


def enter(settings: Settings, lake: Lake, trail: Trail, result: str) -> datetime:
    """Write the audit entry of a run that ended as ``result``; when that was."""
    now = datetime.now(UTC)
    detail = {**trail.detail, **({"actor_proof": "airflow_token"} if trail.proved_actor else {})}
    row = {"run_id": trail.run_id, "stage": trail.stage, "subject": trail.subject, "result": result,
           "detail": json.dumps(detail, sort_keys=True, default=str),
           "actor": trail.proved_actor or settings.actor or getpass.getuser(), "at": now}
    lake.append_arrow(TABLE, pa.Table.from_pylist([row], schema=arrow_schema(lake.contract(TABLE))))
    return now
