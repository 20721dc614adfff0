"""Pages: whether one is whole JSON, the exact bytes of each record in it, and whether paging comes to an end.

msgspec does the work. It refuses some texts that Python's own json takes, such as half of an emoji (an unpaired
surrogate), for which a whole page must not be lost; those pages are cut by json's scanner instead.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from json.decoder import WHITESPACE  # type: ignore[attr-defined]

import msgspec

from jobs.connectors.explain import Place, not_promised

OFTEN = 4
NOT_JSON = (msgspec.MsgspecError, UnicodeError, RecursionError, ValueError)
_DECODER = json.JSONDecoder()


def is_json(body: bytes) -> bool:
    """Whether the bytes are one JSON text; bytes that are not UTF-8 inside of texts do no harm."""
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except NOT_JSON:
        try:
            json.loads(body.decode("latin-1"))
        except NOT_JSON:
            return False
    return True


def cut(page: bytes, items: str | None) -> list[bytes]:
    """The exact bytes of each record of a page; ``items`` is the dotted path of the array, None for the page itself.

    Raises ValueError (msgspec.ValidationError is one) when the page has no array there.
    """
    keys = items.split(".") if items else []
    try:
        inner: bytes | msgspec.Raw = page
        for key in keys:
            inner = msgspec.json.decode(inner, type=dict[str, msgspec.Raw]).get(key, b"null")
        return [bytes(item) for item in msgspec.json.decode(inner, type=list[msgspec.Raw])]
    except (msgspec.MsgspecError, UnicodeError):
        text = page.decode("latin-1")  # one character a byte, so that places in the text are places in the page
        return [page[first:last] for first, last in _elements(text, _inside(text, keys))]


class Pages:
    """Counts how often each next page is named: a source may send a page twice, but not go in a circle."""

    def __init__(self, place: Place) -> None:
        self._place, self._named = place, Counter[int]()

    def follow(self, following: str) -> str:
        """The name itself. Raises SourceRefused when it has been named too often."""
        self._named[hash(following)] += 1
        if self._named[hash(following)] >= OFTEN:
            raise not_promised(self._place, f"the same next page was named {OFTEN} times, its pages go in a circle")
        return following


def _inside(text: str, keys: list[str]) -> int:
    """Where the value behind the keys begins."""
    at = _skip(text, 0)
    for key in keys:
        at = dict(_members(text, at)).get(key, len(text))
    return at


def _members(text: str, at: int) -> Iterator[tuple[str, int]]:
    """Names of an object's members, and where their values begin."""
    _expect(text, at, "{")
    at = _skip(text, at + 1)
    while text[at : at + 1] != "}":
        name, at = _DECODER.raw_decode(text, at)
        at = _skip(text, at)
        _expect(text, at, ":")
        first = _skip(text, at + 1)
        yield name, first
        at = _comma(text, _DECODER.raw_decode(text, first)[1], "}")


def _elements(text: str, at: int) -> Iterator[tuple[int, int]]:
    """Where each element of an array begins and ends."""
    _expect(text, at, "[")
    at = _skip(text, at + 1)
    while text[at : at + 1] != "]":
        last = _DECODER.raw_decode(text, at)[1]
        yield at, last
        at = _comma(text, last, "]")


def _comma(text: str, at: int, end: str) -> int:
    at = _skip(text, at)
    if text[at : at + 1] == end:
        return at
    _expect(text, at, ",")
    return _skip(text, at + 1)


def _skip(text: str, at: int) -> int:
    return int(WHITESPACE.match(text, at).end())


def _expect(text: str, at: int, sign: str) -> None:
    if text[at : at + 1] != sign:
        raise ValueError(f"the page has no {sign} at byte {at}")
