"""Cells and the totals over them: each person once a row, and what must vanish beside a total."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import functions as F

from jobs.stages import cells, differencing, protect, totalled

PEOPLE = "channel string, country string, month string, person string, yes boolean, no boolean"
KEYS, CELLS, OVER = ["channel", "country", "month"], ["asked", "yes", "no"], ["channel", "country"]
SAID = [("email", "DE", "may", "p", True, False), ("phone", "DE", "may", "p", False, True), ("email", "FR", "may", "q", False, None),
        ("email", "DE", "june", "p", True, True), ("email", "DE", "may", None, True, True)]
COUNTED = {("email", "DE", "may"): (1, 1, 0), ("phone", "DE", "may"): (1, 0, 1), ("email", "FR", "may"): (1, 0, 0), ("email", "DE", "june"): (1, 1, 1)}
# A person of two channels counts once over channels: among those who say yes in one of them and no in another.
TOTALS = {("all", "DE", "may"): (1, 1, 1), ("all", "FR", "may"): (1, 0, 0), ("email", "all", "may"): (2, 1, 0), ("phone", "all", "may"): (1, 0, 1),
          ("all", "all", "may"): (2, 1, 1), ("all", "DE", "june"): (1, 1, 1), ("email", "all", "june"): (1, 1, 1), ("all", "all", "june"): (1, 1, 1)}


def test_people_are_counted_once_a_cell(frame: Any) -> None:
    rows = cells.count(frame(PEOPLE, SAID), KEYS, "asked", CELLS)
    assert rows.columns == [*KEYS, *CELLS]
    assert {tuple(r)[:3]: tuple(r)[3:] for r in rows.collect()} == COUNTED


@pytest.mark.parametrize(("over", "wanted"), [
    ([], COUNTED), ([0, 1], COUNTED | TOTALS), ([0], COUNTED | {k: n for k, n in TOTALS.items() if k[1] != "all"})])
def test_and_once_a_total(frame: Any, over: list[int], wanted: dict[Any, Any]) -> None:
    members = differencing.members(cells.members(frame(PEOPLE, [*SAID, SAID[0]]), KEYS, "asked", CELLS), KEYS, CELLS)
    found = totalled.every(members, over).groupBy("cell").agg(F.sum("amount").alias("n")).collect()
    assert {tuple(r.cell.split("\x1f")): r.n for r in found} == {
        (*key, name): n for key, each in wanted.items() for name, n in zip(CELLS, each, strict=True) if n}


@pytest.mark.parametrize(("word", "over", "is_there"), [("all", OVER, True), ("all", ["country"], False), ("ALL", OVER, False)])
def test_a_value_that_says_what_totals_say_is_found(frame: Any, word: str, over: list[str], is_there: bool) -> None:
    assert cells.is_marked(frame(PEOPLE, [(word, "DE", "may", "p", True, False)]), over) is is_there


def settled(frame: Any, rows: list[tuple[Any, ...]]) -> Any:
    """Rows (channel, asked, yes) + hidden_asked, hidden_yes."""
    names = ["asked", "yes"]
    told = [("\x1f".join((channel, name)), n) for channel, *each in rows for name, n in zip(names, each, strict=True) if n]
    sizes = pa.table({"number": [1] * len(told), "cell": [c for c, _ in told], "size": [n for _, n in told], "state": [0] * len(told)})
    made = totalled.settled(sizes, [], names, 1, [0], 7, 8).rows(["channel"])
    return frame("channel string, asked long, hidden_asked boolean, yes long, hidden_yes boolean", [tuple(r.values()) for r in made.to_pylist()])


# asked of the channels, their total, and which vanish with a minimum of 7; a total counts people of several channels once
VANISHING: list[tuple[list[int], int, set[str]]] = [
    ([30, 40], 70, set()), ([3, 40], 43, {"0", "1"}), ([3, 4, 30, 40], 77, {"0", "1", "2"}), ([3, 5, 30, 40], 78, {"0", "1"}),
    ([3, 30, 40], 73, {"0", "1"}), ([3, 30, 30], 63, {"0", "1"}), ([7, 7], 14, {"0", "1"}), ([7], 7, {"0", "all"}), ([2, 3], 5, {"0", "1", "all"}),
    ([3, 40], 41, {"0", "1"}), ([1, 40], 40, {"0", "1"}), ([8, 9], 17, set()), ([8], 8, set()),
]


@pytest.mark.parametrize(("parts", "total", "wanted"), VANISHING)
def test_what_vanishes_beside_a_total(frame: Any, parts: list[int], total: int, wanted: set[str]) -> None:
    marked = settled(frame, [*((str(n), size or 1, size) for n, size in enumerate(parts)), ("all", total, total)])
    assert {r.channel for r in marked.collect() if r.hidden_asked} == wanted
    found = {(r.outcome, r.reason_code): r.rows for r in protect.account(protect.mark_cells(marked, "asked", 7)).collect()}
    few = sum(size <= 7 for size in (*parts, total))
    told = {("released", "-"): len(parts) + 1 - len(wanted), ("suppressed", "small_cell"): few, ("suppressed", "complementary"): len(wanted) - few}
    assert found == {k: n for k, n in told.items() if n}
    left = protect.suppress(marked, "asked", ["asked"], 7, 5)
    assert left.columns == ["channel", "asked", "yes"]
    assert {r.channel for r in left.collect()} == {*map(str, range(len(parts))), "all"} - wanted


def test_what_vanishes_of_a_cell_leaves_its_row(frame: Any) -> None:
    marked = settled(frame, [("0", 50, 2), ("1", 60, 30), ("2", 70, 60), ("all", 180, 92)])
    left = protect.suppress(marked, "asked", ["asked", "yes"], 7, 5)
    assert {r.channel: (r.asked, r.yes) for r in left.collect()} == {"0": (50, None), "1": (60, None), "2": (70, 60), "all": (180, 90)}


def test_what_nobody_counted_vanishes(frame: Any) -> None:
    left = protect.suppress(settled(frame, [("0", 50, None), ("1", 60, None), ("all", 110, None)]), "asked", ["asked", "yes"], 7, 5)
    assert {r.channel: (r.asked, r.yes) for r in left.collect()} == {"0": (50, None), "1": (60, None), "all": (110, None)}
    assert settled(frame, [("0", None, None), ("all", None, None)]).collect() == []
