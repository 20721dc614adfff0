"""A person in the index: what tables call them, and the versions that hold them and can be read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

import pyarrow.compute as pc

from jobs.lake import Lake
from jobs.stages.own_keys import own_key
from jobs.storage import arrow_files
from jobs.whereabouts import EXTRACT, TABLE, log

LINK, CHANGE, PSEUDONYM = "vault.link", "vault.change", "vault.pseudonym"
Rows = list[dict[str, Any]]


@dataclass
class Known:
    """What tables call a person. shared: keys, and pseudonyms, that they had while they were taken for one person with somebody
    who has the key today: what stands under these is of both."""

    identities: set[str]
    keys: set[str] = field(default_factory=set)
    pseudonyms: set[str] = field(default_factory=set)
    shared: set[str] = field(default_factory=set)

    def __repr__(self) -> str:
        return "Known(...)"


@dataclass(frozen=True)
class Held:
    """A table, its versions that hold a person and can be read, whether the newest does, and whether the person is in one of them
    only by a key that is somebody else's today."""

    table: str
    versions: tuple[int, ...]
    is_current: bool
    is_shared: bool


def known(lake: Lake, identity: str) -> Known:
    """All identities that are one person with the one given (source/id), their keys by any version of the vault, and pseudonyms.
    One whose match with another person waits for a review is another person."""
    current = {row["person_key"] for row in _now(_links(lake, "identity", {identity}))}
    met = {identity} | {row["identity"] for row in _now(_links(lake, "person_key", current))}
    had = {row["person_key"] for row in _links(lake, "identity", met)} - {""}
    others = {row["person_key"] for row in _now(_links(lake, "person_key", had))} - current
    own, shared = _with_own((current | had) - others, met), _with_own(others, met)
    pairs = _rows(lake, (pc.field("table_name") == PSEUDONYM) & _among("person_key", own | shared))
    pseudonyms = {row["pseudonym"] for row in pairs if row["person_key"] in own}
    theirs_too = {row["pseudonym"] for row in pairs if row["person_key"] in shared}
    return Known(met, own, pseudonyms, (shared | theirs_too) - own - pseudonyms)


def holding(lake: Lake, person: Known) -> list[Held]:
    """Where a person is, by table; of an extract the version is 0."""
    wanted = (_among("identity", person.identities) | _among("person_key", person.keys | person.shared)
              | _among("pseudonym", person.pseudonyms | person.shared))
    spans: dict[str, list[tuple[range, bool]]] = defaultdict(list)
    for table, rows in _by(_rows(lake, wanted), "table_name").items():
        for one in _by([row for row in rows if _is_theirs(row, person)], "identity", "person_key", "pseudonym").values():
            spans[table] += [(span, _is_shared(one[0], person)) for span in _spans(one)]
    found = [_held(lake, table, every) for table, every in sorted(spans.items())]
    return [held for held in found if held is not None]


def _held(lake: Lake, table: str, spans: list[tuple[range, bool]]) -> Held | None:
    if table.startswith(EXTRACT):
        return Held(table, (0,), True, all(is_shared for _, is_shared in spans)) if spans else None
    store = arrow_files(lake.path(table))
    there = log.readable(log.states(store), log.there(store))
    versions = tuple(version for version in there if any(version in span for span, _ in spans))
    if not versions:
        return None
    is_shared = any(all(shared for span, shared in spans if version in span) for version in versions)
    return Held(table, versions, versions[-1] == there[-1], is_shared)


def _links(lake: Lake, part: str, values: Collection[str]) -> Rows:
    """The events of who had which key."""
    return _rows(lake, pc.field("table_name").isin([LINK, CHANGE]) & _among(part, values)) if values else []


def _now(rows: Rows) -> Rows:
    """Of events of the vault's links, those by which a link stands today."""
    links = _by([row for row in rows if row["table_name"] == LINK], "identity", "person_key").values()
    return [events[-1] for events in links if events[-1]["is_there"]]


def _with_own(keys: set[str], identities: set[str]) -> set[str]:
    """Keys, and those of identities that stay apart by their sources' contracts."""
    return keys | {own_key(key, *name.split("/", 1)) for key in keys for name in identities}


def _is_theirs(row: dict[str, Any], person: Known) -> bool:
    """Whether a row is not about another identity, or another's pseudonyms, beside a key that they had."""
    if row["identity"]:
        return row["identity"] in person.identities
    return not (row["person_key"] and row["pseudonym"]) or row["person_key"] in person.keys


def _is_shared(row: dict[str, Any], person: Known) -> bool:
    return not row["identity"] and bool({row["person_key"], row["pseudonym"]} & person.shared)


def _spans(events: Rows) -> Iterable[range]:
    """From when they came to when they left."""
    came = None
    for event in events:
        if event["is_there"]:
            came = event["version"] if came is None else came
        elif came is not None:
            yield range(came, event["version"])
            came = None
    if came is not None:
        yield range(came, log.LATEST)


def _by(rows: Rows, *columns: str) -> dict[Any, Rows]:
    """Rows by the value of a column, or of some, each the oldest first."""
    found: dict[Any, Rows] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row["version"]):
        found[row[columns[0]] if len(columns) == 1 else tuple(row[c] for c in columns)].append(row)
    return found


def _rows(lake: Lake, wanted: pc.Expression) -> Rows:
    return list(lake.arrow(TABLE, filters=wanted).to_pylist())


def _among(column: str, values: Collection[str]) -> pc.Expression:
    return pc.field(column).isin(sorted(values)) if values else pc.scalar(False)
