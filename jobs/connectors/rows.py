"""CSV files (RFC 4180, in UTF-8, with a header) as records: one JSON object of column and text for each row."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator

import msgspec

from jobs.connectors.ndjson import whole


class BadHeader(ValueError):
    """The first row is no header; the text says why, without repeating it."""


class _Lines:
    """Lines as text for Python's reader, which takes several where a quoted field goes on; ``take`` gives their bytes."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines, self._held = iter(lines), list[bytes]()

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self._held.append(line)
        return line.decode("utf-8", "surrogateescape") + "\n"

    def take(self) -> bytes:
        """The bytes of the newest row, without its line end."""
        held, self._held = b"\n".join(self._held), []
        return held.removesuffix(b"\r")


def rows(lines: Iterable[bytes], needed: str | int) -> Iterator[tuple[bytes, bool]]:
    """Each row below the header, and whether it is a sound one.

    A sound row comes as a JSON object; an empty field is null there, since CSV cannot tell nothing from an empty text. A row
    that is not UTF-8 or not RFC 4180, has a field of more than 128 KB, or has more or fewer fields than the header, comes as
    the bytes it is. Empty lines are left out. Raises BadHeader when there is no header, or one that names a column twice,
    leaves one without a name, or lacks the column ``needed``.
    """
    taken = _Lines(lines)
    found = _read(taken)
    header = _header(next(found, (None, b"")), needed)
    for fields, raw in found:
        if fields is not None and len(fields) == len(header) and _is_utf8(raw):
            yield msgspec.json.encode(dict(zip(header, (field or None for field in fields), strict=True))), True
        else:
            yield raw, False


def _read(taken: _Lines) -> Iterator[tuple[list[str] | None, bytes]]:
    """The fields of each row, None where they cannot be told apart, and its bytes."""
    reader = csv.reader(taken, strict=True)
    while True:
        fields: list[str] | None
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error:
            fields = None
        for raw in whole(taken.take()):
            yield fields, raw


def _header(first: tuple[list[str] | None, bytes], needed: str | int) -> list[str]:
    names, raw = first
    if not raw:
        raise BadHeader("it is empty, without even a header")
    if names is None or not _is_utf8(raw):
        raise BadHeader("its header is not CSV in UTF-8")
    if len(set(names)) < len(names) or "" in names:
        raise BadHeader("its header names a column twice or leaves one without a name")
    if needed not in names:
        raise BadHeader("its header is missing, or lacks the column that the contract's recordId names")
    return names


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
