"""From the Open Data Contract Standard's model to the fields of Concord's models."""

from __future__ import annotations

from typing import Any

import pydantic
from open_data_contract_standard.model import CustomProperty, OpenDataContractStandard, SchemaObject, SchemaProperty

from contracts import vocabulary
from contracts.explain import problems
from contracts.expressions import ExpressionError, parse
from contracts.model import Column, Table
from contracts.places import near
from contracts.quality import RuleError
from contracts.references import references
from contracts.result_types import EXAMPLES, fits, result_type
from contracts.rules import rules
from contracts.service_levels import ServiceLevel, newest, service_levels

VOCABULARIES = {"purpose": vocabulary.Purpose, "channel": vocabulary.Channel, "outcome": vocabulary.Outcome,
                "consent_decision": vocabulary.ConsentDecision, "legal_basis": vocabulary.LegalBasis,
                "reject_reason": vocabulary.RejectReason, "data_category": vocabulary.DataCategory,
                "refuse_reason": vocabulary.RefuseReason, "given_by": vocabulary.GivenBy, "gone_reason": vocabulary.GoneReason,
                "drift_kind": vocabulary.DriftKind, "drift_effect": vocabulary.DriftEffect,
                "reversal_purpose": vocabulary.ReversalPurpose}
COLUMN_PROPERTIES = {"dataCategory", "treatment", "treatmentOptions", "identifier", "allowedValues", "notInFuture", "derived",
                     "eventTime"}
TABLE_PROPERTIES = {"zone", "includes"}
FEED_PROPERTIES = {"stream", "feeds", "when", "checks", "parse"}
# Logical types of the standard, and the physical types that hold them.
LOGICAL = {"string": ("string", "binary"), "number": ("double",), "integer": ("long", "int"), "boolean": ("boolean",),
           "date": ("date",), "timestamp": ("timestamp",)}
TYPE_OPTIONS = {"pattern", "minimum", "maximum", "maxLength"}
# The columns of a core table that conform writes itself, beside what a feed maps.
OURS = {"source", "record_id", "version_at", "batch_id", "payload_sha256", "contract_version", "part", "known_at",
        "superseded_at", "superseded_by"}


class TranslationError(ValueError):
    """A contract that follows the standard but not Concord; ``words`` lead to the line to look at."""

    def __init__(self, message: str, *words: str) -> None:
        super().__init__(message)
        self.words = words


def source_fields(odcs: OpenDataContractStandard, known: dict[str, Table]) -> dict[str, Any]:
    """Fields of a ``Source``. Raises TranslationError."""
    values = {**_common(odcs), **_custom(odcs), "serviceLevels": _levels(odcs, "source")}
    streams = values.get("streams")
    if not isinstance(streams, dict) or not all(isinstance(body, dict) for body in streams.values()):
        raise TranslationError("streams is missing or no mapping; write a customProperties entry {property: streams, "
                               "value: {orders: {path: /orders, recordId: payload.id}}}", "customProperties", "streams")
    values["streams"] = [{"name": name, **body} for name, body in streams.items()]
    values["feeds"] = [_feed(schema, known) for schema in odcs.schema_ or []]
    return values


def product_fields(odcs: OpenDataContractStandard, known: dict[str, Table]) -> dict[str, Any]:
    """Fields of a ``Product``. Raises TranslationError."""
    levels, table = _levels(odcs, "product"), _only_table(odcs, known, f"product.{odcs.id}")
    rules = tuple(rule for level in levels if (rule := newest(level, table)) is not None)
    return {**_common(odcs), **_custom(odcs), "table": table.model_copy(update={"quality": (*table.quality, *rules)}),
            "serviceLevels": levels}


def recipient_fields(odcs: OpenDataContractStandard, known: dict[str, Table]) -> dict[str, Any]:
    """Fields of a ``Recipient`` but for its hierarchies. Rows of an extract may be alike once they are generalised, so that they
    have no key. Raises TranslationError."""
    return {**_common(odcs), **_custom(odcs), "table": _only_table(odcs, known, f"product.{odcs.id}", is_keyed=False),
            "serviceLevels": _levels(odcs, "recipient")}


def tables(odcs: OpenDataContractStandard, known: dict[str, Table]) -> list[Table]:
    """The tables of a core or platform contract. Raises TranslationError."""
    _common(odcs)
    custom = _custom(odcs)
    for name in sorted(custom.keys() - {"zone"}):
        raise TranslationError(f"customProperties {name!r} is not known here; a core contract has only zone",
                               "customProperties", name)
    made: dict[str, Table] = {}
    for schema in odcs.schema_ or []:
        zone = _properties(schema, TABLE_PROPERTIES).get("zone", custom.get("zone"))
        if zone is None:
            raise TranslationError("zone is missing; write a customProperties entry, for example {property: zone, "
                                   "value: core}", "customProperties")
        table = _table(schema, f"{zone}.{schema.name}", odcs, {**known, **made})
        treated = next((c.name for c in table.columns if c.treatment or c.identifier), None)
        if treated and table.zone is not vocabulary.Zone.PRODUCT:
            raise TranslationError(f"column {treated} of {table.name} has a treatment or an identifier, which nothing follows; "
                                   "products and partners have them", "schema", str(schema.name), treated)
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


