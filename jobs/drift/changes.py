"""What changed between the payloads that landed so far and those of a batch: new fields, changed types, vanished fields."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from contracts.vocabulary import DriftKind, OnChange
from jobs.drift.shape import MOST_PLACES, Place, Shape, within

# A type belongs to a place from this share of a batch's records that have it: below, single records are at fault.
LEAST_SHARE = 0.05
# A place has vanished when so many records at least came without it, their silence is less likely than UNLIKELY if records come
# in no particular order, and it is more than LONGER times any silence before: so what comes in bursts is mistaken once for each
# time its longest pause doubles.
LEAST_SILENCE, UNLIKELY, LONGER = 10, 1e-6, 2


@dataclass(frozen=True)
class Known:
    """What earlier batches showed of a place: its types; of ``looked`` records until it was last seen ``seen`` had it;
    ``missing`` came since without it, ``longest`` was the longest silence before."""

    types: frozenset[str]
    looked: int
    seen: int
    missing: int = 0
    longest: int = 0


@dataclass(frozen=True)
class Change:
    """One change of a stream's payloads; types are sorted words by commas, a dash for none. ``is_read`` by the contract."""

    stream: str
    place: str
    kind: DriftKind
    before: str
    after: str
    is_read: bool

    def stops(self, on_change: OnChange) -> bool:
        """Whether a contract that says so about changes is stopped by this one."""
        breaks = self.is_read and self.kind is not DriftKind.NEW_FIELD
        match on_change:
            case OnChange.EVOLVE:
                return False
            case OnChange.FREEZE:
                return breaks
            case OnChange.REJECT:
                return breaks or self.kind is DriftKind.NEW_FIELD


def changes(stream: str, shape: Shape, known: Mapping[str, Known], reads: Collection[str]) -> list[Change]:
    """What a batch's shape changes of what is known of a stream, without what lies below a change. Nothing before its first."""
    if not known:
        return []
    found: list[Change] = []
    for place in sorted({*_came(shape, known), *known}):
        if not any(place != change.place and within(place, change.place) for change in found):
            kind, before, after = _judged(shape, known.get(place), shape.places.get(place))
            is_read = any(within(place, read) or within(read, place) for read in reads) if kind else False
            if kind and (is_read or kind is not DriftKind.VANISHED_FIELD):
                found.append(Change(stream, place, kind, before, after, is_read))
    return found


def folded(shape: Shape, known: Mapping[str, Known]) -> dict[str, Known]:
    """What is known of a stream once a batch's shape is: at most ``MOST_PLACES`` places of it, those met first."""
    found = {place: _once_more(shape, held, shape.places.get(place)) for place, held in known.items()}
    for place in _came(shape, known):
        met = shape.places[place]
        found[place] = Known(_types(met), shape.records, met.records)
    return found


def is_capped(shape: Shape, known: Mapping[str, Known]) -> bool:
    """Whether a stream has more places than are kept."""
    return shape.is_capped or len({*shape.places, *known}) > MOST_PLACES


def _came(shape: Shape, known: Mapping[str, Known]) -> list[str]:
    """The new places of a shape, as far as there is room for them."""
    return [place for place in sorted(shape.places) if place not in known][:max(0, MOST_PLACES - len(known))]


def _judged(shape: Shape, held: Known | None, met: Place | None) -> tuple[DriftKind | None, str, str]:
    if held is None:
        return DriftKind.NEW_FIELD, "-", words(_types(met)) if met else "-"
    if met is None:
        gone = _has_vanished(held, shape.records) and not _has_vanished(held, 0)
        return (DriftKind.VANISHED_FIELD, words(held.types), "-") if gone else (None, "", "")
    strange = _types(met) - held.types
    return (DriftKind.CHANGED_TYPE, words(held.types), words(_types(met))) if strange else (None, "", "")


def _has_vanished(held: Known, more: int) -> bool:
    """Laplace's rule of succession: how likely it is that none of the next records has what ``seen`` of ``looked`` had."""
    silence, without = held.missing + more, held.looked - held.seen
    if silence < LEAST_SILENCE or silence <= LONGER * held.longest:
        return False
    chance = (math.lgamma(without + 1 + silence) - math.lgamma(without + 1)
              - math.lgamma(held.looked + 2 + silence) + math.lgamma(held.looked + 2))
    return chance < math.log(UNLIKELY)


def _once_more(shape: Shape, held: Known, met: Place | None) -> Known:
    if met is None:
        return replace(held, missing=held.missing + shape.records)
    return Known(held.types | _types(met), held.looked + held.missing + shape.records, held.seen + met.records,
                 0, max(held.longest, held.missing))


def _types(met: Place) -> frozenset[str]:
    return frozenset(kind for kind, records in met.types.items() if records >= LEAST_SHARE * met.records)


def words(types: Collection[str]) -> str:
    """Types as the ledger writes them."""
    return ", ".join(sorted(types)) or "-"
