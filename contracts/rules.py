"""From the standard's ``quality`` to the rules of a table, or a clear refusal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pydantic
import yaml
from open_data_contract_standard.model import DataQuality, SchemaObject

from contracts.places import near
from contracts.quality import AnyRule, CustomRule, LibraryRule, Limit, Metric, Must, RuleError, RuleName, Severity, SqlRule
from contracts.queries import query
from contracts.table import NUMBERS, Column

ENGINE = "great-expectations"
ARGUMENTS = {Metric.MISSING_VALUES: {"missingValues"}, Metric.INVALID_VALUES: {"validValues", "pattern"},
             Metric.DUPLICATE_VALUES: {"properties"}}
OF_VALUES = (Metric.NULL_VALUES, Metric.MISSING_VALUES, Metric.INVALID_VALUES)
# Arguments of an expectation of Great Expectations that name columns.
NAMES_COLUMNS = ("column", "column_A", "column_B", "column_list", "column_set")
_NAME = pydantic.TypeAdapter(RuleName)


def rules(schema: SchemaObject, columns: Iterable[Column], rejects_rows: bool) -> tuple[AnyRule, ...]:
    """The rules of a table, those of its columns among them. ``rejects_rows``: whether single rows can be set apart.

    Raises RuleError.
    """
    known = {column.name: column for column in columns}
    made: list[AnyRule] = [_rule(entry, None, known, ("quality",), rejects_rows) for entry in schema.quality or []]
    for prop in schema.properties or []:
        made += [_rule(entry, str(prop.name), known, ("properties", str(prop.name), "quality"), rejects_rows)
                 for entry in prop.quality or []]
    for rule in made:
        if [r.name for r in made].count(rule.name) > 1:
            raise RuleError(f"quality has two rules called {rule.name}; give each a name of its own", "quality", rule.name)
        if rule.severity == Severity.REJECT_ROW:
            _refuse_no_row(rule, rejects_rows)
    return tuple(made)


def _refuse_no_row(rule: AnyRule, rejects_rows: bool) -> None:
    if not rejects_rows:
        raise RuleError(f"severity of {rule.name} is reject_row, but rows can be set apart only where records come in; write it "
                        "in a core contract, or write reject_batch or warn", "quality", rule.name)
    counts = isinstance(rule, LibraryRule) and rule.limit.is_none and rule.metric in OF_VALUES
    if not counts and not isinstance(rule, CustomRule):
        raise RuleError(f"severity of {rule.name} is reject_row, but it does not say which rows break it; write reject_batch or "
                        "warn, or a metric of values with mustBe: 0", "quality", rule.name)


def _rule(entry: DataQuality, column: str | None, known: dict[str, Column], words: tuple[str, ...],
          has_history: bool) -> AnyRule:
    name = _name(entry, column, words)
    place = (*words, name)
    if entry.schedule or entry.scheduler:
        raise RuleError(f"schedule of {name} is kept by nobody: a rule is asked whenever rows are to be written; take it out",
                        *place)
    if entry.severity not in list(Severity):
        raise RuleError(f"severity of {name} is {entry.severity!r}; write reject_row (the rows are set apart), reject_batch "
                        "(nothing is written) or warn (it is reported)", *place)
    common: dict[str, Any] = {"name": name, "description": entry.description or "", "severity": Severity(str(entry.severity)),
                              "column": column}
    kind = entry.type or "library"
    if kind == "library":
        return _library(entry, common, known, place)
    if kind == "sql":
        return SqlRule(**common, query=query(entry.query or "", column, name, place, has_history),
                       limit=_limit(entry, name, place))
    if kind == "custom":
        return _custom(entry, common, known, place)
    raise RuleError(f"quality rule {name} is a text, which nobody can check; write a metric, a query or an expectation, or "
                    "say it in the description", *place)


def _name(entry: DataQuality, column: str | None, words: tuple[str, ...]) -> str:
    try:
        return _NAME.validate_python(entry.name or entry.id or "")
    except pydantic.ValidationError:
        raise RuleError(f"quality of {column or 'the table'} has a rule called {entry.name or entry.id!r}; write name: in small "
                        "letters, digits and _, for example readings_in_order: reports call it so", *words,
                        str(entry.name or entry.id)) from None


def _limit(entry: DataQuality, name: str, place: tuple[str, ...]) -> Limit:
    said = {must: getattr(entry, must) for must in Must if getattr(entry, must) is not None}
    if len(said) != 1:
        raise RuleError(f"quality rule {name} says {' and '.join(said) or 'no limit'}; write one of {', '.join(Must)}", *place)
    must, value = next(iter(said.items()))
    numbers = value if isinstance(value, list) else [value]
    if len(numbers) != 1 + must.is_range or any(isinstance(n, bool) or not isinstance(n, (int, float)) for n in numbers):
        raise RuleError(f"{must} of {name} is {value!r}; write {'two numbers' if must.is_range else 'a number'}", *place, must)
    if must.is_range and numbers[0] > numbers[1]:
        raise RuleError(f"{must} of {name} is {value!r}; write the smaller number first", *place, must)
    return Limit(must=must, numbers=tuple(numbers))


def _library(entry: DataQuality, common: dict[str, Any], known: dict[str, Column], place: tuple[str, ...]) -> LibraryRule:
    name, column = common["name"], common["column"]
    metric = Metric(str(entry.metric)) if entry.metric in list(Metric) else None
    if metric is None:
        raise RuleError(f"metric of {name} is {entry.metric!r}{near(str(entry.metric), Metric)}; write one of "
                        f"{', '.join(Metric)}", *place, str(entry.metric))
    arguments, allowed = dict(entry.arguments or {}), ARGUMENTS.get(metric, set())
    for strange in sorted(arguments.keys() - allowed):
        raise RuleError(f"arguments of {name} name {strange!r}{near(strange, allowed)}; {metric} takes "
                        f"{' or '.join(sorted(allowed)) or 'none'}", *place, strange)
    if entry.unit not in (None, "rows", "percent") or (metric == Metric.ROW_COUNT and entry.unit == "percent"):
        raise RuleError(f"unit of {name} is {entry.unit!r}; write rows" + ("" if metric == Metric.ROW_COUNT else " or percent"),
                        *place, str(entry.unit))
    columns = tuple(arguments.get("properties") or ([column] if metric == Metric.DUPLICATE_VALUES and column else []))
    _refuse_unknown(columns, known, name, place)
    _refuse_misplaced(metric, column, columns, arguments, name, place)
    _refuse_odd_values(arguments.get("validValues") or (), known.get(str(column)), name, place)
    if "pattern" in arguments and known[column].type != "string":
        raise RuleError(f"pattern of {name} is for string, but {column} is {known[column].type}; write validValues", *place)
    return LibraryRule(**common, metric=metric, limit=_limit(entry, name, place), is_percent=entry.unit == "percent",
                       values=tuple(arguments.get("validValues") or arguments.get("missingValues") or ()),
                       pattern=arguments.get("pattern"), columns=columns)


def _refuse_odd_values(values: Iterable[Any], column: Column | None, name: str, place: tuple[str, ...]) -> None:
    """Raise RuleError for a value that no engine would find: a null, or one of another type than the column's."""
    for value in values:
        if value is None:
            raise RuleError(f"validValues of {name} hold null; take it out: a null is never counted as invalid", *place)
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        fits = column is None or (isinstance(value, str) if column.type == "string" else is_number or column.type not in NUMBERS)
        if not fits and column:
            raise RuleError(f"validValues of {name} hold {value!r}, but {column.name} is {column.type}; quote text, and nothing "
                            "else", *place, str(value))


