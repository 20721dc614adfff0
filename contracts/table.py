"""Frozen models of tables and their columns, as every contract declares them."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic.alias_generators import to_camel

from contracts.quality import AnyRule
from contracts.treatments import AnyOptions, options_of, refuse_unfit
from contracts.vocabulary import DataCategory, Treatment, Zone

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
ColumnType = Literal["string", "double", "long", "int", "boolean", "date", "timestamp", "binary"]
NUMBERS = ("double", "long", "int")
ALL = "all"  # What a total says in a key column of an aggregate that it is over.
# Which types each constraint is for.
CONSTRAINS = {"pattern": ("string",), "maxLength": ("string",), "allowedValues": ("string",), "minimum": NUMBERS,
              "maximum": NUMBERS, "notInFuture": ("date", "timestamp")}


class Frozen(BaseModel):
    """Refuses unknown keys and cannot be changed; keys are written in camelCase."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


class Column(Frozen):
    """One column of a table: its type, its constraints, what it tells about a person, and its origin.

    ``identifier`` says which one of a profile it tells of, or ``none``; ``event_time`` that the row happened then;
    ``derived`` of an aggregate's column that it is made from protected cells, and null where one it needs is null.
    """

    name: Name
    type: ColumnType
    description: str
    required: bool = False
    key: int | None = None
    category: DataCategory
    treatment: Treatment | None
    treatment_options: AnyOptions | None = None
    identifier: Name | None = None
    allowed_values: tuple[str, ...] | None = None
    pattern: str | None = None
    minimum: Annotated[float, Field(allow_inf_nan=False)] | None = None
    maximum: Annotated[float, Field(allow_inf_nan=False)] | None = None
    max_length: Annotated[int, Field(ge=1)] | None = None
    not_in_future: bool = False
    event_time: bool = False
    derived: bool = False
    origins: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _read_options(cls, values: Any) -> Any:
        """Options are read as those of the column's treatment, which says what they are."""
        said = values.get("treatmentOptions", values.get("treatment_options"))
        treatment = values.get("treatment")
        if treatment not in list(Treatment):
            return values
        others = {k: v for k, v in values.items() if k not in ("treatmentOptions", "treatment_options")}
        return {**others, "treatment_options": options_of(Treatment(treatment), said)}

    @field_validator("pattern")
    @classmethod
    def _pattern_compiles(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
        except re.error as error:
            raise ValueError(f"{value!r} is no regular expression ({error}); escape what is not meant as a sign") from None
        return value

    @model_validator(mode="after")
    def _constraints_fit(self) -> Column:
        said = {"pattern": self.pattern, "maxLength": self.max_length, "allowedValues": self.allowed_values,
                "minimum": self.minimum, "maximum": self.maximum, "notInFuture": self.not_in_future or None}
        for name, types in CONSTRAINS.items():
            if said[name] is not None and self.type not in types:
                raise ValueError(f"{name} is for {', '.join(types)}, but the column is {self.type}; take it out, or correct "
                                 "physicalType")
        if self.treatment is not None:
            refuse_unfit(self.treatment, self.type)
        if self.treatment is Treatment.DATE_SHIFT and self.not_in_future:
            raise ValueError("notInFuture cannot hold of a date that is moved; take it out")
        if self.event_time and self.type != "timestamp":
            raise ValueError(f"eventTime is for timestamp, but the column is {self.type}; take it out, or correct physicalType")
        if self.allowed_values == ():
            raise ValueError("allowedValues is empty, so no row would be sound; name values, or take it out")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError(f"minimum is {self.minimum}, more than maximum {self.maximum}; swap or correct them")
        return self


class Table(Frozen):
    """A table of the lake; ``name`` is zone.thing, for example ``core.observation``.

    ``quality`` says what must hold beyond what its columns declare.
    """

    name: Annotated[str, Field(pattern=r"^[a-z]+\.[a-z][a-z0-9_]*$")]
    description: str
    version: str
    columns: tuple[Column, ...]
    quality: tuple[AnyRule, ...] = ()

    @property
    def zone(self) -> Zone:
        """The folder of the lake the table lies in."""
        return Zone(self.name.split(".")[0])

    @property
    def key(self) -> tuple[str, ...]:
        """Names of the key's columns, in order."""
        keyed = [c for c in self.columns if c.key is not None]
        return tuple(c.name for c in sorted(keyed, key=lambda c: c.key or 0))

    @property
    def pseudonym_column(self) -> str:
        """The column that tells people apart, of a table that has one. Raises StopIteration where it has none."""
        return next(c.name for c in self.columns if c.treatment is Treatment.PSEUDONYM)

    @property
    def event_time(self) -> str | None:
        """The column that says when a row happened; None where rows have no time of their own."""
        return next((c.name for c in self.columns if c.event_time), None)

    def column(self, name: str) -> Column:
        """The column of that name. Raises KeyError when the contract has none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"{self.name} has no column {name}")

    @model_validator(mode="after")
    def _has_distinct_names_and_a_sound_key(self) -> Table:
        names = [c.name for c in self.columns]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise ValueError(f"table {self.name} declares {', '.join(twice)} twice; keep one")
        if sum(c.event_time for c in self.columns) > 1:
            raise ValueError(f"table {self.name} has more than one eventTime; a row happens once, keep one")
        loose = [c.name for c in self.columns if c.key is not None and not c.required]
        if loose:
            raise ValueError(f"key columns {', '.join(loose)} of {self.name} must be required: true")
        return self
