"""Consent as every use asks it: statements, links and ages at pinned versions, decided in one place, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from contracts.jurisdictions import Jurisdiction
from contracts.load import Catalog
from contracts.vocabulary import DataCategory
from jobs.errors import ConsentUnreadable
from jobs.races import is_lost_race
from jobs.run.shell import Shell
from jobs.stages import decisions, people, permit, statements
from jobs.stages.use import Use

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

CONSENT, LINK, HELD, IDENTITY = "core.consent", "vault.link", "vault.held", "core.identity"
SAID = (CONSENT, LINK, HELD)  # What people say, and who they are.
TABLES = (*SAID, IDENTITY)  # What a decision rests on.


@dataclass(frozen=True)
class Terms:
    """What contracts say that a decision rests on: sources whose links a use may follow, and the rules of countries."""

    joining: frozenset[str]
    rules: dict[str, Jurisdiction]

    @classmethod
    def of(cls, catalog: Catalog, use: Use) -> Terms:
        """As the contracts say now."""
        wanted = {str(p) for p in use.purposes}
        return cls(frozenset(s.id for s in catalog.sources.values() if wanted <= {str(p) for p in s.link_purposes}),
                   catalog.jurisdictions)

    @classmethod
    def read(cls, document: dict[str, Any]) -> Terms:
        """As a release pinned them."""
        return cls(frozenset(document["joining"]), {c: Jurisdiction(**r) for c, r in document["rules"].items()})

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {"joining": sorted(self.joining), "rules": {c: r.model_dump(by_alias=True) for c, r in self.rules.items()}}


@dataclass(frozen=True)
class Decided:
    """What was decided for a use: the decisions, the links it may follow, and when time alone may change them."""

    decisions: DataFrame
    links: DataFrame
    until: datetime | None


@dataclass(frozen=True)
class Known:
    """What a decision rests on, as frames: statements that stand, links, held matches and identities."""

    statements: DataFrame
    links: DataFrame
    held: DataFrame
    identities: DataFrame


def document(shell: Shell, use: Use) -> dict[str, Any]:
    """A use and its terms as JSON, for whoever decides it again."""
    return {"purposes": list(use.purposes), "legal_basis": str(use.legal_basis), "categories": list(use.categories),
            "terms": Terms.of(shell.catalog, use).document()}


def versions(shell: Shell) -> dict[str, int]:
    """The newest versions of the tables a decision rests on; -1 for one that does not exist yet."""
    return {name: shell.lake.version(name) for name in TABLES}


def decide(shell: Shell, pinned: dict[str, int], use: Use, terms: Terms | None = None,
           with_until: bool = False) -> Decided:
    """The decisions of a use at the named versions of TABLES, on today's terms unless others are given.

    Raises ConsentUnreadable.
    """
    known, terms = read(shell, pinned), terms or Terms.of(shell.catalog, use)
    whom = asked(known, use, terms)
    until = None
    if with_until and use.legal_basis.rests_on_consent:
        lasts = sorted({r.lapses_after_days for r in terms.rules.values() if r.lapses_after_days})
        change = decisions.next_change(whom, known.statements, use.as_of, lasts).collect()[0]["at"]
        until = datetime.fromtimestamp(change / 1e6, UTC) if change else None
    return Decided(permit.decide(whom, known.statements, use), people.apart(known.links, terms.joining), until)


def asked(known: Known, use: Use, terms: Terms) -> people.People:
    """The people of a use as ``permit.decide`` takes them: links it may follow, noes over the others, ages."""
    from pyspark.sql import functions as F

    followed = people.apart(known.links, terms.joining)
    if not use.legal_basis.rests_on_consent:
        return people.People(followed)
    every = followed.select(*people.LINK, F.lit(None).cast("string").alias("said_by")).unionByName(
        people.noes(followed, known.held))
    special = any(DataCategory(c).is_special for c in use.categories)
    return people.grown(every, known.identities, terms.rules, special)


def read(shell: Shell, pinned: dict[str, int]) -> Known:
    """What a decision rests on at the named versions.

    Raises ConsentUnreadable when one does not exist or cannot be read: an absent table is not an empty one. Every key
    is read, since counts alone come from the log and are there when the files are not.
    """
    frames = {name: _read(shell, name, pinned.get(name, -1)) for name in TABLES}
    return Known(*[statements.current(frame) if name == CONSENT else frame for name, frame in frames.items()])


def of_source(shell: Shell, source: str) -> DataFrame:
    """Every statement of a source, the replaced ones too; none before its first. Raises ConsentUnreadable."""
    shell.lake.ensure(CONSENT)
    return _read(shell, CONSENT, shell.lake.version(CONSENT)).where(f"source = '{source}'")


def of_person(shell: Shell, pinned: dict[str, int], source: str, source_person_id: str) -> dict[str, pa.Table]:
    """The rows of TABLES about the person behind a source identity, and about those who may be the same, at the versions.

    Found by Arrow in this process, since a person's id has no place in a query plan. The statements are those that
    stand; no links when nobody is linked. Raises ConsentUnreadable.
    """
    def rows(name: str, wanted: Any) -> pa.Table:
        with _readable(name, pinned.get(name, -1)):
            return shell.lake.arrow(name, pinned[name], filters=wanted)

    one = (pc.field("source") == source) & (pc.field("source_person_id") == source_person_id)
    key = rows(LINK, one)["person_key"].to_pylist()
    held = rows(HELD, pc.field("person_key").isin(_texts(key)) | pc.field("other_key").isin(_texts(key)))
    keys = [*key, *held["person_key"].to_pylist(), *held["other_key"].to_pylist()]
    links = rows(LINK, pc.field("person_key").isin(_texts(keys)))
    theirs = reduce(or_, [(pc.field("source") == each["source"]) & (pc.field("source_person_id") == each["source_person_id"])
                          for each in links.to_pylist()], pc.scalar(False))
    return {CONSENT: rows(CONSENT, theirs & pc.field("superseded_by").is_null()), LINK: links, HELD: held,
            IDENTITY: rows(IDENTITY, theirs)}


def _read(shell: Shell, name: str, version: int) -> DataFrame:
    """A table at a version, its keys read once: what fails, fails here."""
    from pyspark.sql import functions as F

    with _readable(name, version):
        frame = shell.lake.read(name, version)
        frame.agg(F.count_if(F.hash(*shell.lake.contract(name).key) == 0)).collect()
        return frame


def _texts(values: list[str]) -> pa.Array:
    return pa.array(values, pa.string())


@contextmanager
def _readable(name: str, version: int) -> Iterator[None]:
    """Turn what goes wrong while a table is read into ConsentUnreadable."""
    if version < 0:
        raise ConsentUnreadable(f"{name} does not exist yet; land and conform a source of consent and run `concord resolve`")
    try:
        yield
    except Exception as error:
        if is_lost_race(error):
            raise
        raise ConsentUnreadable(f"{name} version {version} cannot be read ({type(error).__name__}); nothing flows "
                                "until it can: restore it, or run `concord conform` again") from None
