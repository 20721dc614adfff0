"""Fault points: every write of a process has a name, and the process can be killed before it, in its middle, or after it.

The middle of a commit is what a kill just before it leaves: data files without their log entry, which the writer had staged
as ``N.json#1`` (both delta-rs and Sail link it into place). So the write is done and its entry moved back before the kill.
"""

from __future__ import annotations

import functools
import os
import signal
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.table import TableOptimizer

from jobs import delivery
from jobs.files import Files
from jobs.lake import Lake
from jobs.ledger import lineage
from jobs.workspace import Workspace

MOMENTS = ("before", "between", "after")
COMMITS = ("append_arrow", "merge_arrow", "replace_arrow", "merge", "replace", "restore")
Write = Callable[[], Any]


@dataclass(frozen=True)
class Kill:
    """Where a process dies: the name of a write, and before it, between its parts, or after it."""

    point: str
    moment: str

    def __str__(self) -> str:
        return f"{self.moment} {self.point}"


class Points:
    """The writes of this process, named in a file as they come; a second of the same name is called ``NAME (2)``."""

    def __init__(self, file: Path, kill: Kill | None) -> None:
        self._file, self._kill, self._seen = file, kill, Counter[str]()

    def watch(self) -> None:
        """Make a fault point of every write."""
        for method in COMMITS:
            self._wrap(Lake, method, lambda _, name, *args, verb=method, **more: f"{verb} {name}", _uncommitted)
        self._wrap(DeltaTable, "create", lambda path, *_, **more: f"create {_table(path)}", _begun)
        self._wrap(DeltaTable, "vacuum", lambda table, *_, **more: f"vacuum {_table(table.table_uri)}", _half_vacuumed)
        self._wrap(TableOptimizer, "compact", lambda care, **more: f"compact {_table(care.table.table_uri)}", _uncompacted)
        self._wrap(Files, "remove", lambda files, name: f"remove {_table(files.folder)}", lambda *_: None)
        self._wrap(Workspace, "keep", lambda _, name, *args: f"keep {name}", _torn)
        self._wrap(Files, "write", lambda _, name, *args: f"file {name}", _half_written)
        self._wrap(pq.ParquetWriter, "write_table", _spooled, _half_spooled)
        self._wrap(lineage, "_append", lambda *_: "lineage event", _half_told)
        made = delivery.client

        def client(*args: Any) -> Any:
            store = made(*args)
            # A store shows an object once it has all of it: cut off in between, nothing is there.
            self._wrap(store, "put_object", lambda *_, Key, **more: f"put {Path(Key).name}", lambda *_, **more: None)
            return store

        delivery.client = client  # type: ignore[assignment]

    def _wrap(self, owner: Any, method: str, named: Callable[..., str | None], halve: Callable[..., None]) -> None:
        """Make a point of what ``named`` gives a name."""
        write = getattr(owner, method)

        def wrapped(*args: Any, **more: Any) -> Any:
            name = named(*args, **more)
            moment = self._reach(name) if name else None
            if moment == "before":
                die()
            if moment == "between":
                halve(functools.partial(write, *args, **more), *args, **more)
                die()
            result = write(*args, **more)
            if moment == "after":
                die()
            return result

        is_bound = isinstance(owner, type) and hasattr(write, "__self__")  # A class method, which has its class already.
        setattr(owner, method, staticmethod(wrapped) if is_bound else wrapped)

    def _reach(self, label: str) -> str | None:
        self._seen[label] += 1
        name = label if self._seen[label] == 1 else f"{label} ({self._seen[label]})"
        with self._file.open("a", encoding="utf-8") as file:
            file.write(f"{name}\n")
        return self._kill.moment if self._kill is not None and self._kill.point == name else None


def die() -> NoReturn:
    """End this process as `kill -9` does: nothing of it runs any more."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


def _table(path: str) -> str:
    return ".".join(Path(path).parts[-2:])


def _spooled(writer: pq.ParquetWriter, *_: Any, **more: Any) -> str | None:
    return f"spool {writer.where.name.split('.')[0]}" if isinstance(writer.where, Path) else None


def _uncommitted(write: Write, lake: Lake, name: str, *_: Any, **more: Any) -> None:
    _staged(write, Path(lake.path(name), "_delta_log"))


def _uncompacted(write: Write, care: TableOptimizer, **more: Any) -> None:
    _staged(write, Path(care.table.table_uri.removeprefix("file://"), "_delta_log"))


def _staged(write: Write, log: Path) -> None:
    """Do a write and take its last log entry back to where it was staged."""
    before = set(log.glob("*"))
    write()
    came = set(log.glob("*")) - before
    entries = sorted(file for file in came if file.suffix == ".json")
    for file in came - set(entries):
        file.unlink()  # What follows an entry: its checksum, a checkpoint.
    if entries:
        entries[-1].rename(f"{entries[-1]}#1")


def _begun(write: Write, path: str, *_: Any, **more: Any) -> None:
    """Create a table but for the first entry of its log."""
    write()
    entry = Path(path, "_delta_log", f"{0:020d}.json")
    entry.rename(f"{entry}#1")


def _half_vacuumed(write: Write, table: DeltaTable, **more: Any) -> None:
    """Remove the first half of the files."""
    names = sorted(table.vacuum(**{**more, "dry_run": True}))
    for name in names[:(len(names) + 1) // 2]:
        Path(table.table_uri.removeprefix("file://"), name).unlink()


def _torn(write: Write, work: Workspace, name: str, *_: Any) -> None:
    """Keep a frame and cut its first file in half."""
    write()
    files = sorted(Path(work._folder, name).rglob("*.parquet"))
    for file in files[:1]:
        os.truncate(file, file.stat().st_size // 2)


def _half_written(write: Write, files: Files, name: str, content: bytes) -> None:
    """Write half a file, under the name that it has until it is whole."""
    Path(files.folder).mkdir(parents=True, exist_ok=True)
    Path(files.folder, f"{name}.part").write_bytes(content[:len(content) // 2])


def _half_spooled(write: Write, writer: pq.ParquetWriter, rows: Any, *_: Any, **more: Any) -> None:
    """Write half the rows, and no footer."""
    writer.write_table(rows.slice(0, rows.num_rows // 2))


def _half_told(write: Write, path: Path, line: bytes) -> None:
    """Write half a line."""
    with path.open("ab") as file:
        file.write(line[:len(line) // 2])
