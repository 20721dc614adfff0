"""Candidates: which pairs of profiles are worth a look, in a run that looks only at what moved.

Whether a pair is one depends on its two profiles and on how many share their blocks. So the pairs of who moved are looked at,
and those of blocks that are no longer too large; and pairs of blocks that became so are none any more, unless another
block has them. The pairs of all runs together are those of one run over everything.
"""

from __future__ import annotations

import duckdb

from contracts.matching import Key
from jobs.matching.cleaning import run
from jobs.matching.pairs import PAIRS, keys
from jobs.matching.profiles import BEFORE, PROOF, VALUES
from jobs.matching.records import TABLE

PROVEN, LOST = "proven", "lost"
ENDLESS = 2**62  # Proofs that too many share are none: their blocks need no limit.


def find(connection: duckdb.DuckDBPyConnection, rules: tuple[tuple[Key, ...], ...], largest: int, kept: str) -> None:
    """Fill ``PAIRS`` and ``LOST`` by blocking rules, and by shared proofs.

    kept: a table (l, r, proof) of pairs that earlier runs kept, of profiles that did not move. ``PAIRS``: those to be judged,
    without kept ones. ``PROVEN``: those among them that share a proof. ``LOST`` (l, r): kept ones that are no candidates now.
    """
    for table in (PAIRS, PROVEN):
        run(connection, f"create table {table} (l bigint, r bigint)")
    run(connection, "create temp table outgrown (rule integer, key ubigint, unique_id bigint)")
    everybody = bool(run(connection, f"select coalesce(bool_and(is_moved), true) from {TABLE}")[0][0])
    for number, rule in enumerate(rules):
        _make_blocks(connection, keys(rule), everybody)
        _pair(connection, PAIRS, largest)
        too_large = f"select key from blocks where was between 2 and {largest} and size > {largest}"
        run(connection, f"insert into outgrown select {number}, key, unique_id from keyed semi join ({too_large}) using (key) "
                        "where not is_moved")
    _make_blocks(connection, [VALUES[PROOF]], everybody)
    _pair(connection, PROVEN, ENDLESS)
    run(connection, f"create or replace table {PAIRS} as select distinct l, r from (from {PAIRS} union all from {PROVEN}) "
                    f"anti join {kept} using (l, r)")
    _lose(connection, rules, largest, kept)


def _make_blocks(connection: duckdb.DuckDBPyConnection, columns: list[str], everybody: bool) -> None:
    """``keyed``: key, unique_id and is_moved, of the records of blocks in which somebody moved. ``blocks``: key, size, and what
    it was before. everybody: whether nobody is left who did not move."""
    now, before = _keyed(TABLE, columns), _keyed(f"(select *, -1 as unique_id, true as is_moved from {BEFORE})", columns)
    run(connection, f"create or replace temp table keyed_before as select key, count(*) as moved from {before} group by key")
    moved = f"select key from keyed_before union select key from {_keyed(f'{TABLE} where is_moved', columns)}"
    run(connection, f"create or replace temp table keyed as from {now} {'' if everybody else f'semi join ({moved}) using (key)'}")
    run(connection, """create or replace temp table blocks as
        select key, size, size - new + coalesce(moved, 0) as was
        from (select key, count(*) as size, count(*) filter (is_moved) as new from keyed group by key)
        left join keyed_before using (key)""")


def _pair(connection: duckdb.DuckDBPyConnection, into: str, largest: int) -> None:
    """Add the pairs of who moved, and all of a block that is no longer too large."""
    run(connection, f"""insert into {into} select least(a.unique_id, b.unique_id), greatest(a.unique_id, b.unique_id)
        from keyed a join blocks using (key) join keyed b using (key) where size between 2 and {largest} and a.is_moved
        and a.unique_id <> b.unique_id and (not b.is_moved or a.unique_id < b.unique_id)""")
    run(connection, f"""insert into {into} select a.unique_id, b.unique_id
        from keyed a join blocks using (key) join keyed b using (key) where size between 2 and {largest} and was > {largest}
        and a.unique_id < b.unique_id and not a.is_moved and not b.is_moved""")


def _lose(connection: duckdb.DuckDBPyConnection, rules: tuple[tuple[Key, ...], ...], largest: int, kept: str) -> None:
    """Fill ``LOST``: kept pairs of blocks that became too large, which no other block has."""
    run(connection, f"create table {LOST} as select distinct l, r from {kept} join outgrown a on a.unique_id = l "
                    "join outgrown b on b.unique_id = r and b.rule = a.rule and b.key = a.key where proof is null")
    for rule in rules:
        if not run(connection, f"select count(*) from {LOST}")[0][0]:
            return
        now = _keyed(TABLE, keys(rule))
        run(connection, f"create or replace temp table together as select l, r, a.key from {LOST} "
                        f"join {now} a on a.unique_id = l join {now} b on b.unique_id = r and b.key = a.key")
        small = f"select key from {now} semi join together using (key) group by key having count(*) <= {largest}"
        run(connection, f"delete from {LOST} where (l, r) in (select (l, r) from together semi join ({small}) using (key))")


def _keyed(table: str, columns: list[str]) -> str:
    """Records and their key, a number, where all columns are known, as SQL."""
    made = ", ".join(f"{column} as k{i}" for i, column in enumerate(columns))
    names = [f"k{i}" for i in range(len(columns))]
    return (f"(select hash({', '.join(names)}) as key, unique_id, is_moved from "
            f"(select unique_id, is_moved, {made} from {table}) where {' and '.join(f'{name} is not null' for name in names)})")
