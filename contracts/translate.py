"""From the Open Data Contract Standard's model to the fields of Concord's models."""

from __future__ import annotations

from typing import Any

from open_data_contract_standard.model import OpenDataContractStandard, SchemaObject, SchemaProperty

from contracts import vocabulary
from contracts.model import Column, Table

VOCABULARIES = {"purpose": vocabulary.Purpose, "channel": vocabulary.Channel, "outcome": vocabulary.Outcome,
                "consent_decision": vocabulary.ConsentDecision, "legal_basis": vocabulary.LegalBasis,
                "reject_reason": vocabulary.RejectReason}
COLUMN_PROPERTIES = {"dataCategory", "treatment", "allowedValues", "notInFuture", "references"}
TABLE_PROPERTIES = {"zone", "includes"}
FEED_PROPERTIES = {"stream", "feeds", "when", "checks"}


class TranslationError(ValueError):
    """A contract that follows the standard but not Concord; ``needle`` is a word of the line to look at."""

    def __init__(self, message: str, needle: str = "") -> None:
        super().__init__(message)
        self.needle = needle


def source_fields(odcs: OpenDataContractStandard, known: dict[str, Table]) -> dict[str, Any]:
    """Fields of a ``Source``. Raises TranslationError."""
    values = {**_common(odcs), **_custom(odcs)}
    values["streams"] = [{"name": name, **body} for name, body in dict(values.get("streams") or {}).items()]
    values["feeds"] = [_feed(schema, known) for schema in odcs.schema_ or []]
    return values


def product_fields(odcs: OpenDataContractStandard, known: dict[str, Table]) -> dict[str, Any]:
    """Fields of a ``Product``. Raises TranslationError."""
    values = {**_common(odcs), **_custom(odcs)}
    values["table"] = _only_table(odcs, known, f"product.{odcs.id}")
    for name in values.get("inputs") or []:
        if name not in known:
            raise TranslationError(f"inputs names {name!r}, which no contract declares", str(name))
    return values


def recipient_fields(odcs: OpenDataContractStandard, known: dict[str, Table]) -> dict[str, Any]:
    """Fields of a ``Recipient``. Raises TranslationError."""
    values = {**_common(odcs), **_custom(odcs)}
    values["table"] = _only_table(odcs, known, f"product.{odcs.id}")
    return values


def tables(odcs: OpenDataContractStandard, known: dict[str, Table]) -> list[Table]:
    """The tables of a core or platform contract. Raises TranslationError."""
    custom = _custom(odcs)
    made: dict[str, Table] = {}
    for schema in odcs.schema_ or []:
        zone = _properties(schema, TABLE_PROPERTIES).get("zone", custom.get("zone"))
        if zone is None:
            raise TranslationError("zone is missing; write a customProperties entry, for example {property: zone, "
                                   "value: core}", "customProperties")
        table = _table(schema, f"{zone}.{schema.name}", odcs, {**known, **made})
        made[table.name] = table
    return list(made.values())


def _common(odcs: OpenDataContractStandard) -> dict[str, Any]:
    description = odcs.description
    if description is None or not description.purpose:
        raise TranslationError("description.purpose is missing; say in one sentence what this is for", "description")
    team = odcs.team
    if team is None or isinstance(team, list) or not team.name:
        raise TranslationError("team.name is missing; name the team that owns this contract", "team")
    return {"id": odcs.id, "name": odcs.name, "version": odcs.version, "status": odcs.status,
            "description": description.purpose, "owner": team.name, "tags": odcs.tags or []}


def _custom(odcs: OpenDataContractStandard) -> dict[str, Any]:
    return {str(p.property): p.value for p in odcs.customProperties or []}


def _only_table(odcs: OpenDataContractStandard, known: dict[str, Table], name: str) -> Table:
    schemas = odcs.schema_ or []
    if len(schemas) != 1 or schemas[0].name != odcs.id:
        raise TranslationError(f"schema must hold one object called {odcs.id}", "schema")
    return _table(schemas[0], name, odcs, known)


def _table(schema: SchemaObject, name: str, odcs: OpenDataContractStandard, known: dict[str, Table]) -> Table:
    shared: tuple[Column, ...] = ()
    includes = _properties(schema, TABLE_PROPERTIES).get("includes")
    if includes is not None:
        if includes not in known:
            raise TranslationError(f"includes names {includes!r}, which no contract declares", str(includes))
        shared = known[includes].columns
    own = tuple(_column(p, name) for p in schema.properties or [])
    return Table(name=name, description=schema.description or "", version=odcs.version or "", columns=shared + own)


def _column(prop: SchemaProperty, table: str) -> Column:
    custom = _properties(prop, COLUMN_PROPERTIES)
    if "dataCategory" not in custom:
        raise TranslationError(f"column {prop.name} of {table} has no dataCategory; write one of "
                               f"{', '.join(vocabulary.DataCategory)}", f"name: {prop.name}")
    options = dict(prop.logicalTypeOptions or {})
    key = (prop.primaryKeyPosition or 1) if prop.primaryKey else None
    return Column.model_validate({
        "name": prop.name, "type": prop.physicalType, "description": prop.description,
        "required": bool(prop.required), "key": key, "category": custom["dataCategory"],
        "treatment": custom.get("treatment"), "allowedValues": _allowed(custom.get("allowedValues")),
        "notInFuture": custom.get("notInFuture", False), "references": custom.get("references"),
        "origins": tuple(prop.transformSourceObjects or ()), **options})


def _allowed(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if value not in VOCABULARIES:
        raise TranslationError(f"allowedValues names vocabulary {value!r}; known are {', '.join(VOCABULARIES)}", value)
    return tuple(str(term) for term in VOCABULARIES[value])


def _feed(schema: SchemaObject, known: dict[str, Table]) -> dict[str, Any]:
    custom = _properties(schema, FEED_PROPERTIES)
    table = known.get(str(custom.get("feeds")))
    if table is None:
        raise TranslationError(f"schema {schema.name} feeds {custom.get('feeds')!r}, which no contract declares; name a "
                               "core table, for example core.observation", f"name: {schema.name}")
    mappings = [{"column": p.name, "expression": p.transformLogic, "required": bool(p.required)}
                for p in schema.properties or []]
    fed = {m["column"] for m in mappings}
    names = {c.name for c in table.columns}
    for name in sorted(fed - names):
        raise TranslationError(f"{schema.name}.{name} is no column of {table.name}; it has {', '.join(sorted(names))}",
                               f"name: {name}")
    return {"name": schema.name, "stream": custom.get("stream"), "table": table.name, "when": custom.get("when"),
            "checks": custom.get("checks", ()), "mappings": mappings}


def _properties(element: SchemaObject | SchemaProperty, allowed: set[str]) -> dict[str, Any]:
    found = {str(p.property): p.value for p in element.customProperties or []}
    strange = sorted(set(found) - allowed)
    if strange:
        raise TranslationError(f"customProperties {strange[0]!r} of {element.name} is not known; known are "
                               f"{', '.join(sorted(allowed))}", strange[0])
    return found
