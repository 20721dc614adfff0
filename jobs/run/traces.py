"""Who is to be forgotten: what the vault, core and raw know of them, so that all of it can be found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from contracts.matching import OF_IDENTITIES
from contracts.model import Source
from contracts.vocabulary import Zone
from jobs.connectors.owners import owners
from jobs.connectors.records import parsed
from jobs.erasure.files import files_of, groups
from jobs.erasure.rows import about
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


def known(shell: Shell, people: Iterable[Person], versions: Iterable[int]) -> Traces:
    """The identities that are one person with those given, the keys that they have and had, and their pseudonyms. One whose match
    with another person waits for a review is another person.

    versions: those of vault.link that releases rest on.
    """
    links, traces = shell.lake.arrow(LINK).to_pylist(), Traces({f"{p.source}/{p.source_person_id}" for p in people})
    keys = {row["person_key"] for row in links if _name(row) in traces.identities}
    traces.met = {_name(row) for row in links if row["person_key"] in keys}
    traces.identities |= traces.met
    others = {row["person_key"] for row in links} - keys
    had = {key for row in shell.lake.arrow(CHANGE).to_pylist() if _name(row) in traces.identities
           for key in (row["from_key"], row["to_key"])}
    for version in versions:
        had |= {row["person_key"] for row in shell.lake.arrow(LINK, version).to_pylist() if _name(row) in traces.identities}
    traces.keys = _with_own(keys | had - others, traces)
    traces.pseudonyms = _pseudonyms(shell, traces.keys)
    traces.shared = _pseudonyms(shell, _with_own(had & others, traces)) - traces.pseudonyms
    return traces


def _with_own(keys: set[str], traces: Traces) -> set[str]:
    """Keys, and those of identities that stay apart by their sources' contracts."""
    return keys | {own_key(key, *name.split("/", 1)) for key in keys for name in traces.identities}


def _pseudonyms(shell: Shell, keys: set[str]) -> set[str]:
    table = shell.lake.arrow(PSEUDONYM, columns=["person_key", "pseudonym"])
    is_theirs = pc.is_in(table["person_key"], value_set=pa.array(sorted(keys), pa.string()))
    return set(table.filter(is_theirs)["pseudonym"].to_pylist())


def search(shell: Shell, traces: Traces) -> None:
    """Add what core and raw hold of them: the identities that are met there, records, envelopes, words that nobody else has."""
    for name, table in shell.catalog.tables.items():
        if table.zone is Zone.CORE:
            for rows in _groups(shell, name, ["source", "source_person_id", "record_id"]):
                mine = rows.filter(pa.array(about(table, rows, traces)))
                traces.records |= set(_joined(mine, "record_id"))
                traces.met |= set(_joined(mine, "source_person_id")) & traces.identities
    traces.words |= _words(shell, traces)
    traces.values |= _values(shell, traces)
    for source in shell.catalog.sources.values():
        _envelopes(shell, source, traces)
    traces.draw()


def _words(shell: Shell, traces: Traces) -> set[str]:
    """Values that they alone have, their keys and their pseudonyms."""
    theirs, others = set[str](), set[str]()
    for name, columns in VALUES.items():
        table = shell.catalog.tables[name]
        for rows in _groups(shell, name, None):
            mine = pa.array(about(table, rows, traces))
            for column in columns:
                theirs |= set(rows.filter(mine)[column].to_pylist()) - {None}
                others |= set(rows.filter(pc.invert(mine))[column].to_pylist())
    ids = {name.split("/", 1)[1] for name in traces.identities}
    return {word for word in (theirs | ids) - others if len(word) >= FEWEST_SIGNS} | traces.keys | traces.pseudonyms


def _values(shell: Shell, traces: Traces) -> set[str]:
    """What matching knows of them alone, as ``role/value``."""
    theirs, others, table = set[str](), set[str](), shell.catalog.tables[KEPT_PROFILES]
    for rows in _groups(shell, KEPT_PROFILES, None):
        mine = pa.array(about(table, rows, traces))
        for role in map(str, OF_IDENTITIES):
            theirs |= {f"{role}/{value}" for value in rows.filter(mine)[role].to_pylist()}
            others |= {f"{role}/{value}" for value in rows.filter(pc.invert(mine))[role].unique().to_pylist()}
    return theirs - others


def _envelopes(shell: Shell, source: Source, traces: Traces) -> None:
    """Find the envelopes of a source that name them as whom they are about, and those that name nobody and have a word of theirs.
    What stands in another's envelope stays there but for the word."""
    ids = traces.of(source.id)
    words, either = Words(traces.words), Words(traces.words | ids)
    for rows in _groups(shell, source.raw, ["batch_id", "position", "stream", "record_id", "payload"]):
        for chunk in rows.to_batches():
            met_in = either.rows(chunk["payload"]) | either.rows(chunk["record_id"])
            for row in chunk.filter(pa.array(met_in)).to_pylist():
                named = owners(source, row["stream"], parsed(row["payload"]))
                own = row["payload"] + b" " + (row["record_id"] or "").encode()
                if named & ids or (not named and any(words.places(own))):
                    traces.met |= {f"{source.id}/{name}" for name in named & ids}
                    traces.places.add(f"{row['batch_id']}/{row['position']}")
                    if row["record_id"] is not None:
                        traces.records.add(f"{source.id}/{row['record_id']}")


def _groups(shell: Shell, name: str, columns: list[str] | None) -> Iterator[pa.Table]:
    """The row groups of every file of a table."""
    if not shell.lake.exists(name):
        return
    store = arrow_files(shell.lake.path(name))
    for path in files_of(store):
        yield from groups(store, path, columns)


def _name(row: dict[str, str]) -> str:
    return f"{row['source']}/{row['source_person_id']}"


def _joined(rows: pa.Table, column: str) -> list[str]:
    names = pc.binary_join_element_wise(rows["source"].cast(pa.string()), rows[column].cast(pa.string()), "/")
    return [name for name in names.to_pylist() if name is not None]
