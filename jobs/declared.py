"""What contracts declare of tables, kept in the home as it was read last: reading contracts takes longer than some answers may.

It holds as long as no file of the contracts changed; then they are read, and it is written again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import contracts
from contracts.vocabulary import DataCategory
from jobs.settings import Settings

if TYPE_CHECKING:
    from contracts.model import Table

KEPT = "declared.json"


@dataclass(frozen=True)
class Column:
    """What a lake asks of a column."""

    name: str
    type: str
    required: bool
    key: int | None
    category: DataCategory


@dataclass(frozen=True)
class Declared:
    """What a lake asks of a table, as ``contracts.model.Table`` says it."""

    name: str
    description: str
    columns: tuple[Column, ...]

    @property
    def key(self) -> tuple[str, ...]:
        """Names of the key's columns, in order."""
        return tuple(c.name for c in sorted((c for c in self.columns if c.key is not None), key=lambda c: c.key or 0))


def tables(settings: Settings) -> dict[str, Table]:
    """The declaration of each table, for a lake. Raises ContractError where contracts that changed are broken."""
    path, now = settings.home / KEPT, _fingerprint()
    try:
        kept = json.loads(path.read_bytes())
    except (OSError, ValueError):
        kept = {}
    if kept.get("files") != now:
        kept = {"files": now, "tables": [asdict(_declared(table)) for table in contracts.catalog().tables.values()]}
        settings.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.part")
        part.write_text(json.dumps(kept), "utf-8")
        part.replace(path)
    made = (_read(table) for table in kept["tables"])
    return cast("dict[str, Table]", {table.name: table for table in made})


def _declared(table: Table) -> Declared:
    return Declared(table.name, table.description, tuple(
        Column(c.name, c.type, c.required, c.key, c.category) for c in table.columns))


def _read(said: dict[str, Any]) -> Declared:
    return Declared(said["name"], said["description"], tuple(
        Column(**{**column, "category": DataCategory(column["category"])}) for column in said["columns"]))


def _fingerprint() -> list[list[Any]]:
    """Name, size and time of every file that contracts are made from, and of those that read them."""
    own = [Path(p) for p in os.environ.get("CONCORD_CONTRACTS", "").split(os.pathsep) if p]
    return sorted([str(path), found.st_size, found.st_mtime_ns] for folder in (Path(contracts.__file__).parent, *own)
                  for path in _files(folder) for found in (path.stat(),))


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.suffix in (".yaml", ".py", ".csv"))
