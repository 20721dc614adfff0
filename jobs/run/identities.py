"""Identities as matching takes them, and what earlier runs kept of them."""

from __future__ import annotations

import hashlib

import pyarrow as pa
import pyarrow.compute as pc

from contracts.matching import FILE, OF_IDENTITIES
from jobs.lake import Lake
from jobs.matching.growing import EDGES
from jobs.matching.profiles import KEPT, PROFILE
from jobs.matching.stored import Stored
from jobs.stages import profile

INPUTS = ("core.identity", "core.contact_point")
KEPT_PROFILES, MATCH = "vault.profile", "vault.match"
NAMES = {"identity": "name", "left_identity": "left_name", "right_identity": "right_name"}  # What matching calls them.


def profiles(lake: Lake) -> pa.Table:
    """What core knows of each identity (``PROFILE``)."""
    found = profile.profiles(*(lake.read(name) for name in INPUTS)).toArrow()
    columns = {"name": names(found), "proofs": found["proofs"], **{str(role): found[role] for role in OF_IDENTITIES}}
    return pa.table({name: columns[name] for name in PROFILE.names}).cast(PROFILE)


def names(rows: pa.Table) -> pa.Array:
    """source/source_person_id of each row; a source's name has no slash, so it is unambiguous."""
    return pc.binary_join_element_wise(*(rows[c].cast(pa.string()).combine_chunks() for c in profile.WHO), "/")


def split(identities: pa.Array) -> tuple[pa.Array, pa.Array]:
    """source and source_person_id of each of ``names``."""
    parts = pc.split_pattern(identities, "/", max_splits=1)
    return pc.list_element(parts, 0), pc.list_element(parts, 1)


def basis(stored: Stored | None) -> str:
    """What pairs are judged under: a digest of the model and the configuration."""
    model = stored.id if stored else ""
    return hashlib.sha256(f"{model}\n{FILE.read_text(encoding='utf-8')}".encode()).hexdigest()[:16]


def kept(lake: Lake, now: str) -> tuple[pa.Table, pa.Table]:
    """Profiles (``KEPT``) and matches (``EDGES``) of earlier runs; none where any was judged under another basis than now's.

    A run that was killed leaves a profile without a basis of any.
    """
    rows = lake.arrow(KEPT_PROFILES)
    if not rows.num_rows or pc.any(pc.not_equal(rows["basis"], now)).as_py():
        return KEPT.empty_table(), EDGES.empty_table()
    return renamed(rows).select(KEPT.names).cast(KEPT), renamed(lake.arrow(MATCH)).select(EDGES.names).cast(EDGES)


def named(rows: pa.Table) -> pa.Table:
    """Rows of matching with the names that the vault uses."""
    back = {ours: vaults for vaults, ours in NAMES.items()}
    return rows.rename_columns([back.get(name, name) for name in rows.column_names])


def renamed(rows: pa.Table) -> pa.Table:
    """Rows of the vault with the names that matching uses."""
    return rows.rename_columns([NAMES.get(name, name) for name in rows.column_names])
