"""Candidates: which pairs of profiles are worth a look, in a run that looks only at what moved.

Whether a pair is one depends on its two profiles and on how many share their blocks. Who stands in a block that became too
large, or that is no longer, is looked at again; so the pairs of all runs together are those of one run over everything.
"""

from __future__ import annotations

import duckdb

from contracts.matching import Key
from jobs.matching.cleaning import run
from jobs.matching.pairs import PAIRS, keys
from jobs.matching.profiles import BEFORE, LINE, MOVED
from jobs.matching.records import TABLE

TOUCHED = "touched"  # name: whose pairs are looked at.
PROVING = (f"unnest(string_split(proofs, {LINE}))",)


def find(connection: duckdb.DuckDBPyConnection, rules: tuple[tuple[Key, ...], ...], largest: int) -> None:
    """Fill ``TOUCHED`` and ``PAIRS`` by blocking rules, and by shared proofs."""
    run(connection, f"create or replace table {TOUCHED} as select name from {MOVED}")
    for rule in rules:
        _touch(connection, keys(rule), largest)
    run(connection, f"create or replace table {TOUCHED} as select distinct name from {TOUCHED}")
    run(connection, f"create or replace table {PAIRS} (l bigint, r bigint)")
    for columns in (*(keys(rule) for rule in rules), list(PROVING)):
        _pair(connection, columns, largest)
    run(connection, f"create or replace table {PAIRS} as select distinct l, r from {PAIRS}")


def _touch(connection: duckdb.DuckDBPyConnection, columns: list[str], largest: int) -> None:
    """Touch the records of the blocks that became too large, or are no longer."""
    names = ", ".join(f"k{i}" for i in range(len(columns)))
    before, now = _keyed(BEFORE, columns), _keyed(TABLE, columns)
    moved = " union all by name ".join(f"from {side} semi join {MOVED} using (name)" for side in (before, now))
    run(connection, f"create or replace temp table hot as select distinct {names} from ({moved})")
    was, becomes = (f"(select {names}, count(*) as size from {side} semi join hot using ({names}) group by all)"
                    for side in (before, now))
    crossing = (f"select {names} from {was} a full join {becomes} b using ({names}) "
                f"where (coalesce(a.size, 0) > {largest}) <> (coalesce(b.size, 0) > {largest})")
    run(connection, f"insert into {TOUCHED} select name from {now} semi join ({crossing}) using ({names})")


def _pair(connection: duckdb.DuckDBPyConnection, columns: list[str], largest: int) -> None:
    names = ", ".join(f"k{i}" for i in range(len(columns)))
    run(connection, f"create or replace temp table keyed as from {_keyed(TABLE, columns)}")
    run(connection, f"create or replace temp table asked as from keyed semi join {TOUCHED} using (name)")
    run(connection, f"create or replace temp table blocks as select {names}, count(*) as size from keyed semi join asked using "
                    f"({names}) group by {names} having count(*) between 2 and {largest}")
    run(connection, f"insert into {PAIRS} select distinct least(a.unique_id, b.unique_id), greatest(a.unique_id, b.unique_id) "
                    f"from asked a join blocks using ({names}) join keyed b using ({names}) where a.unique_id <> b.unique_id")


def _keyed(table: str, columns: list[str]) -> str:
    """Records and their keys, where all are known, as SQL."""
    made = ", ".join(f"{column} as k{i}" for i, column in enumerate(columns))
    known = " and ".join(f"k{i} is not null" for i in range(len(columns)))
    return f"(select * from (select unique_id, name, {made} from {table}) where {known})"
