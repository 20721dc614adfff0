"""Cleaning: what is left of a value when case, accents, scripts and spaces no longer tell two apart. Each record by itself.

What stands for no value is set aside and counted, never guessed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import duckdb
from anyascii import anyascii

from contracts.matching import DERIVED, Matching, Role

NAMES = (Role.GIVEN_NAME, Role.FAMILY_NAME)
PLACEHOLDER, CROSSED = "placeholder", "in each other's column"

WORDS = "nullif(trim(regexp_replace(regexp_replace({v}, '[''’`.]', '', 'g'), '[^a-z0-9]+', ' ', 'g')), '')"
DIGITS = "nullif(regexp_replace({v}, '[^0-9]', '', 'g'), '')"
CODE = "nullif(regexp_replace({v}, '[^a-z0-9]', '', 'g'), '')"
# A short end is what somebody adds to their name where it is taken.
HANDLE = "nullif(regexp_replace(ltrim({v}, '@'), '[._-][a-z]{{1,3}}$', ''), '')"
CLEANED = {Role.GIVEN_NAME: WORDS, Role.FAMILY_NAME: WORDS, Role.ADDRESS: WORDS, Role.CITY: WORDS, Role.POSTCODE: CODE,
           Role.NATIONAL_ID: CODE, Role.COUNTRY: CODE, Role.DEVICE_ID: CODE, Role.HANDLE: HANDLE,
           Role.EMAIL: "nullif(replace({v}, ' ', ''), '')",
           Role.PHONE: f"(select case when length(d) >= 5 then right(d, 9) end from (select {DIGITS} as d))",
           Role.SEX: "case when {v} in ('m', 'male', 'man', '1') then 'm' "
                     "when {v} in ('f', 'female', 'woman', 'w', '2') then 'f' else {v} end"}
MADE = {"birth_day": "date_diff('day', date '1970-01-01', try_cast({v} as date))", "birth_year": "left({v}, 4)",
        "birth_month_day": "substr({v}, 6)", "email_local": "nullif(split_part({v}, '@', 1), '')",
        "email_domain": "nullif(split_part({v}, '@', 2), '')"}

Aside = dict[str, dict[str, int]]


def run(connection: duckdb.DuckDBPyConnection, sql: str, parameters: list[Any] | None = None) -> list[tuple[Any, ...]]:
    """All rows of a statement. A connection is free again only once all are fetched, also those of an insert."""
    return connection.execute(sql, parameters or []).fetchall()


def clean(connection: duckdb.DuckDBPyConnection, raw: str, into: str, roles: Iterable[Role], matching: Matching,
          kept: Iterable[str], known_names: str | None = None) -> Aside:
    """Make a table of the cleaned values of ``raw``, and of the columns that are kept as they are; what was set aside, by role.

    known_names: a table (name, given, family: how often a name is which), to put crossed names back by; by default how often
    they are which in ``raw`` itself.
    """
    roles = tuple(roles)
    _in_latin(connection, raw, roles)
    made = [*kept, *(f"{_expression(connection, raw, role)} as {role}" for role in roles)]
    run(connection, f"create or replace table {into} as select {', '.join(made)} from {raw}")
    aside: Aside = {}
    for role in roles:
        if pattern := matching.placeholders.get(role):
            hit = f"regexp_full_match({role}, ?)"
            _count(aside, role, PLACEHOLDER, connection, f"{into} where {hit}", [pattern])
            run(connection, f"update {into} set {role} = null where {hit}", [pattern])
    if set(NAMES) <= set(roles):
        _uncross(connection, into, known_names or _names_in(connection, into), aside)
    return aside


def derived(roles: Iterable[Role]) -> list[str]:
    """The columns that are made of roles' values, as SQL."""
    known = set(roles)
    return [f"{MADE[name].format(v=role)} as {name}" for name, role in DERIVED.items() if role in known]


