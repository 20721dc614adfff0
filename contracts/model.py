"""Frozen models of the contracts: Concord's reading of the Open Data Contract Standard 3.1.

Everything Concord adds to the standard is a ``customProperties`` entry named by a field (its alias) of a model
here; anything else is refused. Nothing that concerns privacy has a default.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from contracts.expressions import Call, ExpressionError, Path, parse, parse_path
from contracts.places import near
from contracts.table import Column, Frozen, Name, Table
from contracts.vocabulary import Channel, DataCategory, LegalBasis, Purpose, Severity, Treatment

StreamName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]


class Connection(Frozen):
    """How a source is reached. Addresses and credentials come from the Airflow connection of that id."""

    id: Name
    connector: Literal["rest", "salesforce", "mastodon", "fhir_bulk"]
    token_path: str | None
    page_size: Annotated[int, Field(gt=0)]
    max_answer_mb: Annotated[int, Field(gt=0)]


class Stream(Frozen):
    """One feed of records a source offers, and where a record's id, version and deletion mark are."""

    name: StreamName
    path: str
    record_id: Path
    version: Call | None = None
    deleted: Call | None = None
    items: str | None = None
    cursor: str | None = None
    since: str | None = None
    revisit_days: int | None = None

    @field_validator("record_id", mode="before")
    @classmethod
    def _path(cls, value: object) -> object:
        return _expression(value, parse_path)

    @field_validator("version", "deleted", mode="before")
    @classmethod
    def _calls(cls, value: object) -> object:
        return _expression(value, parse)


class Mapping(Frozen):
    """One column of a core table, made from the payload; ``required`` may be stricter than the table's."""

    column: Name
    expression: Call
    required: bool = False

    @field_validator("expression", mode="before")
    @classmethod
    def _call(cls, value: object) -> object:
        return _expression(value, parse)


class Feed(Frozen):
    """What of a stream goes into which core table, for the records for which ``when`` is true."""

    name: Name
    stream: StreamName
    table: Annotated[str, Field(pattern=r"^core\.[a-z][a-z0-9_]*$")]
    when: Call | None = None
    checks: tuple[Call, ...] = ()
    mappings: tuple[Mapping, ...]

    @field_validator("when", mode="before")
    @classmethod
    def _call(cls, value: object) -> object:
        return _expression(value, parse)

    @field_validator("checks", mode="before")
    @classmethod
    def _calls(cls, value: object) -> object:
        return tuple(_expression(v, parse) for v in value) if isinstance(value, list | tuple) else value


class Contract(Frozen):
    """What every contract says of itself."""

    id: Name
    name: str
    version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$")]
    status: Literal["proposed", "draft", "active", "deprecated", "retired"]
    description: str
    owner: str
    tags: tuple[str, ...] = ()
    path: str
    sha256: str