def _refuse_misplaced(metric: Metric, column: str | None, columns: tuple[str, ...], arguments: dict[str, Any], name: str,
                      place: tuple[str, ...]) -> None:
    """Raise RuleError where a metric lacks what it counts, or says it twice."""
    if metric == Metric.ROW_COUNT and column:
        raise RuleError(f"{name} counts the rows of the table; write it in quality of the table", *place)
    if metric == Metric.DUPLICATE_VALUES and not columns:
        raise RuleError(f"{name} does not say of what; write arguments: {{properties: [...]}}", *place)
    if metric in OF_VALUES and column is None:
        raise RuleError(f"{name} is about values; write it in quality of their column", *place)
    if metric == Metric.MISSING_VALUES and not arguments.get("missingValues"):
        raise RuleError(f"{name} does not say what counts as missing; write arguments: {{missingValues: [null, '', 'N/A']}}",
                        *place)
    if metric == Metric.INVALID_VALUES and bool(arguments.get("validValues")) == bool(arguments.get("pattern")):
        raise RuleError(f"{name} does not say what is valid; write arguments: {{validValues: [...]}} or {{pattern: '...'}}, "
                        "one of them", *place)


def _custom(entry: DataQuality, common: dict[str, Any], known: dict[str, Column], place: tuple[str, ...]) -> CustomRule:
    name = common["name"]
    if entry.engine != ENGINE:
        raise RuleError(f"engine of {name} is {entry.engine!r}, which nothing here runs; write {ENGINE}, or a query", *place)
    found: Any = entry.implementation
    try:
        found = yaml.safe_load(found) if isinstance(found, str) else found
    except yaml.YAMLError:
        found = None
    if not isinstance(found, dict) or not isinstance(found.get("type"), str) or found.keys() - {"type", "kwargs", "meta"}:
        raise RuleError(f"implementation of {name} is no expectation; write {{type: expect_column_values_to_be_between, kwargs: "
                        "{column: value, min_value: 0}}", *place)
    kwargs = dict(found.get("kwargs") or {})
    if common["column"] and not any(name in kwargs for name in NAMES_COLUMNS):
        kwargs["column"] = common["column"]
    if any("query" in str(argument) for argument in kwargs):
        raise RuleError(f"implementation of {name} asks a query; write type: sql, with the query", *place)
    if None in (kwargs.get("value_set") or ()):
        raise RuleError(f"value_set of {name} holds null, which no engine finds; take it out: a null is never counted", *place)
    for argument in NAMES_COLUMNS:
        named = kwargs.get(argument)
        _refuse_unknown([named] if isinstance(named, str) else named or [], known, name, place)
    return CustomRule(**common, expectation=found["type"], kwargs=kwargs)


def _refuse_unknown(columns: Iterable[str], known: dict[str, Column], name: str, place: tuple[str, ...]) -> None:
    for column in columns:
        if column not in known:
            raise RuleError(f"quality rule {name} names column {column!r}{near(str(column), known)}, which the table does not "
                            f"have; it has {', '.join(known)}", *place, str(column))
