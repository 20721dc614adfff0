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
from jobs.matching.records import TABLE, most_sharing, shared
from jobs.matching.stored import FREQUENCIES, Stored

# proofs: values that the source verified, as 'role:value', a line each.
PROFILE = pa.schema([("name", pa.string()), *((str(role), pa.string()) for role in ROLES), ("proofs", pa.string())])
KEPT = PROFILE.append(pa.field("digest", pa.string()))
BEFORE, MOVED, NEWLY = "before", "moved", "newly"
LINE = "chr(10)"


def load(connection: duckdb.DuckDBPyConnection, raw: pa.Table, kept: pa.Table, matching: Matching, stored: Stored | None) -> None:
    """Make the tables of a run of profiles (``PROFILE``) and of those kept from earlier ones (``KEPT``).

    ``NEWLY``: new and changed profiles, as they are to be kept. ``BEFORE`` and ``TABLE``: how profiles counted, and count now,
    the latter with unique_id, a number from 0 in the order of names. ``MOVED``: the names of those that moved.
    """
    for name, table in (("given_raw", raw.cast(PROFILE)), ("given_kept", kept.cast(KEPT)),
                        (FREQUENCY, stored.frequencies if stored else FREQUENCIES.empty_table())):
        connection.register("given", table)
        run(connection, f"create or replace table {name} as select * from given")
        connection.unregister("given")
    whole = ", ".join(f"coalesce({column}, chr(30))" for column in PROFILE.names)
    run(connection, f"create or replace table changed as select * from (select *, md5(concat_ws(chr(31), {whole})) as digest "
                    "from given_raw) anti join given_kept using (name, digest)")
    run(connection, f"create or replace temp table name_use as select value as name, "
                    f"coalesce(sum(times) filter (role = '{Role.GIVEN_NAME}'), 0) as given, "
                    f"coalesce(sum(times) filter (role = '{Role.FAMILY_NAME}'), 0) as family from {FREQUENCY} group by value")
    clean(connection, "changed", NEWLY, ROLES, matching, ["name", "proofs", "digest"], "name_use")
    run(connection, f"create or replace table now_kept as select {', '.join(KEPT.names)} from given_kept semi join given_raw "
                    f"using (name) anti join changed using (name) union all by name select {', '.join(KEPT.names)} from {NEWLY}")
    _count(connection, "given_kept", BEFORE, matching)
    _count(connection, "now_kept", TABLE, matching)
    columns = [c for c in PROFILE.names if c != "name"]
    one, other = (", ".join(f"{side}.{c}" for c in columns) for side in ("a", "b"))
    run(connection, f"create or replace table {MOVED} as select coalesce(a.name, b.name) as name from {TABLE} a "
                    f"full join {BEFORE} b on a.name = b.name where a.name is null or b.name is null or "
                    f"({one}) is distinct from ({other})")


def _count(connection: duckdb.DuckDBPyConnection, kept: str, into: str, matching: Matching) -> None:
    """How kept profiles count: without the values that too many share, with the columns that rules and comparisons ask for."""
    run(connection, "create or replace temp table aside (role varchar, value varchar)")
    for role, most in most_sharing(matching, run(connection, f"select count(*) from {kept}")[0][0]).items():
        if role in ROLES:
            run(connection, "insert into aside select ?, unnest(?::varchar[])", [str(role), shared(connection, kept, role, most)])
    proof = f"select name, unnest(string_split(proofs, {LINE})) as value from {kept} where proofs is not null"
    run(connection, f"insert into aside select 'proof', value from ({proof}) group by value having count(*) > "
                    f"{matching.most_sharing_a_proof}")
    counting = {role: f"case when {role} in (select value from aside where role = '{role}') then null else {role} end as {role}"
                for role in ROLES}
    run(connection, f"create or replace temp table proving as select name, string_agg(value, {LINE} order by value) as proofs "
                    f"from ({proof}) where value not in (select value from aside where role = 'proof') group by name")
    run(connection, f"create or replace table {into} as select row_number() over (order by name) - 1 as unique_id, * from "
                    f"(select name, {', '.join(counting.values())}, proving.proofs from {kept} left join proving using (name))")
    run(connection, f"create or replace table {into} as select *, {', '.join(derived(ROLES))} from {into} order by unique_id")
