"""Whether an extract tells more beside what went out before: beside the recipient's own, and beside those of other recipients."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from itertools import groupby
from typing import TYPE_CHECKING, Any

from contracts.model import Recipient
from contracts.vocabulary import Treatment
from jobs.errors import Linkable
from jobs.ledger import extracts
from jobs.run import pseudonyms
from jobs.run.delivered import Copy, copies, told_of
from jobs.run.shell import Shell
from jobs.stages import comparable, composition, linkage
from jobs.stages.hashes import hashed
from jobs.stages.protect import MARK
from jobs.workspace import Workspace

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

Schema = Sequence[Mapping[str, Any]]
PERSON, PSEUDONYM = "__person", "__pseudonym"  # No column of a contract can be called like these.


@dataclass(frozen=True)
class Found:
    """What whoever has this extract and another recipient's finds: of ``people`` in both, so many percent beyond chance."""

    recipient: str
    people: int
    percent: float
    allowed: float


@dataclass(frozen=True)
class _Side:
    """An extract that is laid beside another one: what its columns are told as, and its rows."""

    columns: list[comparable.Told]
    rows: DataFrame


def over_time(shell: Shell, recipient: Recipient, schema: Schema, rows: DataFrame, now: datetime) -> DataFrame:
    """An extract's rows + is_released: whether they single nobody out beside what the recipient was delivered before.

    schema: what a manifest says of its columns.

    Raises Linkable where rows are about something that is treated otherwise than in an earlier extract, IntegrityError where our
    copy of one is missing.
    """
    from pyspark.sql import functions as F

    held = copies(shell, recipient, now)
    if not held:
        return rows.withColumn(MARK, F.lit(True))
    person = recipient.table.pseudonym_column
    key = [name for name in recipient.table.key if name != person]
    for copy in held:
        _refuse_other_key(recipient, schema, copy, key)
    before = [_known(shell, copy.rows, comparable.person_column(copy.schema)) for copy in held]
    earlier = [composition.told(frame, PERSON, key, _quasi(copy.manifest), number)
               for number, (frame, copy) in enumerate(zip(before, held, strict=True))]
    asked = recipient.anonymity
    marked = composition.mark(_known(shell, rows, person), PERSON, key, list(asked.quasi_identifiers), earlier, asked.k)
    return marked.drop(PERSON)


def _known(shell: Shell, rows: DataFrame, column: str) -> DataFrame:
    """Rows + the person behind their pseudonym: a recipient may know somebody again under a pseudonym of another domain."""
    from pyspark.sql import functions as F

    keys = shell.lake.read(pseudonyms.TABLE).select(F.col("pseudonym").alias(PSEUDONYM), F.col("person_key").alias(PERSON))
    joined = rows.join(keys, on=rows[column] == keys[PSEUDONYM], how="left")
    return joined.select(*rows.columns, F.coalesce(PERSON, column).alias(PERSON))


def beside_others(shell: Shell, recipient: Recipient, schema: Schema, rows: DataFrame, now: datetime,
                  work: Workspace) -> list[Found]:
    """What is found beside each other recipient that was delivered something; the worst of its extracts each.

    Laid together with these rows is what the recipient was sent before with the same columns, each row as it was told last.
    Raises Linkable where more is found than either contract allows, or where another recipient has no contract any more.
    """
    found: list[Found] = []
    others = sorted({entry["recipient"] for entry in extracts.all_sent(shell.lake)} - {recipient.id})
    mine = work.keep("mine", _series(shell, recipient, schema, rows, now)) if others else rows
    for name in others:
        other = shell.catalog.recipients.get(name)
        if other is None:
            raise Linkable(f"{name} was delivered extracts, but has no contract any more, so that nobody can say whom it "
                           "knows; put its contract back, with status retired")
        measured = [_measured(shell, recipient, (schema, mine), (other, alike), now, work)
                    for alike in _alike(copies(shell, other, now))]
        found += sorted(measured, key=lambda one: one.percent)[-1:]
    for one in found:
        if one.percent > one.allowed:
            raise Linkable(_said(recipient, one))
    return found


def facts(shell: Shell, recipient: Recipient, found: Sequence[Found]) -> dict[str, float]:
    """What a manifest says of it, the worst alone: who else was delivered what is no matter of this recipient.

    The report names each.
    """
    if found:
        shell.report.facts["beside"] = {
            one.recipient: {"people": one.people, "linked_percent": round(one.percent, 1)} for one in found}
    return {"linked_percent": max((round(one.percent, 1) for one in found), default=0.0),
            "max_linked_percent": min([recipient.max_linked_percent, *(one.allowed for one in found)])}


def refuse_beside(shell: Shell, recipient: Recipient, extract_id: str, manifest: dict[str, Any], rows: DataFrame,
                 now: datetime, work: Workspace) -> None:
    """Raise Linkable when an extract that was prepared tells too much beside all that was delivered by now."""
    schema = manifest["schema"]
    apart = over_time(shell, recipient, schema, rows, now).where(f"NOT {MARK}").count()
    if apart:
        raise Linkable(f"{apart} rows of {extract_id} would single people out beside what {recipient.id} was delivered since it "
                       "was prepared; prepare it again")
    beside_others(shell, recipient, schema, rows, now, work)


def _quasi(manifest: dict[str, Any]) -> list[str]:
    """The columns of a delivered extract by which people may be known: those that it said itself."""
    return list(manifest["anonymity"]["quasi_identifiers"])


