"""What the streams of a source must say whose files are dropped into a bucket, and what they may not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import permutations
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contracts.model import Source, Stream

PREFIX = re.compile(r"([A-Za-z0-9!_.*()-]+/)+")
MOST_LISTED = 1000
# Of an API, not of files.
ASKED = ("items", "cursor", "since", "revisit_days")


def refuse_unfit_drop(source: Source) -> None:
    """Raise ValueError unless every stream of an object_drop source is the files below a prefix of its own."""
    if source.connection.connector != "object_drop":
        return
    for said in (*_of_connection(source), *(s for stream in source.streams for s in _of_stream(stream))):
        raise ValueError(said)
    for outer, inner in permutations(source.streams, 2):
        if inner.path.startswith(outer.path):
            raise ValueError(f"stream {inner.name} lies below the path of stream {outer.name}, so its files would be read as "
                             "both; give each a path of its own")


def _of_connection(source: Source) -> Iterator[str]:
    if source.connection.token_path is not None:
        yield "connection of an object_drop takes no token; write tokenPath: null"
    if source.connection.page_size > MOST_LISTED:
        yield f"connection lists at most {MOST_LISTED} objects at once; write pageSize: {MOST_LISTED}"


def _of_stream(stream: Stream) -> Iterator[str]:
    if not PREFIX.fullmatch(stream.path):
        yield (f"stream {stream.name} has path {stream.path!r}, which is no prefix of a bucket; write for example "
               "path: members/, with / at its end and none at its beginning")
    for name in ASKED:
        if getattr(stream, name) is not None:
            yield (f"stream {stream.name} is files, which are not asked by {name.replace('_days', 'Days')}; take it out")
