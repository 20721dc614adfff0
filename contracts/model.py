"""Frozen models of the contracts: Concord's reading of the Open Data Contract Standard 3.1.

Everything Concord adds to the standard is a ``customProperties`` entry named by a field (its alias) of a model
here; anything else is refused. Nothing that concerns privacy has a default.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Annotated, Literal

from croniter import CroniterBadDateError, croniter
from pydantic import BeforeValidator, Field, InstanceOf, field_validator, model_validator

from contracts.anonymity import Anonymity, refuse_unfit_anonymity
from contracts.differencing import Differencing
from contracts.differential_privacy import DifferentialPrivacy
from contracts.drops import refuse_unfit_drop
from contracts.expressions import Call, ExpressionError, Path, parse_path
from contracts.hierarchies import Declared
from contracts.limits import Refusal, RejectLimit
from contracts.majors import Retirement, refuse_other_major
from contracts.places import near
from contracts.protection import refuse_unlawful_product, refuse_unlawful_recipient
from contracts.result_types import typed
from contracts.service_levels import ServiceLevel, refuse_unfit_product, refuse_unfit_source
from contracts.table import Column, Frozen, Name, Table
from contracts.vocabulary import DataCategory, LegalBasis, OnChange, Purpose


def _read_by(reader: Callable[[str], Call | Path]) -> BeforeValidator:
    """Text in a contract is read as an expression, and what is wrong with it is what is wrong with the contract."""
    def read(value: object) -> object:
        try:
            return reader(value) if isinstance(value, str) else value
        except ExpressionError as error:
            raise ValueError(str(error)) from None
    return BeforeValidator(read)


# Core tables that tell who said no, and who they are elsewhere: without them a no could not be honoured.
HONOURING = ("core.consent", "core.identity", "core.contact_point")
CONSENT = HONOURING[0]

Place = Annotated[Path, _read_by(parse_path)]
Expression = Annotated[Call, _read_by(typed())]
Condition = Annotated[Call, _read_by(typed("boolean"))]
Instant = Annotated[Call, _read_by(typed("timestamp"))]
StreamName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]


class Connection(Frozen):
    """How a source is reached. Addresses and credentials come from the Airflow connection of that id."""

    id: Name
    connector: Literal["rest", "salesforce", "mastodon", "fhir_bulk", "object_drop"]
    token_path: str | None
    page_size: Annotated[int, Field(gt=0)]
    max_answer_mb: Annotated[int, Field(gt=0)]


class Stream(Frozen):
    """One feed of records a source offers, and where a record's id, version and deletion mark are."""

    name: StreamName
    path: str
    record_id: Place
    version: Instant | None = None
    deleted: Condition | None = None
    items: str | None = None
    cursor: str | None = None
    since: str | None = None
    revisit_days: int | None = None


class Mapping(Frozen):
    """One column of a core table, made from the payload; ``required`` may be stricter than the table's.

    Where the feed has a parser, that makes the column, and ``reads`` names the places it makes it from.
    """

    column: Name
    expression: Expression | None = None
    reads: tuple[Place, ...] = ()
    required: bool = False

    @property
    def paths(self) -> tuple[Path, ...]:
        """Every place of the payload the column is made from."""
        return self.reads if self.expression is None else self.expression.paths()


class Feed(Frozen):
    """What of a stream goes into which core table, for the records for which ``when`` is true.

    A feed with a parser (``jobs/sources/<parse>.py``) may make several rows of one record; its table says so by ``part``.
    """

    name: Name
    stream: StreamName
    table: Annotated[str, Field(pattern=r"^core\.[a-z][a-z0-9_]*$")]
    when: Condition | None = None
    checks: tuple[Condition, ...] = ()
    parse: Literal["fhir_consent"] | None = None
    mappings: tuple[Mapping, ...]

    @property
    def calls(self) -> tuple[Call, ...]:
        """Every expression of the feed."""
        return tuple(c for c in (self.when, *self.checks, *(m.expression for m in self.mappings)) if c)


class Contract(Frozen):
    """What every contract says of itself."""

    id: Name
    name: str
    version: Annotated[str, Field(pattern=r"^\d+\.\d+\.\d+$")]
    status: Literal["proposed", "draft", "active", "deprecated", "retired"]
    description: str
    owner: str
    tags: tuple[str, ...] = ()
    service_levels: tuple[ServiceLevel, ...] = ()
    path: str
    sha256: str


