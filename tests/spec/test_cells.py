"""Cells and the totals over them: each person once a row, and what must vanish beside a total."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.stages import cells, protect

PEOPLE = "channel string, country string, month string, person string, yes boolean, no boolean"
KEYS, CELLS, OVER = ["channel", "country", "month"], ["asked", "yes", "no"], ["channel", "country"]
SAID = [("email", "DE", "may", "p", True, False), ("phone", "DE", "may", "p", False, True), ("email", "FR", "may", "q", False, None),
        ("email", "DE", "june", "p", True, True), ("email", "DE", "may", None, True, True)]
COUNTED = {("email", "DE", "may"): (1, 1, 0), ("phone", "DE", "may"): (1, 0, 1), ("email", "FR", "may"): (1, 0, 0), ("email", "DE", "june"): (1, 1, 1)}
# A person of two channels counts once over channels: among those who say yes in one of them and no in another.
TOTALS = {("all", "DE", "may"): (1, 1, 1), ("all", "FR", "may"): (1, 0, 0), ("email", "all", "may"): (2, 1, 0), ("phone", "all", "may"): (1, 0, 1),
          ("all", "all", "may"): (2, 1, 1), ("all", "DE", "june"): (1, 1, 1), ("email", "all", "june"): (1, 1, 1), ("all", "all", "june"): (1, 1, 1)}


@pytest.mark.parametrize(("over", "wanted"), [
    ([], COUNTED), (OVER, COUNTED | TOTALS), (["channel"], COUNTED | {k: n for k, n in TOTALS.items() if k[1] != "all"})])
def test_people_are_counted_once_a_cell_and_once_a_total(frame: Any, over: list[str], wanted: dict[Any, Any]) -> None:
    rows = cells.count(frame(PEOPLE, SAID), KEYS, "asked", CELLS, over)
    assert rows.columns == [*KEYS, *CELLS]
    assert {tuple(r)[:3]: tuple(r)[3:] for r in rows.collect()} == wanted


def test_people_may_be_all_that_is_counted(frame: Any) -> None:
    rows = cells.count(frame(PEOPLE, [*SAID, SAID[0]]), KEYS, "asked", ["asked"], ["country"])
    assert {tuple(r)[:3]: r.asked for r in rows.collect()} == {
        k: n for k, (n, *_) in (COUNTED | {k: n for k, n in TOTALS.items() if k[0] != "all"}).items()}


@pytest.mark.parametrize(("word", "over", "is_there"), [("all", OVER, True), ("all", ["country"], False), ("ALL", OVER, False)])
def test_a_value_that_says_what_totals_say_is_found(frame: Any, word: str, over: list[str], is_there: bool) -> None:
    assert cells.is_marked(frame(PEOPLE, [(word, "DE", "may", "p", True, False)]), over) is is_there


TABLE = "channel string, asked long, yes long"
# asked of the channels, their total, and which vanish with a minimum of 7; a total counts people of several channels once
VANISHING: list[tuple[list[int], int, set[str]]] = [
    ([30, 40], 70, set()), ([3, 40], 43, {"0", "1"}), ([3, 4, 30, 40], 77, {"0", "1", "2"}), ([3, 5, 30, 40], 78, {"0", "1"}),
    ([3, 30, 40], 73, {"0", "1"}), ([3, 30, 30], 63, {"0", "1"}), ([7, 7], 14, {"0", "1"}), ([7], 7, {"0", "all"}), ([2, 3], 5, {"0", "1", "all"}),
    ([3, 40], 41, {"0", "1"}), ([0, 40], 40, {"0", "1"}), ([8, 9], 17, set()), ([8], 8, set()),
]


@pytest.mark.parametrize(("parts", "total", "wanted"), VANISHING)
def test_what_vanishes_beside_a_total(frame: Any, parts: list[int], total: int, wanted: set[str]) -> None:
    rows = frame(TABLE, [*((str(n), size, size) for n, size in enumerate(parts)), ("all", total, total)])
    marked = cells.complemented(rows, ["channel"], "asked", ["asked"], ["channel"], 7)
    assert {r.channel for r in marked.collect() if r.hidden_asked} == wanted
    found = {(r.outcome, r.reason_code): r.rows for r in protect.account(protect.mark_cells(marked, "asked", 7)).collect()}
    few = sum(size <= 7 for size in (*parts, total))
    told = {("released", "-"): len(parts) + 1 - len(wanted), ("suppressed", "small_cell"): few, ("suppressed", "complementary"): len(wanted) - few}
    assert found == {k: n for k, n in told.items() if n}
    left = protect.suppress(marked, "asked", ["asked"], 7, 5)
    assert left.columns == ["channel", "asked", "yes"]
    assert {r.channel for r in left.collect()} == {*map(str, range(len(parts))), "all"} - wanted


def test_what_vanishes_of_a_cell_leaves_its_row(frame: Any) -> None:
    rows = frame(TABLE, [("0", 50, 2), ("1", 60, 30), ("2", 70, 60), ("all", 180, 92)])
    left = protect.suppress(cells.complemented(rows, ["channel"], "asked", ["asked", "yes"], ["channel"], 7), "asked", ["asked", "yes"], 7, 5)
    assert {r.channel: (r.asked, r.yes) for r in left.collect()} == {"0": (50, None), "1": (60, None), "2": (70, 60), "all": (180, 90)}


def test_what_nobody_counted_vanishes(frame: Any) -> None:
    rows = frame(TABLE, [("0", 50, None), ("1", 60, None), ("all", 110, None)])
    left = protect.suppress(cells.complemented(rows, ["channel"], "asked", ["asked", "yes"], ["channel"], 7), "asked", ["asked", "yes"], 7, 5)
    assert {r.channel: (r.asked, r.yes) for r in left.collect()} == {"0": (50, None), "1": (60, None), "all": (110, None)}
    nothing = frame(TABLE, [("0", None, None), ("all", None, None)])
    marked = cells.complemented(nothing, ["channel"], "asked", ["asked", "yes"], ["channel"], 7)
    assert protect.suppress(marked, "asked", ["asked", "yes"], 7, 5).collect() == []


def test_an_empty_table_has_no_totals(frame: Any) -> None:
    counted = cells.count(frame(PEOPLE, []), KEYS, "asked", CELLS, OVER)
    assert cells.complemented(counted, KEYS, "asked", CELLS, OVER, 7).collect() == []
