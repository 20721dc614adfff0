"""What the deliveries of one recipient tell together, and what is held back for it."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.stages import composition
from jobs.stages.protect import MARK

ROWS = "person string, row string, area string"
# Deliveries before (rows of person, row, area), what is looked at now, and the persons whose rows stay back, with groups of two.
Row = tuple[str, str, str | None]
CASES: list[tuple[str, list[list[Row]], list[Row], set[str]]] = [
    ("told as before", [[("a", "1", "N"), ("b", "1", "N")]], [("a", "1", "N"), ("b", "1", "N")], set()),
    ("a new row is no difference", [[("a", "1", "N"), ("b", "1", "N")]], [("a", "1", "N"), ("b", "1", "N"), ("a", "2", "N")], set()),
    ("one who joined", [[("a", "1", "N"), ("b", "1", "N")]], [("a", "1", "N"), ("b", "1", "N"), ("c", "1", "N")], {"c"}),
    ("two who joined", [[("a", "1", "N"), ("b", "1", "N")]], [(p, "1", "N") for p in "abcd"], set()),
    ("two who joined in different areas", [[("a", "1", "N"), ("b", "1", "N")]],
     [("a", "1", "N"), ("b", "1", "N"), ("c", "1", "N"), ("d", "1", "S")], {"c", "d"}),
    ("who joined one by one, each held back, come together", [[("a", "1", "N"), ("b", "1", "N")]] * 2,
     [(p, "1", "N") for p in "abcd"], set()),
    ("who joined at different times", [[("a", "1", "N"), ("b", "1", "N")], [("a", "1", "N"), ("b", "1", "N"), ("c", "1", "N")]],
     [(p, "1", "N") for p in "abcd"], {"c", "d"}),
    ("who came back", [[(p, "1", "N") for p in "abc"], [("a", "1", "N"), ("b", "1", "N")]], [(p, "1", "N") for p in "abc"], {"c"}),
    ("who left is not looked at", [[(p, "1", "N") for p in "abc"]], [("a", "1", "N"), ("b", "1", "N")], set()),
    ("the same row in other words", [[(p, "1", "N") for p in "abc"]], [("a", "1", "N"), ("b", "1", "N"), ("c", "1", "S")], {"c"}),
    ("other words for enough", [[(p, "1", "N") for p in "abcd"]], [("a", "1", "N"), ("b", "1", "N"), ("c", "1", "S"), ("d", "1", "S")], set()),
    ("words of two versions cut a group", [[("a", "1", "N"), ("b", "1", "N"), ("c", "1", "S"), ("d", "1", "S")]],
     [("a", "1", "NE"), ("b", "1", "W"), ("c", "1", "W"), ("d", "1", "W")], {"a", "b"}),
    ("the same words in another order", [[("a", "1", "N"), ("b", "1", "S"), ("c", "1", "S")]],
     [("a", "1", "S"), ("b", "1", "N"), ("c", "1", "N")], {"a"}),
    ("nothing told of anybody", [[("a", "1", None), ("b", "1", None)]], [("a", "1", None), ("b", "1", None)], set()),
    ("nothing is a word of its own", [[(p, "1", "N") for p in "abc"]], [("a", "1", "N"), ("b", "1", "N"), ("c", "1", None)], {"c"}),
]


@pytest.mark.parametrize(("before", "now", "held"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_is_held_back(frame: Any, before: list[list[Row]], now: list[Row], held: set[str]) -> None:
    earlier = [composition.told(frame(ROWS, rows), "person", ["row"], ["area"], n) for n, rows in enumerate(before)]
    marked = composition.mark(frame(ROWS, now), "person", ["row"], ["area"], earlier, 2).collect()
    assert sorted((r["person"], r["row"], r["area"]) for r in marked if not r[MARK]) == sorted(row for row in now if row[0] in held)
    assert len(marked) == len(now)


def test_columns_that_an_earlier_version_told_are_words_too(frame: Any) -> None:
    """Under a contract that told the area of two and of another one, a version without it still lets them be told apart."""
    earlier = composition.told(frame(ROWS, [("a", "1", "N"), ("b", "1", "N"), ("c", "1", "S")]), "person", ["row"], ["area"], 0)
    now = frame("person string, row string", [(p, "1") for p in "abc"])
    marked = composition.mark(now, "person", ["row"], [], [earlier], 2).collect()
    assert {r["person"] for r in marked if not r[MARK]} == {"c"}