def _count(aside: Aside, role: str, why: str, connection: duckdb.DuckDBPyConnection, where: str, values: list[str]) -> None:
    if times := run(connection, f"select count(*) from {where}", values)[0][0]:
        aside.setdefault(str(role), {})[why] = int(times)


def _in_latin(connection: duckdb.DuckDBPyConnection, raw: str, roles: Iterable[Role]) -> None:
    """Lower case, no accents, every script in Latin letters."""
    for role in roles:
        run(connection, f"update {raw} set {role} = strip_accents(lower(nfc_normalize({role}))) where {role} is not null")
        other = [v for (v,) in run(connection, f"select distinct {role} from {raw} where regexp_matches({role}, '[^ -~]')")]
        if other:
            run(connection, "create or replace temp table latin (was varchar, becomes varchar)")
            connection.executemany("insert into latin values (?, ?)", [[v, anyascii(v).lower()] for v in other])
            run(connection, f"update {raw} set {role} = becomes from latin where {raw}.{role} = was")


def _expression(connection: duckdb.DuckDBPyConnection, raw: str, role: Role) -> str:
    return _date(connection, raw) if role is Role.BIRTH_DATE else CLEANED[role].format(v=role)


def _date(connection: duckdb.DuckDBPyConnection, raw: str) -> str:
    """Dates as YYYY-MM-DD, those that cannot be too, for a typing error still tells who somebody is."""
    value = "regexp_extract(birth_date, '^(\\d{1,4})[-/. ]?(\\d{1,2})[-/. ]?(\\d{1,4})', ['a', 'b', 'c'])"
    compact = "regexp_matches(birth_date, '^\\d{8}$')"
    month_first = run(connection,
        "select count(*) filter (b::int > 12 and a::int <= 12) > count(*) filter (a::int > 12 and b::int <= 12) from (select "
        "regexp_extract(birth_date, '^(\\d{1,2})[-/. ](\\d{1,2})[-/. ]\\d{4}', 1) a, "
        f"regexp_extract(birth_date, '^(\\d{{1,2}})[-/. ](\\d{{1,2}})[-/. ]\\d{{4}}', 2) b from {raw}) where a <> ''")[0][0]
    day, month = ("b", "a") if month_first else ("a", "b")
    two = "lpad(d['{}'], 2, '0')"
    return (f"(select case when {compact} "
            "then left(birth_date, 4) || '-' || substr(birth_date, 5, 2) || '-' || right(birth_date, 2) "
            f"when length(d['a']) = 4 and d['c'] <> '' "
            f"then d['a'] || '-' || {two.format('b')} || '-' || lpad(left(d['c'], 2), 2, '0') "
            f"when length(d['c']) = 4 then d['c'] || '-' || {two.format(month)} || '-' || {two.format(day)} "
            f"else nullif(birth_date, '') end from (select {value} as d))")


def _names_in(connection: duckdb.DuckDBPyConnection, table: str) -> str:
    """A table of how often each name is a given and a family name."""
    run(connection, f"""create or replace temp table name_use as
        select name, count(*) filter (is_given) as given, count(*) filter (not is_given) as family
        from (select given_name as name, true as is_given from {table} union all select family_name, false from {table})
        where name is not null group by name""")
    return "name_use"


def _uncross(connection: duckdb.DuckDBPyConnection, table: str, names: str, aside: Aside) -> None:
    """Put names back that stand in each other's column, by which is commoner as which."""
    known = f"(select name, given + 0.5 as given, family + 0.5 as family from {names})"
    crossed = f"""from {table} p left join {known} g on g.name = p.given_name left join {known} f on f.name = p.family_name
        where coalesce(f.given / f.family, 1) * coalesce(g.family / g.given, 1) > 1"""
    _count(aside, "names", CROSSED, connection, crossed.removeprefix("from "), [])
    run(connection, f"update {table} set given_name = family_name, family_name = given_name "
                    f"where rowid in (select p.rowid {crossed})")
