"""drift: what a source's payloads change is noticed when they land, and does what the contract says of changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from contracts.load import catalog
from contracts.model import Source
from contracts.vocabulary import DriftEffect, OnChange
from jobs.connectors import Record
from jobs.drift import changes, shape
from jobs.drift.changes import Change, Known
from jobs.drift.shape import Noticing
from jobs.errors import Drifted
from jobs.lake import Lake
from jobs.ledger import batches
from jobs.ledger import drift as ledger
from jobs.settings import Settings

MOST_NAMED = 5
FOUND = {OnChange.FREEZE: DriftEffect.FROZEN, OnChange.REJECT: DriftEffect.REFUSED}


@dataclass(frozen=True)
class Look:
    """What a batch changes: each change with its effect, what is known of its streams with it, and whether that is all."""

    found: list[tuple[Change, DriftEffect]]
    known: dict[str, dict[str, Known]]
    held: dict[str, ledger.Rows]
    is_capped: bool

    @property
    def facts(self) -> dict[str, Any]:
        """What a report says of it."""
        told = [{"stream": c.stream, "place": c.place, "kind": str(c.kind), "before": c.before, "after": c.after,
                 "is_read": c.is_read, "effect": str(effect)} for c, effect in self.found]
        return {"drift": told, **({"drift_is_capped": True} if self.is_capped else {})}


class Watch:
    """Notices the shapes of a source's batch ``number``, and tells what they change."""

    def __init__(self, lake: Lake, source: Source, number: int) -> None:
        self._lake, self._source, self._number = lake, source, number
        self._held = ledger.shapes(lake, source.id) if number > 1 else {}
        told = {name: {row["place"] for row in rows} for name, rows in self._held.items()}
        self._noticing = {s.name: Noticing(source, s, told.get(s.name, set())) for s in source.streams}

    def notice(self, records: Iterable[Record], digests: Iterable[str]) -> None:
        """Look at those of some records, with their payloads' SHA-256 in hex, that belong to the sample."""
        for record, digest in zip(records, digests, strict=True):
            noticing = self._noticing.get(record.stream)  # None: a killed run landed it under an older contract.
            if noticing and digest < noticing.below:
                noticing.notice(record, digest)

    def look(self) -> Look:
        """What the batch changes, of whose records all were noticed. A batch that is known already changes nothing."""
        found: list[tuple[Change, DriftEffect]] = []
        known, is_capped = {}, False
        for name, noticing in self._noticing.items():
            rows, seen = self._held.get(name, []), noticing.shape()
            if not seen.records or any(row["number"] >= self._number for row in rows):
                continue
            so_far = ledger.known(rows)
            found += [(change, DriftEffect.REPORTED) for change in
                      changes.changes(name, seen, so_far, shape.reads(self._source, self._source.stream(name)))]
            known[name] = changes.folded(seen, so_far)
            is_capped |= changes.is_capped(seen, so_far)
        return Look(self._effects(found), known, self._held, is_capped)

    def _effects(self, found: list[tuple[Change, DriftEffect]]) -> list[tuple[Change, DriftEffect]]:
        stopping = {change for change, _ in found if change.stops(self._source.on_change)}
        if stopping:
            before = [row for row in ledger.noticed(self._lake, self._source.id) if row["effect"] == DriftEffect.REFUSED]
            stopping = {change for change in stopping if not _is_accepted(change, before, self._source)}
        return [(change, FOUND[self._source.on_change] if change in stopping else effect) for change, effect in found]


def refuse(lake: Lake, source: Source, number: int, looked: Look, at: datetime) -> None:
    """Raise Drifted, once it is written down, where the contract rejects what batch ``number`` changes."""
    refused = [change for change, effect in looked.found if effect is DriftEffect.REFUSED]
    if refused:
        said = [(change, effect) for change, effect in looked.found if effect is DriftEffect.REFUSED]
        ledger.write(lake, source.id, batches.batch_id(source.id, number), said, source.version, at)
        raise Drifted(f"{source.id}: payloads changed their shape ({_named(refused)}) and {source.path} says onChange: reject, "
                      f"so nothing was landed and the cursor stays. Have the source corrected, or make the contract fit and "
                      f"raise its version above {source.version}: what was noticed under a lower version is let in")


def keep(lake: Lake, source: Source, number: int, looked: Look, at: datetime) -> None:
    """Write what a landed batch changed and what is known with it; the same again changes nothing."""
    found = [(change, DriftEffect.REPORTED if effect is DriftEffect.REFUSED else effect) for change, effect in looked.found]
    ledger.write(lake, source.id, batches.batch_id(source.id, number), found, source.version, at)
    ledger.keep(lake, source.id, number, looked.known, looked.held, at)


def refuse_frozen(lake: Lake, source: Source, batch: str) -> None:
    """Raise Drifted when a batch waits for a higher version of the contract."""
    waits = [row for row in ledger.noticed(lake, source.id) if row["batch_id"] == batch and _waits(row, source)]
    if waits:
        raise Drifted(f"{batch}: payloads changed their shape ({_named(waits)}) and {source.path} says onChange: freeze, so the "
                      f"batch stays in {source.raw} and waits, with those after it. Make the contract fit and raise its version "
                      f"above {waits[0]['contract_version']}, even if nothing else in it has to change")


def overview(settings: Settings, source: str | None = None) -> list[dict[str, Any]]:
    """Every change that was noticed, as ``ledger.drift`` has it, newest first; ``waits``: whether its batch is frozen still."""
    contracts = catalog()
    lake = Lake(settings.lake_root, contracts.tables)
    conformed = batches.conformed(lake)
    return [{**row, "waits": conformed.get(row["batch_id"]) is None and row["source"] in contracts.sources
             and _waits(row, contracts.sources[row["source"]])} for row in ledger.noticed(lake, source)]


def _waits(row: Mapping[str, Any], source: Source) -> bool:
    return row["effect"] == DriftEffect.FROZEN and not _is_later(source, row["contract_version"])


def _is_accepted(change: Change, before: Iterable[Mapping[str, Any]], source: Source) -> bool:
    """Whether the same change was refused under a lower version of the contract: whoever raised it has seen that."""
    same = change.stream, change.place, change.kind, change.after
    return any((row["stream"], row["place"], row["kind"], row["types_after"]) == same
               and _is_later(source, row["contract_version"]) for row in before)


def _is_later(source: Source, version: str) -> bool:
    now, then = (tuple(int(part) for part in text.split(".")) for text in (source.version, version))
    return now > then


def _named(found: Iterable[Any]) -> str:
    """The first changes in words: a change, or a row of the ledger."""
    rows = [row if isinstance(row, dict) else {"stream": row.stream, "place": row.place, "kind": row.kind,
                                               "types_before": row.before, "types_after": row.after} for row in found]
    said = [f"{row['stream']}: {row['kind'].replace('_', ' ')} {row['place']}, {row['types_before']} to {row['types_after']}"
            for row in rows[:MOST_NAMED]]
    return "; ".join(said) + (f"; {len(rows) - MOST_NAMED} more" if len(rows) > MOST_NAMED else "")
