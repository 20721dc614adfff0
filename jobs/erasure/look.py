"""Looking at the bytes: every file below a folder, Parquet decoded, for words that should be in none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pyarrow as pa
from pyarrow.fs import FileSelector, SubTreeFileSystem

from jobs.erasure.files import groups, head, reading
from jobs.erasure.words import Words, is_text

THREADS = 2


@dataclass(frozen=True)
class Looked:
    """How many files were looked through, and in how many places a word was found, by folder (zone/thing)."""

    files: int
    found: dict[str, int]


def look(store: SubTreeFileSystem, words: Words, but: Collection[str] = ()) -> Looked:
    """Look through every file below the root of a file system, but for folders ``but``. Raises NotErased where one cannot be
    read."""
    paths = [f.path for f in store.get_file_info(FileSelector("", recursive=True, allow_not_found=True)) if f.is_file]
    wanted = [path for path in sorted(paths) if not any(path == b or path.startswith(f"{b}/") for b in but)]
    with ThreadPoolExecutor(THREADS) as threads:
        counts = threads.map(lambda path: _count(store, path, words), wanted)
        found = Counter[str]()
        for path, count in zip(wanted, counts, strict=True):
            found.update({"/".join(path.split("/")[:2]): count} if count else {})
    return Looked(len(wanted), dict(found))


def _count(store: SubTreeFileSystem, path: str, words: Words) -> int:
    """In how many values, or at how many places, a word stands in a file."""
    if path.endswith(".parquet"):
        return sum(int(words.rows(chunk).sum()) for column in _texts(store, path) for chunk in column.chunks)
    with reading(store, path), store.open_input_stream(path) as stream:
        return sum(1 for _ in words.places(stream.read()))


def _texts(store: SubTreeFileSystem, path: str) -> Iterator[pa.ChunkedArray]:
    """Every text of a Parquet file, those within structures too, and the notes in its footer."""
    schema, notes = head(store, path)
    yield pa.chunked_array([pa.array(notes, pa.binary())])
    for rows in groups(store, path, [field.name for field in schema if is_text(field.type) or pa.types.is_nested(field.type)]):
        for column in rows.flatten().columns:
            yield from _flat(column)


def _flat(column: pa.ChunkedArray) -> Iterator[pa.ChunkedArray]:
    kind = column.type
    if is_text(kind):
        yield column
    elif pa.types.is_struct(kind):
        for part in pa.table({"c": column}).flatten().columns:
            yield from _flat(part)
    elif pa.types.is_map(kind):
        for part in (pa.chunked_array([c.keys for c in column.chunks] or [pa.array([], kind.key_type)]),
                     pa.chunked_array([c.items for c in column.chunks] or [pa.array([], kind.item_type)])):
            yield from _flat(part)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        yield from _flat(pa.chunked_array([c.flatten() for c in column.chunks] or [pa.array([], kind.value_type)]))
