"""Records: a table of people as the matcher sees it, one column a role, cleaned, in DuckDB.

What stands for no value is set aside and counted, never guessed: placeholders, and values that too many records share.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from anyascii import anyascii
from numpy.typing import NDArray

from contracts.matching import DERIVED, ColumnMap, Matching, Role
from jobs.errors import ConfigurationError

TABLE = "people"
NAMES = (Role.GIVEN_NAME, Role.FAMILY_NAME)
TEXT = "read_csv(?, header=true, all_varchar=true, sample_size=-1)"
READERS = {".csv": TEXT, ".tsv": TEXT, ".parquet": "read_parquet(?)"}
SHARED_BIRTHS = (50, 0.01)  # More records than both, in number and as a share, are born on a date that stands for none.

# What is left of a text when case, accents, scripts and spaces no longer tell two values apart.
WORDS = "nullif(trim(regexp_replace(regexp_replace({v}, '[''’`.]', '', 'g'), '[^a-z0-9]+', ' ', 'g')), '')"
DIGITS = "nullif(regexp_replace({v}, '[^0-9]', '', 'g'), '')"
CODE = "nullif(regexp_replace({v}, '[^a-z0-9]', '', 'g'), '')"
CLEANED = {Role.GIVEN_NAME: WORDS, Role.FAMILY_NAME: WORDS, Role.ADDRESS: WORDS, Role.CITY: WORDS, Role.POSTCODE: CODE,
           Role.NATIONAL_ID: CODE, Role.EMAIL: "nullif(replace({v}, ' ', ''), '')",
           Role.PHONE: f"(select case when length(d) >= 5 then right(d, 9) end from (select {DIGITS} as d))",
           Role.SEX: "case when {v} in ('m', 'male', 'man', '1') then 'm' "
                     "when {v} in ('f', 'female', 'woman', 'w', '2') then 'f' else {v} end"}
MADE = {"birth_day": "date_diff('day', date '1970-01-01', try_cast({v} as date))", "birth_year": "left({v}, 4)",
        "birth_month_day": "substr({v}, 6)", "email_local": "nullif(split_part({v}, '@', 1), '')",
        "email_domain": "nullif(split_part({v}, '@', 2), '')"}


@dataclass
class Records:
    """The people of a table: ``TABLE`` has unique_id (from 0, in the table's order) and a column for each role.

    ``ids``: the record ids, in the table's order. ``truth``: the number of each record's person, where the table says who is who.
    ``set_aside``: how many values of each role stood for none, by why.
    """

    connection: duckdb.DuckDBPyConnection
    roles: tuple[Role, ...]
    ids: list[str]
    truth: NDArray[np.int64] | None = None
    set_aside: dict[str, dict[str, int]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    def run(self, sql: str, parameters: list[Any] | None = None) -> list[tuple[Any, ...]]:
        """All rows of a statement. A connection is free again only once all are fetched, also those of an insert."""
        return run(self.connection, sql, parameters)

    def one(self, sql: str, parameters: list[Any] | None = None) -> Any:
        """The only value that a query gives."""
        return self.run(sql, parameters)[0][0]

    def aside(self, role: str, why: str, times: int) -> None:
        """Count values that were set aside."""
        if times:
            self.set_aside.setdefault(role, {})[why] = times


def run(connection: duckdb.DuckDBPyConnection, sql: str, parameters: list[Any] | None = None) -> list[tuple[Any, ...]]:
    """All rows of a statement."""
    return connection.execute(sql, parameters or []).fetchall()


def read(path: Path, columns: ColumnMap, matching: Matching, truth: str | None = None) -> Records:
    """The records of a CSV or Parquet file. truth: the column that says who is who.

    Raises ConfigurationError, which names no value.
    """
    connection = duckdb.connect()
    names = _open(connection, path)
    missing = [c for c in (columns.record_id, *columns.roles.values(), *([truth] if truth else [])) if c not in names]
    if missing:
        raise ConfigurationError(f"{path} has no column {missing[0]!r}; its columns are {', '.join(sorted(names))}")
    roles = tuple(role for role in Role if role in columns.roles)
    wanted = ", ".join(f"trim(cast({_quoted(names[columns.roles[r]])} as varchar)) as {r}" for r in roles)
    run(connection, f"create table raw as select rowid as unique_id, "
                       f"cast({_quoted(names[columns.record_id])} as varchar) as record_id, {wanted} from given_rows")
    known = f"select cast({_quoted(names[truth])} as varchar) from given_rows order by rowid" if truth else None
    persons = run(connection, known) if known else None
    run(connection, "drop table given_rows")
    records = _cleaned(connection, roles, matching)
    if persons is not None:
        alone = [name if name is not None else f"\0{i}" for i, (name,) in enumerate(persons)]
        records.truth = np.unique(alone, return_inverse=True)[1]
    return records


def _open(connection: duckdb.DuckDBPyConnection, path: Path) -> dict[str, str]:
    """A table ``given_rows`` of the file; its columns, by their names without spaces around them."""
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise ConfigurationError(f"{path.name} is neither CSV nor Parquet; its name must end in {', '.join(READERS)}")
    if not path.is_file():
        raise ConfigurationError(f"{path} is no file")
    quoted = "'" + str(path).replace("'", "''") + "'"
    try:
        run(connection, f"create table given_rows as select * from {reader.replace('?', quoted)}")
    except duckdb.Error as error:
        if "utf" in str(error).lower():
            raise ConfigurationError(f"{path} is not UTF-8") from None
        raise ConfigurationError(f"{path} cannot be read as {path.suffix[1:]}: is it whole, with one header line?") from None
    return {name.strip(): name for name, *_ in run(connection, "describe given_rows")}


def _cleaned(connection: duckdb.DuckDBPyConnection, roles: tuple[Role, ...], matching: Matching) -> Records:
    ids = [row[0] for row in run(connection, "select record_id from raw order by unique_id")]
    if None in ids or len(set(ids)) < len(ids):
        what = "is missing" if None in ids else "stands twice"
        raise ConfigurationError(f"a record id {what}; record_id must name each record once")
    if len(ids) < 2:
        raise ConfigurationError("there are fewer than two records, so there is nothing to link")
    records = Records(connection, roles, ids)
    _in_latin(connection, roles)
    made = [f"{_expression(connection, role)} as {role}" for role in roles]
    run(connection, f"create table {TABLE} as select unique_id, {', '.join(made)} from raw order by unique_id")
    run(connection, "drop table raw")
    for role in roles:
        _set_aside(records, role, matching)
    if set(NAMES) <= set(roles):
        records.aside("names", "in each other's column", _uncrossed(records))
    _derive(connection, roles)
    return records


def _in_latin(connection: duckdb.DuckDBPyConnection, roles: Iterable[Role]) -> None:
    """Lower case, no accents, every script in Latin letters."""
    for role in roles:
        run(connection, f"update raw set {role} = strip_accents(lower(nfc_normalize({role}))) where {role} is not null")
        other = [v for (v,) in run(connection, f"select distinct {role} from raw where regexp_matches({role}, '[^ -~]')")]
        if other:
            run(connection, "create or replace temp table latin (was varchar, becomes varchar)")
            connection.executemany("insert into latin values (?, ?)", [[v, anyascii(v).lower()] for v in other])
            run(connection, f"update raw set {role} = becomes from latin where raw.{role} = was")


def _expression(connection: duckdb.DuckDBPyConnection, role: Role) -> str:
    return _date(connection) if role is Role.BIRTH_DATE else CLEANED[role].format(v=role)


def _date(connection: duckdb.DuckDBPyConnection) -> str:
    """Dates as YYYY-MM-DD, those that cannot be too, for a typing error still tells who somebody is."""
    value = "regexp_extract(birth_date, '^(\\d{1,4})[-/. ]?(\\d{1,2})[-/. ]?(\\d{1,4})', ['a', 'b', 'c'])"
    compact = "regexp_matches(birth_date, '^\\d{8}$')"
    month_first = run(connection,
        "select count(*) filter (b::int > 12 and a::int <= 12) > count(*) filter (a::int > 12 and b::int <= 12) from (select "
        "regexp_extract(birth_date, '^(\\d{1,2})[-/. ](\\d{1,2})[-/. ]\\d{4}', 1) a, "
        "regexp_extract(birth_date, '^(\\d{1,2})[-/. ](\\d{1,2})[-/. ]\\d{4}', 2) b from raw) where a <> ''")[0][0]
    day, month = ("b", "a") if month_first else ("a", "b")
    two = "lpad(d['{}'], 2, '0')"
    return (f"(select case when {compact} "
            "then left(birth_date, 4) || '-' || substr(birth_date, 5, 2) || '-' || right(birth_date, 2) "
            f"when length(d['a']) = 4 and d['c'] <> '' "
            f"then d['a'] || '-' || {two.format('b')} || '-' || lpad(left(d['c'], 2), 2, '0') "
            f"when length(d['c']) = 4 then d['c'] || '-' || {two.format(month)} || '-' || {two.format(day)} "
            f"else nullif(birth_date, '') end from (select {value} as d))")


def _set_aside(records: Records, role: Role, matching: Matching) -> None:
    pattern = matching.placeholders.get(role)
    if pattern:
        hit = f"regexp_full_match({role}, ?)"
        records.aside(role, "placeholder", records.one(f"select count(*) from {TABLE} where {hit}", [pattern]))
        records.run(f"update {TABLE} set {role} = null where {hit}", [pattern])
    most = matching.most_sharing.get(role)
    if role is Role.BIRTH_DATE:
        most = int(max(SHARED_BIRTHS[0], SHARED_BIRTHS[1] * len(records)))
    if most:
        common = f"{role} in (select {role} from {TABLE} group by {role} having count(*) > {most})"
        records.aside(role, f"shared by more than {most}", records.one(f"select count(*) from {TABLE} where {common}"))
        records.run(f"update {TABLE} set {role} = null where {common}")


def _uncrossed(records: Records) -> int:
    """Put names back that stand in each other's column, by which is commoner as which; how many records that changed."""
    connection = records.connection
    run(connection, f"""create or replace temp table name_use as
        select name, count(*) filter (is_given) + 0.5 as given, count(*) filter (not is_given) + 0.5 as family
        from (select given_name as name, true as is_given from {TABLE} union all select family_name, false from {TABLE})
        where name is not null group by name""")
    crossed = f"""select p.unique_id from {TABLE} p left join name_use g on g.name = p.given_name
        left join name_use f on f.name = p.family_name
        where coalesce(f.given / f.family, 1) * coalesce(g.family / g.given, 1) > 1"""
    found = int(records.one(f"select count(*) from ({crossed})"))
    run(connection, f"update {TABLE} set given_name = family_name, family_name = given_name where unique_id in ({crossed})")
    return found


def _derive(connection: duckdb.DuckDBPyConnection, roles: Iterable[Role]) -> None:
    made = [f"{MADE[name].format(v=role)} as {name}" for name, role in DERIVED.items() if role in roles]
    if made:
        run(connection, f"create or replace table {TABLE} as select *, {', '.join(made)} from {TABLE} order by unique_id")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
