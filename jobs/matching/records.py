"""Records: a table of people as the matcher sees it, one column a role, cleaned, in DuckDB.

Values that too many records share stand for nobody: they are set aside and counted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from contracts.matching import ColumnMap, Matching, Role
from jobs.errors import ConfigurationError
from jobs.matching.cleaning import Aside, clean, derived, run

TABLE = "people"
TEXT = "read_csv(?, header=true, all_varchar=true, sample_size=-1)"
READERS = {".csv": TEXT, ".tsv": TEXT, ".parquet": "read_parquet(?)"}
SHARED_BIRTHS = (50, 0.01)  # More records than both, in number and as a share, are born on a date that stands for none.

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
    set_aside: Aside = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    def run(self, sql: str, parameters: list[Any] | None = None) -> list[tuple[Any, ...]]:
        """All rows of a statement. A connection is free again only once all are fetched, also those of an insert."""
        return run(self.connection, sql, parameters)

    def one(self, sql: str, parameters: list[Any] | None = None) -> Any:
        """The only value that a query gives."""
        return self.run(sql, parameters)[0][0]


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
    records = prepare(connection, roles, matching)
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


def most_sharing(matching: Matching, records: int) -> dict[Role, int]:
    """By role how many records may share a value; one that more share stands for nobody."""
    return {**matching.most_sharing, Role.BIRTH_DATE: int(max(SHARED_BIRTHS[0], SHARED_BIRTHS[1] * records))}


def shared(connection: duckdb.DuckDBPyConnection, table: str, role: Role, most: int) -> list[str]:
    """The values of a role that more than ``most`` records of a table share."""
    return [value for (value,) in run(connection, f"select {role} from {table} where {role} is not null group by {role} "
                                                  f"having count(*) > {most} order by {role}")]


def prepare(connection: duckdb.DuckDBPyConnection, roles: tuple[Role, ...], matching: Matching) -> Records:
    """The records of a table ``raw``: unique_id, record_id and a column for each role. Raises ConfigurationError."""
    ids = [row[0] for row in run(connection, "select record_id from raw order by unique_id")]
    if None in ids or len(set(ids)) < len(ids):
        what = "is missing" if None in ids else "stands twice"
        raise ConfigurationError(f"a record id {what}; record_id must name each record once")
    if len(ids) < 2:
        raise ConfigurationError("there are fewer than two records, so there is nothing to link")
    aside = clean(connection, "raw", "cleaned", roles, matching, ["unique_id"])
    for role, most in most_sharing(matching, len(ids)).items():
        if role in roles and (values := shared(connection, "cleaned", role, most)):
            held = run(connection, f"select count(*) from cleaned where list_contains(?, {role})", [values])[0][0]
            aside.setdefault(str(role), {})[f"shared by more than {most}"] = held
            run(connection, f"update cleaned set {role} = null where list_contains(?, {role})", [values])
    run(connection, f"create table {TABLE} as select {', '.join(['*', *derived(roles)])} from cleaned order by unique_id")
    run(connection, "drop table raw; drop table cleaned")
    return Records(connection, roles, ids, set_aside=aside)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
