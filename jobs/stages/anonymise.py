"""Anonymise: the rows of an extract generalised and suppressed until they are as anonymous as its recipient's contract asks.

People may have many rows, so groups are held to the people whose rows they hold, not to rows: whoever knows the
quasi-identifiers of one row of a person finds k people (k^m-anonymity for m = 1, Terrovitis, Mamoulis and Kalnis 2008). Who knows
more rows of a person is promised nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from contracts.hierarchies import EXACT, MADE
from contracts.model import Recipient
from jobs.anonymity import hierarchies, risk, spread, steps
from jobs.anonymity.counts import Counts, count
from jobs.anonymity.groups import Groups, Privacy
from jobs.anonymity.hierarchies import Hierarchy
from jobs.anonymity.labels import applied
from jobs.anonymity.search import Found, search
from jobs.errors import IntegrityError, NotAnonymous
from jobs.stages.protect import MARK

RELEASED = "-"
MODEL = "k^m-anonymity, m = 1"  # What a manifest calls it.


@dataclass(frozen=True)
class Anonymous:
    """Rows that may leave; how many were released ("-") or suppressed, by reason; what the manifest says of it, in numbers."""

    rows: DataFrame
    account: Mapping[str, int]
    said: Mapping[str, Any]


def anonymise(rows: DataFrame, recipient: Recipient, person: str) -> Anonymous:
    """The rows of an extract as anonymous as its contract asks, at the least loss; ``person`` is the column of the pseudonym.

    Raises NotAnonymous, which quotes no value, where that cannot be.
    """
    asked = recipient.anonymity
    sizes = rows.agg(F.count(F.lit(1)).alias("rows"), F.count_distinct(person).alias("people")).collect()[0]
    if sizes["people"] < asked.k:
        raise NotAnonymous(f"the extract for {recipient.id} has rows of {sizes['people']:,} people, fewer than k = {asked.k:,}: "
                           "no group of them can be that large, and nothing leaves")
    if not asked.quasi_identifiers:
        return Anonymous(rows, {RELEASED: sizes["rows"]}, {**_asked(recipient), "groups": 1, "smallest_group": sizes["people"]})
    most = int(sizes["rows"] * asked.suppress_percent / 100)
    privacy = Privacy(asked.k, asked.diverse, asked.close)
    quasi, sensitive = ({name: name for name in names} for names in (asked.quasi_identifiers, asked.sensitive))
    counts = count(rows, quasi, sensitive, asked.k, most, _maker(recipient), person=person)
    found = search(counts, privacy, most)
    if found is None or found.groups.is_bad.all():
        raise NotAnonymous(f"the rows for {recipient.id} cannot be {asked}: at the best levels "
                           f"{'more' if found is None else 'all'} of them would stay out. Ask less, let more be suppressed, or "
                           f"give columns that are {EXACT} a hierarchy")
    return Anonymous(applied(rows, counts, found), _account(counts, found.groups), {**_asked(recipient), **_found(counts, found)})


def whole_groups(marked: DataFrame, recipient: Recipient, person: str, asked_of: DataFrame) -> DataFrame:
    """Marked rows of which none is released whose group, of those that are, has become too small, not diverse enough, or other
    than all rows (``asked_of``: those that were to be made anonymous)."""
    names = list(recipient.anonymity.quasi_identifiers)
    bad = _bad(marked.where(MARK), recipient, person, asked_of).select(*[F.col(n).alias(f"_{n}_") for n in names],
                                                                       F.lit(True).alias("_is_bad_"))
    same = reduce(and_, [F.col(name).eqNullSafe(F.col(f"_{name}_")) for name in names], F.lit(True))
    kept = F.col(MARK) & F.col("_is_bad_").isNull()
    return marked.join(bad, on=same, how="left").select(*[kept.alias(n) if n == MARK else n for n in marked.columns])


def left(rows: DataFrame, recipient: Recipient, person: str) -> dict[str, Any]:
    """What the manifest says of the groups of the rows that leave: how many, people in the smallest, and their risk."""
    found = _groups(rows, recipient, person).agg(F.count(F.lit(1)).alias("groups"), F.min("_people_").alias("smallest_group"),
                                                F.sum("_people_").alias("people")).collect()[0]
    risk = {"average": found["groups"] / found["people"], "maximum": 1 / found["smallest_group"]}
    return {"groups": found["groups"], "smallest_group": found["smallest_group"],
            **({"risk": risk} if recipient.anonymity.quasi_identifiers else {})}


def _groups(rows: DataFrame, recipient: Recipient, person: str) -> DataFrame:
    """The groups of rows: the quasi-identifiers, _people_, and _is_small_: whether they are fewer than k or have fewer distinct
    values than are asked for."""
    asked = recipient.anonymity
    groups = rows.groupBy(*asked.quasi_identifiers).agg(F.count_distinct(person).alias("_people_"), *[
        (F.count_distinct(name) + F.max(F.col(name).isNull().cast("int"))).alias(f"_values_{place}_")
        for place, name in enumerate(asked.diverse)])
    is_small = F.col("_people_") < asked.k
    for place, least in enumerate(asked.diverse.values()):
        is_small |= F.col(f"_values_{place}_") < least
    return groups.withColumn("_is_small_", is_small)


def _bad(rows: DataFrame, recipient: Recipient, person: str, asked_of: DataFrame) -> DataFrame:
    """The groups of rows that are not what is asked, each once: their quasi-identifiers."""
    asked, names = recipient.anonymity, list(recipient.anonymity.quasi_identifiers)
    small = _groups(rows, recipient, person).where("_is_small_").select(*names)
    kinds = rows.select(*names).schema
    found = [rows.sparkSession.createDataFrame(far, kinds) for name, most in asked.close.items()
             if (far := spread.far(rows, asked_of, names, name, most)).num_rows]
    return reduce(DataFrame.unionByName, found, small).distinct() if found else small


def refuse_small(rows: DataFrame, recipient: Recipient, person: str, asked_of: DataFrame) -> None:
    """Raise IntegrityError unless every group of the rows that are to leave has rows of k people, the distinct values that are
    asked for, and a spread like that of all rows (``asked_of``: those that were to be made anonymous): counted once more,
    whatever levels were found. Raises NotAnonymous where no row is left."""
    asked = recipient.anonymity
    if rows.isEmpty():
        raise NotAnonymous(f"no row for {recipient.id} is left: beside what it was delivered before, each would tell of fewer "
                           f"than {asked.k:,} people; nothing leaves until more share what is told")
    bad = _bad(rows, recipient, person, asked_of).count()
    if bad:
        raise IntegrityError(f"{bad:,} groups of the rows for {recipient.id} are smaller, less diverse or further from all rows "
                             f"than {asked}; nothing leaves")


def _maker(recipient: Recipient) -> Callable[[str, str, Sequence[str | None]], Hierarchy]:
    """The hierarchy of a column as the contract says."""
    known = {declared.name: declared for declared in recipient.hierarchies}

    def make(name: str, kind: str, values: Sequence[str | None]) -> Hierarchy:
        said = recipient.anonymity.quasi_identifiers[name]
        if all(value is None for value in values):
            raise NotAnonymous(f"column {name} has no value in any row for {recipient.id}, so nothing is told by it; take it out "
                               "of quasiIdentifiers and of the schema, or have it filled")
        if said == EXACT:
            return hierarchies.exact(name, values)
        if said == MADE:
            return steps.made(name, kind, values)
        if lacking := hierarchies.lacks(known[said], values):
            raise NotAnonymous(f"hierarchy {said} lacks {lacking:,} of the {len(values):,} values that column {name} has in the "
                               f"rows for {recipient.id}; add them, and have the contract reviewed again")
        return hierarchies.of_declared(known[said], name, values)

    return make


def _account(counts: Counts, groups: Groups) -> dict[str, int]:
    """Rows by what became of them: released, or the first of what is asked that their group does not meet."""
    rows = {RELEASED: ~groups.is_bad, "small_group": groups.is_small, "not_diverse": groups.is_rare & ~groups.is_small,
            "not_close": groups.is_bad & ~groups.is_rare}
    return {reason: number for reason, chosen in rows.items() if (number := int(groups.rows[chosen].sum()))}


def _asked(recipient: Recipient) -> dict[str, Any]:
    asked = recipient.anonymity
    return {"model": MODEL, "k": asked.k, "quasi_identifiers": dict(asked.quasi_identifiers), "reason": asked.reason,
            "suppress_percent": asked.suppress_percent,
            "sensitive": {name: said.model_dump(by_alias=True) for name, said in asked.sensitive.items()},
            "hierarchies": {hierarchy.name: hierarchy.sha256 for hierarchy in recipient.hierarchies}}


def _found(counts: Counts, found: Found) -> dict[str, Any]:
    left = risk.of(counts, found.groups)
    return {"levels": {column.hierarchy.name: {"level": level, "of": column.hierarchy.levels - 1}
                       for column, level in zip(counts.columns, found.levels, strict=True)},
            "suppressed": found.groups.bad_rows, "groups": left.groups, "smallest_group": left.smallest,
            "risk": {"average": left.average, "maximum": left.maximum}, "loss": round(found.loss, 6)}