def _refuse_other_key(recipient: Recipient, schema: Schema, copy: Copy, key: Sequence[str]) -> None:
    """Rows of two extracts are the same where their keys are, and one that has days as they were undoes one that moves them."""
    now, then = ({column.name: column for column in comparable.told(said, product)} for said, product in (
        (schema, recipient.product), (copy.schema, copy.manifest["product"])))
    moved = [name for name in now if name in then and Treatment.DATE_SHIFT in (now[name].treatment, then[name].treatment)]
    for name in dict.fromkeys((*key, *moved)):
        if now[name] != then.get(name):
            raise Linkable(f"column {name} is treated otherwise than in {copy.manifest['extract_id']}, which {recipient.id} has, "
                           "so that the one undoes the other, whatever the pseudonyms; treat it as it was")


def _series(shell: Shell, recipient: Recipient, schema: Schema, rows: DataFrame, now: datetime) -> DataFrame:
    """All that the recipient has once it has these rows, of what is told and treated as they are: the person and the columns."""
    kind = _kind(recipient.product, schema)
    before = [copy for copy in copies(shell, recipient, now) if _kind(copy.manifest["product"], copy.schema) == kind]
    return _together(shell, recipient, schema, [*(copy.rows for copy in before), rows])


def _together(shell: Shell, recipient: Recipient, schema: Schema, frames: Sequence[DataFrame]) -> DataFrame:
    """Extracts of one recipient that have the same columns (oldest first), by the person: each row as it was told last."""
    column = comparable.person_column(schema)
    return _newest([_known(shell, frame, column).drop(column) for frame in frames],
                   [PERSON if name == column else name for name in recipient.table.key])


def _alike(held: Iterable[Copy]) -> Iterable[list[Copy]]:
    """Copies by their columns and treatments, each list oldest first."""
    def kind(copy: Copy) -> str:
        return _kind(copy.manifest["product"], copy.schema)

    return [list(group) for _, group in groupby(sorted(held, key=kind), key=kind)]


def _kind(product: str, schema: Schema) -> str:
    """What two extracts have in common whose rows can be laid together as they are."""
    return json.dumps([product, told_of(schema)], sort_keys=True)


def _measured(shell: Shell, recipient: Recipient, mine: tuple[Schema, DataFrame], their: tuple[Recipient, list[Copy]],
              now: datetime, work: Workspace) -> Found:
    """What is found beside extracts of another recipient that have the same columns; ``mine``: what manifests say of the columns,
    and the rows by the person."""
    from pyspark.sql import functions as F

    other, held = their
    for copy in held:
        if copy.manifest["pseudonym_domain"] == recipient.pseudonym_domain:
            raise Linkable(f"{other.id} was delivered pseudonyms of domain {recipient.pseudonym_domain}; write one for "
                           f"{recipient.id} that nobody else had")
    ours = _Side(comparable.told(mine[0], recipient.product), mine[1])
    theirs = _Side(comparable.told(held[0].schema, held[0].manifest["product"]),
                   _together(shell, other, held[0].schema, [copy.rows for copy in held]))
    known = {h.sha256: h for one in shell.catalog.recipients.values() for h in one.hierarchies}
    ours, theirs = (_Side(*comparable.as_coarse(side.columns, beside.columns, side.rows, known))
                    for side, beside in ((ours, theirs), (theirs, ours)))
    pairs = comparable.pairs(ours.columns, theirs.columns, now.date())
    signs = [work.keep(name, linkage.signs(side.rows, PERSON, pairs, is_ours=side is ours))
             for name, side in (("ours", ours), ("others", theirs))]
    same = signs[0].select("person", F.col("person").alias("other")).distinct().join(
        signs[1].select("person").distinct(), on="person", how="left_semi")
    row = linkage.guessed(linkage.common_days(*signs), linkage.common_days(*reversed(signs)), same,
                          work.keep).collect()[0]
    percent = linkage.percent_beyond_chance(row["people"], row["right"] or 0, row["others"] or 0)
    return Found(other.id, row["people"], percent, min(recipient.max_linked_percent, other.max_linked_percent))


def _newest(frames: Sequence[DataFrame], key: Sequence[str]) -> DataFrame:
    """Each row as it was told last; frames: oldest first, with the same columns."""
    from pyspark.sql import functions as F

    if len(frames) == 1:
        return frames[0]
    names = frames[0].columns
    numbered = reduce(lambda a, b: a.unionByName(b), [f.withColumn("_number", F.lit(n)) for n, f in enumerate(frames)])
    if not key or not set(key) <= set(names):  # Nothing says which rows are one.
        return numbered.select(names).distinct()
    # Grouped by a number it is quicker than by texts.
    told = numbered.withColumn("_row", hashed(F.col(key[0]), *[F.col(name) for name in key]))
    last = told.groupBy("_row").agg(F.max("_number").alias("_number"))
    return told.join(last, on=["_row", "_number"], how="left_semi").select(names)


def _said(recipient: Recipient, found: Found) -> str:
    exact = [c.name for c in recipient.table.columns if c.treatment is Treatment.KEEP]
    return (f"whoever has this extract and those of {found.recipient} finds {found.percent:.1f} percent of the {found.people} "
            f"people whom both have, beyond chance; {found.allowed:g} are allowed (maxLinkedPercent). Drop columns of "
            f"{recipient.id} that are kept as they are ({', '.join(exact)}), or make them coarser: band for numbers, date_shift "
            "for days")
