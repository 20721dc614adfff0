"""Growing: what a run makes of the profiles that came, changed or went, beside what earlier runs made of the others.

With one model, the links and persons after many runs are those of one run over everything: a pair is judged by its two
profiles and by nothing else, the candidates are the same (``candidates``), and a component is grouped anew when any of its
records, or of its links, changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from contracts.matching import Matching
from jobs.matching import candidates, profiles
from jobs.matching.candidates import TOUCHED
from jobs.matching.cleaning import run
from jobs.matching.clusters import Ints, Scored, components
from jobs.matching.grouping import Judged, group
from jobs.matching.judging import JUDGED, judge
from jobs.matching.profiles import KEPT, NEWLY, ROLES
from jobs.matching.records import TABLE, Records
from jobs.matching.stored import Stored, rules_without_model

EDGES = pa.schema([("left_name", pa.string()), ("right_name", pa.string()), ("weight", pa.float64()), ("proof", pa.string()),
                   ("against", pa.string()), ("is_link", pa.bool_())])
DECISIONS = pa.schema([("left_name", pa.string()), ("right_name", pa.string()), ("is_same", pa.bool_())])
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


def grow(raw: pa.Table, kept: pa.Table, edges: pa.Table, matching: Matching, stored: Stored | None,
         decisions: pa.Table) -> Grown:
    """What becomes of the profiles of all identities (``profiles.PROFILE``).

    kept, edges: what earlier runs with the same model kept; none for a run over everything. decisions: what people decided.
    """
    connection = duckdb.connect()
    profiles.load(connection, raw, kept, matching, stored)
    rules = stored.rules if stored else rules_without_model(matching, ROLES)
    candidates.find(connection, rules, matching.largest_block)
    names = [name for (name,) in run(connection, f"select name from {TABLE} order by unique_id")]
    records = Records(connection, ROLES, names)
    judge(records, matching, stored)
    _load_edges(connection, edges, decisions)
    _group_again(records)
    judge(records, matching, stored, "inside")
    groups = _grouped(records, stored.least if stored else 0.0)
    found: Any = connection.execute(f"select {', '.join(KEPT.names)} from {NEWLY} order by name").to_arrow_table()
    gone = [name for (name,) in run(connection, f"select name from given_kept anti join {TABLE} using (name) order by name")]
    stale = [name for (name,) in run(connection, f"select name from {TOUCHED} order by name")]
    fresh: Any = connection.execute(f"select {', '.join(EDGES.names)} from fresh_edges order by all").to_arrow_table()
    return Grown(found.cast(KEPT), gone, fresh.cast(EDGES), stale, groups)


def _load_edges(connection: duckdb.DuckDBPyConnection, edges: pa.Table, decisions: pa.Table) -> None:
    """``fresh_edges``: of what was judged now. ``all_edges``: with those kept that nothing touched. ``decisions``.

    ``stirred``: names whose links may have changed.
    """
    for name, table in (("kept_edges", edges.cast(EDGES)), ("decisions", decisions.cast(DECISIONS))):
        connection.register("given", table)
        run(connection, f"create or replace table {name} as select * from given")
        connection.unregister("given")
    run(connection, f"""create or replace table fresh_edges as
        select a.name as left_name, b.name as right_name, weight, proof, against, is_link
        from {JUDGED} j join {TABLE} a on a.unique_id = j.l join {TABLE} b on b.unique_id = j.r where is_link or is_held""")
    run(connection, f"""create or replace table all_edges as
        from kept_edges anti join {TOUCHED} on name = left_name anti join {TOUCHED} on name = right_name
        union all by name from fresh_edges""")
    run(connection, f"""create or replace table stirred as select name from {TOUCHED}
        union select left_name from kept_edges semi join {TOUCHED} on name = right_name
        union select right_name from kept_edges semi join {TOUCHED} on name = left_name
        union select left_name from decisions union select right_name from decisions""")


def _group_again(records: Records) -> None:
    """``again`` (unique_id): records of components in which somebody stirred. ``inside`` (l, r): the pairs to group them by."""
    links = ("select left_name, right_name from all_edges where is_link union all "
             "select left_name, right_name from decisions where is_same")
    found = records.connection.execute(f"select a.unique_id as l, b.unique_id as r from ({links}) "
                                       f"join {TABLE} a on a.name = left_name join {TABLE} b on b.name = right_name").fetchnumpy()
    left, right = (np.asarray(found[side], dtype=np.int64) for side in ("l", "r"))
    component = components(Scored(left, right, np.zeros(len(left))), len(records))
    names = records.connection.execute(f"select unique_id from {TABLE} semi join stirred using (name)").fetchnumpy()
    stirred = np.asarray(names["unique_id"], dtype=np.int64)
    members = np.flatnonzero(np.isin(component, component[stirred]))
    records.connection.register("given", pa.table({"unique_id": members, "component": component[members]}))
    records.run("create or replace table again as select * from given")
    records.connection.unregister("given")
    small = f"select component from again group by component having count(*) <= {LARGEST}"
    records.run(f"""create or replace table inside as select a.unique_id as l, b.unique_id as r
        from again a join again b using (component) where a.unique_id < b.unique_id and component in ({small})""")
    records.run(f"""insert into inside select least(a.unique_id, b.unique_id), greatest(a.unique_id, b.unique_id)
        from all_edges join {TABLE} a on a.name = left_name join {TABLE} b on b.name = right_name
        join again x on x.unique_id = a.unique_id join again y on y.unique_id = b.unique_id and y.component = x.component
        where x.component not in ({small})""")


def _grouped(records: Records, least: float) -> pa.Table:
    """name and first, of the records that are grouped again, by what was judged of the pairs inside their components."""
    again = records.connection.execute("select unique_id from again order by unique_id").fetchnumpy()
    ids = np.asarray(again["unique_id"], dtype=np.int64)
    found = records.connection.execute(f"""
        select l, r, weight, is_silent, proof is not null as is_proven, against is not null as is_against, is_link,
               coalesce(case when d.is_same then 1 when not d.is_same then -1 end, 0) as decided
        from {JUDGED} j join {TABLE} a on a.unique_id = j.l join {TABLE} b on b.unique_id = j.r left join decisions d
        on least(a.name, b.name) = least(left_name, right_name) and greatest(a.name, b.name) = greatest(left_name, right_name)
        order by l, r""").fetchnumpy()
    left, right = (np.searchsorted(ids, np.asarray(found[side], dtype=np.int64)) for side in ("l", "r"))
    weight = np.ma.filled(np.ma.asarray(found["weight"], dtype=np.float64), np.nan)
    flags = [np.asarray(found[name], dtype=bool) for name in ("is_silent", "is_proven", "is_against", "is_link")]
    decided = np.asarray(found["decided"], dtype=np.int64)
    labels = group(Judged(left, right, weight, flags[0], flags[1], flags[2], flags[3], decided), len(ids), least)
    names = np.asarray(records.ids, dtype=object)[ids]
    first: Ints = np.unique(labels, return_index=True)[1]  # ids are in the order of names.
    return pa.table({"name": pa.array(names, pa.string()),
                     "first": pa.array(names[first][np.searchsorted(np.unique(labels), labels)], pa.string())})
