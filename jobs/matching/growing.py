"""Growing: what a run makes of the profiles that came, changed or went, beside what earlier runs made of the others.

With one model, the links and persons after many runs are those of one run over everything: a pair is judged by its two
profiles and by nothing else, the candidates are the same (``candidates``), and a component is grouped anew when any of its
records, or of its links, changed.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from contracts.matching import Matching
from jobs.matching import candidates, profiles
from jobs.matching.candidates import LOST
from jobs.matching.cleaning import run
from jobs.matching.clusters import Scored, components
from jobs.matching.grouping import Judged, group
from jobs.matching.judging import JUDGED, Elsewhere, judge, judge_candidates, scorer
from jobs.matching.profiles import KEPT, MOVED, NEWLY, ROLES
from jobs.matching.records import TABLE, Records
from jobs.matching.stored import Stored, rules_without_model

EDGES = pa.schema([("left_name", pa.string()), ("right_name", pa.string()), ("weight", pa.float64()), ("proof", pa.string()),
                   ("against", pa.string()), ("is_link", pa.bool_())])
# What people decided: is_same is null where they do not any more; a pair that was ever decided must go on being told.
DECISIONS = pa.schema([("left_name", pa.string()), ("right_name", pa.string()), ("is_same", pa.bool_())])
GROUPS = pa.schema([("name", pa.string()), ("first", pa.string())])
MEMORY = "2500MB"  # What DuckDB takes before it writes to disk.
LARGEST = 150  # Every pair of a component is judged, unless it has more records.


@dataclass(frozen=True)
class Grown:
    """What a run changed.

    profiles: new and changed ones, to be kept (``KEPT``); gone: names that are no longer. edges: links and held pairs that are
    new (``EDGES``); stale: names, of whose edges those kept are to be dropped. groups: name, first: the first name of the
    person's, for every name whose person was looked at again; whoever is not there is as before.
    """

    profiles: pa.Table
    gone: list[str]
    edges: pa.Table
    stale: list[str]
    groups: pa.Table


def grow(raw: pa.Table, kept: pa.Table, edges: pa.Table, matching: Matching, stored: Stored | None, decisions: pa.Table,
         elsewhere: Elsewhere | None = None) -> Grown:
    """What becomes of the profiles of all identities (``profiles.PROFILE``).

    kept, edges: what earlier runs with the same model kept; none for a run over everything. decisions: ``DECISIONS``, a pair
    once; the persons of all their identities are looked at again. elsewhere: what weighs very many pairs.
    """
    with tempfile.TemporaryDirectory(prefix="concord-growing-") as folder:
        connection = duckdb.connect(config={"memory_limit": MEMORY, "temp_directory": folder})
        profiles.load(connection, raw, kept, matching, stored)
        _load_edges(connection, edges, decisions)
        rules = stored.rules if stored else rules_without_model(matching, ROLES)
        candidates.find(connection, rules, matching.largest_block, "unmoved_edges")
        names: Any = connection.sql(f"select name from {TABLE} order by unique_id").to_arrow_table()["name"]
        records = Records(connection, ROLES, names)
        splink = scorer(records, matching, stored) if stored else None
        judge_candidates(records, matching, stored, splink, elsewhere)
        _renew_edges(connection)
        _group_again(records)
        judge(records, matching, stored, splink, "inside")
        groups = _grouped(records, stored.least if stored else 0.0)
        found: Any = connection.sql(f"select {', '.join(KEPT.names)} from {NEWLY} order by name").to_arrow_table()
        gone = run(connection, f"select name from past anti join {TABLE} using (name) order by name")
        stale = run(connection, "select name from stale order by name")
        fresh: Any = connection.sql(f"select {', '.join(EDGES.names)} from fresh_edges order by all").to_arrow_table()
        return Grown(found.cast(KEPT), [name for (name,) in gone], fresh.cast(EDGES), [name for (name,) in stale], groups)


def _load_edges(connection: duckdb.DuckDBPyConnection, edges: pa.Table, decisions: pa.Table) -> None:
    """``kept_edges``: with l and r, null for who is gone. ``unmoved_edges``: those of profiles that did not move. ``decided`` (l,
    r, is_same): of those who are there; is_same is null where nothing is decided any more."""
    connection.register("given_edges", edges.cast(EDGES))
    connection.register("given_decisions", decisions.cast(DECISIONS))
    ends = f"left join {TABLE} a on a.name = left_name left join {TABLE} b on b.name = right_name"
    run(connection, f"""create table kept_edges as select e.*, a.unique_id as l, b.unique_id as r,
        coalesce(a.is_moved, true) or coalesce(b.is_moved, true) as is_moved from given_edges e {ends}""")
    run(connection, "create table unmoved_edges as from kept_edges where not is_moved")
    run(connection, f"""create table decided as
        select least(a.unique_id, b.unique_id) as l, greatest(a.unique_id, b.unique_id) as r, bool_and(is_same) as is_same
        from given_decisions {ends.replace('left join', 'join')} group by all""")


def _renew_edges(connection: duckdb.DuckDBPyConnection) -> None:
    """``stale``: names whose kept edges are dropped. ``fresh_edges``: what was judged now, and what is not to be dropped with
    them. ``all_edges``: all there are now. ``stirred`` (unique_id): whose links may have changed."""
    names = ", ".join(EDGES.names)
    run(connection, f"""create table stale as
        select name from {MOVED} where name in (select unnest([left_name, right_name]) from kept_edges)
        union select name from {LOST} join {TABLE} on unique_id = l""")
    run(connection, f"""create table fresh_edges as
        select a.name as left_name, b.name as right_name, weight, proof, against, is_link, l, r
        from {JUDGED} j join {TABLE} a on a.unique_id = j.l join {TABLE} b on b.unique_id = j.r""")
    run(connection, f"create table all_edges as select l, r, is_link from unmoved_edges anti join {LOST} using (l, r) "
                    "union all select l, r, is_link from fresh_edges")
    run(connection, f"""create table stirred as select unique_id from {TABLE} where is_moved
        union select unnest([l, r]) from kept_edges where is_moved union select unnest([l, r]) from {LOST}
        union select unnest([l, r]) from fresh_edges union select unnest([l, r]) from decided""")
    run(connection, f"""insert into fresh_edges select {names}, l, r from unmoved_edges anti join {LOST} using (l, r)
        where left_name in (from stale) or right_name in (from stale)""")


def _group_again(records: Records) -> None:
    """``again`` (unique_id): records of components in which somebody stirred. ``inside`` (l, r): the pairs to group them by."""
    links = "select l, r from all_edges where is_link union all select l, r from decided where is_same"
    found = records.connection.sql(links).fetchnumpy()
    left, right = (np.asarray(found[side], dtype=np.int64) for side in ("l", "r"))
    component = components(Scored(left, right, np.zeros(len(left))), len(records))
    names = records.connection.sql("select unique_id from stirred where unique_id is not null").fetchnumpy()
    stirred = np.asarray(names["unique_id"], dtype=np.int64)
    is_stirred = np.zeros(len(records) + 1, dtype=bool)
    is_stirred[component[stirred]] = True
    members = np.flatnonzero(is_stirred[component])
    records.connection.register("given", pa.table({"unique_id": members, "component": component[members]}))
    records.run("create table again as from given")
    small = f"select component from again group by component having count(*) <= {LARGEST}"
    records.run(f"""create table inside as select a.unique_id as l, b.unique_id as r
        from again a join again b using (component) where a.unique_id < b.unique_id and component in ({small})""")
    records.run(f"""insert into inside select distinct l, r from (select l, r from all_edges union all select l, r from decided)
        join again x on x.unique_id = l join again y on y.unique_id = r and y.component = x.component
        where x.component not in ({small})""")


def _grouped(records: Records, least: float) -> pa.Table:
    """name and first, of the records that are grouped again, by what was judged of the pairs inside their components."""
    again = records.connection.sql("select unique_id from again order by unique_id").fetchnumpy()
    ids = np.asarray(again["unique_id"], dtype=np.int64)
    found = records.connection.sql(f"""
        select l, r, weight, is_silent, proof is not null as is_proven, against is not null as is_against, is_link,
               coalesce(case when is_same then 1 when not is_same then -1 end, 0) as decided
        from {JUDGED} left join decided using (l, r) order by l, r""").fetchnumpy()
    left, right = (np.searchsorted(ids, np.asarray(found[side], dtype=np.int64)) for side in ("l", "r"))
    weight = np.ma.filled(np.ma.asarray(found["weight"], dtype=np.float64), np.nan)
    flags = [np.asarray(found[name], dtype=bool) for name in ("is_silent", "is_proven", "is_against", "is_link")]
    decided = np.asarray(found["decided"], dtype=np.int64)
    labels = group(Judged(left, right, weight, flags[0], flags[1], flags[2], flags[3], decided), len(ids), least)
    number, first = np.unique(labels, return_index=True)  # ids are in the order of names.
    every: Any = records.ids  # An Arrow array.
    names = every.take(pa.array(ids))
    return pa.table({"name": names, "first": names.take(pa.array(first[np.searchsorted(number, labels)]))}).cast(GROUPS)
