"""One audit entry and one OpenLineage event for every run of a stage."""

from __future__ import annotations

import getpass
import json
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from jobs.errors import IntegrityError
from jobs.lake import Lake
from jobs.ledger import chain
from jobs.schema import arrow_schema
from jobs.settings import Settings

TABLE, ONCE = "ledger.audit", "audit"


@dataclass
class Trail:
    """What a stage read and wrote, filled in while it runs; only names, versions and counts.

    ``proved_actor`` is who a log-in proved to have asked, where a stage demands proof; empty until it is given. ``about``:
    commitments to the persons that were asked about (jobs/run/commitments.py).
    """

    stage: str
    subject: str
    run_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    inputs: list[str] = field(default_factory=list)
    outputs: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    detail: dict[str, object] = field(default_factory=dict)
    proved_actor: str = ""
    about: list[str] = field(default_factory=list)

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
           "detail": json.dumps(detail, sort_keys=True, default=str), "about": json.dumps(sorted(trail.about)),
           "actor": trail.proved_actor or settings.actor or getpass.getuser(), "at": now}
    append(lake, row)
    return now


def append(lake: Lake, entry: dict[str, Any]) -> None:
    """Seal an entry into the chain. Runs side by side, on any machine, each take a number of their own: Delta keeps which was
    written last as a transaction, and who comes second tries the next one."""
    schema = arrow_schema(lake.contract(TABLE))
    while True:
        last = lake.done(TABLE, ONCE) or 0
        seals = lake.arrow(TABLE, columns=[chain.SEAL], filters=pc.field("number") == last)[chain.SEAL].to_pylist()
        # Where somebody took the last one away the chain shows it: what a first entry seals stands in another one.
        row = chain.sealed({"number": last + 1, **entry}, seals[0] if seals else chain.FIRST)
        try:
            lake.append_arrow(TABLE, pa.Table.from_pylist([row], schema=schema), once=(ONCE, last + 1))
        except IntegrityError:
            if lake.done(TABLE, ONCE) == last:
                raise
        else:
            return


def entries(lake: Lake) -> list[dict[str, Any]]:
    """Every entry, by number."""
    found: list[dict[str, Any]] = lake.arrow(TABLE).sort_by("number").to_pylist()
    return found
