"""What each element of a FHIR R4B resource is, as the models of fhir.resources say: its type, how often, which words."""

from __future__ import annotations

import typing
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any

RESOURCE = "Resource"  # The type of elements that hold a whole resource.
NO_ELEMENTS = ("fhir_comments", "resourceType")
PRIMITIVES = {"Id": "id", "Code": "code", "String": "string", "Markdown": "markdown", "Uri": "uri", "Url": "url",
              "Canonical": "canonical", "Oid": "oid", "Uuid": "uuid", "Date": "date", "DateTime": "dateTime",
              "Instant": "instant", "Time": "time", "Integer": "integer", "PositiveInt": "positiveInt",
              "UnsignedInt": "unsignedInt", "Decimal": "decimal", "Base64Binary": "base64Binary"}
WHOLE = ("integer", "positiveInt", "unsignedInt")
LARGEST = 2**31  # of FHIR's integers


@dataclass(frozen=True)
class Element:
    """An element's type, whether that is a primitive one, whether there may be many, and the words that it is bound to."""

    type: str
    is_primitive: bool
    is_list: bool = False
    words: frozenset[str] | None = None

    def holds(self, value: Any) -> bool:
        """Whether one JSON value is of this type."""
        if not self.is_primitive:
            return isinstance(value, dict)
        if self.type == "boolean" or isinstance(value, bool):
            return self.type == "boolean" and isinstance(value, bool)
        if self.type in WHOLE:
            return isinstance(value, int) and abs(value) < LARGEST
        if self.type == "decimal":
            return isinstance(value, (int, float, Decimal))
        return isinstance(value, str) and (self.words is None or value in self.words)


@lru_cache(maxsize=1024)
def elements(type_: str) -> dict[str, Element]:
    """The elements of a type by their name in JSON, without those that only extend others. Raises KeyError for no FHIR type."""
    from fhir.resources.R4B import get_fhir_model_class

    try:
        fields = get_fhir_model_class(type_).model_fields
    except (ValueError, LookupError):
        raise KeyError(type_) from None
    found = {field.alias or name: _element(field) for name, field in fields.items()}
    return {name: element for name, element in found.items() if element and name not in NO_ELEMENTS and not name.startswith("_")}


def is_type(type_: str) -> bool:
    """Whether FHIR has such a type that is made of elements."""
    try:
        return bool(elements(type_))
    except KeyError:
        return False


def is_resource(type_: str) -> bool:
    """Whether a type is one of resources, not of their parts."""
    return is_type(type_) and "meta" in elements(type_)


def _element(field: Any) -> Element | None:
    found = _type(field.annotation, field.metadata)
    if found is None:
        return None
    said = field.json_schema_extra.get("enum_values") if isinstance(field.json_schema_extra, dict) else None
    return Element(*found, _is_list(field.annotation), frozenset(said) if said else None)


def _type(annotation: Any, metadata: list[Any]) -> tuple[str, bool] | None:
    """The first FHIR type that an annotation names, and whether it is primitive; None for what is no element."""
    for marker in metadata:
        if type(marker).__name__ in PRIMITIVES:
            return PRIMITIVES[type(marker).__name__], True
    if annotation is bool:
        return "boolean", True
    name = getattr(annotation, "__name__", "")
    if isinstance(annotation, type) and name.endswith("Type") and annotation is not type(None):
        return name.removesuffix("Type"), False
    if typing.get_origin(annotation) is typing.Annotated:
        return _type(typing.get_args(annotation)[0], list(annotation.__metadata__))
    inner = (_type(part, []) for part in typing.get_args(annotation))
    return next((found for found in inner if found), None)


def _is_list(annotation: Any) -> bool:
    return typing.get_origin(annotation) is list or any(_is_list(part) for part in typing.get_args(annotation))
