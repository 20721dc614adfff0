"""Words found in columns, beside a naive twin: in texts, in bytes, in dictionaries, whole or within a value."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.erasure import words as module
from jobs.erasure.words import GOES_ON, Words

SIGNS = "a1-é"
TEXT = st.text(SIGNS, max_size=6)
KINDS = (pa.string(), pa.large_string(), pa.binary(), pa.dictionary(pa.int32(), pa.string()))


def holds(value: bytes, word: bytes) -> bool:
    """Whether a word stands in a value, and nothing before or after it makes another word of it."""
    places = [n for n in range(len(value) - len(word) + 1) if value[n:n + len(word)] == word]
    return any(not (n and GOES_ON[value[n - 1]]) and not (n + len(word) < len(value) and GOES_ON[value[n + len(word)]]) for n in places)


@settings(deadline=None, max_examples=300)
@given(st.lists(st.one_of(st.none(), TEXT), max_size=4), st.sets(st.text(SIGNS, min_size=1, max_size=6), max_size=3), st.sampled_from(KINDS))
def test_rows_are_those_that_hold_a_word(values: list[str | None], words: set[str], kind: pa.DataType) -> None:
    given_values = [v.encode() if v is not None and pa.types.is_binary(kind) else v for v in values]
    found = Words(words).rows(pa.array(given_values, kind))
    assert found.tolist() == [v is not None and any(holds(v.encode(), w.encode()) for w in words) for v in values]


@settings(deadline=None)
@given(st.lists(st.text("ab1", max_size=5), min_size=1, max_size=8), st.sets(st.text("ab1", min_size=1, max_size=4), min_size=1, max_size=5))
def test_of_letters_and_digits_alone_a_word_is_all_of_a_value(values: list[str], words: set[str]) -> None:
    assert Words(words).rows(pa.array(values)).tolist() == [value in words for value in values]


@pytest.mark.parametrize("most", [1, 2**18])
def test_many_words_are_found_as_few_are(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FEW_BYTES", most)
    found = Words([f"person-{n}" for n in range(50)]).rows(pa.array([f"told person-{n}, who" for n in range(0, 100, 5)]))
    assert found.tolist() == (np.arange(0, 100, 5) < 50).tolist()
