"""Consent as every use asks it: statements, links and ages at pinned versions, decided in one place, or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from contracts.vocabulary import DataCategory
from jobs.errors import ConsentUnreadable
from jobs.lake import is_lost_race
from jobs.run.shell import Shell
from jobs.stages import people, permit, statements

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

CONSENT, LINK, HELD, IDENTITY = "core.consent", "vault.link", "vault.held", "core.identity"
SAID = (CONSENT, LINK, HELD)  # What people say, and who they are.
TABLES = (*SAID, IDENTITY)  # What a decision rests on.


@dataclass(frozen=True)
class Decided:
    """What was decided for a use: the decisions, the links it may follow, and when time alone may change them."""

    decisions: DataFrame
    links: DataFrame
    until: datetime | None


def versions(shell: Shell) -> dict[str, int]:
    """The newest versions of the tables a decision rests on; -1 for one that does not exist yet."""
    return {name: shell.lake.version(name) for name in TABLES}


def decide(shell: Shell, pinned: dict[str, int], use: permit.Use, with_until: bool = False) -> Decided:
    """The decisions of a use at the named versions of TABLES. Raises ConsentUnreadable."""
    said, links, held, identity = read(shell, pinned)
    whom = asked(shell, links, held, identity, use)
    until = None
    if with_until and use.legal_basis.rests_on_consent:
        lasts = sorted({r.lapses_after_days for r in shell.catalog.jurisdictions.values() if r.lapses_after_days})
        change = permit.next_change(whom, said, use.as_of, lasts).collect()[0]["at"]
        until = datetime.fromtimestamp(change / 1e6, UTC) if change else None
    return Decided(permit.decide(whom, said, use), people.apart(links, joining(shell, use)), until)


def asked(shell: Shell, links: DataFrame, held: DataFrame, identity: DataFrame, use: permit.Use) -> DataFrame:
    """The people of a use as ``permit.decide`` takes them: links it may follow, noes over the others, ages."""
    from pyspark.sql import functions as F

    followed = people.apart(links, joining(shell, use))
    if not use.legal_basis.rests_on_consent:
        return followed
    every = followed.select(*people.LINK).withColumn("only_no", F.lit(False)).unionByName(
        people.noes(followed, held).withColumn("only_no", F.lit(True)))
    special = any(DataCategory(c).is_special for c in use.categories)
    return people.grown(every, identity, shell.catalog.jurisdictions, special)


def joining(shell: Shell, use: permit.Use) -> frozenset[str]:
    """The sources that allow their links to be used for all purposes of a use."""
    return frozenset(s.id for s in shell.catalog.sources.values() if {str(p) for p in use.purposes} <= {
        str(p) for p in s.link_purposes})


def read(shell: Shell, pinned: dict[str, int]) -> tuple[DataFrame, DataFrame, DataFrame, DataFrame]:
    """(statements that stand, links, held matches, identities) at the named versions.

    Raises ConsentUnreadable when one does not exist or cannot be read: an absent table is not an empty one. Every key
    is read, since counts alone come from the log and are there when the files are not.
    """
    from pyspark.sql import functions as F

    frames = []
    for name in TABLES:
        if pinned.get(name, -1) < 0:
            raise ConsentUnreadable(f"{name} does not exist yet; land and conform a source of consent and run `concord resolve`")
        try:
            frame = shell.lake.read(name, pinned[name])
            frame.agg(F.count_if(F.hash(*shell.lake.contract(name).key) == 0)).collect()
        except Exception as error:
            if is_lost_race(error):
                raise
            raise ConsentUnreadable(f"{name} version {pinned[name]} cannot be read ({type(error).__name__}); nothing flows "
                                    "until it can: restore it, or run `concord conform` again") from None
        frames.append(statements.current(frame) if name == CONSENT else frame)
    return frames[0], frames[1], frames[2], frames[3]
