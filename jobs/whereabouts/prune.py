"""What the index need not know any more: who was in versions that nobody can read."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.files import EXTRACTS, Files
from jobs.lake import Lake
from jobs.ledger import extracts
from jobs.storage import arrow_files
from jobs.whereabouts import EXTRACT, PARTS, TABLE, log

ORDER = [(column, "ascending") for column in (*PARTS, "version")]


def prune(lake: Lake) -> int:
    """Take out who is in no version, and in no copy of an extract, that can be read; how many rows that were.

    The versions of the index that had them are swept like those of every table.
    """
    if not lake.exists(TABLE):
        return 0
    rows = lake.arrow(TABLE)
    kept = [standing(rows.filter(pc.equal(rows["table_name"], name)), _versions(lake, name))
            for name in sorted(rows["table_name"].unique().to_pylist())]
    made = pa.concat_tables([rows.slice(0, 0), *kept])
    if len(made) < len(rows):
        lake.replace_arrow(TABLE, made)
    return len(rows) - len(made)


def standing(rows: pa.Table, versions: Collection[int]) -> pa.Table:
    """Of one table's events those that tell of any of these versions, ordered by person and version."""
    rows = rows.sort_by(ORDER)
    if not len(rows):
        return rows
    there, version = rows["is_there"].to_numpy(), rows["version"].to_numpy()
    one: Any = pc.binary_join_element_wise(*(rows[part] for part in PARTS), "\x1f").combine_chunks()
    is_next_same = np.append(pc.equal(one[1:], one[:-1]).to_numpy(zero_copy_only=False), [False])
    left = np.append(version[1:], log.LATEST)
    until = np.where(is_next_same & ~np.append(there[1:], [True]), left, log.LATEST)
    readable = np.array(sorted(versions), dtype=np.int64)
    tells = there & (np.searchsorted(readable, version) < np.searchsorted(readable, until))
    closes = np.append([False], (tells & is_next_same)[:-1]) & ~there
    return rows.filter(pa.array(tells | closes))


def _versions(lake: Lake, name: str) -> list[int]:
    """The versions of a table that can be read; that of a copy of an extract, while we have it."""
    if not name.startswith(EXTRACT):
        store = arrow_files(lake.path(name))
        return log.readable(log.states(store), log.there(store))
    from jobs.stages.extract import DATA

    recipient = next((row["recipient"] for row in extracts.of(lake, extracts.EXTRACT, name.removeprefix(EXTRACT))), "")
    return [0] if DATA in Files(f"{lake.root}/{EXTRACTS}/{recipient}/{name.removeprefix(EXTRACT)}").names() else []
