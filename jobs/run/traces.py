"""Who is to be forgotten: what the vault, core and raw know of them, so that all of it can be found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow.fs import SubTreeFileSystem

from contracts.matching import OF_IDENTITIES
from contracts.model import Source
from contracts.vocabulary import Zone
from jobs.connectors.owners import owners
from jobs.connectors.records import parsed
from jobs.erasure.files import files_of, groups
from jobs.erasure.look import THREADS
from jobs.erasure.rows import Sought, about, owning
from jobs.erasure.traces import Traces
from jobs.erasure.words import Words
from jobs.run.asking import Person
from jobs.run.identities import KEPT_PROFILES
from jobs.run.shell import Shell
from jobs.stages.own_keys import own_key
from jobs.storage import arrow_files

LINK, CHANGE, PSEUDONYM = "vault.link", "vault.change", "vault.pseudonym"
# Where values stand that lead to one person, unless somebody else has the same: a shared address is not theirs alone.
VALUES = {"core.identity": ("source_person_id", "email", "phone", "device_id", "patient_number", "handle"),
          "core.contact_point": ("source_person_id", "value"),
          KEPT_PROFILES: ("email", "phone", "national_id", "device_id", "handle")}
FEWEST_SIGNS = 6  # A shorter value is no word: it stands in too many places that are about nobody.


def known(shell: Shell, people: Iterable[Person]) -> Traces:
    """The identities that are one person with those given, the keys that they have and had in any version, and their pseudonyms.
    One whose match with another person waits for a review is another person."""
    traces = Traces({f"{p.source}/{p.source_person_id}" for p in people})
    links = shell.lake.arrow(LINK, columns=["source", "source_person_id", "person_key"])
    keys = set(_of(links, _names(links), traces.identities)["person_key"].to_pylist())
    own = _of(links, links["person_key"], keys)
    traces.met = set(_names(own).to_pylist())
    traces.identities |= traces.met
    pairs = {(key, name) for name, key in zip(_names(own).to_pylist(), own["person_key"].to_pylist(), strict=True)}
    pairs |= set(_had(shell, traces))
    had = {key for key, _ in pairs} - keys
    others = set(_of(links, links["person_key"], had)["person_key"].to_pylist())
    traces.keys = keys | had - others | _own(pair for pair in pairs if pair[0] not in others)
    traces.pseudonyms = _pseudonyms(shell, traces.keys)
    shared = others | _own(pair for pair in pairs if pair[0] in others)
    traces.shared = _pseudonyms(shell, shared) - traces.pseudonyms
    return traces


def _had(shell: Shell, traces: Traces) -> Iterator[tuple[str, str]]:
    """Which keys their identities had, each with the identity."""
    for rows in _groups(shell, LINK, ["source", "source_person_id", "person_key"]):
        mine = _of(rows, _names(rows), traces.identities)
        yield from zip(mine["person_key"].to_pylist(), _names(mine).to_pylist(), strict=True)
    changes = shell.lake.arrow(CHANGE)
    mine = _of(changes, _names(changes), traces.identities)
    for column in ("from_key", "to_key"):
        yield from zip(mine[column].to_pylist(), _names(mine).to_pylist(), strict=True)


def _own(pairs: Iterable[tuple[str, str]]) -> set[str]:
    """The keys of identities that stay apart by their sources' contracts."""
    return {own_key(key, *name.split("/", 1)) for key, name in pairs}


def _pseudonyms(shell: Shell, keys: set[str]) -> set[str]:
    table = shell.lake.arrow(PSEUDONYM, columns=["person_key", "pseudonym"])
    return set(_of(table, table["person_key"], keys)["pseudonym"].to_pylist())


def search(shell: Shell, traces: Traces) -> None:
    """Add what core and raw hold of them: the identities that are met there, records, envelopes, words that nobody else has."""
    for name, table in shell.catalog.tables.items():
        if table.zone is Zone.CORE:
            sought = Sought(traces)
            for rows in _groups(shell, name, ["source", "source_person_id", "record_id"]):
                mine = rows.filter(pa.array(about(table, rows, sought)))
                traces.records |= set(_names(mine, "record_id").to_pylist()) - {None}
                traces.met |= set(_names(mine).to_pylist()) & traces.identities
    traces.words |= _words(shell, traces)
    traces.values |= _values(shell, traces)
    for source in shell.catalog.sources.values():
        _envelopes(shell, source, traces)
    traces.draw()


