"""Words that only one person has, looked for in bytes: all at once, by Aho and Corasick's automaton (CACM 1975)."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Mask = np.ndarray[Any, np.dtype[np.bool_]]
Bytes = np.ndarray[Any, np.dtype[np.uint8]]
Numbers = np.ndarray[Any, np.dtype[np.int64]]

# What goes on before or after a word makes another word of it: s-1a05 is not in s-1a05b2, but is in s-1a05-0.
GOES_ON = np.zeros(256, dtype=bool)
GOES_ON[[*range(48, 58), *range(65, 91), *range(97, 123), *range(128, 256)]] = True
TEXTS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_binary, pa.types.is_large_binary)
MOST_BYTES = 2**28  # Looked through at once.
FEW_BYTES = 2**18  # Words of so many in all get an automaton of full tables, twice as fast: some hundred bytes for each.
FIRST = 1024


class Words:
    """A set of words, each the UTF-8 of a value; a place where one stands is found in bytes and in columns of text."""

    def __init__(self, words: Collection[str]) -> None:
        from ahocorasick_rs import BytesAhoCorasick, Implementation

        self._words = sorted(word.encode() for word in words if word)
        kind = Implementation.DFA if sum(map(len, self._words)) <= FEW_BYTES else None
        self._automaton = BytesAhoCorasick(self._words, implementation=kind) if self._words else None
        self._whole, self._sizes = pa.array(self._words, pa.large_binary()), sorted(set(map(len, self._words)))

    def rows(self, texts: pa.Array) -> Mask:
        """Which values of a text or binary array, or of a dictionary of such, hold a word, as a mask of its length."""
        if pa.types.is_dictionary(texts.type):
            held = pc.take(pa.array(self.rows(texts.dictionary)), texts.indices)
            return np.asarray(held.fill_null(False).to_numpy(zero_copy_only=False), dtype=bool)
        found = np.zeros(len(texts), dtype=bool)
        for first, part in _parts(texts) if self._words else ():
            values = part.cast(pa.large_binary())
            content, ends = _joined(values)
            if (are_whole := self._whole_in(content, np.diff(ends, prepend=0))) is not None:
                if are_whole:
                    found[first:first + len(values)] = pc.is_in(values, value_set=self._whole).to_numpy(zero_copy_only=False)
                continue
            starts, _ = self._places(content, ends)
            found[first + np.searchsorted(ends, starts, side="right")] = True
        return found

    def _whole_in(self, content: Bytes, sizes: Numbers) -> bool | None:
        """Whether values of some sizes, one after the other, may be words as wholes; None where a word may stand within one."""
        least, most = (int(sizes.min()), int(sizes.max())) if len(sizes) else (0, 0)
        if most <= self._sizes[0] or (GOES_ON[content[:FIRST]].all() and GOES_ON[content].all()):
            return any(least <= size <= most for size in self._sizes)
        return None

    def places(self, content: bytes | Bytes) -> Iterator[tuple[int, int]]:
        """Start and end of each place in bytes where a whole word stands, in their order; none lies in another."""
        starts, ends = self._places(content, np.array([len(content)]))
        through = 0
        for n in np.lexsort((-ends, starts)):
            if starts[n] >= through:
                through = int(ends[n])
                yield int(starts[n]), through

    def replaced(self, value: bytes, tokens: dict[str, str]) -> bytes:
        """A value with each word in it replaced by its token."""
        made, through = [], 0
        for start, end in self.places(value):
            made += [value[through:start], tokens[value[start:end].decode()].encode()]
            through = end
        return b"".join([*made, value[through:]])

    def _places(self, content: bytes | Bytes, ends: Numbers) -> tuple[Numbers, Numbers]:
        """Start and end of every whole word in values that lie one after the other and end at ``ends``."""
        given: Any = content
        found = self._automaton.find_matches_as_indexes(given, overlapping=True) if self._automaton and len(content) else []
        places = np.array(found, dtype=np.int64).reshape(-1, 3)
        start, end = places[:, 1], places[:, 2]
        value = np.searchsorted(ends, start, side="right")
        begins = np.concatenate([[0], ends])[value]
        signs = np.frombuffer(content, dtype=np.uint8)
        before = (start > begins) & GOES_ON[signs[np.maximum(start, 1) - 1]] if len(start) else start > begins
        after = (end < ends[value]) & GOES_ON[signs[np.minimum(end, len(signs) - 1)]] if len(start) else end < ends[value]
        whole = ~before & ~after & (end <= ends[value])
        return start[whole], end[whole]


def is_text(kind: pa.DataType) -> bool:
    """Whether values of an Arrow type are looked through."""
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return any(fits(kind) for fits in TEXTS) or str(kind) in ("string_view", "binary_view")


def _parts(texts: pa.Array) -> Iterator[tuple[int, pa.Array]]:
    """Slices of an array, of at most ``MOST_BYTES``, with where they begin."""
    step = max(1, len(texts) if texts.nbytes < MOST_BYTES else len(texts) * MOST_BYTES // (2 * texts.nbytes))
    return ((start, texts.slice(start, step)) for start in range(0, len(texts), step))


def _joined(values: pa.Array) -> tuple[Bytes, Numbers]:
    """All values of a large binary array one after the other, and where each ends."""
    _, offsets, content = values.buffers()
    ends = np.frombuffer(offsets, dtype=np.int64)[values.offset:values.offset + len(values) + 1]
    return np.frombuffer(content or b"", dtype=np.uint8)[int(ends[0]):int(ends[-1])], ends[1:] - ends[0]