def _levels(odcs: OpenDataContractStandard, kind: str) -> tuple[ServiceLevel, ...]:
    try:
        return service_levels(odcs, kind)
    except RuleError as error:
        raise TranslationError(str(error), *error.words) from None


def _custom(odcs: OpenDataContractStandard) -> dict[str, Any]:
    return _once(odcs.customProperties, "the contract", ())


def _once(found: list[CustomProperty] | None, owner: str, words: tuple[str, ...]) -> dict[str, Any]:
    """Custom properties by name; none may be there twice."""
    values: dict[str, Any] = {}
    for entry in found or []:
        name = str(entry.property)
        if name in values:
            raise TranslationError(f"customProperties {name!r} of {owner} is there twice; keep one", *words,
                                   "customProperties", name)
        values[name] = entry.value
    return values


def _only_table(odcs: OpenDataContractStandard, known: dict[str, Table], name: str, is_keyed: bool = True) -> Table:
    schemas = odcs.schema_ or []
    if len(schemas) != 1 or schemas[0].name != odcs.id:
        raise TranslationError(f"schema must hold one object, called {odcs.id} like the contract", "schema")
    return _table(schemas[0], name, odcs, known, is_keyed)


def _table(schema: SchemaObject, name: str, odcs: OpenDataContractStandard, known: dict[str, Table],
           is_keyed: bool = True) -> Table:
    shared: tuple[Column, ...] = ()
    includes = _properties(schema, TABLE_PROPERTIES).get("includes")
    if includes is not None:
        if includes not in known:
            raise TranslationError(f"includes names {includes!r}, which no contract declares{near(str(includes), known)}; "
                                   "name a table, for example core.record", "schema", str(schema.name), str(includes))
        shared = known[includes].columns
    columns = shared + tuple(_column(p, name) for p in schema.properties or [])
    try:
        quality = (*rules(schema, columns, name.startswith("core.")), *references(schema, name, columns))
        made = Table(name=name, description=schema.description or "", version=odcs.version or "", columns=columns,
                     quality=quality)
    except RuleError as error:
        raise TranslationError(str(error), "schema", str(schema.name), *error.words) from None
    except pydantic.ValidationError as error:
        _, said = next(problems(error, Table, {}))
        raise TranslationError(said, "schema", str(schema.name)) from None
    if is_keyed and not made.key:
        raise TranslationError(f"table {name} has no key; write primaryKey: true and primaryKeyPosition on one or more "
                               "properties", "schema", str(schema.name))
    return made


def _column(prop: SchemaProperty, table: str) -> Column:
    words = ("schema", table.split(".")[-1], "properties", str(prop.name))
    custom = _properties(prop, COLUMN_PROPERTIES, *words[:-1])
    if "dataCategory" not in custom:
        raise TranslationError(f"column {prop.name} of {table} has no dataCategory; add customProperties {{property: "
                               f"dataCategory, value: ...}} with one of {', '.join(vocabulary.DataCategory)}", *words)
    _refuse_other_logical_type(prop, words)
    options = dict(prop.logicalTypeOptions or {})
    for option in sorted(options.keys() - TYPE_OPTIONS):
        raise TranslationError(f"logicalTypeOptions {option!r} of {prop.name} is not known{near(option, TYPE_OPTIONS)}; "
                               f"known are {', '.join(sorted(TYPE_OPTIONS))}",
                               *words, "logicalTypeOptions", option)
    key = (prop.primaryKeyPosition or 1) if prop.primaryKey else None
    values = {
        "name": prop.name, "type": prop.physicalType, "description": prop.description,
        "required": bool(prop.required), "key": key, "category": custom["dataCategory"],
        "treatment": custom.get("treatment"), "treatmentOptions": custom.get("treatmentOptions"),
        "identifier": custom.get("identifier"),
        "allowedValues": _allowed(custom.get("allowedValues"), words),
        "notInFuture": custom.get("notInFuture", False), "derived": custom.get("derived", False),
        "eventTime": custom.get("eventTime", False),
        "origins": tuple(prop.transformSourceObjects or ()), **options}
    try:
        return Column.model_validate(values)
    except pydantic.ValidationError as error:
        found, said = next(problems(error, Column, values))
        raise TranslationError(f"column {prop.name} of {table}: {said}", *words, *found) from None


