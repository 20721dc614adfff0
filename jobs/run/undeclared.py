"""undeclared: what of a lake no contract of today names, so that none says how long it stays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pyarrow import fs

from contracts.load import Catalog
from contracts.model import HONOURING
from contracts.vocabulary import Zone
from jobs.run import pins
from jobs.storage import arrow_store

if TYPE_CHECKING:
    from jobs.lake import Lake


def find(lake: Lake, catalog: Catalog, standing: pins.Standing) -> list[str]:
    """Tables, sources of rows of core, and pins that no contract declares. What tells who said no stays, whoever brought it."""
    sources = (f"rows of source {source} in {table}" for table, source in _sources(lake, catalog)
               if source not in catalog.sources)
    return [*(f"table {name}" for name in _tables(lake) if name not in catalog.tables), *sources, *map(str, standing.undeclared)]


def _tables(lake: Lake) -> Iterator[str]:
    """Every table that lies below the lake's root."""
    for zone in Zone:
        store, path = arrow_store(f"{lake.root}/{zone}")
        for found in sorted(store.get_file_info(fs.FileSelector(path, allow_not_found=True)), key=lambda info: info.path):
            if store.get_file_info(f"{found.path}/_delta_log").type == fs.FileType.Directory:
                yield f"{zone}.{found.base_name}"


def _sources(lake: Lake, catalog: Catalog) -> Iterator[tuple[str, str]]:
    for name, table in catalog.tables.items():
        if table.zone is Zone.CORE and name not in HONOURING and lake.exists(name):
            for row in sorted(lake.read(name).select("source").distinct().collect()):
                yield name, row["source"]
