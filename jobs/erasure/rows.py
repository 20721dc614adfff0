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
KINDS = ("identities", "keys", "pseudonyms", "records", "places", "mentions", "values")
PAYLOAD = "payload"  # An envelope, by its ``batch_id`` and ``position``.
OF_VALUES = ("vault.frequency",)  # How often values of matching occur: those that nobody else has are theirs.


def owning(table: Table) -> tuple[str, ...]:
    """The columns that say whom a row of a table is about; none of a table that is about nobody."""
    names = {c.name for c in table.columns}
    known = {*NAMES, *KEYS, *IN_PLACE, "source_person_id", "record_id", "pseudonym", *_pseudonyms(table)}
    if {"batch_id", "position"} <= names:
        known |= {"batch_id", "position"}
    return tuple(c.name for c in table.columns if c.name in known or table.name in OF_VALUES)


class Sought:
    """What a pass looks for in rows, as arrays that columns are held against; made of traces as they are then."""

    def __init__(self, traces: Traces) -> None:
        kinds = {name: getattr(traces, name) for name in KINDS}
        kinds |= {"released": traces.pseudonyms | traces.shared, "in_place": traces.keys | traces.identities}
        self._kinds = {name: pa.array(values, pa.string()) for name, values in kinds.items()}
        self.tokens = traces.tokens

    def among(self, kind: str, values: Any) -> Mask:
        """Which values are among those of a kind; null is not."""
        wanted = self._kinds[kind]
        if not len(wanted) or not len(values):
            return np.zeros(len(values), dtype=bool)
        return np.asarray(pc.is_in(values.cast(pa.string()), value_set=wanted).to_numpy(), dtype=bool)


def about(table: Table, rows: pa.Table, sought: Sought) -> Mask:
    """Which rows of a table are about people who are to be forgotten."""
    names, found = set(rows.column_names), [np.zeros(len(rows), dtype=bool)]
    source = _source(table, rows)
    if source is not None and "source_person_id" in names:
        found.append(sought.among("identities", _joined(source, rows["source_person_id"])))
    if source is not None and "record_id" in names:
        found.append(sought.among("records", _joined(source, rows["record_id"])))
    if table.zone is Zone.RAW and {"batch_id", "position"} <= names:
        found.append(sought.among("places", _joined(rows["batch_id"], rows["position"])))
    if table.name in OF_VALUES:
        found.append(sought.among("values", _joined(rows["role"], rows["value"])))
    for columns, kind in ((NAMES, "identities"), (KEYS, "keys"), (("pseudonym",), "pseudonyms"),
                          (_pseudonyms(table), "released")):
        found += [sought.among(kind, rows[column]) for column in columns if column in names]
    return reduce(np.logical_or, found)


def without(table: Table, rows: pa.Table, sought: Sought, words: Words) -> tuple[pa.Table, int]:
    """The rows of a table that are about others, words of people who are to be forgotten replaced in them; in how many rows."""
    stay = rows.filter(pa.array(~about(table, rows, sought)))
    altered = np.zeros(len(stay), dtype=bool)
    if PAYLOAD in stay.column_names and not sought.among("mentions", _joined(stay["batch_id"], stay["position"])).any():
        return stay, 0  # Every payload was looked through when people were looked for.
    for number, column in enumerate(stay.schema):
        if column.name in IN_PLACE:
            hits = sought.among("in_place", stay[column.name])
        elif is_text(column.type):
            hits = _hits(stay[column.name], words)
        else:
            continue
        if hits.any():
            stay = stay.set_column(number, column, _replaced(stay[column.name], hits, sought.tokens, words))
            altered |= hits
    return stay, int(altered.sum())


def _hits(column: pa.ChunkedArray, words: Words) -> Mask:
    return np.concatenate([np.zeros(0, dtype=bool), *(words.rows(chunk) for chunk in column.chunks)])


def _replaced(column: pa.ChunkedArray, hits: Mask, tokens: dict[str, str], words: Words) -> pa.Array:
    """A column with tokens in place of what it holds of them."""
    values: list[Any] = column.to_pylist()
    for row in np.flatnonzero(hits):
        value = values[row]
        content = value if isinstance(value, bytes) else value.encode()
        whole = tokens.get(content.decode(errors="replace"))
        made = whole.encode() if whole else words.replaced(content, tokens)
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
