"""What changed between two versions of a contract, whom each change breaks, and which version number it needs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, Literal

from pydantic.alias_generators import to_camel

from contracts.life import SERVED
from contracts.load import one
from contracts.majors import family, has_ended, next_major
from contracts.model import Contract, Product, Recipient, Source
from contracts.quality import Rule, Severity
from contracts.reading import ContractError
from contracts.service_levels import laxer
from contracts.table import Column, Table

Breaks = Literal["readers", "sources"] | None
Judge = Callable[[Any, Any], Breaks]
ABSENT, THERE = "-", "there"


@dataclass(frozen=True)
class Change:
    """One change: where in the contract, from what to what, and whom it breaks; None is safe.

    ``readers`` would find other values than they were promised, ``sources`` would have records set apart that are sound so far.
    """

    place: str
    before: str
    after: str
    breaks: Breaks


def _safe(old: Any, new: Any) -> Breaks:
    return None


def _readers(old: Any, new: Any) -> Breaks:
    return "readers"


def _less(old: Any, new: Any) -> Breaks:
    """Less than was promised."""
    return "readers" if new < old else None


def _fewer(old: Any, new: Any) -> Breaks:
    return "readers" if set(old) - set(new) else None


def _others(old: Any, new: Any) -> Breaks:
    """Other words than before; their order says nothing."""
    return "readers" if set(old) != set(new) else None


def _ended(old: Any, new: Any) -> Breaks:
    """Only what is active or deprecated is made and served."""
    return "readers" if old in SERVED and new not in SERVED else None


def _ends(old: Any, new: Any) -> Breaks:
    """To say that a product ends, or later than was said, takes nothing away yet; sooner does."""
    return "readers" if old and new and new.on < old.on else None


def _held(old: Any, new: Any) -> Breaks:
    """To be held to a profile is a promise more; to be held to none or to another one takes a promise away."""
    return None if old is None else "readers"


def _upper(old: Any, new: Any) -> Breaks:
    return "sources" if new is not None and (old is None or new < old) else "readers"


def _lower(old: Any, new: Any) -> Breaks:
    return "sources" if new is not None and (old is None or new > old) else "readers"


def _rule(old: Any, new: Any) -> Breaks:
    """A rule that is new sets records apart; one that went or changed lets readers find what there was not."""
    return "sources" if not old else "readers"


def _limit(old: Any, new: Any) -> Breaks:
    """A lower limit stops batches that went through; a higher one sets apart what was set apart, and lets the rest on."""
    return "sources" if new.share < old.share or new.tolerated < old.tolerated else None


def _laxer(old: Any, new: Any) -> Breaks:
    """A level that went, or that may take longer than was promised."""
    return "readers" if laxer(old, new) else None


def _connector(old: Any, new: Any) -> Breaks:
    """Another address or page size changes no record, another connector may."""
    return "readers" if new.connector != old.connector else None


def _required(old: Any, new: Any) -> Breaks:
    return "sources" if new else "readers"


def _terms(old: Any, new: Any) -> Breaks:
    """A reader meets a word that there was not; a source says one that there is no more."""
    if old and new and set(old) == set(new):
        return None
    if old is None or new is None:
        return "sources" if old is None else "readers"
    return "readers" if set(new) - set(old) else "sources"


# Every field of every model has a judge, or is compared part by part (tests/contracts/test_compare.py).
COLUMN: dict[str, Judge] = {
    "type": _readers, "key": _readers, "category": _readers, "treatment": _readers, "treatment_options": _readers,
    "identifier": _held, "event_time": _readers, "required": _required,
    "allowed_values": _terms, "pattern": _rule, "minimum": _lower, "maximum": _upper, "max_length": _upper,
    "not_in_future": _rule, "derived": _safe, "description": _safe, "origins": _safe}
TABLE: dict[str, Judge] = {"description": _safe}  # Its rules are compared by name.
COMMON: dict[str, Judge] = {"name": _safe, "description": _safe, "owner": _safe, "tags": _safe, "status": _ended,
                            "service_levels": _laxer}
PRODUCT: dict[str, Judge] = {
    **COMMON, "inputs": _fewer, "release_group": _readers, "purposes": _others, "data_categories": _others,
    "legal_basis": _readers, "basis_reason": _safe, "condition_review": _safe, "pseudonym_domain": _readers,
    "counts_people": _readers, "minimum_cell": _readers, "rounding": _readers, "cell_columns": _others,
    "dominance": _readers, "totals": _others, "differential_privacy": _readers, "differencing": _readers, "retention_days": _less,
    "retirement": _ends, "profile": _held}
RECIPIENT: dict[str, Judge] = {
    **COMMON, "product": _readers, "purposes": _others, "legal_basis": _readers, "agreement": _safe, "agreement_version": _safe,
    "agreement_expires_on": _less, "pseudonym_domain": _readers, "anonymity": _readers, "hierarchies": _readers,
    "max_linked_percent": _less, "approvers": _safe, "delivery": _readers, "connection": _safe, "expires_after_days": _less,
    "profile": _held}
SOURCE: dict[str, Judge] = {
    **COMMON, "connection": _connector, "schedule": _safe, "on_change": _safe, "retention_days": _less, "legal_basis": _readers,
    "jurisdictions": _others, "link_purposes": _others, "refusal": _readers, "reject_limit": _limit}
STREAM: dict[str, Judge] = {
    "path": _readers, "record_id": _readers, "version": _readers, "deleted": _readers, "items": _readers, "cursor": _safe,
    "since": _safe, "revisit_days": _safe}
FEED: dict[str, Judge] = {"stream": _readers, "table": _readers, "when": _readers, "checks": _readers, "parse": _readers}
MAPPING: dict[str, Judge] = {"expression": _readers, "reads": _readers, "required": _rule}
JUDGES: dict[type, dict[str, Judge]] = {Source: SOURCE, Product: PRODUCT, Recipient: RECIPIENT}


@dataclass(frozen=True)
class Comparison:
    """Two versions of a contract: their numbers, what changed, and the number that the new one lacks (None: it has it).

    beside: the id under which what breaks a product's readers must live beside it; None where that is not asked for.
    """

    old: str
    new: str
    needed: str | None
    changes: list[Change]
    beside: str | None = None


def between(old: Path, new: Path, today: date | None = None) -> Comparison:
    """Compare two files, of a product majors too. A product that is retired when its last day is over (``today``) breaks
    nobody, and no change of status needs another major. Raises ContractError where one is broken, or where they are no
    versions of one contract."""
    kind = new.resolve().parent.name
    alike = family(old.stem)[0] == family(new.stem)[0] if kind == "products" else old.stem == new.stem
    if old.resolve().parent.name != kind or not alike or old.suffix != new.suffix:
        raise ContractError(f"{new}: is no version of {old}; name two files called alike, in folders called alike")
    try:
        before = one(old)
    except ContractError as error:
        raise ContractError(f"{old} does not fit the rules of today, so nothing can be compared with it:\n{error}") from None
    after = one(new)
    found = table_changes(before, after) if isinstance(after, list) else changes(before, after)
    if isinstance(before, Product) and today and before.status == "deprecated" and has_ended(before, today):
        found = _sorted(_without_status(found))
    was, is_now = (_version(path, contract) for path, contract in ((old, before), (new, after)))
    is_in_place = isinstance(after, Product) and old.stem == new.stem
    lasting = _without_status(found) if is_in_place else found
    is_broken = is_in_place and any(change.breaks for change in lasting)
    return Comparison(was, is_now, needed(was, is_now, lasting), found, next_major(new.stem) if is_broken else None)


def _without_status(found: Iterable[Change]) -> list[Change]:
    """The same changes, that of the status breaking nobody."""
    return [replace(change, breaks=None) if change.place == "status" else change for change in found]


def _version(path: Path, contract: Any) -> str:
    version = str((contract[0] if isinstance(contract, list) else contract).version)
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise ContractError(f"{path}: version {version!r} is no semantic version; write three numbers, for example 1.2.0")
    return version


def changes(old: Contract, new: Contract) -> list[Change]:
    """What changed between two contracts of one kind, those that break somebody first."""
    found = list(_fields(old, new, JUDGES[type(new)], ""))
    if isinstance(old, Source) and isinstance(new, Source):
        found += _parts(_named(old.streams), _named(new.streams), "streams", STREAM)
        found += _parts(_named(old.feeds), _named(new.feeds), "feeds", FEED)
        found += _mappings(old, new)
    elif isinstance(old, (Product, Recipient)) and isinstance(new, (Product, Recipient)):
        found += table_changes([old.table], [new.table.model_copy(update={"name": old.table.name})], has_sources=False)
    return _sorted(found)


def _mappings(old: Source, new: Source) -> Iterator[Change]:
    """What feeds make of records. One more column, or feed, may find fault with records that were sound."""
    feeds, streams = _named(old.feeds), _named(old.streams)
    for feed in new.feeds:
        if feed.name in feeds:
            before, after = ({m.column: m for m in f.mappings} for f in (feeds[feed.name], feed))
            yield from _came(_parts(before, after, f"feeds.{feed.name}", MAPPING), "sources")
        elif feed.stream in streams:
            yield Change(f"feeds.{feed.name}.stream", ABSENT, feed.stream, "sources")


def _came(found: Iterable[Change], breaks: Breaks) -> Iterator[Change]:
    return (replace(change, breaks=breaks) if change.before == ABSENT and change.after == THERE else change for change in found)


def table_changes(old: Iterable[Table], new: Iterable[Table], has_sources: bool = True) -> list[Change]:
    """What changed between tables, those that break somebody first; ``has_sources`` where sources fill them."""
    before, after = _named(old), _named(new)
    found = [*_parts(before, after, "", TABLE)]
    for name in before.keys() & after.keys():
        was, is_now = (_named(table.columns) for table in (before[name], after[name]))
        found += [_filled(change, name, is_now) for change in _parts(was, is_now, name, COLUMN)]
        orders = [", ".join(c for c in columns if c in was.keys() & is_now.keys()) for columns in (was, is_now)]
        found += _rules(before[name], after[name])
        found += [Change(f"{name}.columns", orders[0], orders[1], "readers")] if orders[0] != orders[1] else []
    return _sorted(found if has_sources else [replace(c, breaks=None) if c.breaks == "sources" else c for c in found])


def _rules(old: Table, new: Table) -> Iterator[Change]:
    """A rule that rejects more breaks sources, one that went, or promises something else, readers; a warning nobody."""
    before, after = _named(old.quality), _named(new.quality)
    for name in sorted(before.keys() | after.keys()):
        was, is_now = before.get(name), after.get(name)
        if _said(was) != _said(is_now):
            rejects, rejected = (rule is not None and rule.severity != Severity.WARN for rule in (is_now, was))
            breaks: Breaks = "readers" if rejected else "sources" if rejects else None
            yield Change(f"{new.name}.quality.{name}", _said(was), _said(is_now), breaks)


def _said(rule: Rule | None) -> str:
    return ABSENT if rule is None else rule.model_dump_json(exclude={"name", "description"}, exclude_defaults=True)


def _filled(change: Change, table: str, columns: Mapping[str, Column]) -> Change:
    """A column that came breaks the sources that must fill it."""
    column = columns.get(change.place.removeprefix(f"{table}."))
    return replace(change, breaks="sources") if change.before == ABSENT and column is not None and column.required else change


def needed(old: str, new: str, found: list[Change]) -> str | None:
    """The version number that the new contract lacks; None where its own will do."""
    before, after = (tuple(int(part) for part in version.split(".")) for version in (old, new))
    if not found and after == before:
        return None
    least = (before[0] + 1, 0, 0) if any(c.breaks for c in found) else (*before[:2], before[2] + 1)
    return None if after >= least else ".".join(map(str, least))


def _fields(old: Any, new: Any, judges: Mapping[str, Judge], place: str) -> Iterator[Change]:
    for name, judge in judges.items():
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            yield Change(f"{place}.{to_camel(name)}".lstrip("."), _text(before), _text(after), judge(before, after))


def _parts(old: Mapping[str, Any], new: Mapping[str, Any], place: str, judges: Mapping[str, Judge]) -> Iterator[Change]:
    """Parts that went break readers, parts that came are safe, the others are compared field by field."""
    for name in old.keys() - new.keys():
        yield Change(f"{place}.{name}".lstrip("."), THERE, ABSENT, "readers")
    for name in new.keys() - old.keys():
        yield Change(f"{place}.{name}".lstrip("."), ABSENT, THERE, None)
    for name in old.keys() & new.keys():
        yield from _fields(old[name], new[name], judges, f"{place}.{name}".lstrip("."))


def _named(parts: Iterable[Any]) -> dict[str, Any]:
    return {part.name: part for part in parts}


def _sorted(found: Iterable[Change]) -> list[Change]:
    return sorted(found, key=lambda change: (change.breaks is None, change.place))


def _text(value: Any) -> str:
    if value is None or value == () or value is False:
        return ABSENT
    if isinstance(value, (tuple, list)):
        return ", ".join(map(str, value))
    return THERE if value is True else str(value)
