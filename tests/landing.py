"""Raw batches landed by hand, with a small source of their own, for tests of what becomes of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from contracts import catalog
from contracts.model import RejectLimit
from contracts.quality import Severity, SqlRule
from jobs.lake import Lake
from jobs.ledger import batches
from jobs.schema import arrow_schema
from jobs.settings import Settings

RECEIVED = datetime(2026, 11, 1, 12, tzinfo=UTC)
CONTRACT = """
apiVersion: v3.1.0
kind: DataContract
id: probe
name: Probe
version: 1.2.0
status: active
description: {purpose: A small source of the tests.}
team: {name: tests}
customProperties:
  - {property: connection, value: {id: probe, connector: rest, tokenPath: null, pageSize: 10, maxAnswerMb: 1}}
  - {property: schedule, value: "0 2 * * *"}
  - {property: onChange, value: evolve}
  - {property: retentionDays, value: 30}
  - {property: legalBasis, value: consent}
  - {property: jurisdictions, value: [DE]}
  - {property: linkPurposes, value: [adherence_monitoring, decision_support, research]}
  - property: streams
    value:
      events: {path: /events, recordId: payload.id, version: timestamp(payload.at), deleted: boolean(payload.gone)}
      notes: {path: /notes, recordId: payload.id}
schema:
  - name: readings
    customProperties:
      - {property: stream, value: events}
      - {property: feeds, value: core.observation}
      - {property: when, value: "equals(payload.kind, 'reading')"}
      - {property: checks, value: ["exists(payload.kind)", "one_of(payload.place, 'home', 'clinic')", "any_of(missing(payload.a), exists(payload.b))"]}
    properties:
      - {name: source_person_id, transformLogic: identifier(payload.person)}
      - {name: code, transformLogic: text(payload.code)}
      - {name: value, transformLogic: number(payload.value)}
      - {name: unit_code, transformLogic: ucum(payload.quantity)}
      - {name: effective_at, transformLogic: timestamp(payload.measured)}
      - {name: status_code, transformLogic: text(payload.status)}
      - {name: device_id, transformLogic: text(payload.device)}
  - name: doses
    customProperties:
      - {property: stream, value: events}
      - {property: feeds, value: core.medication_event}
      - {property: when, value: "equals(payload.kind, 'dose')"}
    properties:
      - {name: source_person_id, transformLogic: identifier(payload.person), required: true}
      - {name: medication_name, transformLogic: text(payload.name)}
      - {name: dose_value, transformLogic: number(payload.value)}
      - {name: dose_unit_code, transformLogic: const('mg')}
      - {name: status_code, transformLogic: const('taken')}
      - {name: effective_at, transformLogic: timestamp(payload.measured)}
  - name: notes
    customProperties:
      - {property: stream, value: notes}
      - {property: feeds, value: core.interaction}
    properties:
      - {name: kind_code, transformLogic: "code(payload.kind, ask='question', moan='complaint')"}
      - {name: channel_code, transformLogic: const('web')}
      - {name: occurred_at, transformLogic: timestamp(payload.measured)}
      - {name: text, transformLogic: text(payload.text)}
"""


@dataclass(frozen=True)
class Raw:
    """A record as it is landed; ``payload`` may be anything that JSON writes, text or bytes."""

    record_id: str | None
    payload: Any
    stream: str = "events"
    is_deleted: bool = False

    @property
    def content(self) -> bytes:
        """The bytes of the payload."""
        if isinstance(self.payload, bytes):
            return self.payload
        return (self.payload if isinstance(self.payload, str) else json.dumps(self.payload)).encode()


def probe(folder: Path) -> str:
    """Write the small source's contract below a folder, for CONCORD_CONTRACTS; returns the folder."""
    path = folder / "contracts" / "sources" / "probe.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(CONTRACT, "utf-8")
    return str(folder / "contracts")


def tolerate(patch: pytest.MonkeyPatch, source: str) -> None:
    """Let the batches of a source go on, however much of them is rejected."""
    sources = catalog().sources
    every = sources[source].model_copy(update={"reject_limit": RejectLimit(share=1, tolerated=0)})
    patch.setitem(sources, source, every)


def collection(patch: pytest.MonkeyPatch, source: str) -> None:
    """Let a source bring what somebody collected as examples: much of it meant to fail, one reading in many forms. What is
    told of its batches as wholes, which such a collection is not, is not asked; each row is held to every rule."""
    tolerate(patch, source)
    tables = catalog().tables
    for name in catalog().sources[source].tables:
        kept = tuple(r for r in tables[name].quality if not (isinstance(r, SqlRule) and r.severity is Severity.REJECT_BATCH))
        patch.setitem(tables, name, tables[name].model_copy(update={"quality": kept}))


def lake_of(settings: Settings, spark: Any = None) -> Lake:
    """The lake of those settings."""
    return Lake(settings.lake_root, catalog().tables, spark)


def land(settings: Settings, source: str, records: Sequence[Raw], number: int = 1, at: datetime | None = None) -> str:
    """Land records as batch ``number``, received an hour after the batch before it; returns the batch's id."""
    lake = lake_of(settings)
    received, batch = at or RECEIVED + timedelta(hours=number - 1), batches.batch_id(source, number)
    rows = [{"batch_id": batch, "position": position, "source": source, "stream": r.stream, "record_id": r.record_id,
             "payload": r.content, "is_deleted": r.is_deleted, "received_at": received,
             "sha256": hashlib.sha256(r.content).hexdigest()} for position, r in enumerate(records)]
    name = f"raw.{source}"
    lake.append_arrow(name, pa.Table.from_pylist(rows, schema=arrow_schema(lake.contract(name))))
    batches.record(lake, source, number, len(rows), received)
    return batch


def core(settings: Settings, source: str, table: str) -> list[dict[str, Any]]:
    """What core holds of a source, by record; of consents what stands."""
    rows = [row for row in lake_of(settings).arrow(table).to_pylist() if row["source"] == source]
    return sorted((r for r in rows if not r.get("superseded_by")), key=lambda row: (row["record_id"], row.get("part")))


def account(settings: Settings, batch: str) -> dict[tuple[str, str], int]:
    """Rows of a batch by outcome and reason."""
    found: dict[tuple[str, str], int] = {}
    for row in lake_of(settings).arrow("ledger.account").to_pylist():
        if row["subject"] == batch:
            key = row["outcome"], row["reason_code"]
            found[key] = found.get(key, 0) + row["rows"]
    return found


def apart(settings: Settings, source: str) -> dict[tuple[str, int], tuple[str, str | None]]:
    """The rejected records: reason and field, by batch and position."""
    rows = lake_of(settings).arrow(f"raw.{source}__rejected").to_pylist()
    return {(row["batch_id"], row["position"]): (row["reason_code"], row["field"]) for row in rows}


def reading(at: str | None = "2026-10-01T00:00:00Z", **changes: Any) -> dict[str, Any]:
    """A sound reading of the small source, with changes; a change to None takes the key out."""
    made = {"kind": "reading", "at": at, "person": "p1", "code": "2339-0", "value": 95.5, "status": "final",
            "quantity": {"system": "http://unitsofmeasure.org", "code": "mg/dL"}, "measured": "2026-09-30T08:00:00Z"}
    return {key: value for key, value in {**made, **changes}.items() if value is not None}
