"""pins: the versions of tables that releases rest on, and candidates that may become releases."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from contracts.consent_loss import NOTED, table_of
from contracts.load import Catalog
from contracts.model import Product
from contracts.vocabulary import Zone
from jobs.lake import Lake
from jobs.ledger import releases

GRACE_HOURS = 7 * 24  # A run that began before the rows went may still read the files.
SWEPT = (Zone.CORE, Zone.VAULT, Zone.PRODUCT)  # What releases keep versions of, and what is made beside it.


@dataclass(frozen=True)
class Pin:
    """A version of a table, and what keeps it: a release or a candidate."""

    table: str
    version: int
    by: str


def standing(lake: Lake, catalog: Catalog) -> list[Pin]:
    """Everything that is kept, candidates first, then releases in their order.

    A release keeps its product, the report that was made with it, and all that it takes to decide it again.
    """
    found: list[Pin] = []
    for product in catalog.products.values():
        if (version := lake.version(product.table.name)) > 0:
            found += _made(lake, product, version, f"candidate {product.id}")
    for row in releases.every(lake):
        by = f"release {row['release_group']}/{row['number']}"
        found += [Pin(name, version, by) for name, version in json.loads(row["inputs"]).items()]
        if made_by := catalog.products.get(row["product"]):
            found += _made(lake, made_by, row["table_version"], by)
    return [pin for pin in found if pin.version >= 0]


def versions(pins: list[Pin], table: str) -> set[int]:
    """The versions of one table that are kept."""
    return {pin.version for pin in pins if pin.table == table}


def sweep(lake: Lake, catalog: Catalog, grace_hours: int, zones: Collection[Zone] = SWEPT, dry_run: bool = False) -> int:
    """Remove the files of these zones that no kept version needs and nobody has for ``grace_hours``; how many there were."""
    kept = standing(lake, catalog)
    return sum(lake.sweep(name, versions(kept, name), grace_hours, dry_run)
               for name, table in catalog.tables.items() if table.zone in zones and lake.exists(name))


def _made(lake: Lake, product: Product, version: int, by: str) -> Iterator[Pin]:
    """The product's version, and what its commit names."""
    note = lake.note(product.table.name, version)
    yield Pin(product.table.name, version, by)
    yield from (Pin(name, of, by) for name, of in note.get("inputs", {}).items())
    if NOTED in note:
        yield Pin(table_of(product.id), note[NOTED], by)
