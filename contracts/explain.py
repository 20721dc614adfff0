"""What pydantic finds wrong with a contract, said for the person who wrote its YAML."""

from __future__ import annotations

import enum
import typing
from collections.abc import Iterator
from typing import Any

import pydantic
from pydantic.fields import FieldInfo

from contracts.places import near

# Fields of a column whose key in the YAML has another name.
YAML_NAMES = {"category": "dataCategory", "type": "physicalType"}


def problems(error: pydantic.ValidationError, model: type[pydantic.BaseModel],
             values: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Each problem as the words that lead to its place, and a sentence; ``values`` are what the model was given."""
    for issue in error.errors(include_url=False):
        loc, given = issue["loc"], issue["input"]
        names = _names(loc, values)
        shown, words = ".".join(names), [name for name in names if not name.isdigit()]
        said = issue["msg"].removeprefix("Value error, ")
        if not loc:
            yield _subject(said), said
        elif issue["type"] == "missing":
            yield tuple(words), f"{shown} is missing; it has no default: {_how(model, names)}"
        elif issue["type"] == "extra_forbidden":
            known = _aliases(_inner(model, loc[:-1]))
            yield tuple(words), f"{shown} is not known{near(names[-1], known)}; take it out or correct its spelling"
        else:
            if isinstance(given, str | int | float):
                words.append(str(given))
            yield tuple(words), f"{shown}: {said}" + (f", not {given!r}" if said.startswith("Input") else "")


def _subject(said: str) -> tuple[str, ...]:
    """The words that lead to what a sentence about a whole contract is about: it begins with them."""
    first, second, *_ = said.split()
    return ({"column": "schema", "feed": "schema", "stream": "streams"}.get(first, first), second)


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
    field = _aliases(model).get(names[0])
    choices = list(_choices(field.annotation)) if field else []
    some = f", with one of {', '.join(choices)}" if choices else ""
    return f"write a customProperties entry {{property: {names[0]}, value: ...}}{some}"


def _aliases(model: type[pydantic.BaseModel]) -> dict[str, FieldInfo]:
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _inner(model: type[pydantic.BaseModel], loc: tuple[int | str, ...]) -> type[pydantic.BaseModel]:
    """The model of the thing at a location."""
    for step in loc:
        field = _aliases(model).get(str(step))
        if field is not None:
            parts = [field.annotation, *typing.get_args(field.annotation)]
            model = next((p for p in parts if isinstance(p, type) and issubclass(p, pydantic.BaseModel)), model)
    return model


def _choices(annotation: Any) -> Iterator[str]:
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        yield from (str(member) for member in annotation)
    elif annotation is type(None):
        yield "null"
    elif typing.get_origin(annotation) is typing.Literal:
        yield from map(str, typing.get_args(annotation))
    else:
        for inner in typing.get_args(annotation):
            if not isinstance(inner, FieldInfo) and inner is not Ellipsis:
                yield from _choices(inner)
