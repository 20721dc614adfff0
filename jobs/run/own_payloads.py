"""The payloads of one person: those that name them, and nobody else, as whom they are about."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from contracts.model import Source
from jobs.connectors.owners import owners
from jobs.connectors.records import parsed
from jobs.erasure.words import Words
from jobs.run.theirs import Theirs
from jobs.run.traces import FEWEST_SIGNS

Row = dict[str, Any]


def payloads(theirs: Theirs, source: Source, version: int) -> Iterator[tuple[Row, Any]]:
    """Their envelopes of a version of a raw table, payload as text (else base64), each with what it holds.

    What names somebody else, too, is withheld and counted, and so is what names nobody and has an id of theirs in it.
    """
    ids = theirs.of(source.id)
    words = Words({form for name in ids for form in _forms(name)})
    for batch in theirs.shell.lake.batches(source.raw, version):
        met = words.rows(_one(batch["payload"])) | words.rows(_one(batch["record_id"])) if ids else None
        for row in batch.filter(pa.array(met)).to_pylist() if met is not None else ():
            content = parsed(row["payload"])
            named = owners(source, row["stream"], content)
            if reason := _withheld(theirs, source, row, ids, named):
                theirs.withhold(source.raw, reason)
            elif named & ids:
                yield {**row, **_readable(row["payload"])}, content


def _withheld(theirs: Theirs, source: Source, row: Row, ids: frozenset[str], named: set[str]) -> str | None:
    """Why an envelope in which an id of theirs stands is not given, where it is not simply about somebody else."""
    if not named:
        where = Words({name for name in ids if len(name) >= FEWEST_SIGNS})  # A shorter one stands in what is about nobody.
        return "names_nobody" if any(where.places(row["payload"] + b" " + (row["record_id"] or "").encode())) else None
    ends = {name.rpartition("/")[2] for name in named & ids}
    known = {name for name in named if f"{source.id}/{name}" in theirs.strangers}
    is_theirs = all(name in ids or (name not in known and (name.rpartition("/")[2] in ids or name in ends)) for name in named)
    return "names_others" if named & ids and not is_theirs else None


def _forms(name: str) -> set[str]:
    """An id as JSON may write it."""
    written = {name, json.dumps(name)[1:-1], json.dumps(name, ensure_ascii=False)[1:-1]}
    return written | {form.replace("/", "\\/") for form in written}


def _readable(payload: bytes) -> Row:
    try:
        return {"payload": payload.decode()}
    except UnicodeDecodeError:
        return {"payload": None, "payload_base64": base64.b64encode(payload).decode()}


def _one(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
