"""What a partner's rows must be so that nobody stands alone: quasi-identifiers, k, and what sensitive columns may tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, model_validator

from contracts.hierarchies import EXACT, MADE
from contracts.table import Column, Frozen, Name
from contracts.vocabulary import Treatment

if TYPE_CHECKING:
    from contracts.model import Recipient

EXAMPLE = "{quasiIdentifiers: {observed_on: exact}, k: 7, suppressPercent: 5, sensitive: {}, reason: null}"
# Treatments after which a column can still be generalised: it is as it was, or a text.
OPEN = (Treatment.KEEP, Treatment.AGE_BAND, Treatment.BAND, Treatment.AREA, Treatment.MASK)


class Sensitive(Frozen):
    """What is asked of a sensitive column in every group: at least ``l`` distinct values, each of another person; a spread within
    ``t`` of that in all rows. None asks for nothing."""

    least_values: Annotated[int | None, Field(ge=2, alias="l")]
    most_distance: Annotated[float | None, Field(gt=0, lt=1, alias="t")]

    @model_validator(mode="after")
    def _asks(self) -> Sensitive:
        if self.least_values is None and self.most_distance is None:
            raise ValueError("asks for nothing; write l, t or both, or take the column out of sensitive")
        return self


class Anonymity(Frozen):
    """k-anonymity of rows about persons. Every group of rows that share all quasi-identifiers, as they leave, has rows of
    ``k`` people or more, or stays out; up to ``suppress_percent`` of the rows may.

    ``quasi_identifiers``: columns that others may know of a person, each with its hierarchy: the name of a declared one, ``made``
    for its type, or ``exact``, which is never generalised. ``reason`` says why there are none, where there are none: all rows
    are then one group.
    """

    quasi_identifiers: dict[Name, Name]
    k: Annotated[int, Field(ge=2)]
    suppress_percent: Annotated[float, Field(ge=0, le=100)]
    sensitive: dict[Name, Sensitive]
    reason: Annotated[str, Field(pattern=r"\S")] | None

    @model_validator(mode="before")
    @classmethod
    def _is_said(cls, values: Any) -> Any:
        if not isinstance(values, dict | Anonymity):
            raise ValueError(f"is {values!r}; write for example {EXAMPLE}")
        return values

    @property
    def generalised(self) -> tuple[str, ...]:
        """The columns that leave as the labels of their groups."""
        return tuple(name for name, hierarchy in self.quasi_identifiers.items() if hierarchy != EXACT)

    @property
    def declared(self) -> tuple[str, ...]:
        """The names of the hierarchies that it takes from ``hierarchies/``, each once."""
        return tuple(sorted({*self.quasi_identifiers.values()} - {MADE, EXACT}))

    @property
    def diverse(self) -> Mapping[str, int]:
        """Sensitive columns with the distinct values that each group must have."""
        return {name: asked.least_values for name, asked in self.sensitive.items() if asked.least_values is not None}

    @property
    def close(self) -> Mapping[str, float]:
        """Sensitive columns with how far their spread in a group may be from that in all rows."""
        return {name: asked.most_distance for name, asked in self.sensitive.items() if asked.most_distance is not None}

    def __str__(self) -> str:
        quasi = ", ".join(f"{name} {hierarchy}" for name, hierarchy in sorted(self.quasi_identifiers.items())) or "none"
        asked = "".join(f"; {name} l {said.least_values or '-'} t {said.most_distance or '-'}"
                        for name, said in sorted(self.sensitive.items()))
        return f"k {self.k} over {quasi}; up to {self.suppress_percent:g} % suppressed{asked}"


def refuse_unfit_anonymity(recipient: Recipient) -> None:
    """Raise ValueError where what is asked of a recipient's rows names other columns than it has, or leaves them otherwise."""
    asked, columns = recipient.anonymity, {c.name: c for c in recipient.table.columns}
    for name in (*asked.quasi_identifiers, *asked.sensitive):
        if name not in columns:
            raise ValueError(f"anonymity names {name}, which is no column; there are {', '.join(columns)}")
        if columns[name].treatment is Treatment.PSEUDONYM:
            raise ValueError(f"anonymity names {name}, which is the pseudonym: it tells every person apart; take it out")
    if both := sorted(asked.quasi_identifiers.keys() & asked.sensitive.keys()):
        raise ValueError(f"anonymity names {both[0]} as quasi-identifier and as sensitive; take it out of one")
    if bool(asked.reason) == bool(asked.quasi_identifiers):
        raise ValueError("anonymity says a reason, which is for quasiIdentifiers {}; write reason: null" if asked.reason else
                         "anonymity names no quasiIdentifiers; write in its reason why nobody knows any column of a person, or "
                         "name them, for example quasiIdentifiers: {observed_on: exact}")
    if asked.sensitive and not asked.quasi_identifiers:
        raise ValueError("anonymity names sensitive columns without quasiIdentifiers, so all rows are one group, which tells "
                         "what it tells; write sensitive: {}")
    for said in _unfit(asked, columns, recipient.table.key):
        raise ValueError(said)


def _unfit(asked: Anonymity, columns: Mapping[str, Column], key: tuple[str, ...]) -> Iterator[str]:
    """What is wrong with the columns that are generalised, and with a key that is not theirs."""
    for name in asked.generalised:
        column = columns[name]
        if column.type != "string":
            yield (f"column {name} is generalised by anonymity, so it leaves as a label and not as {column.type}; write "
                   f"physicalType: string, or quasiIdentifiers: {{{name}: {EXACT}}} to leave it as it is")
        if column.treatment not in OPEN:
            yield (f"column {name} is generalised by anonymity, after treatment {column.treatment}; write one of "
                   f"{', '.join(OPEN)}, or quasiIdentifiers: {{{name}: {EXACT}}}")
        if name in key:
            yield (f"column {name} is in the primary key and generalised by anonymity, so it tells rows apart no more; take "
                   "primaryKey out of the schema where no other columns do")
    if not key and not asked.generalised:
        yield "schema has no key; write primaryKey: true and primaryKeyPosition on one or more properties"
