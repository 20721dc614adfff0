"""What pydantic finds wrong with a contract, said for the person who wrote its YAML."""

from __future__ import annotations

import enum
import typing
from collections.abc import Iterator
from typing import Any

import pydantic

from contracts.places import near

# Fields of a column whose key in the YAML has another name.
YAML_NAMES = {"category": "dataCategory", "type": "physicalType"}


def problems(error: pydantic.ValidationError, model: type[pydantic.BaseModel],
             values: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Each problem as the words that lead to its place, and a sentence; ``values`` are what the model was given."""
    for issue in error.errors(include_url=False):
        names = _names(issue["loc"], values)
        shown = ".".join(names) or "contract"
        if issue["type"] == "missing":
            yield (*names[:-1], names[-1]), f"{shown} is missing; it has no default: {_how(model, names)}"
        elif issue["type"] == "extra_forbidden":
            known = [_alias(model, n) for n in model.model_fields]
            yield tuple(names), f"{shown} is not known{near(names[-1], known)}; take it out or correct its spelling"
        else:
            given = issue["input"]
            words = (*names, str(given)) if isinstance(given, str | int | float) else tuple(names)
            said = issue["msg"].removeprefix("Value error, ")
            yield words, f"{shown}: {said}" + (f", not {given!r}" if said.startswith("Input") else "")


def _names(loc: tuple[int | str, ...], values: Any) -> list[str]:
    """The steps of a location, indexes of named things replaced by their names."""
    names = []
    for step in loc:
        try:
            values = values[step]
        except (KeyError, IndexError, TypeError):
            values = None
        if isinstance(step, int):
            named = values.get("name") or values.get("column") if isinstance(values, dict) else None
            names.append(str(named or step))
        else:
            names.append(YAML_NAMES.get(step, step))
    return names


def _how(model: type[pydantic.BaseModel], names: list[str]) -> str:
    if len(names) > 1:
        return f"add {names[-1]} to {'.'.join(names[:-1])}"
    field = next((f for n, f in model.model_fields.items() if _alias(model, n) == names[0]), None)
    choices = list(_choices(field.annotation)) if field else []
    some = f", with one of {', '.join(choices)}" if choices else ""
    return f"write a customProperties entry {{property: {names[0]}, value: ...}}{some}"


def _alias(model: type[pydantic.BaseModel], name: str) -> str:
    return model.model_fields[name].alias or name


def _choices(annotation: Any) -> Iterator[str]:
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        yield from (str(member) for member in annotation)
    elif annotation is type(None):
        yield "null"
    elif typing.get_origin(annotation) is typing.Literal:
        yield from map(str, typing.get_args(annotation))
    else:
        for inner in typing.get_args(annotation):
            if not isinstance(inner, pydantic.fields.FieldInfo) and inner is not Ellipsis:
                yield from _choices(inner)
