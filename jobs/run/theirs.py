"""What the lake holds of one person and of nobody else: by which column each table tells whose a row is, and how it is read.

A row is theirs by an identity of theirs or by a key or pseudonym behind which no identity of anybody else stood when the row was
made; never by an address, a number or a device, which two people may share. Where nobody can tell, it is withheld and counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from contracts.model import Table
from contracts.vocabulary import DataCategory, Zone
from jobs.run import traces
from jobs.run.asking import Person
from jobs.run.identities import names
from jobs.run.linking import CHANGE, HELD, LINK, WHO
from jobs.run.pseudonyms import TABLE as PSEUDONYM
from jobs.run.shell import Shell
from jobs.stages.own_keys import own_key

# Keys of persons never leave the vault, nor does their pseudonym go to one officer alone: `concord reidentify` asks for two.
ABOUT_NOBODY = (DataCategory.TECHNICAL, DataCategory.AGGREGATED)
NEVER_GIVEN = frozenset({"person_key", "other_key", "from_key", "to_key", "person"})
PAIR = ("left_identity", "right_identity")


class Way(StrEnum):
    """How a table tells whose a row is."""

    IDENTITY = "source and source_person_id"
    NAME = "the name of an identity"
    PAIR = "two names of identities, both theirs"
    ENVELOPE = "whom its payload names"
    PLACE = "the envelope that it points to"
    KEY = "the key of a person"
    PSEUDONYM = "a pseudonym"


# Why rows of other tables that may be about persons are not given.
LEFT_OUT = {
    "vault.person": "person keys: drawn numbers by which the platform ties identities; they never leave it",
    "vault.pseudonym": "pseudonyms and the numbers of days by which dates are moved: what protects everybody's rows in products",
    "vault.held": "comparisons with identities that may be another person's (GDPR article 15(4))",
    "vault.decision": "what reviewers said of pairs of accounts, in words that may name others (GDPR article 15(4))",
    "vault.frequency": "how often values occur among all people, for matching",
    "vault.commitment": "drawn keys by which entries of the audit are found to be about somebody: ask for `concord audit about`",
    "safety.record": "payloads that the law keeps of forgotten people; safety.candidate has what was found in them",
}
OF_LEDGERS = "counts, decisions and keyed digests about what the platform did, which name nobody"
OF_DELETED = "ids of records that their source deleted, without a person or a payload"


def way(table: Table) -> Way | None:
    """How a table tells whose a row is; None where none of its rows is given, for the reason that ``left_out`` tells."""
    columns = {column.name for column in table.columns}
    if table.zone is Zone.LEDGER or table.name in LEFT_OUT:
        return None
    if table.zone is Zone.PRODUCT:
        return Way.PSEUDONYM if pseudonym_of(table) else None
    if "payload" in columns:
        return Way.ENVELOPE
    if set(WHO) <= columns:
        return Way.IDENTITY
    if set(PAIR) <= columns:
        return Way.PAIR
    if "identity" in columns:
        return Way.NAME
    if "person" in columns:
        return Way.KEY
    return Way.PLACE if {"batch_id", "position"} <= columns else None


def left_out(table: Table) -> str | None:
    """Why no row of a table is given; None where some are, or it is about nobody."""
    if way(table) is not None or table.zone is Zone.PRODUCT or all(c.category in ABOUT_NOBODY for c in table.columns):
        return None
    return OF_LEDGERS if table.zone is Zone.LEDGER else LEFT_OUT.get(table.name, OF_DELETED)


def pseudonym_of(table: Table) -> str | None:
    """The column of pseudonyms of a product about persons."""
    return next((c.name for c in table.columns if c.treatment == "pseudonym"), None)


@dataclass
class Theirs:
    """Who one person is: names ``source/source_person_id``, the keys that they have and had, how many matches with others wait.

    ``strangers``: other people's identities that a payload may mean by a name of theirs: one id is what the other ends in, as in
    references.
    """

    shell: Shell
    identities: frozenset[str]
    keys: frozenset[str]
    strangers: frozenset[str]
    held: int
    withheld: Counter[tuple[str, str]] = field(default_factory=Counter)

    def __repr__(self) -> str:
        return "Theirs(...)"

    def of(self, source: str) -> frozenset[str]:
        """Their ids at a source."""
        return frozenset(name.removeprefix(f"{source}/") for name in self.identities if name.startswith(f"{source}/"))

    def withhold(self, what: str, reason: str, rows: int = 1) -> None:
        """Count what is not given."""
        self.withheld[what, reason] += rows

    def at(self, version: int | None) -> tuple[frozenset[str], frozenset[str]]:
        """By the links of a version (None: all there ever were): keys that were theirs alone, and those that others had, too.

        The key of an identity that stays apart is that identity's alone, whoever else was taken for its person.
        """
        links = self.shell.lake.arrow(LINK, version, columns=[*WHO, "person_key"])
        holders = pa.table({"name": names(links), "key": links["person_key"].cast(pa.string())})
        if version is None:
            changes = self.shell.lake.arrow(CHANGE)
            holders = pa.concat_tables([holders, *(pa.table({"name": names(changes), "key": changes[c].cast(pa.string())})
                                                   for c in ("from_key", "to_key"))])
        is_mine = pc.is_in(holders["name"], value_set=pa.array(sorted(self.identities), pa.string()))
        mine = set(holders.filter(is_mine)["key"].to_pylist())
        shared = mine & set(holders.filter(pc.invert(is_mine))["key"].to_pylist())
        apart = {own_key(key, *name.split("/", 1)) for key in mine for name in self.identities}
        return frozenset(mine - shared | apart), frozenset(shared)

    def pseudonyms(self, domain: str, keys: frozenset[str]) -> pa.Array:
        """The pseudonyms of keys in a domain, of every epoch that lives."""
        rows = self.shell.lake.arrow(PSEUDONYM, columns=["person_key", "pseudonym"], filters=pc.field("domain") == domain)
        return rows.filter(_among(rows["person_key"], keys))["pseudonym"].combine_chunks().cast(pa.string())


def who(shell: Shell, person: Person) -> Theirs:
    """The identities that are one person with one that was named. One whose match waits for a review is another person."""
    known = traces.known(shell, {person})
    links = shell.lake.arrow(LINK, columns=[*WHO, "person_key"])
    now = set(links.filter(_among(links["person_key"], known.keys))["person_key"].to_pylist())
    waiting = shell.lake.arrow(HELD, columns=["person_key", "other_key"])
    held = pc.or_(_among(waiting["person_key"], now), _among(waiting["other_key"], now))
    ends = {f"{source}/{name.rpartition('/')[2]}" for source, name in (name.split("/", 1) for name in known.identities)}
    every = names(links)
    alike = every.filter(pc.or_(pc.match_substring_regex(every, "/.*/"), _among(every, ends)))
    strangers = frozenset(alike.to_pylist()) - known.identities
    return Theirs(shell, frozenset(known.identities), frozenset(known.keys), strangers, pc.sum(held).as_py() or 0)


def rows(theirs: Theirs, table: Table, version: int) -> Iterator[dict[str, Any]]:
    """Their rows of a version of a table that tells whose they are by identities, names or keys, without keys of persons."""
    found, keys = way(table), theirs.at(None)[0] if way(table) is Way.KEY else frozenset()
    for batch in theirs.shell.lake.batches(table.name, version):
        match found:
            case Way.IDENTITY:
                mine = _among(names(batch), theirs.identities)
            case Way.NAME:
                mine = _among(batch["identity"], theirs.identities)
            case Way.PAIR:
                mine = pc.and_(*(_among(batch[column], theirs.identities) for column in PAIR))
            case _:
                mine = _among(batch["person"], keys)
        kept = [name for name in batch.column_names if name not in NEVER_GIVEN]
        yield from batch.filter(mine).select(kept).to_pylist()


def under(theirs: Theirs, batches: Iterator[pa.Table], column: str, domain: str, links: int | None,
          what: str) -> Iterator[dict[str, Any]]:
    """Their rows among those under pseudonyms of a domain, without the pseudonym; links: the version of the links by which they
    were made. What stands under a key that others had then is withheld and counted."""
    alone, shared = theirs.at(links)
    mine, mixed = theirs.pseudonyms(domain, alone), theirs.pseudonyms(domain, shared)
    for batch in batches:
        if count := pc.sum(pc.is_in(batch[column], value_set=mixed)).as_py():
            theirs.withhold(what, "key_was_shared", count)
        yield from batch.filter(pc.is_in(batch[column], value_set=mine)).drop_columns([column]).to_pylist()


def _among(column: pa.ChunkedArray | pa.Array, values: frozenset[str] | set[str]) -> pa.ChunkedArray:
    return pc.is_in(column.cast(pa.string()), value_set=pa.array(sorted(values), pa.string()))
