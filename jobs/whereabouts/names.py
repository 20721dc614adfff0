"""Whom the rows of a file are about, by what its table calls them: an identity, a key, a pseudonym, or two that belong together.

A name is (identity, person_key, pseudonym) in one text, empty where the table does not say.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow.fs import SubTreeFileSystem

from contracts.model import Table
from contracts.vocabulary import Treatment, Zone
from jobs.connectors.owners import WHO
from jobs.erasure.files import groups
from jobs.erasure.rows import KEYS, NAMES
from jobs.whereabouts.raw import ENVELOPE, Raw

MARK = "\x1f"  # Between the parts of a name: no id has it, since no text does.
KEY = re.compile("[0-9a-f]{32}")
# Where two columns of one row belong together: who had which key, and which pseudonyms.
PAIRS = {"vault.link": ((WHO, "person_key"),), "vault.change": ((WHO, "from_key"), (WHO, "to_key")),
         "vault.pseudonym": (("person_key", "pseudonym"),)}


def name(identity: str = "", person_key: str = "", pseudonym: str = "") -> str:
    """A name of its parts."""
    return MARK.join((identity, person_key, pseudonym))


def columns(table: Table) -> list[str]:
    """The columns that are read of a table to tell whom its rows are about; none where that cannot be told."""
    there = {c.name for c in table.columns}
    wanted = {*NAMES, *KEYS, "person", "from_key", "to_key", WHO, "pseudonym", *_pseudonyms(table)} & there
    if table.zone is Zone.RAW and WHO not in there:
        return [c for c in ENVELOPE if c in there]
    return sorted(wanted | ({"source"} & there if wanted else set()))


def of_file(table: Table, store: SubTreeFileSystem, path: str, raw: Raw | None) -> set[str]:
    """The names in a file of a table. raw: what its source sent, where it is of that zone. Raises NotErased where the file cannot
    be read."""
    found: set[str] = set()
    for rows in groups(store, path, columns(table)):
        if raw is not None and WHO not in rows.column_names:
            found |= {name(identity=f"{raw.source.id}/{one}") for one in raw.named(rows)}
        else:
            found |= {one for part in _parts(table, rows) for one in pc.unique(part).to_pylist()}
    return found - {None, name()}


def _parts(table: Table, rows: pa.Table) -> Iterator[pa.ChunkedArray]:
    """Names, by the columns that give them."""
    there = set(rows.column_names)
    pairs = PAIRS.get(table.name, ())
    for columns in pairs:
        yield _joined(table, rows, columns)
    for column in there - {"source"} - {c for pair in pairs for c in pair}:
        yield _joined(table, rows, (column,))


def _joined(table: Table, rows: pa.Table, columns: Collection[str]) -> Any:
    """One name a row of one or two columns."""
    nothing = pa.scalar("")
    parts: list[Any] = [nothing, nothing, nothing]
    for column in columns:
        values = rows[column].cast(pa.string())
        if column == WHO:
            source = rows["source"].cast(pa.string()) if "source" in rows.column_names else _source(table)
            parts[0] = pc.binary_join_element_wise(source, values, "/")
        elif column in NAMES:
            parts[0] = values
        elif column == "person":  # Of cells: who has no key of their own stands by their identity.
            is_key = pc.match_substring_regex(values, f"^{KEY.pattern}$")
            parts[0], parts[1] = pc.if_else(is_key, "", values), pc.if_else(is_key, values, "")
        elif column in (*KEYS, "from_key", "to_key"):
            parts[1] = values
        else:
            parts[2] = values
    return pc.binary_join_element_wise(*(pc.fill_null(part, "") for part in parts), MARK)


def _source(table: Table) -> pa.Scalar:
    return pa.scalar(table.name.split(".")[1].partition("__")[0])


def _pseudonyms(table: Table) -> tuple[str, ...]:
    return tuple(c.name for c in table.columns if c.treatment is Treatment.PSEUDONYM)
