"""Which rows of a table are about somebody, by the columns that say whom: those go. Where only a word is theirs, it goes."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from contracts.model import Table
from contracts.vocabulary import Treatment, Zone
from jobs.erasure.traces import Traces
from jobs.erasure.words import Mask, Words, is_text

# Columns that say whom a row is about, by what they hold; a row with another's beside a key of theirs (``IN_PLACE``) stays.
NAMES, KEYS = ("identity", "left_identity", "right_identity"), ("person_key", "other_key")
IN_PLACE = ("person", "from_key", "to_key")
OF_VALUES = ("vault.frequency",)  # How often values of matching occur: those that nobody else has are theirs.


def owning(table: Table) -> tuple[str, ...]:
    """The columns that say whom a row of a table is about; none of a table that is about nobody."""
    names = {c.name for c in table.columns}
    known = {*NAMES, *KEYS, *IN_PLACE, "source_person_id", "record_id", "pseudonym", *_pseudonyms(table)}
    if {"batch_id", "position"} <= names:
        known |= {"batch_id", "position"}
    return tuple(c.name for c in table.columns if c.name in known or table.name in OF_VALUES)


def about(table: Table, rows: pa.Table, traces: Traces) -> Mask:
    """Which rows of a table are about people who are to be forgotten."""
    names, found = set(rows.column_names), [np.zeros(len(rows), dtype=bool)]
    source = _source(table, rows)
    if source is not None and "source_person_id" in names:
        found.append(_among(_joined(source, rows["source_person_id"]), traces.identities))
    if source is not None and "record_id" in names:
        found.append(_among(_joined(source, rows["record_id"]), traces.records))
    if table.zone is Zone.RAW and {"batch_id", "position"} <= names:
        found.append(_among(_joined(rows["batch_id"], rows["position"]), traces.places))
    if table.name in OF_VALUES:
        found.append(_among(_joined(rows["role"], rows["value"]), traces.values))
    released = traces.pseudonyms | traces.shared
    for columns, wanted in ((NAMES, traces.identities), (KEYS, traces.keys), (("pseudonym",), traces.pseudonyms),
                            (_pseudonyms(table), released)):
        found += [_among(rows[column], wanted) for column in columns if column in names]
    return reduce(np.logical_or, found)


def without(table: Table, rows: pa.Table, traces: Traces, words: Words) -> tuple[pa.Table, int]:
    """The rows of a table that are about others, words of people who are to be forgotten replaced in them; in how many rows."""
    stay = rows.filter(pa.array(~about(table, rows, traces)))
    altered = np.zeros(len(stay), dtype=bool)
    for number, column in enumerate(stay.schema):
        if column.name in IN_PLACE:
            hits = _among(stay[column.name], traces.keys | traces.identities)
        elif is_text(column.type):
            hits = _hits(stay[column.name], words)
        else:
            continue
        if hits.any():
            stay = stay.set_column(number, column, _replaced(stay[column.name], hits, traces, words))
            altered |= hits
    return stay, int(altered.sum())


def _hits(column: pa.ChunkedArray, words: Words) -> Mask:
    return np.concatenate([np.zeros(0, dtype=bool), *(words.rows(chunk) for chunk in column.chunks)])


def _replaced(column: pa.ChunkedArray, hits: Mask, traces: Traces, words: Words) -> pa.Array:
    """A column with tokens in place of what it holds of them."""
    values: list[Any] = column.to_pylist()
    for row in np.flatnonzero(hits):
        value = values[row]
        content = value if isinstance(value, bytes) else value.encode()
        whole = traces.tokens.get(content.decode(errors="replace"))
        made = whole.encode() if whole else words.replaced(content, traces.tokens)
        values[row] = made if isinstance(value, bytes) else made.decode()
    return pa.array(values, column.type)


def _source(table: Table, rows: pa.Table) -> Any:
    """The source of each row; of pointers into raw by the table's name."""
    if "source" in rows.column_names:
        return rows["source"]
    return pa.scalar(table.name.split(".")[1].partition("__")[0]) if table.zone is Zone.RAW else None


def _pseudonyms(table: Table) -> tuple[str, ...]:
    return tuple(c.name for c in table.columns if c.treatment is Treatment.PSEUDONYM)


def _joined(first: Any, second: Any) -> Any:
    return pc.binary_join_element_wise(*(part.cast(pa.string()) for part in (first, second)), "/")


def _among(values: Any, wanted: set[str]) -> Mask:
    """Which values are wanted; null is not."""
    if not wanted or not len(values):
        return np.zeros(len(values), dtype=bool)
    return pc.is_in(values.cast(pa.string()), value_set=pa.array(sorted(wanted), pa.string())).to_numpy()
