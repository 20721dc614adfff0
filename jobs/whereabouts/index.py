"""The index: events of who came into a table and who left it, brought up to the tables' newest versions from their logs.

It never says a file's name, so an erasure, which gives files other names, and care of files change nothing in it. Each commit of
it notes through which version of each table it is complete.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from contracts.load import Catalog
from contracts.vocabulary import Zone
from jobs.errors import IntegrityError, NotErased
from jobs.files import EXTRACTS
from jobs.lake import Lake
from jobs.ledger import extracts
from jobs.schema import arrow_schema
from jobs.storage import arrow_files
from jobs.whereabouts import EXTRACT, PARTS, TABLE, log, names
from jobs.whereabouts.cursor import NEVER, THROUGH, through
from jobs.whereabouts.raw import Raw

Read = Callable[[Collection[str]], set[str]]
Event = tuple[int, str, bool]  # Version, name, and whether they came.


def keep(lake: Lake, catalog: Catalog, leave: Callable[[str, Exception], None] | None = None) -> int:
    """Bring in what tables and extracts have that the index has not; how many events that were.

    leave: told of a table that cannot be read, which stays behind then. Raises IntegrityError for such a table where there is
    nobody to tell, and where another run brings in the same meanwhile.
    """
    known, rows = through(lake), [_rows(lake, TABLE, [])]
    moved = dict.fromkeys(_of_nobody(lake, catalog) - known.keys(), NEVER)
    for name in _behind(lake, catalog, known):
        try:
            events, version = _events(lake, catalog, name, known.get(name, NEVER))
        except IntegrityError as error:
            if leave is None:
                raise
            leave(name, error)
            continue
        if version > known.get(name, NEVER):
            moved[name] = version
            rows.append(_rows(lake, name, events))
    for entry in _new_extracts(lake, known):
        moved[f"{EXTRACT}{entry['extract_id']}"] = 0
        rows.append(_rows(lake, f"{EXTRACT}{entry['extract_id']}", [(0, one, True) for one in _in_extract(lake, entry)]))
    if not moved:
        return 0
    found = pa.concat_tables(rows)
    number = (lake.done(TABLE, THROUGH) or 0) + 1
    lake.append_arrow(TABLE, found, note={THROUGH: known | moved}, once=(THROUGH, number))
    return len(found)


def kept(catalog: Catalog) -> list[str]:
    """The tables that tell of persons, but for the index."""
    return [name for name, table in catalog.tables.items()
            if table.zone is not Zone.LEDGER and name != TABLE and names.columns(table)]


def _of_nobody(lake: Lake, catalog: Catalog) -> set[str]:
    return {name for name, table in catalog.tables.items() if table.zone is not Zone.LEDGER and name != TABLE
            and not names.columns(table) and lake.exists(name)}


def _behind(lake: Lake, catalog: Catalog, known: dict[str, int]) -> list[str]:
    """The tables that have a version which the index does not know."""
    store = arrow_files(lake.root)
    ways = {name: log.commit(name.replace(".", "/"), known.get(name, NEVER) + 1) for name in kept(catalog)}
    there = {info.path for info in store.get_file_info(list(ways.values())) if info.is_file}
    fresh = [name for name in ways if name not in known and lake.exists(name)]  # Its commit 0 may be gone.
    return sorted({name for name, way in ways.items() if way in there} | set(fresh))


def _events(lake: Lake, catalog: Catalog, name: str, since: int) -> tuple[list[Event], int]:
    """What happened in a table after a version, and through which that is told. Raises IntegrityError where its files are missing
    or broken."""
    store, table = arrow_files(lake.path(name)), catalog.tables[name]
    source = catalog.sources.get(name.split(".")[1].partition("__")[0]) if table.zone is Zone.RAW else None
    raw = None if source is None else Raw(lake, source)
    found, files = list(log.states(store)), log.there(store)
    if found and not found[-1].files <= files:
        raise IntegrityError(f"{name}: files of its newest version are missing, so nobody can say whom it holds; put them back "
                             f"from a copy, or run `concord table restore {name}`")
    read = partial(_read, table, store, raw)
    try:
        return changes(found, files, since, _here(lake, name), read)
    except NotErased as error:  # What reads files for an erasure says so.
        raise IntegrityError(f"{name}: a file of it cannot be read, so nobody can say whom it holds; put it back from a copy, or "
                             f"run `concord table restore {name}`") from error


def _read(table: Any, store: Any, raw: Raw | None, paths: Collection[str]) -> set[str]:
    return set[str]().union(*(names.of_file(table, store, path, raw) for path in sorted(paths)))


def changes(states: Iterable[log.State], files: Collection[str], since: int, here: set[str],
            read: Read) -> tuple[list[Event], int]:
    """Who came and who left with each version after ``since`` that can be read, and the last of these.

    here: who is in version ``since``. read: whom files name. Files that only moved rows are not read.
    """
    live, told, events, is_next = frozenset[str](), since, list[Event](), True
    there = frozenset(files)
    for state in states:
        if state.version <= since:
            live = state.files
            continue
        if not (state.is_care and is_next):
            is_next = state.files <= there
            if not is_next:  # Nobody can read it any more; who came or went by then does so with the next that can be read.
                continue
            came, gone = _difference(live, state.files, there, here, read)
            events += [(state.version, one, True) for one in came] + [(state.version, one, False) for one in gone]
            here = (here | came) - gone
        live, told = state.files, state.version
    return events, told


def _difference(before: frozenset[str], now: frozenset[str], there: frozenset[str], here: set[str],
                read: Read) -> tuple[set[str], set[str]]:
    """Who is in these files and was not before, and who is not any more. Files that stay are read only where it takes them."""
    gone, stay = before - now, before & now
    new = read(now - before)
    if not gone:
        return new - here, set()
    maybe = here - new
    if stay and maybe:
        maybe = maybe & read(gone) if gone <= there else maybe
        maybe -= read(stay) if maybe else set()
    return new - here, maybe


def _here(lake: Lake, name: str) -> set[str]:
    """Who is in the newest version of a table that the index knows."""
    if not lake.exists(TABLE):
        return set()
    rows = lake.arrow(TABLE, filters=pc.field("table_name") == name)
    sign = pc.if_else(rows["is_there"], 1, -1)
    sums = rows.select(list(PARTS)).append_column("sign", sign).group_by(list(PARTS)).aggregate([("sign", "sum")])
    there = sums.filter(pc.greater(sums["sign_sum"], 0))
    return set(pc.binary_join_element_wise(*(there[p] for p in PARTS), names.MARK).to_pylist())


def _rows(lake: Lake, name: str, events: list[Event]) -> pa.Table:
    """Events as rows, those of one person beside each other, so that few of them are read when one is asked for."""
    ordered = sorted((one, version, is_there) for version, one, is_there in events)
    parts = list(zip(*(one.split(names.MARK) for one, _, _ in ordered), strict=True)) or [()] * len(PARTS)
    return pa.table({"table_name": pa.array([name] * len(ordered), pa.string()),
                     "version": pa.array([version for _, version, _ in ordered], pa.int64()),
                     **{part: pa.array(values, pa.string()) for part, values in zip(PARTS, parts, strict=True)},
                     "is_there": pa.array([is_there for _, _, is_there in ordered], pa.bool_())}).cast(
                         arrow_schema(lake.contract(TABLE)))


def _new_extracts(lake: Lake, known: dict[str, int]) -> Iterator[dict[str, Any]]:
    if lake.exists(extracts.EXTRACT):
        yield from (row for row in lake.arrow(extracts.EXTRACT).to_pylist() if f"{EXTRACT}{row['extract_id']}" not in known)


def _in_extract(lake: Lake, entry: dict[str, Any]) -> set[str]:
    """Whom our copy of an extract names."""
    import pyarrow.parquet as pq

    from jobs.stages.extract import DATA

    store = arrow_files(f"{lake.root}/{EXTRACTS}/{entry['recipient']}/{entry['extract_id']}")
    if not store.get_file_info(DATA).is_file:
        return set()
    with store.open_input_file(DATA) as content:
        rows = pq.read_table(content)
    texts = (rows[field.name].unique().to_pylist() for field in rows.schema if pa.types.is_string(field.type))
    return {names.name(pseudonym=value) for column in texts for value in column if value and names.KEY.fullmatch(value)}
