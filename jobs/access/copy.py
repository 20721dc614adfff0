"""Rows as they are copied: each as a line that says from where, as FHIR where that fits, and the first for a page."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import msgspec

from jobs.access import resources
from jobs.access.bundle import Bundle
from jobs.access.folder import Folder

MOST_SHOWN = 25
Row = dict[str, Any]


@dataclass
class Copied:
    """What was copied of a table: how many rows from which sources, at which versions, and the first of them, for the page."""

    rows: int = 0
    versions: set[int] = field(default_factory=set)
    sources: Counter[str] = field(default_factory=Counter)
    shown: list[Row] = field(default_factory=list)

    @property
    def left_over(self) -> int:
        """How many rows are not among the first."""
        return self.rows - len(self.shown)


class Copy:
    """A copy under way; of each table no more than the first rows are held in memory."""

    def __init__(self, folder: Folder, bundle: Bundle) -> None:
        self._folder, self._bundle = folder, bundle
        self.tables: dict[str, Copied] = {}
        self.media = 0

    @property
    def rows(self) -> int:
        """How many rows were copied."""
        return sum(copied.rows for copied in self.tables.values())

    def add(self, table: str, version: int | None, row: Row, **where: Any) -> None:
        """Copy a row of a version of a table, None where it has none; where: what else says where it stood, such as a release."""
        self._folder.line(name_of(table), {"table": table, "version": version, **where, "row": row})
        copied = self.tables.setdefault(table, Copied())
        copied.rows += 1
        copied.versions |= set() if version is None else {version}
        copied.sources.update([row["source"]] if row.get("source") else [])
        if len(copied.shown) < MOST_SHOWN:
            copied.shown.append(row)
        if version is not None and (made := resources.resource(table, version, row)) is not None:
            self._bundle.add(made)

    def medium(self, name: str, content: bytes) -> None:
        """Keep a medium under the name that its content gives it."""
        self._folder.write(f"media/{name}", content)
        self.media += 1


class Once:
    """Tells whether a row was there before, by its content."""

    def __init__(self) -> None:
        self._seen: set[bytes] = set()

    def is_new(self, row: Row) -> bool:
        """Whether this row is the first of its content."""
        digest = hashlib.sha256(msgspec.json.encode(sorted(row.items()))).digest()
        if digest in self._seen:
            return False
        self._seen.add(digest)
        return True


def name_of(table: str) -> str:
    """The file of a table's rows."""
    return f"data/{table}.ndjson"