class Source(Contract):
    """A source system: its streams, and the core rows made of them."""

    connection: Connection
    schedule: str
    retention_days: Annotated[int, Field(gt=0)]
    legal_basis: LegalBasis
    jurisdictions: tuple[Annotated[str, Field(pattern=r"^[A-Z]{2}$")], ...]
    streams: tuple[Stream, ...]
    feeds: tuple[Feed, ...]

    @property
    def raw(self) -> str:
        """Name of the raw table."""
        return f"raw.{self.id}"

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the core tables this source feeds, in order of appearance."""
        return tuple(dict.fromkeys(f.table for f in self.feeds))

    def stream(self, name: str) -> Stream:
        """The stream of that name. Raises KeyError."""
        return next(s for s in self.streams if s.name == name)

    @model_validator(mode="after")
    def _feeds_name_streams(self) -> Source:
        known = {s.name for s in self.streams}
        for feed in self.feeds:
            if feed.stream not in known:
                raise ValueError(f"feed {feed.name} names stream {feed.stream!r}{near(feed.stream, known)}; declared are "
                                 f"{', '.join(sorted(known))}")
        names = [f.name for f in self.feeds]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"feed {name} is there twice; give each feed a name of its own")
        for name in sorted(known - {f.stream for f in self.feeds}):
            raise ValueError(f"stream {name} feeds nothing, so its records would have no outcome; add a schema entry for "
                             "it, or take the stream out")
        return self


class Product(Contract):
    """A data product: on what ground, from what, for which purposes, and how people are protected."""

    table: Table
    inputs: tuple[str, ...]
    release_group: Name
    purposes: tuple[Purpose, ...]
    data_categories: tuple[DataCategory, ...]
    legal_basis: LegalBasis
    basis_reason: str | None
    pseudonym_domain: Name | None
    counts_people: Name | None
    minimum_cell: Annotated[int, Field(ge=2)] | None
    rounding: Annotated[int, Field(ge=1)] | None
    cell_columns: tuple[Name, ...]
    retention_days: Annotated[int, Field(gt=0)]

    @property
    def is_aggregate(self) -> bool:
        """True when the product holds counts of people instead of rows about a person."""
        return self.pseudonym_domain is None

    @model_validator(mode="after")
    def _is_lawful(self) -> Product:
        if not self.purposes:
            raise ValueError("purposes is empty; name at least one of " + ", ".join(Purpose))
        is_safe = self.is_aggregate and self.minimum_cell and self.basis_reason
        if not self.legal_basis.rests_on_consent and not is_safe:
            raise ValueError(f"legalBasis {self.legal_basis} is only for aggregates: give minimumCell and basisReason "
                             "and set pseudonymDomain to null, or rest the product on consent")
        if self.is_aggregate and not (self.minimum_cell and self.counts_people):
            raise ValueError("minimumCell or countsPeople is null; an aggregate needs both: a number, for example 7, and "
                             "the column that counts people")
        _refuse_strange_columns(self.table, "countsPeople", (self.counts_people,) if self.counts_people else ())
        _refuse_strange_columns(self.table, "cellColumns", self.cell_columns)
        _refuse_identifying(self.table)
        return self


class Recipient(Contract):
    """A data use agreement with an external partner, and the extract it gets."""

    product: Name
    purposes: tuple[Purpose, ...]
    legal_basis: LegalBasis
    agreement: str
    agreement_version: str
    agreement_expires_on: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    pseudonym_domain: Name
    minimum_group: Annotated[int, Field(ge=2)]
    group_columns: tuple[Name, ...]
    approvers: tuple[str, ...]
    delivery: Annotated[str, Field(pattern=r"^s3://[a-z0-9.-]+/[A-Za-z0-9/_-]+$")]
    connection: Name
    expires_after_days: Annotated[int, Field(gt=0)]
    table: Table

    @model_validator(mode="after")
    def _is_lawful(self) -> Recipient:
        if not self.legal_basis.rests_on_consent:
            raise ValueError("legalBasis of an extract must be consent or explicit_consent")
        if not self.approvers:
            raise ValueError("approvers is empty; name at least one governance officer's Airflow user")
        if not self.purposes:
            raise ValueError("purposes is empty; name at least one of " + ", ".join(Purpose))
        _refuse_strange_columns(self.table, "groupColumns", self.group_columns)
        _refuse_identifying(self.table)
        return self


def _refuse_strange_columns(table: Table, key: str, names: tuple[str, ...]) -> None:
    known = [c.name for c in table.columns]
    for name in names:
        if name not in known:
            raise ValueError(f"{key} names {name}, which is no column; there are {', '.join(known)}")


def _refuse_identifying(table: Table) -> None:
    for column in table.columns:
        if column.treatment is None:
            raise ValueError(f"column {column.name} has no treatment; write one of {', '.join(Treatment)}")
        if column.category in (DataCategory.IDENTIFYING, DataCategory.CONTACT, DataCategory.FREE_TEXT):
            raise ValueError(f"column {column.name} is {column.category}: it may not leave core; drop it")


__all__ = ["Call", "Channel", "Column", "Connection", "Contract", "Feed", "Mapping", "Product", "Recipient",
           "Severity", "Source", "Stream", "Table"]


def _expression(value: object, reader: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return reader(value)  # type: ignore[operator]
    except ExpressionError as error:
        raise ValueError(str(error)) from None
