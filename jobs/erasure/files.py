"""Files of a table without some rows: each is written once more under another name, and older versions read that instead."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from itertools import islice

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.fs import FileSelector, SubTreeFileSystem

from jobs.errors import NotErased
from jobs.storage import plain

ROWS = 64 * 1024  # In a row group: an engine reads row groups side by side.
FEW = 2  # Bytes for each value of a column that is read as a dictionary, in which a word is looked for once.
Change = Callable[[pa.Table], tuple[pa.Table, int]]


@dataclass(frozen=True)
class Rewritten:
    """A file that stands in for another one: its way from the table, size in bytes, rows, and how many of them are gone and how
    many were changed."""

    path: str
    size: int
    rows: int
    gone: int
    changed: int


def files_of(store: SubTreeFileSystem) -> list[str]:
    """The Parquet files of the table in whose folder a file system is rooted; those of its log are none."""
    found = store.get_file_info(FileSelector("", recursive=True))
    return sorted(f.path for f in found if f.is_file and f.path.endswith(".parquet") and not f.path.startswith("_delta_log/"))


@contextmanager
def reading(store: SubTreeFileSystem, path: str) -> Iterator[None]:
    """Raises NotErased where what is done within, reading of a file, fails: it may hold anything."""
    try:
        yield
    except (pa.ArrowInvalid, OSError) as error:
        place = "/".join([*store.base_path.strip("/").split("/")[-2:], path])
        raise NotErased(f"{place} cannot be read ({type(error).__name__}), so nobody can say what it holds; put it back from a "
                        "copy, or take it out of its table, and run `concord forget` again") from None


def head(store: SubTreeFileSystem, path: str) -> tuple[pa.Schema, list[bytes]]:
    """The schema of a Parquet file, and the notes in its footer. Raises NotErased."""
    with reading(store, path), store.open_input_file(path) as content, pq.ParquetFile(content) as file:
        return (plain(file.schema_arrow.empty_table()).schema,
                [said for pair in (file.metadata.metadata or {}).items() for said in pair])


def groups(store: SubTreeFileSystem, path: str, columns: list[str] | None = None) -> Iterator[pa.Table]:
    """The row groups of a Parquet file, one after the other; texts of which there are few come as dictionaries. Raises
    NotErased."""
    with reading(store, path):
        with pq.ParquetFile(store.open_input_file(path)) as file:
            few = _few(file.metadata)
        file = pq.ParquetFile(store.open_input_file(path), read_dictionary=few)
    with closing(file):
        there = [c for c in columns if c in file.schema_arrow.names] if columns is not None else None
        for number in range(file.num_row_groups):
            with reading(store, path):
                rows = plain(file.read_row_group(number, columns=there))
            yield rows


def _few(footer: pq.FileMetaData) -> list[str]:
    """The columns of texts of which a file has few."""
    sizes: dict[str, int] = {}
    for group in range(footer.num_row_groups):
        for number in range(footer.num_columns):
            column = footer.row_group(group).column(number)
            if column.physical_type == "BYTE_ARRAY" and "." not in column.path_in_schema:
                sizes[column.path_in_schema] = sizes.get(column.path_in_schema, 0) + column.total_uncompressed_size
    return [name for name, size in sizes.items() if size <= FEW * footer.num_rows]


def rewritten(store: SubTreeFileSystem, path: str, change: Change) -> Rewritten | None:
    """A file with what ``change`` makes of the rows of another (those that stay, and how many were changed), beside it; None, and
    no file, where that is the same."""
    folder, _, _ = path.rpartition("/")
    made = f"{folder}/part-{uuid.uuid4()}.snappy.parquet".lstrip("/")
    gone = changed = rows = 0
    with ExitStack() as opened:
        write: Callable[[pa.Table], None] | None = None
        for number, before in enumerate(groups(store, path)):
            after, altered = change(before)
            if write is None:
                if len(after) == len(before) and not altered:
                    rows += len(after)
                    continue
                write = _writing(store, made, head(store, path)[0], opened)
                for earlier in islice(groups(store, path), number):
                    write(earlier)
            gone, changed, rows = gone + len(before) - len(after), changed + altered, rows + len(after)
            write(after)
    return None if write is None else Rewritten(made, store.get_file_info(made).size, rows, gone, changed)


def _writing(store: SubTreeFileSystem, path: str, schema: pa.Schema, opened: ExitStack) -> Callable[[pa.Table], None]:
    """What writes rows to a new file, which is whole when ``opened`` is closed."""
    out = opened.enter_context(store.open_output_stream(path))
    writer = opened.enter_context(pq.ParquetWriter(out, schema, compression="snappy"))
    return lambda rows: writer.write_table(rows.cast(schema), row_group_size=ROWS)
