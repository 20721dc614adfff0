"""From the standard's ``relationships`` to references to other tables, or a clear refusal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from open_data_contract_standard.model import SchemaObject

from contracts.places import near
from contracts.quality import Reference, RuleError, Severity
from contracts.table import Column, Table


def references(schema: SchemaObject, table: str, columns: Iterable[Column]) -> tuple[Reference, ...]:
    """The relationships of a table and its columns, to tables of the same zone. Raises RuleError."""
    own = [column.name for column in columns]
    return tuple(_reference(said, table, own) for said in _relationships(schema))


def lost(table: Table, tables: Mapping[str, Table]) -> RuleError | None:
    """What is wrong with a table's references beside the others: a table or column that is not there."""
    for rule in table.quality:
        if isinstance(rule, Reference):
            there = [c.name for c in tables[rule.to_table].columns] if rule.to_table in tables else []
            for column in rule.to_columns:
                if column not in there:
                    name = f"{rule.to_table.split('.')[1]}.{column}"
                    return RuleError(f"relationships of {table.name} name {name}, which zone {table.zone} does not have"
                                     f"{near(column, there) if there else near(rule.to_table, tables)}; write to: table.column",
                                     "relationships", name)
    return None


def _relationships(schema: SchemaObject) -> Iterator[tuple[Any, list[str], list[str], tuple[str, ...]]]:
    """Each relationship, its columns as written on both sides, and the words that lead to it."""
    for found in schema.relationships or []:
        yield found, _listed(found.from_), _listed(found.to), ("relationships",)
    for prop in schema.properties or []:
        for found in prop.relationships or []:
            yield found, [f"{schema.name}.{prop.name}"], _listed(found.to), ("properties", str(prop.name), "relationships")


def _listed(said: str | list[str] | None) -> list[str]:
    return [said] if isinstance(said, str) else list(said or [])


def _reference(said: tuple[Any, list[str], list[str], tuple[str, ...]], table: str, own: list[str]) -> Reference:
    found, sources, targets, place = said
    zone, name = table.split(".")
    custom = {str(p.property): p.value for p in found.customProperties or []}
    severity = custom.pop("severity", None)
    if custom or severity not in (Severity.REJECT_BATCH, Severity.WARN):
        raise RuleError("relationships take customProperties {property: severity, value: ...}, and no other: reject_batch or "
                        "warn says what becomes of rows that refer to nothing", *place)
    parts = [target.split(".") for target in targets]
    if not parts or any(len(p) != 2 for p in parts) or len({p[0] for p in parts}) != 1 or len(sources) != len(parts):
        raise RuleError(f"relationships name {', '.join(targets) or 'nothing'}; write to: table.column, of one table of zone "
                        f"{zone}, as many as from has", *place, *targets[:1])
    columns = [column.removeprefix(f"{name}.") for column in sources]
    for column in columns:
        if column not in own:
            raise RuleError(f"relationships name column {column!r}, which {table} does not have{near(column, own)}", *place)
    there = parts[0][0]
    return Reference(name=f"{'_'.join(columns)}_in_{there}", description="", severity=Severity(severity), column=None,
                     columns=tuple(columns), to_table=f"{zone}.{there}", to_columns=tuple(p[1] for p in parts))
