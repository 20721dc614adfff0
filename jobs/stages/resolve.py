"""Resolve, deterministic: which source identities are one person, by verified e-mail, phone or device binding.

The engine finds the evidence; the graph of who shares what with whom is small and is solved here, in columns.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

# A value that more identities share names no person: a placeholder, a clinic's switchboard, a demonstration device.
# One person has few accounts (a source each, some twice) and few people share one phone, so 20 is far above both.
MOST_SHARING = 20

# What ties an identity to others, the strongest first: a device is bound by a log-in on it, an e-mail address is one
# person's more often than a phone number is.
KINDS = ("device", "email", "phone")
ALONE = "alone"

Ints = NDArray[np.int64]


def evidence(identity: DataFrame, contact_point: DataFrame) -> DataFrame:
    """What may tie source identities together: source, source_person_id, kind (email, phone, device), value.

    identity, contact_point: the core tables. Only what the source verified counts; a device counts once it is bound.
    """
    verified = contact_point.where(F.col("is_verified"))
    found = [
        _values(identity.where(F.col("is_email_verified")), "email", "email"),
        _values(identity.where(F.col("is_phone_verified")), "phone", "phone"),
        _values(identity, "device", "device_id"),
        _values(verified.where(F.col("system_code") == "email"), "email", "value"),
        _values(verified.where(F.col("system_code") == "phone"), "phone", "value"),
    ]
    return reduce(DataFrame.unionByName, found).distinct()


def components(evidence: pa.Table, identities: pa.Table, known: pa.Table, mint: Callable[[], str]) -> pa.Table:
    """Who is whom: source, source_person_id, person_key, evidence; one row an identity, sorted.

    evidence: source, source_person_id, kind, value, of *all* identities. identities: source, source_person_id.
    known: source, source_person_id, person_key as decided before. ``mint`` gives a new key.

    Identities that share a value, directly or over others, are one component; a value that more than ``MOST_SHARING``
    share is none. A component keeps the key it holds, the smallest if several (a merge), and is minted one if it holds
    none. A key that two components would hold (a split) stays with the one that has its first identity. The column
    evidence says what ties the identity to another: device before email before phone, or alone.
    """
    people = identities.select(["source", "source_person_id"]).group_by(["source", "source_person_id"]).aggregate([])
    people = people.sort_by([("source", "ascending"), ("source_person_id", "ascending")])
    names = _names(people)
    person, value, kind = _shared(evidence, names)
    component = _component(person, value, people.num_rows)
    keys = _keys(component, names, known, mint)
    return people.append_column("person_key", keys).append_column("evidence", _kinds(person, kind, people.num_rows))


def new_links(resolved: pa.Table, known: pa.Table) -> pa.Table:
    """The rows of ``resolved`` that ``known`` does not hold yet, compared in the columns that both have."""
    shared = [c for c in resolved.column_names if c in known.column_names]
    fresh = resolved.join(known.select(shared), keys=shared, join_type="left anti")
    return fresh.sort_by([("source", "ascending"), ("source_person_id", "ascending")])


def _values(frame: DataFrame, kind: str, column: str) -> DataFrame:
    found = frame.where(F.col("source_person_id").isNotNull() & (F.trim(F.col(column)) != ""))
    return found.select("source", "source_person_id", F.lit(kind).alias("kind"), F.trim(F.col(column)).alias("value"))


def _names(table: pa.Table) -> Any:
    """source/id as one string; a source's name has no slash, so it is unambiguous."""
    return pc.binary_join_element_wise(*[c.cast(pa.string()).combine_chunks() for c in
                                         (table["source"], table["source_person_id"])], "/")


def _positions(values: Any, among: Any) -> Ints:
    """Where each value stands among the others; -1 where it does not."""
    return pc.fill_null(pc.index_in(values, value_set=among), -1).to_numpy(zero_copy_only=False).astype(np.int64)


def _shared(evidence: pa.Table, names: Any) -> tuple[Ints, Ints, Ints]:
    """Identity, value and kind numbers of the evidence that is shared by at least two and not by too many."""
    tags = pc.binary_join_element_wise(evidence["kind"].combine_chunks(), evidence["value"].combine_chunks(), ":")
    person = _positions(_names(evidence), names)
    value = _positions(tags, pc.unique(tags))
    kind = _positions(evidence["kind"].combine_chunks(), pa.array(KINDS))
    rows = np.unique(np.stack([person, value, kind], axis=1)[person >= 0], axis=0)
    sharing = np.bincount(rows[:, 1], minlength=1)[rows[:, 1]]
    rows = rows[(sharing >= 2) & (sharing <= MOST_SHARING)]
    return rows[:, 0], rows[:, 1], rows[:, 2]


def _component(person: Ints, value: Ints, people: int) -> Ints:
    """The component number of each identity: identities and values are the nodes, sharing is an edge."""
    nodes = people + int(value.max(initial=-1)) + 1
    graph = coo_array((np.ones(len(person), dtype=np.int8), (person, people + value)), shape=(nodes, nodes))
    return connected_components(graph, directed=False)[1][:people].astype(np.int64)


def _keys(component: Ints, names: Any, known: pa.Table, mint: Callable[[], str]) -> pa.Array:
    """The key of each identity: inherited or minted, minted in order of each component's first identity."""
    at = _positions(names, _names(known))
    ranked = pc.unique(known["person_key"].combine_chunks().cast(pa.string())).sort()
    codes = _positions(known["person_key"].combine_chunks().cast(pa.string()), ranked)
    held, first = np.unique(np.where(at >= 0, codes[at] if len(codes) else -1, -1), return_index=True)
    held, first = held[held >= 0], first[held >= 0]
    heir = np.full(component.max(initial=-1) + 1, len(ranked), dtype=np.int64)
    np.minimum.at(heir, component[first], held)
    heirless, position = np.unique(component[heir[component] == len(ranked)], return_index=True)
    order = np.argsort(position)
    heir[heirless[order]] = len(ranked) + np.arange(len(heirless))
    every = pa.concat_arrays([ranked, pa.array([mint() for _ in heirless], pa.string())])
    return every.take(pa.array(heir[component]))


def _kinds(person: Ints, kind: Ints, people: int) -> pa.Array:
    """The strongest kind of evidence each identity shares with another."""
    strongest = np.full(people, len(KINDS), dtype=np.int64)
    np.minimum.at(strongest, person, kind)
    return pa.array([*KINDS, ALONE]).take(pa.array(strongest))