def _refuse_other_logical_type(prop: SchemaProperty, words: tuple[str, ...]) -> None:
    fitting = [name for name, types in LOGICAL.items() if prop.physicalType in types]
    if prop.logicalType and fitting and prop.logicalType not in fitting:
        raise TranslationError(f"logicalType {prop.logicalType} of {prop.name} does not fit physicalType {prop.physicalType}; "
                               f"write logicalType: {fitting[0]}, or correct physicalType", *words, "logicalType",
                               str(prop.logicalType))


def _allowed(value: Any, words: tuple[str, ...]) -> Any:
    if not isinstance(value, str):
        return value
    if value not in VOCABULARIES:
        raise TranslationError(f"allowedValues names vocabulary {value!r}{near(value, VOCABULARIES)}; known are "
                               f"{', '.join(VOCABULARIES)}, or write a list", *words, value)
    return tuple(str(term) for term in VOCABULARIES[value])


def _feed(schema: SchemaObject, known: dict[str, Table]) -> dict[str, Any]:
    words = ("schema", str(schema.name))
    custom = _properties(schema, FEED_PROPERTIES, "schema")
    feeds = str(custom.get("feeds"))
    table = known.get(feeds)
    if table is None:
        raise TranslationError(f"schema {schema.name} feeds {custom.get('feeds')!r}, which no contract declares"
                               f"{near(feeds, known)}; name a core table, for example core.observation",
                               *words, *(("feeds", feeds) if "feeds" in custom else ()))
    names = [c.name for c in table.columns]
    mappings: list[dict[str, Any]] = []
    for prop in schema.properties or []:
        name = str(prop.name)
        place = (*words, "properties", name)
        if name not in names:
            raise TranslationError(f"{schema.name}.{name} is no column of {table.name}{near(name, names)}; it has "
                                   f"{', '.join(sorted(names))}", *place)
        if name in OURS:
            raise TranslationError(f"{schema.name}.{name} is filled by Concord itself; take it out", *place)
        if any(m["column"] == name for m in mappings):
            raise TranslationError(f"{schema.name}.{name} is mapped twice; keep one, or join them with first(...)",
                                   *place)
        mappings.append({"column": name, "required": bool(prop.required),
                         **_made_from(f"{schema.name}.{name}", prop, table.column(name), bool(custom.get("parse")), place)})
    filled = {*OURS, *(m["column"] for m in mappings)}
    for column in table.columns:
        if column.required and column.name not in filled:
            raise TranslationError(f"schema {schema.name} fills no {column.name}, which {table.name} requires; write for "
                                   f"example {{name: {column.name}, transformLogic: text(payload.{column.name})}}", *words)
    return {"name": schema.name, "stream": custom.get("stream"), "table": table.name, "when": custom.get("when"),
            "checks": custom.get("checks", ()), "parse": custom.get("parse"), "mappings": mappings}


def _made_from(mapped: str, prop: SchemaProperty, column: Column, parsed: bool, place: tuple[str, ...]) -> dict[str, Any]:
    """A mapping's expression, or the places that the feed's parser makes the column from."""
    if parsed and (prop.transformLogic or not prop.transformSourceObjects):
        raise TranslationError(f"{mapped} is made by the feed's parser; write transformSourceObjects with the places it reads, "
                               f"for example [payload.{column.name}], and no transformLogic", *place)
    if parsed:
        return {"reads": tuple(prop.transformSourceObjects or ())}
    if not prop.transformLogic:
        raise TranslationError(f"{mapped} has no transformLogic; write for example text(payload.{column.name})", *place)
    _refuse_other_type(mapped, prop.transformLogic, column, place)
    return {"expression": prop.transformLogic}


def _refuse_other_type(mapped: str, expression: str, column: Column, words: tuple[str, ...]) -> None:
    try:
        call = parse(expression)
        if fits(call, column.type):
            return
    except ExpressionError:
        return  # The model refuses it, with its place.
    example = EXAMPLES.get(column.type, "").format(column.name)
    instead = f"write for example {example}" if example else "no expression does; leave it out"
    raise TranslationError(f"{mapped} is {column.type}, but {expression} gives {result_type(call)}; {instead}", *words)


def _properties(element: SchemaObject | SchemaProperty, allowed: set[str], *words: str) -> dict[str, Any]:
    found = _once(element.customProperties, str(element.name), (*words, str(element.name)))
    for strange in sorted(found.keys() - allowed):
        raise TranslationError(f"customProperties {strange!r} of {element.name} is not known{near(strange, allowed)}; "
                               f"known are {', '.join(sorted(allowed))}", *words, str(element.name), strange)
    return found
