"""What is asked of consents: the context of HL7's CDS Hook patient-consent-consult."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from jobs.fhir.codes import Coding


def _listed(value: object) -> object:
    return [] if value is None else value if isinstance(value, list) else [value]


def _code(value: object) -> object:
    return value.get("code") if isinstance(value, dict) else value


class Identifier(BaseModel):
    """An identifier of a patient or an actor."""

    system: str = ""
    value: Annotated[str, Field(min_length=1)]

    @property
    def pair(self) -> Coding:
        """It as a pair that can be compared."""
        return Coding(self.system, self.value)


class Category(BaseModel):
    """A coded category or class."""

    system: str = ""
    code: Annotated[str, Field(min_length=1)]

    @property
    def pair(self) -> Coding:
        """It as a pair that can be compared."""
        return Coding(self.system, self.code)


class Request(BaseModel):
    """The hook's context; what stands alone counts as a list of it, and keys that decide nothing are left aside."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    patient_id: Annotated[tuple[Identifier, ...], BeforeValidator(_listed), Field(alias="patientId", min_length=1)]
    category: Annotated[tuple[Category, ...], BeforeValidator(_listed)] = ()
    scope: str | None = None
    purpose_of_use: Annotated[tuple[Annotated[str, BeforeValidator(_code)], ...], BeforeValidator(_listed),
                              Field(alias="purposeOfUse")] = ()
    actor: Annotated[tuple[Identifier, ...], BeforeValidator(_listed)] = ()
    classes: Annotated[tuple[Category, ...], BeforeValidator(_listed), Field(alias="class")] = ()


def read_request(content: Any) -> Request:
    """The context of a hook's request, which may be the whole request too. Raises pydantic.ValidationError."""
    inner = content.get("context", content) if isinstance(content, Mapping) else content
    return Request.model_validate(inner)
