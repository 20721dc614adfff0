"""Persons: which key each group of identities has: inherited, given back, or minted; and what ties its identities together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import duckdb
import pyarrow as pa

from contracts.matching import Matching
from jobs.matching.cleaning import run

ALONE, DECISION, SCORE = "alone", "decision", "score"

# What a first run knows; who gets which key is decided over these.
GROUPS = pa.schema([("name", pa.string()), ("first", pa.string())])
KNOWN = pa.schema([("name", pa.string()), ("person_key", pa.string())])
MINTED = pa.schema([("person_key", pa.string()), ("minted_at", pa.timestamp("us", "UTC"))])
CHANGES = pa.schema([("name", pa.string()), ("from_key", pa.string()), ("to_key", pa.string()),
                     ("changed_at", pa.timestamp("us", "UTC"))])


def keyed(groups: pa.Table, present: pa.Table, known: pa.Table, changes: pa.Table, minted: pa.Table,
          mint: Callable[[], str]) -> pa.Table:
    """The key of each identity of the groups: name, person_key, from_key (null for who had none), sorted by name.

    groups: ``GROUPS``, names whose person was looked at again and the first name of that person. present: name, of all
    identities there are. known: ``KNOWN`` as decided before. changes: ``CHANGES``, what keys identities had earlier. minted:
    ``MINTED``, when keys were. ``mint`` gives a new key, and is asked in the order of first names.

    A group keeps the key its members hold, the oldest if several (a merge): it is the one most was made with. A key that two
    groups hold (a split) stays with the one that had it first of all, or else has the first name. A group without a key gets
    back one that its members held before a merge, if nobody holds it. Identities that are no longer there go with the key they
    hold.
    """
    connection = duckdb.connect()
    for name, table, columns in (("groups", groups, GROUPS), ("present", present, pa.schema([GROUPS.field("name")])),
                                 ("known", known, KNOWN), ("changes", changes, CHANGES), ("born", minted, MINTED)):
        connection.register(name, table.select(columns.names))
    run(connection, "create table held as from known semi join present using (name)")
    run(connection, "create table elsewhere as select distinct person_key from held anti join groups using (name)")
    run(connection, "create table came as select name, to_key from changes group by all")
    run(connection, """create table won as
        select first, person_key from held join groups using (name)
        left join came on came.name = held.name and to_key = person_key
        where person_key not in (from elsewhere)
        qualify row_number() over (partition by person_key order by came.name is not null, held.name) = 1""")
    run(connection, """create table final as select first, person_key from won left join born using (person_key)
        qualify row_number() over (partition by first order by minted_at nulls last, person_key) = 1""")
    _give_back(connection)
    rest = run(connection, "select distinct first from groups anti join final using (first) order by first")
    connection.register("fresh", pa.table({"first": pa.array([first for (first,) in rest], pa.string()),
                                           "person_key": pa.array([mint() for _ in rest], pa.string())}))
    run(connection, "insert into final from fresh")
    found: Any = connection.sql("""
        select name, f.person_key, k.person_key as from_key from groups join final f using (first) left join held k using (name)
        union all
        select k.name, f.person_key, k.person_key from known k anti join present using (name) join won using (person_key)
        join final f on f.first = won.first where f.person_key <> k.person_key order by name""").to_arrow_table()
    return found


def _give_back(connection: duckdb.DuckDBPyConnection) -> None:
    """Keys that members of groups without one held before a merge, each to one group, the latest held first."""
    run(connection, """create table past as
        select first, from_key as person_key, max(changed_at) as changed_at from changes join groups using (name)
        where first not in (select first from final) and from_key not in (select person_key from known)
        group by first, from_key
        qualify row_number() over (partition by from_key order by max(changed_at) desc, first) = 1""")
    run(connection, """insert into final select first, person_key from past
        qualify row_number() over (partition by first order by changed_at desc, person_key) = 1""")


def ties(groups: pa.Table, edges: pa.Table, decisions: pa.Table, matching: Matching) -> pa.Table:
    """What ties each identity of the groups to others of its person: name, evidence, score.

    edges: left_name, right_name, weight, proof, is_link. decisions: left_name, right_name, is_same. evidence: a decision, the
    strongest proof, the score, or that it is alone. score: the greatest weight, in bits; null where none was weighed.
    """
    connection = duckdb.connect()
    for name, table in (("groups", groups.select(GROUPS.names)), ("edges", edges), ("decisions", decisions)):
        connection.register(name, table)
    kinds = [DECISION, *matching.proofs, SCORE]
    run(connection, f"""create table tied as
        select left_name, right_name, weight, coalesce(proof, '{SCORE}') as kind from edges where is_link
        union all select left_name, right_name, null, '{DECISION}' from decisions where is_same""")
    run(connection, """create table sides as
        select t.left_name as name, t.weight, t.kind from tied t join groups a on a.name = left_name
        join groups b on b.name = right_name and a.first = b.first
        union all select t.right_name, t.weight, t.kind from tied t join groups a on a.name = left_name
        join groups b on b.name = right_name and a.first = b.first""")
    ranks = " ".join(f"when '{kind}' then {rank}" for rank, kind in enumerate(kinds))
    named = " ".join(f"when {rank} then '{kind}'" for rank, kind in enumerate(kinds))
    found: Any = connection.sql(f"""
        select g.name, max(weight) as score, case min(case kind {ranks} end) {named}
               else case when any_value(many) then '{SCORE}' else '{ALONE}' end end as evidence
        from (select *, count(*) over (partition by first) > 1 as many from groups) g left join sides s on s.name = g.name
        group by g.name order by g.name""").to_arrow_table()
    return found


def held(links: pa.Table, edges: pa.Table, decisions: pa.Table) -> pa.Table:
    """Matches of two persons that wait for a review, a row a pair of persons.

    links: ``KNOWN`` of all identities. edges, decisions: as in ``ties``, edges with against too. Gives person_key and other_key
    (the smaller first), match_id, left_identity, right_identity (those of the two that are most alike; the smaller name first),
    weight and reason.
    """
    connection = duckdb.connect()
    for name, table in (("links", links.select(KNOWN.names)), ("edges", edges), ("decisions", decisions)):
        connection.register(name, table)
    found: Any = connection.sql("""
        with open as (
            select least(a.person_key, b.person_key) as person_key, greatest(a.person_key, b.person_key) as other_key, e.*
            from edges e join links a on a.name = left_name join links b on b.name = right_name
            where a.person_key <> b.person_key),
        apart as (
            select distinct least(a.person_key, b.person_key) as person_key, greatest(a.person_key, b.person_key) as other_key
            from decisions join links a on a.name = left_name join links b on b.name = right_name where not is_same)
        select person_key, other_key, left(sha256(person_key || '/' || other_key), 16) as match_id, left_name as left_identity,
               right_name as right_identity, weight, case when against is not null then 'contradicted: ' || against
                   when is_link then 'as likely with another' else 'not proved' end as reason
        from open anti join apart using (person_key, other_key)
        qualify row_number() over (partition by person_key, other_key
                                   order by proof is null, weight desc nulls last, left_name, right_name) = 1
        order by person_key, other_key""").to_arrow_table()
    return found