class Source(Contract):
    """A source system: its streams, and the core rows made of them. ``refusal`` is None where nobody is asked
    for consent, or where it brings nothing that could be refused."""

    connection: Connection
    schedule: str
    on_change: OnChange
    retention_days: Annotated[int, Field(gt=0)]
    legal_basis: LegalBasis
    jurisdictions: tuple[Annotated[str, Field(pattern=r"^[A-Z]{2}$")], ...]
    link_purposes: tuple[Purpose, ...]
    refusal: Refusal | None = None
    reject_limit: RejectLimit = RejectLimit(share=0.2, tolerated=100)
    streams: tuple[Stream, ...]
    feeds: tuple[Feed, ...]

    @field_validator("schedule")
    @classmethod
    def _is_cron(cls, value: str) -> str:
        try:
            if len(value.split()) == 5 and croniter.is_valid(value):
                croniter(value, datetime(2026, 1, 1, tzinfo=UTC)).get_next()
                return value
        except CroniterBadDateError:  # for example 30 February
            pass
        raise ValueError(f"{value!r} is no cron expression that ever comes true; write five fields (minute hour day month "
                         "weekday, in UTC), for example 0 2 * * *")

    @property
    def raw(self) -> str:
        """Name of the raw table."""
        return f"raw.{self.id}"

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the core tables this source feeds, in order of appearance."""
        return tuple(dict.fromkeys(f.table for f in self.feeds))

    def feeds_of(self, stream: Stream) -> tuple[Feed, ...]:
        """What is made of a stream's records."""
        return tuple(f for f in self.feeds if f.stream == stream.name)

    @property
    def refusable(self) -> tuple[Stream, ...]:
        """The streams whose records may be refused, where their person said no to everything.

        What it takes to know and to honour that no is taken in: statements, identities, contact points.
        """
        kept = {f.stream for f in self.feeds if f.table in HONOURING}
        return tuple(s for s in self.streams if s.name not in kept)

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
            for other in names:
                # Feed and column joined by _ name a column of conform's: users_devices + id is users + devices_id.
                if name.startswith(f"{other}_"):
                    raise ValueError(f"feed {name} begins with the name of feed {other}; choose another name, so that "
                                     "feed_column is never that of two")
        asks = CONSENT in self.tables and bool(self.refusable)
        if asks and self.refusal is None:
            raise ValueError("refusal is missing, though core.consent is fed; write a customProperties entry {property: "
                             "refusal, value: {purposes: [...], purgeAfterDays: 30}} with all purposes people are asked for")
        if self.refusal and not asks:
            raise ValueError("refusal is of no use where no feed goes to core.consent, or none to anything but people and "
                             "what they say; take it out")
        for name in sorted(known - {f.stream for f in self.feeds}):
            raise ValueError(f"stream {name} feeds nothing, so its records would have no outcome; add a schema entry for "
                             "it, or take the stream out")
        refuse_unfit_drop(self)
        refuse_unfit_source(self)
        return self


class Product(Contract):
    """A data product: on what ground, from what, for which purposes, and how people are protected.

    ``condition_review`` says who found, when and on what law, that its consent-loss report may compare conditions; ``profile``
    names one of de-identification that its columns are held to (contracts/deidentification.py).
    """

    table: Table
    inputs: tuple[str, ...]
    release_group: Name
    purposes: tuple[Purpose, ...]
    data_categories: tuple[DataCategory, ...]
    legal_basis: LegalBasis
    basis_reason: str | None
    condition_review: Annotated[str, Field(pattern=r"\S")] | None
    pseudonym_domain: Name | None
    counts_people: Name | None
    minimum_cell: Annotated[int, Field(ge=2)] | None
    rounding: Annotated[int, Field(ge=2)] | None
    cell_columns: tuple[Name, ...]
    dominance: Annotated[float, Field(gt=0, lt=1)] | None
    totals: tuple[Name, ...]
    differential_privacy: DifferentialPrivacy | None
    differencing: Differencing | None
    retention_days: Annotated[int, Field(gt=0)]
    retirement: Retirement | None = None
    profile: Name | None = None

    @property
    def is_aggregate(self) -> bool:
        """True when the product holds counts of people instead of rows about a person."""
        return self.pseudonym_domain is None

    @model_validator(mode="after")
    def _is_lawful(self) -> Product:
        refuse_unlawful_product(self)
        refuse_unfit_product(self)
        refuse_other_major(self)
        return self


class Recipient(Contract):
    """A data use agreement with an external partner, and the extract it gets.

    ``hierarchies`` are those that ``anonymity`` names, read from their files; ``sha256`` is of all of them too.
    ``max_linked_percent``: of the people whom another recipient has too, at most so many percent may be told to be the same by
    whoever has both extracts, beyond those found by chance.
    """

    product: Name
    purposes: tuple[Purpose, ...]
    legal_basis: LegalBasis
    agreement: str
    agreement_version: str
    agreement_expires_on: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    pseudonym_domain: Name
    anonymity: Anonymity
    hierarchies: tuple[InstanceOf[Declared], ...]
    max_linked_percent: Annotated[float, Field(ge=0, le=100)]
    approvers: tuple[str, ...]
    delivery: Annotated[str, Field(pattern=r"^s3://[a-z0-9.-]+/[A-Za-z0-9/_-]+$")]
    connection: Name
    expires_after_days: Annotated[int, Field(gt=0)]
    table: Table
    profile: Name | None = None

    @field_validator("agreement_expires_on")
    @classmethod
    def _is_day(cls, value: str) -> str:
        try:
            date.fromisoformat(value)
        except ValueError as error:
            raise ValueError(f"{value!r} is no day ({error}); write YYYY-MM-DD, for example 2028-12-31") from None
        return value

    @model_validator(mode="after")
    def _is_lawful(self) -> Recipient:
        refuse_unlawful_recipient(self)
        refuse_unfit_anonymity(self)
        return self


__all__ = ["Call", "Column", "Connection", "Contract", "Feed", "Mapping", "Product", "Recipient", "Refusal",
           "RejectLimit", "Retirement", "Source", "Stream", "Table"]
