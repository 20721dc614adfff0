"""A source whose contract learns words, for tests of replays: what was rejected by its first version, its second can read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.settings import Settings
from tests.landing import Raw, core, lake_of, reading

SOURCE = "house"
CONTRACT = """
apiVersion: v3.1.0
kind: DataContract
id: house
name: House
version: 1.%(version)d.0
status: active
description: {purpose: A source of the tests that says what its contract learns later.}
team: {name: tests}
customProperties:
  - {property: connection, value: {id: house, connector: rest, tokenPath: null, pageSize: 10, maxAnswerMb: 1}}
  - {property: schedule, value: "0 2 * * *"}
  - {property: onChange, value: evolve}
  - {property: retentionDays, value: 30}
  - {property: legalBasis, value: consent}
  - {property: jurisdictions, value: [DE]}
  - {property: linkPurposes, value: [research]}
  - {property: refusal, value: {purposes: [research, decision_support], purgeAfterDays: 30}}
  - {property: rejectLimit, value: {share: %(share)s, tolerated: %(tolerated)d}}
  - property: streams
    value:
      readings: {path: /readings, recordId: payload.id, version: timestamp(payload.at), deleted: boolean(payload.gone)}
      consents: {path: /consents, recordId: payload.id, version: timestamp(payload.at), deleted: boolean(payload.gone)}
schema:
  - name: readings
    customProperties:
      - {property: stream, value: readings}
      - {property: feeds, value: core.observation}
      - {property: checks, value: ["one_of(payload.place, %(places)s)"]}
    properties:
      - {name: source_person_id, transformLogic: identifier(payload.person)}
      - {name: code, transformLogic: text(payload.code)}
      - {name: value, transformLogic: number(payload.value)}
      - {name: unit_code, transformLogic: ucum(payload.quantity)}
      - {name: effective_at, transformLogic: timestamp(payload.measured)}
      - {name: status_code, transformLogic: text(payload.status)}
  - name: consents
    customProperties:
      - {property: stream, value: consents}
      - {property: feeds, value: core.consent}
    properties:
      - {name: source_person_id, transformLogic: identifier(payload.person), required: true}
      - {name: purpose_code, transformLogic: text(payload.purpose)}
      - {name: decision_code, transformLogic: "code(payload.decision, yes='permit', no='deny'%(words)s)"}
      - {name: recorded_at, transformLogic: timestamp(payload.said)}
"""
FIRST = {"version": 0, "places": "'home'", "words": ""}
LATER = {"version": 1, "places": "'home', 'ward'", "words": ", aye='permit', nay='deny'"}
MADE_BY = {"batch_id", "contract_version", "known_at", "superseded_at", "superseded_by"}  # Which run read it, and when.


def contract(folder: Path, says: dict[str, Any], share: str = "1", tolerated: int = 100) -> str:
    """Write the contract of the source in a version, for CONCORD_CONTRACTS; returns the folder."""
    path = folder / "contracts" / "sources" / f"{SOURCE}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(CONTRACT % {**says, "share": share, "tolerated": tolerated}, "utf-8")
    return str(folder / "contracts")


def measured(name: int, place: str = "home", at: str | None = "2026-10-01T00:00:00Z", **changes: Any) -> Raw:
    """A reading at a place; the first contract knows home, the later one the ward too."""
    return Raw(f"readings/{name}", reading(at, place=place, **changes), "readings")


def said(name: int, decision: str, at: str | None = "2026-10-01T00:00:00Z", purpose: str = "research", **changes: Any) -> Raw:
    """A statement of person u<name>; the first contract knows yes and no, the later one aye and nay too."""
    payload = {"id": name, "at": at, "person": f"u{name}", "purpose": purpose, "decision": decision, "said": "2026-09-30T00:00:00Z"}
    return Raw(f"consents/{name}", {**payload, **changes}, "consents")


@dataclass(frozen=True)
class Kept:
    """What a lake holds of the source but for which run read it: rows that stand, deletions, and what is set apart and why."""

    core: dict[str, list[dict[str, Any]]]
    deleted: set[str]
    apart: set[tuple[Any, ...]]


def kept(made: Settings) -> Kept:
    """What a lake holds of the source."""
    lake = lake_of(made)
    rows = {table: [{k: v for k, v in row.items() if k not in MADE_BY} for row in core(made, SOURCE, table)]
            for table in ("core.observation", "core.consent")}
    apart = {tuple(row[name] for name in ("batch_id", "position", "stream", "reason_code", "field", "contract_version", "rules_sha256"))
             for row in lake.arrow(f"raw.{SOURCE}__rejected").to_pylist()}
    return Kept(rows, set(lake.arrow(f"raw.{SOURCE}__deleted")["record_id"].to_pylist()), apart)
