"""How people are matched, as data: roles, comparisons, blocking rules and thresholds; and how a table's columns map to roles."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self

import pydantic
import yaml
from pydantic import Field, model_validator

from contracts.places import read
from contracts.table import Frozen

FILE = Path(__file__).with_name("matching.yaml")
RECORD_ID = "record_id"
Share = Annotated[float, Field(gt=0, lt=1)]
Many = Annotated[int, Field(ge=1)]


class Role(StrEnum):
    """What a column says about a person."""

    GIVEN_NAME = "given_name"
    FAMILY_NAME = "family_name"
    BIRTH_DATE = "birth_date"
    SEX = "sex"
    ADDRESS = "address"
    POSTCODE = "postcode"
    CITY = "city"
    EMAIL = "email"
    PHONE = "phone"
    NATIONAL_ID = "national_id"
    COUNTRY = "country"
    DEVICE_ID = "device_id"
    HANDLE = "handle"


# What core knows of a source identity.
OF_IDENTITIES = tuple(role for role in Role if role is not Role.ADDRESS)
# Columns made of a role's value, by the role they are made of.
DERIVED = {"birth_day": Role.BIRTH_DATE, "birth_year": Role.BIRTH_DATE, "birth_month_day": Role.BIRTH_DATE,
           "email_local": Role.EMAIL, "email_domain": Role.EMAIL}
KEY = re.compile(r"([a-z_]+)(?::([1-9]))?")


class MatchingError(ValueError):
    """A configuration or a mapping that is refused: file, line, what is wrong."""


class Level(Frozen):
    """How alike two values are. ``silent`` levels say nothing: the pair is judged by its other comparisons.

    ``needs``: roles that ``when`` names too.
    """

    level: Annotated[str, Field(min_length=1)]
    when: Annotated[str, Field(min_length=1)]
    frequency: bool = False
    silent: bool = False
    needs: tuple[Role, ...] = ()


class Rule(Frozen):
    """What holds of a pair of records, as SQL over their roles' values, ``_l`` and ``_r``.

    It is dropped where a role lacks that it ``needs``.
    """

    when: Annotated[str, Field(min_length=1)]
    needs: Annotated[tuple[Role, ...], Field(min_length=1)]


class Key(Frozen):
    """A part of a blocking rule: a column, or its first letters."""

    column: str
    letters: int | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """From ``column`` or ``column:letters``. Raises ValueError."""
        found = KEY.fullmatch(text)
        if not found or (found[1] not in DERIVED and found[1] not in list(Role)):
            raise ValueError(f"{text!r} is no key; write a role or one of {', '.join(DERIVED)}, and :3 for its first 3 letters")
        return cls(column=found[1], letters=int(found[2]) if found[2] else None)

    def __str__(self) -> str:
        return f"{self.column}:{self.letters}" if self.letters else self.column

    @property
    def role(self) -> Role:
        """The role that the key is made of."""
        return DERIVED.get(self.column) or Role(self.column)


class Matching(Frozen):
    """The configuration of matching; see ``matching.yaml`` for what its parts mean."""

    comparisons: dict[Role, tuple[Level, ...]]
    differs_at_most: dict[Role, Share]
    circles: dict[str, tuple[Role, ...]]
    all_pairs_up_to: Many
    most_pairs: Many
    most_pairs_a_record: Many
    largest_block: Many
    score_on_engine_from: Many
    blocking: tuple[tuple[str, ...], ...]
    precision: Share
    placeholders: dict[Role, str]
    most_sharing: dict[Role, Many]
    proofs: tuple[Role, ...]
    most_sharing_a_proof: Many
    contradictions: dict[str, Rule]
    likely: dict[str, Rule]
    precision_of_links: Share

    @model_validator(mode="after")
    def _is_sound(self) -> Self:
        for rule in self.blocking:
            for key in rule:
                Key.parse(key)
        for role, pattern in self.placeholders.items():
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"placeholders of {role} are no regular expression: {error}") from None
        return self

    def levels(self, roles: Iterable[Role]) -> dict[Role, tuple[Level, ...]]:
        """The comparisons that the roles allow, in the order of the configuration."""
        known = set(roles)
        return {role: tuple(level for level in levels if known.issuperset(level.needs))
                for role, levels in self.comparisons.items() if role in known}

    def rules(self, roles: Iterable[Role]) -> list[tuple[Key, ...]]:
        """The blocking rules that the roles allow, the strict before the loose."""
        known = set(roles)
        parsed = [tuple(Key.parse(key) for key in rule) for rule in self.blocking]
        return [rule for rule in parsed if known.issuperset(key.role for key in rule)]

    def holding(self, rules: dict[str, Rule], roles: Iterable[Role]) -> dict[str, Rule]:
        """Those of some rules that the roles allow."""
        known = set(roles)
        return {name: rule for name, rule in rules.items() if known.issuperset(rule.needs)}


class ColumnMap(pydantic.BaseModel):
    """Which column of a table is the record's id, and which has which role."""

    record_id: str
    roles: dict[Role, str]


def load(path: Path = FILE) -> Matching:
    """The configuration in a file. Raises MatchingError."""
    data, places = _mapping(path, "comparisons, blocking and thresholds")
    try:
        return Matching(**data)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise MatchingError(f"{path}:{places.at(first['loc'])}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def columns(path: Path) -> ColumnMap:
    """The mapping in a file: ``record_id: COLUMN`` and ``ROLE: COLUMN`` pairs. Raises MatchingError."""
    data, places = _mapping(path, "record_id and roles, for example 'family_name: surname'")
    known = [RECORD_ID, *Role]
    for name, column in data.items():
        if name not in known:
            raise MatchingError(f"{path}:{places.at([name])}: {name} is no role; the roles are {', '.join(known)}")
        if not isinstance(column, (str, int)) or not str(column).strip():
            raise MatchingError(f"{path}:{places.at([name])}: {name} names no column")
    if RECORD_ID not in data:
        raise MatchingError(f"{path}:1: record_id is missing; add 'record_id: COLUMN', the column that names each record")
    roles = {Role(name): str(column).strip() for name, column in data.items() if name != RECORD_ID}
    if not roles:
        raise MatchingError(f"{path}:1: maps no role, so there is nothing to compare; the roles are {', '.join(Role)}")
    twice = sorted({c for c in roles.values() if list(roles.values()).count(c) > 1})
    if twice:
        raise MatchingError(f"{path}:{places.line(twice[0])}: column {twice[0]} has two roles; one column has one role")
    return ColumnMap(record_id=str(data[RECORD_ID]).strip(), roles=roles)


def _mapping(path: Path, wanted: str) -> tuple[dict[str, Any], Any]:
    try:
        data, places = read(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise MatchingError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise MatchingError(f"{path} is not UTF-8") from None
    except yaml.YAMLError as error:
        line = getattr(getattr(error, "problem_mark", None), "line", 0) + 1
        raise MatchingError(f"{path}:{line}: is not YAML ({getattr(error, 'problem', error)})") from None
    if not isinstance(data, dict):
        raise MatchingError(f"{path}:1: is not a mapping of {wanted}")
    return data, places
