"""Profiles: what is known of each identity, cleaned, as it is kept; and as it counts, once what too many share is set aside.

An identity is cleaned by itself. What too many share depends on all, so it is not kept but asked each time: an identity
whose profile counts for something else than before, be it new, changed or gone, is *moved*.
"""

from __future__ import annotations

import duckdb
import pyarrow as pa

from contracts.matching import OF_IDENTITIES as ROLES
from contracts.matching import Matching, Role
from jobs.matching.cleaning import clean, derived, run
from jobs.matching.model import FREQUENCY
from jobs.matching.records import TABLE, most_sharing
from jobs.matching.stored import FREQUENCIES, Stored

# proofs: values that the source verified, as 'role:value', a line each.
PROFILE = pa.schema([("name", pa.string()), *((str(role), pa.string()) for role in ROLES), ("proofs", pa.string())])
KEPT = PROFILE.append(pa.field("digest", pa.string()))
BEFORE, MOVED, NEWLY = "before", "moved", "newly"
LINE, PROOF = "chr(10)", "proof"
# What is set aside where too many share it, by its name in ``aside``, as SQL.
VALUES = {**{str(role): str(role) for role in ROLES}, PROOF: f"unnest(list_distinct(string_split(nullif(proofs, ''), {LINE})))"}
COLUMNS = ", ".join(PROFILE.names)


def load(connection: duckdb.DuckDBPyConnection, raw: pa.Table, kept: pa.Table, matching: Matching, stored: Stored | None) -> None:
    """Make the tables of a run of profiles (``PROFILE``) and of those kept from earlier ones (``KEPT``).

    ``NEWLY``: new and changed profiles, as they are to be kept. ``past``: profiles that were kept, and are gone or changed.
    ``MOVED``: the names of those that moved. ``BEFORE``: how these counted. ``TABLE``: how all profiles count now, with is_moved
    and unique_id, a number from 0 in the order of names.
    """
    for name, table in (("given_raw", raw.cast(PROFILE)), ("given_kept", kept.cast(KEPT)),
                        ("given_frequencies", stored.frequencies if stored else FREQUENCIES.empty_table())):
        connection.register(name, table)
    run(connection, f"create table {FREQUENCY} as from given_frequencies")
    whole = ", ".join(f"coalesce({column}, chr(30))" for column in PROFILE.names)
    run(connection, f"create temp table incoming as select name, md5(concat_ws(chr(31), {whole})) as digest from given_raw")
    run(connection, "create table changed as from given_raw join (from incoming anti join given_kept using (name, digest)) "
                    "using (name)")
    run(connection, f"create temp table name_use as select value as name, "
                    f"coalesce(sum(times) filter (role = '{Role.GIVEN_NAME}'), 0) as given, "
                    f"coalesce(sum(times) filter (role = '{Role.FAMILY_NAME}'), 0) as family from {FREQUENCY} group by value")
    clean(connection, "changed", NEWLY, ROLES, matching, ["name", "proofs", "digest"], "name_use")
    run(connection, f"create temp table past as select {COLUMNS} from given_kept anti join incoming using (name, digest)")
    run(connection, f"create temp view now_kept as select {COLUMNS} from given_kept anti join past using (name) "
                    f"union all select {COLUMNS} from {NEWLY}")
    _set_aside(connection, matching)
    _move(connection)
    run(connection, f"create table {TABLE} as select row_number() over () - 1 as unique_id, *, "
                    f"name in (from {MOVED}) as is_moved from ({_counted('now_kept', 'now')} order by name)")


def _set_aside(connection: duckdb.DuckDBPyConnection, matching: Matching) -> None:
    """``aside``: role (or ``PROOF``), value, and whether too many shared it before, and now. ``proving_before``, ``proving_now``:
    what is left of the proofs of those who have such."""
    run(connection, "create temp table aside (role varchar, value varchar, before boolean, now boolean)")
    before, past, newly = (run(connection, f"select count(*) from {name}")[0][0] for name in ("given_kept", "past", NEWLY))
    was, becomes = ({**most_sharing(matching, many), PROOF: matching.most_sharing_a_proof}
                    for many in (before, before - past + newly))
    for role, value in VALUES.items():
        if role in was:
            run(connection, f"""insert into aside select '{role}', value, sum(was) > {was[role]}, sum(becomes) > {becomes[role]}
                from (select {value} as value, 1 as was, 1 as becomes from given_kept union all select {value}, 0, -1 from past
                      union all select {value}, 0, 1 from {NEWLY}) where value is not null group by value
                having sum(was) > {was[role]} or sum(becomes) > {becomes[role]}""")
    for when, kept in (("before", "given_kept"), ("now", "now_kept")):
        run(connection, f"""create temp table proving_{when} as
            with too_many as (select value from aside where {when} and role = '{PROOF}'),
            one as (select name, {VALUES[PROOF]} as value from {kept} where (select count(*) from too_many) > 0)
            select name, string_agg(value, {LINE} order by value) filter (value not in (from too_many)) as proofs
            from one semi join (select name from one where value in (from too_many)) using (name) group by name""")


def _move(connection: duckdb.DuckDBPyConnection) -> None:
    """``MOVED`` and ``BEFORE``, by looking at the profiles that changed, and at those that share what is set aside anew."""
    crossing = {role for (role,) in run(connection, "select distinct role from aside where before <> now")}
    sharing = [f"select name from (select name, {value} as value from given_kept) where value in "
               f"(select value from aside where role = '{role}' and before <> now)"
               for role, value in VALUES.items() if role in crossing]
    names = " union ".join(["select name from past", f"select name from {NEWLY}", *sharing])
    run(connection, f"create or replace table {MOVED} as {names}")
    was, becomes = (_counted(f"{kept} semi join {MOVED} using (name)", when)
                    for kept, when in (("given_kept", "before"), ("now_kept", "now")))
    run(connection, f"create or replace table {BEFORE} as {was}")
    run(connection, f"create or replace temp table alike as select name from (from {BEFORE} intersect "
                    f"select * from ({becomes}) semi join {BEFORE} using (name))")
    for table in (MOVED, BEFORE):
        run(connection, f"delete from {table} where name in (from alike)")


def _counted(kept: str, when: str) -> str:
    """How kept profiles count, before or now: without what is set aside, with the columns that are made of others, as SQL."""
    aside = f"(select value from aside where {when} and role = '{{}}')"
    roles = [f"case when {role} not in {aside.format(role)} then {role} end as {role}" for role in ROLES]
    return f"""(select *, {', '.join(derived(ROLES))} from (select name, {', '.join(roles)},
        case when p.name is null then k.proofs else p.proofs end as proofs
        from (from {kept}) k left join proving_{when} p using (name)))"""
