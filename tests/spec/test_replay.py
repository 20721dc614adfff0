"""Replay: each case is a product's people, and the counts that hold its release against its permits."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.stages import replay

# Each person: key, is permitted, pseudonym (None: never made), is released.
CASES: dict[str, tuple[list[tuple[str, bool, str | None, bool]], tuple[int, ...]]] = {
    "all is well": ([("a", True, "pa", True), ("b", False, "pb", False)], (2, 1, 1, 0, 0)),
    "permitted, but nothing was measured": ([("a", True, "pa", False), ("b", True, None, False)], (2, 2, 0, 0, 2)),
    "released without a permit": ([("a", True, "pa", True), ("b", False, "pb", True)], (2, 1, 2, 1, 0)),
    "nobody": ([], (0, 0, 0, 0, 0)),
}


@pytest.mark.parametrize("case", CASES)
def test_counts(frame: Any, case: str) -> None:
    people, wanted = CASES[case]
    assert counts(frame, people, []) == wanted


def test_a_pseudonym_of_nobody_is_released_without_a_permit(frame: Any) -> None:
    assert counts(frame, [("a", True, "pa", True)], ["stranger"]) == (1, 1, 2, 1, 0)


def counts(frame: Any, people: list[tuple[str, bool, str | None, bool]], strangers: list[str]) -> tuple[int, ...]:
    """Every released person with two rows."""
    decisions = frame("person_key string, is_permitted boolean, reason_code string", [(key, yes, "-") for key, yes, *_ in people])
    pseudonyms = frame("person_key string, pseudonym string", [(key, name) for key, _, name, _ in people if name])
    names = [*[name for _, _, name, is_in in people if is_in], *strangers]
    released = frame("pseudonym string", [(name,) for name in names * 2])
    row = replay.compare(decisions, pseudonyms, released).collect()[0]
    return row["considered"], row["permitted"], row["released"], row["not_permitted"], row["without_rows"]
