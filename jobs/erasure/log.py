"""The log of a Delta table, told that other files stand in for some: every version that had one reads the other.

Delta has no way to take a row out of an older version but to take the version away, and releases must stay readable. So the
entries that name a file are written once more, each log file whole. A version is read from a checkpoint and the commits after it,
in any state between the old log and the new one: a file and its stand-in are never both in it, since whatever removes the one
removes the other, and that is written first. Nobody else may be writing.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

import pyarrow as pa
import pyarrow.parquet as pq

from jobs.erasure.files import Rewritten
from jobs.files import Files

COMMIT, CHECKSUM = re.compile(r"\d{20}\.json"), re.compile(r"\d{20}\.crc")
CHECKPOINT = re.compile(r"\d{20}\.checkpoint.*\.parquet")


def stand_in(table: str, made: Mapping[str, Rewritten]) -> None:
    """Let the files of ``made`` stand in for those that are its keys (their ways from the table) in the log of the table at an
    address. What a kill leaves is done again with the same."""
    log = Files(f"{table}/_delta_log")
    names = sorted(log.names())
    commits = [name for name in names if COMMIT.fullmatch(name)]
    for name in commits:
        _edited(log, name, lambda entry: _removed(entry, made))
    for name in commits:
        _edited(log, name, lambda entry: _added(entry, made))
    for name in filter(CHECKPOINT.fullmatch, names):
        _checkpoint(log, name, made)
    for name in filter(CHECKSUM.fullmatch, names):  # Of sizes that are others now; whoever misses one counts them.
        log.remove(name)


def _edited(log: Files, name: str, edit: Any) -> None:
    """Write a commit anew where an edit of its entries (entry -> entries) makes another one of it."""
    lines = (log.read(name) or b"").splitlines()
    made: list[bytes] = []
    for line in lines:
        entry = json.loads(line)
        entries = edit(entry)
        made += [line] if entries == [entry] else [json.dumps(e, separators=(",", ":")).encode() for e in entries]
    if made != lines:
        log.write(name, b"\n".join(dict.fromkeys(made)) + b"\n")  # A killed run may have written some already.


def _removed(entry: dict[str, Any], made: Mapping[str, Rewritten]) -> list[dict[str, Any]]:
    """What removes a file removes its stand-in."""
    found = made.get(unquote(entry["remove"]["path"])) if "remove" in entry else None
    if found is None:
        return [entry]
    other = {k: v for k, v in entry["remove"].items() if k != "stats"} | {"path": _written(found.path), "size": found.size}
    return [entry, {"remove": other}]


def _added(entry: dict[str, Any], made: Mapping[str, Rewritten]) -> list[dict[str, Any]]:
    """The stand-in is added where the file was."""
    found = made.get(unquote(entry["add"]["path"])) if "add" in entry else None
    return [entry] if found is None else [{"add": entry["add"] | _told(found)}]


def _told(found: Rewritten) -> dict[str, Any]:
    return {"path": _written(found.path), "size": found.size, "stats": json.dumps({"numRecords": found.rows})}


def _written(path: str) -> str:
    """A way as the log writes it."""
    return quote(path, safe="/=-_.~")


def _checkpoint(log: Files, name: str, made: Mapping[str, Rewritten]) -> None:
    table = pq.read_table(io.BytesIO(log.read(name) or b""))
    rows, schema = table.to_pylist(), table.schema
    touched = False
    for row in rows:
        add = row.get("add")
        if add is not None and (found := made.get(unquote(add["path"]))):
            told = {**dict.fromkeys((k for k in add if k.endswith("_parsed")), None), **_told(found)}
            row["add"] = add | {k: v for k, v in told.items() if k in add}
            touched = True
    if touched:
        out = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), out)
        log.write(name, out.getvalue())
