"""Pairs: which records are worth a comparison. All of them while they are few; else those that share the keys of a rule."""

from __future__ import annotations

from collections.abc import Iterator

from contracts.matching import Key, Matching
from jobs.matching.records import TABLE, Records

PAIRS = "pairs"  # l, r: unique_id, the smaller first; each pair once.


def find(records: Records, matching: Matching) -> list[str]:
    """Fill ``PAIRS``; gives the rules that were used, in words. A pair is there once, however many rules give it."""
    run = records.run
    run(f"create or replace table {PAIRS} (l bigint, r bigint)")
    if len(records) * (len(records) - 1) // 2 <= matching.all_pairs_up_to:
        run(f"insert into {PAIRS} select a.unique_id, b.unique_id from {TABLE} a join {TABLE} b on a.unique_id < b.unique_id")
        return ["all pairs"]
    used = []
    for rule in fitting(records, matching):
        used.append(rule)
        names = ", ".join(f"k{i}" for i in range(len(rule)))
        run(f"insert into {PAIRS} with inside as (select keyed.* from keyed semi join blocks using ({names})) "
            f"select a.unique_id, b.unique_id from inside a join inside b using ({names}) where a.unique_id < b.unique_id")
    run(f"create or replace table {PAIRS} as select distinct l, r from {PAIRS}")
    return [" and ".join(_said(key) for key in rule) for rule in used]


def fitting(records: Records, matching: Matching) -> Iterator[tuple[Key, ...]]:
    """The rules whose pairs fit, all together; while one is looked at, tables hold its ``keyed`` records and its ``blocks``.

    Blocks of more than ``largest_block`` records tell nobody apart and are left out of their rule; what they hold meets
    under a stricter one. A pair that several rules give is counted by each.
    """
    left = max(matching.most_pairs, matching.most_pairs_a_record * len(records))
    for rule in matching.rules(records.roles):
        _make_blocks(records, rule, matching.largest_block)
        count = records.one("select coalesce(sum(size * (size - 1) // 2), 0) from blocks")
        if 0 < count <= left:
            left -= count
            yield rule
    records.run("drop table if exists keyed; drop table if exists blocks")


def keys(rule: tuple[Key, ...]) -> list[str]:
    """The columns of a rule, as SQL."""
    return [f"left({key.column}, {key.letters})" if key.letters else key.column for key in rule]


def _make_blocks(records: Records, rule: tuple[Key, ...], largest: int) -> None:
    """``keyed``: unique_id and the rule's keys, k0 and on; ``blocks``: those that two or more share, and how many do."""
    columns = keys(rule)
    names = [f"k{i}" for i in range(len(columns))]
    made = ", ".join(f"{column} as {name}" for column, name in zip(columns, names, strict=True))
    records.run(f"create or replace temp table keyed as select unique_id, {made} from {TABLE} where "
                + " and ".join(f"{column} is not null" for column in columns))
    records.run(f"create or replace temp table blocks as select {', '.join(names)}, count(*) as size from keyed "
                f"group by {', '.join(names)} having count(*) between 2 and {largest}")


def _said(key: Key) -> str:
    return f"{key.column}'s first {key.letters}" if key.letters else key.column
