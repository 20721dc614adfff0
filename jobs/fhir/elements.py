"""Of which type each element of a FHIR R4B resource is, as the models of fhir.resources say."""

from __future__ import annotations

import typing
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

RESOURCE = "Resource"  # The type of elements that hold a whole resource.
NO_ELEMENTS = ("fhir_comments", "resourceType")
PRIMITIVES = {"Id": "id", "Code": "code", "String": "string", "Markdown": "markdown", "Uri": "uri", "Url": "url",
              "Canonical": "canonical", "Oid": "oid", "Uuid": "uuid", "Date": "date", "DateTime": "dateTime",
              "Instant": "instant", "Time": "time", "Integer": "integer", "PositiveInt": "positiveInt",
              "UnsignedInt": "unsignedInt", "Decimal": "decimal", "Base64Binary": "base64Binary"}


@dataclass(frozen=True)
class Element:
    """An element's type, and whether it is a primitive one."""

    type: str
    is_primitive: bool


@lru_cache(maxsize=1024)
def elements(type_: str) -> dict[str, Element]:
    """The elements of a type by their name in JSON, without those that only extend others. Raises KeyError for no FHIR type."""
    from fhir.resources.R4B import get_fhir_model_class

    try:
        fields = get_fhir_model_class(type_).model_fields
    except (ValueError, LookupError):
        raise KeyError(type_) from None
    found = {field.alias or name: _element(field.annotation, field.metadata) for name, field in fields.items()}
    return {name: element for name, element in found.items() if element and name not in NO_ELEMENTS and not name.startswith("_")}


def _element(annotation: Any, metadata: list[Any]) -> Element | None:
    """The first FHIR type that an annotation names; None for what is no element, such as comments."""
    for marker in metadata:
        if type(marker).__name__ in PRIMITIVES:
            return Element(PRIMITIVES[type(marker).__name__], True)
    if annotation is bool:
        return Element("boolean", True)
    name = getattr(annotation, "__name__", "")
    if isinstance(annotation, type) and name.endswith("Type") and annotation is not type(None):
        return Element(name.removesuffix("Type"), False)
    if typing.get_origin(annotation) is typing.Annotated:
        return _element(typing.get_args(annotation)[0], list(annotation.__metadata__))
    inner = (_element(part, []) for part in typing.get_args(annotation))
    return next((element for element in inner if element), None)
