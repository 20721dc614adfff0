"""Randomness without state: every simulated value is a hash of what it belongs to.

A value depends on (seed, label, person, day, slot) and on nothing else, so a world of more people or more days holds
the smaller world unchanged, and a page can be rendered on request without having been stored.
"""

from __future__ import annotations

import hashlib
import random
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Words = NDArray[np.uint64]
Floats = NDArray[np.float64]


@lru_cache(maxsize=1024)
def _number(label: str) -> int:
    return int.from_bytes(hashlib.blake2b(label.encode(), digest_size=8).digest(), "big")


def _words(part: ArrayLike | str) -> Words:
    if isinstance(part, str):
        return np.array([_number(part)], dtype=np.uint64)
    array = np.atleast_1d(np.asarray(part))
    return array if array.dtype == np.uint64 else array.astype(np.int64).astype(np.uint64)


def mix(*parts: ArrayLike | str) -> Words:
    """Hash integers, integer arrays (broadcast together) and labels to 64-bit words, by the splitmix64 finaliser."""
    state = np.array([0x2545F4914F6CDD1D], dtype=np.uint64)
    for part in parts:
        state = (state ^ _words(part)) + np.uint64(0x9E3779B97F4A7C15)
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        state = state ^ (state >> np.uint64(31))
    return state


def unit(*parts: ArrayLike | str) -> Floats:
    """Uniform numbers in [0, 1), one for each combination of the parts."""
    return (mix(*parts) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def normal(*parts: ArrayLike | str) -> Floats:
    """Standard normal numbers (Box-Muller over two hashes)."""
    radius = np.sqrt(-2.0 * np.log1p(-unit(*parts, 1)))
    turn: Floats = radius * np.cos(2.0 * np.pi * unit(*parts, 2))
    return turn


def dice(*parts: Any) -> random.Random:
    """A generator for the few values of one thing, where arrays are not worth it."""
    words = int.from_bytes(hashlib.blake2b("|".join(map(str, parts)).encode(), digest_size=8).digest(), "big")
    return random.Random(words)


def uuids(*parts: ArrayLike | str) -> list[str]:
    """Random-looking UUIDs (version 4 in form), one for each combination of the parts."""
    high, low = mix(*parts, 11), mix(*parts, 12)
    return [_uuid(f"{h:016x}{w:016x}") for h, w in zip(high.tolist(), low.tolist(), strict=True)]


def _uuid(text: str) -> str:
    variant = "89ab"[int(text[16], 16) & 3]
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{variant}{text[17:20]}-{text[20:]}"
