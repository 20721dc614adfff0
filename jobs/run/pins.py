"""pins: the versions of tables that releases rest on, and candidates that may become releases."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from contracts import differencing
from contracts.consent_loss import NOTED, table_of
from contracts.load import Catalog
from contracts.model import Product
from contracts.vocabulary import Zone
from jobs import stamps
from jobs.lake import Lake
from jobs.ledger import releases
from jobs.versions import lost

GRACE_HOURS = 7 * 24  # A run that began before the rows went may still read the files.
SWEPT = (Zone.CORE, Zone.VAULT, Zone.PRODUCT)  # What releases keep versions of, and what is made beside it.


@dataclass(frozen=True)
class Pin:
    """A version of a table, and what keeps it: a release or a candidate."""

    table: str
    version: int
    by: str

    def __str__(self) -> str:
        return f"{self.table} version {self.version} ({self.by})"


@dataclass(frozen=True)
class Standing:
    """Every pin, candidates first, then releases in their order: those to be read, those whose version the table's log cannot
    open any more, and those of tables and products that no contract declares."""

    pins: tuple[Pin, ...]
    lost: tuple[Pin, ...]
    undeclared: tuple[Pin, ...]

    def versions(self, table: str) -> set[int]:
        """The versions of one table that are kept."""
        return {pin.version for pin in self.pins if pin.table == table}

    def of(self, table: str) -> list[Pin]:
        """The pins of one table, newest first, each version once."""
        return list({pin.version: pin for pin in self.pins if pin.table == table}.values())[::-1]


def standing(lake: Lake, catalog: Catalog) -> Standing:
    """Everything that is kept. A release keeps its product, the report that was made with it, and what decides it again."""
    found: list[Pin] = []
    notes = {product.id: _notes(lake, product) for product in catalog.products.values()}
    for product in catalog.products.values():
        if (version := lake.version(product.table.name)) > 0:
            found += _made(product, version, f"candidate {product.id}", notes[product.id])
            found += _counted(product, version, f"candidate {product.id}", notes[product.id])
    unknown: list[Pin] = []
    every = releases.every(lake)
    newest = {row["product"]: row for row in every}
    for row in every:
        by = f"release {row['release_group']}/{row['number']}"
        found += [Pin(name, version, by) for name, version in json.loads(row["inputs"]).items()]
        if made_by := catalog.products.get(row["product"]):
            found += _made(made_by, row["table_version"], by, notes[made_by.id])
            if row is newest[made_by.id]:  # It tells of those before, too.
                found += _counted(made_by, row["table_version"], by, notes[made_by.id])
        else:
            unknown.append(Pin(f"product.{row['product']}", row["table_version"], by))
    pins = list(dict.fromkeys(pin for pin in found if pin.version >= 0))
    unknown += [pin for pin in pins if pin.table not in catalog.tables]
    known = [pin for pin in pins if pin.table in catalog.tables]
    gone = {name: _lost(lake, name, {pin.version for pin in known if pin.table == name}) for name in {p.table for p in known}}
    return Standing(tuple(pin for pin in known if pin.version not in gone[pin.table]),
                    tuple(pin for pin in known if pin.version in gone[pin.table]), tuple(dict.fromkeys(unknown)))


def sweep(lake: Lake, catalog: Catalog, kept: Standing, grace_hours: int, zones: Collection[Zone] = SWEPT,
          dry_run: bool = False) -> int:
    """Remove the files of these zones that no kept version needs and nobody has for ``grace_hours``; how many there were."""
    return sum(lake.sweep(name, kept.versions(name), grace_hours, dry_run)
               for name, table in catalog.tables.items() if table.zone in zones and lake.exists(name))


def _lost(lake: Lake, table: str, wanted: set[int]) -> set[int]:
    return lost(lake.path(table), wanted) if lake.exists(table) else wanted


def _notes(lake: Lake, product: Product) -> dict[int, dict[str, Any]]:
    """What was written beside each commit of a product."""
    return {entry["version"]: stamps.told(entry) for entry in lake.history(product.table.name) if "version" in entry}


def _made(product: Product, version: int, by: str, notes: dict[int, dict[str, Any]]) -> Iterator[Pin]:
    """The product's version, and what its commit names."""
    note = notes.get(version, {})
    yield Pin(product.table.name, version, by)
    yield from (Pin(name, of, by) for name, of in note.get("inputs", {}).items())
    if NOTED in note:
        yield Pin(table_of(product.id), note[NOTED], by)


def _counted(product: Product, version: int, by: str, notes: dict[int, dict[str, Any]]) -> Iterator[Pin]:
    """Whom the cells of a product's version count."""
    if differencing.NOTED in notes.get(version, {}):
        yield Pin(differencing.table_of(product.id), notes[version][differencing.NOTED], by)