def _words(shell: Shell, traces: Traces) -> set[str]:
    """Values that they alone have, their keys and their pseudonyms."""
    theirs = {name.split("/", 1)[1] for name in traces.identities}
    held = [(name, [(column, "") for column in columns]) for name, columns in VALUES.items()]
    return _alone(shell, traces, held, theirs) | traces.keys | traces.pseudonyms


def _values(shell: Shell, traces: Traces) -> set[str]:
    """What matching knows of them alone, as ``role/value``."""
    return _alone(shell, traces, [(KEPT_PROFILES, [(role, f"{role}/") for role in map(str, OF_IDENTITIES)])], set(), 0)


def _alone(shell: Shell, traces: Traces, held: Sequence[tuple[str, Sequence[tuple[str, str]]]], theirs: set[str],
           fewest: int = FEWEST_SIGNS) -> set[str]:
    """Values of columns (a table, and its columns each with what is written before its values) that nobody else has, and of
    ``theirs`` those."""
    others, sought = set[str](), Sought(traces)

    def every() -> Iterator[tuple[pa.Table, pa.ChunkedArray, str]]:
        for name, columns in held:
            table = shell.catalog.tables[name]
            for rows in _groups(shell, name, ["source", *owning(table), *(column for column, _ in columns)]):
                mine = pa.array(about(table, rows, sought))
                for column, before in columns:
                    yield mine, rows[column].cast(pa.string()), before
    for mine, values, before in every():
        theirs |= {f"{before}{value}" for value in values.filter(mine).unique().to_pylist() if value is not None}
    theirs = {value for value in theirs if len(value) >= fewest}
    for mine, values, before in every():
        wanted = pa.array([value.removeprefix(before) for value in theirs if value.startswith(before)], pa.string())
        also = pc.and_(pc.invert(mine), pc.is_in(values, value_set=wanted))
        others |= {f"{before}{value}" for value in values.filter(also).unique().to_pylist()}
    return theirs - others


def _envelopes(shell: Shell, source: Source, traces: Traces) -> None:
    """Find the envelopes of a source that name them as whom they are about, and those that name nobody and have a word of theirs.
    What stands in another's envelope stays there but for the word."""
    if not shell.lake.exists(source.raw):
        return
    ids, store = traces.of(source.id), arrow_files(shell.lake.path(source.raw))
    words, either = Words(traces.words), Words(traces.words | ids)
    with ThreadPoolExecutor(THREADS) as threads:
        for row, named in chain.from_iterable(threads.map(lambda path: _met(store, path, source, either), files_of(store))):
            place, has_word = f"{row['batch_id']}/{row['position']}", any(words.places(_all(row)))
            if named & ids or (not named and has_word):
                traces.met |= {f"{source.id}/{name}" for name in named & ids}
                traces.places.add(place)
                traces.records |= {f"{source.id}/{row['record_id']}"} if row["record_id"] is not None else set()
            elif has_word:
                traces.mentions.add(place)


def _met(store: SubTreeFileSystem, path: str, source: Source, either: Words) -> list[tuple[dict[str, Any], set[str]]]:
    """The envelopes of a file in which a word or an id stands, each with whom it names."""
    found = []
    for rows in groups(store, path, ["batch_id", "position", "stream", "record_id", "payload"]):
        for chunk in rows.to_batches():
            met_in = either.rows(chunk["payload"]) | either.rows(chunk["record_id"])
            found += [(row, owners(source, row["stream"], parsed(row["payload"])))
                      for row in chunk.filter(pa.array(met_in)).to_pylist()]
    return found


def _all(envelope: dict[str, Any]) -> bytes:
    return bytes(envelope["payload"]) + b" " + (envelope["record_id"] or "").encode()


def _groups(shell: Shell, name: str, columns: list[str] | None) -> Iterator[pa.Table]:
    """The row groups of every file of a table."""
    if not shell.lake.exists(name):
        return
    store = arrow_files(shell.lake.path(name))
    for path in files_of(store):
        yield from groups(store, path, columns)


def _names(rows: pa.Table, column: str = "source_person_id") -> pa.ChunkedArray:
    """``source/source_person_id`` of each row, or another name that a source gives; null where it gives none."""
    return pc.binary_join_element_wise(rows["source"].cast(pa.string()), rows[column].cast(pa.string()), "/")


def _of(rows: pa.Table, values: pa.ChunkedArray, wanted: set[str]) -> pa.Table:
    """The rows whose value is wanted."""
    return rows.filter(pc.is_in(values.cast(pa.string()), value_set=pa.array(wanted, pa.string())))
