"""Keys of the standard that promise something nobody here would keep: they are refused, with what to use instead."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Steps = tuple[str | int, ...]

GATED = ("rows are checked where they are written; write it in the contract of a core table, a product or a recipient")
PROMISED = {"slaProperties": "write it in the contract of a source, a product or a recipient"}
CONTRACT = {
    "slaDefaultElement": "name the column as element of an entry of slaProperties; take it out",
    "roles": "who may read is set in Airflow and where the lake lies; take it out",
}
UNGATED = {"quality": GATED, "relationships": GATED}
LOOKED_UP = {"relationships": "only rows of core tables are looked up in others; take it out, and say it in the description"}
COLUMN = {
    "unique": "only a key is unique; write primaryKey: true and primaryKeyPosition",
    "enum": "write customProperties {property: allowedValues, value: [...]}",
    "classification": "write customProperties {property: dataCategory, value: ...}",
    "encryptedName": "write customProperties {property: treatment, value: pseudonym}, or leave the column out",
    "partitioned": "tables have no partitions; take it out",
    "partitionKeyPosition": "tables have no partitions; take it out",
    "properties": "columns are flat; write a column each",
    "items": "columns are flat; write a column each, or another table",
    "map": "columns are flat; write a column each, or another table",
}
COMPUTED = {"transformLogic": "only a source contract has expressions; a product's columns are made in jobs/products"}
MAPPED = "a mapping has name, transformLogic and required; the core table declares the rest, take it out"
MAPPING = {**COLUMN, **UNGATED, **dict.fromkeys(
    ("logicalTypeOptions", "customProperties", "logicalType", "physicalType", "primaryKey", "primaryKeyPosition"), MAPPED)}


def unkept(data: dict[str, Any], kind: str) -> Iterator[tuple[Steps, str]]:
    """Each promise of a contract of a kind (sources, core ...) that nobody keeps: its path in the YAML, and a sentence."""
    yield from _of(data, CONTRACT | (PROMISED if kind in ("core", "platform") else {}), (), "the contract")
    tables = {"core": {}, "products": LOOKED_UP, "recipients": LOOKED_UP}.get(kind, UNGATED)
    columns = MAPPING if kind == "sources" else {**COLUMN, **COMPUTED, **tables}
    for i, schema in enumerate(data.get("schema") or []):
        yield from _of(schema, tables, ("schema", i), schema.get("name"))
        for j, column in enumerate(schema.get("properties") or []):
            place, name = ("schema", i, "properties", j), column.get("name")
            yield from _of(column, columns, place, name)
            if "primaryKeyPosition" in column and not column.get("primaryKey"):
                yield (*place, "primaryKeyPosition"), (f"primaryKeyPosition of {name} does nothing without primaryKey; "
                                                       "write primaryKey: true beside it, or take it out")


def _of(element: dict[str, Any], promises: dict[str, str], place: Steps, name: object) -> Iterator[tuple[Steps, str]]:
    for key, instead in promises.items():
        if element.get(key):
            yield (*place, key), f"{key} of {name} is checked by nobody: {instead}"
