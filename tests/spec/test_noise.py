"""Noisy counts: how much one person can move, what may be seen of a cell, and that the noise is as great as it costs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from contracts.differential_privacy import DifferentialPrivacy
from jobs.stages import cells, noise

PEOPLE, KEYS = "channel string, month date, person string, yes boolean", ["channel", "month"]
PRIVATE = DifferentialPrivacy(epsilon=1, delta=1e-7, cells_per_person=2, budget=2, period_days=30)
COUNTED = "channel string, asked long, yes long"


def rows(people: int, channels: int = 5) -> list[tuple[Any, ...]]:
    return [(f"c{c}", None, f"p{p}", c == 0) for p in range(people) for c in range(channels) for _ in range(2)]


@pytest.mark.parametrize("most", [1, 2, 4, 5, 9])
def test_a_person_counts_in_so_many_cells_and_always_in_the_same(frame: Any, most: int) -> None:
    said = rows(20)
    kept = {(r.person, r.channel) for r in noise.bounded(frame(PEOPLE, said), KEYS, most).collect()}
    assert all(sum(person == f"p{n}" for person, _ in kept) == min(most, 5) for n in range(20))
    assert kept <= {(r[2], r[0]) for r in said}
    again = {(r.person, r.channel) for r in noise.bounded(frame(PEOPLE, [*reversed(said), ("c0", None, "new", True)]), KEYS, most).collect()}
    assert again - {("new", "c0")} == kept, "nobody's cells depend on who else is there"
    assert most >= 5 or len({c for p, c in kept}) == 5, "not the same cells of everybody"


def test_nobody_s_rows_count_for_nobody(frame: Any) -> None:
    assert noise.bounded(frame(PEOPLE, [("c", None, None, True)]), KEYS, 2).collect() == []


def drawn(frame: Any, counts: list[tuple[Any, ...]], private: DifferentialPrivacy = PRIVATE) -> dict[str, tuple[int, int]]:
    made = noise.drawn(frame(COUNTED, counts), ["channel"], "asked", ["asked", "yes"], private)
    assert made.columns == ["channel", "asked", "yes"]
    return {r.channel: (r.asked, r.yes) for r in made.collect()}


def test_the_noise_is_as_great_as_epsilon_asks_for(frame: Any) -> None:
    """Laplace noise of scale b has a variance of 2 b^2; b is cells_per_person over each column's part of epsilon."""
    found = np.array(list(drawn(frame, [(str(n), 10_000, 5_000) for n in range(4000)]).values())) - [10_000, 5_000]
    assert len(found) == 4000
    for column in found.T:
        assert 0.75 < column.var() / (2 * (2 / 0.5) ** 2) < 1.25, "a twentieth off is likely, a quarter is not in a million years"
        assert abs(column.mean()) < 1 and np.array_equal(column, column.astype(int))
    assert abs(np.corrcoef(found.T)[0, 1]) < 0.1


def test_each_draw_is_another(frame: Any) -> None:
    counts = [(str(n), 1000, 500) for n in range(20)]
    assert drawn(frame, counts) != drawn(frame, counts)


def test_a_cell_of_few_is_not_there(frame: Any) -> None:
    """At most delta of them would be seen: one in ten million."""
    assert drawn(frame, [(str(n), 1, 1) for n in range(3000)]) == {}
    assert drawn(frame, []) == {}
    assert drawn(frame, [("few", 2, 1), ("many", 1000, 0)]).keys() == {"many"}


def test_counts_stay_between_nobody_and_everybody_of_the_row(frame: Any) -> None:
    found = drawn(frame, [(str(n), 200, 200 * (n % 2)) for n in range(400)])
    assert len(found) == 400 and all(0 <= yes <= asked for asked, yes in found.values())
    assert {yes == 0 for _, yes in found.values()} == {True, False}


@pytest.mark.parametrize(("private", "columns"), [
    (PRIVATE, ["asked", "yes"]), (PRIVATE.model_copy(update={"cells_per_person": 5}), ["asked", "yes"]),
    (PRIVATE.model_copy(update={"epsilon": 0.1, "delta": 1e-9}), ["asked"])])
def test_what_opendp_says_that_it_costs_adds_up_to_epsilon(frame: Any, monkeypatch: pytest.MonkeyPatch, private: DifferentialPrivacy,
                                                           columns: list[str]) -> None:
    costs: list[tuple[float, float]] = []
    own = noise._refuse_more
    monkeypatch.setattr(noise, "_refuse_more", lambda found, agreed: (costs.append((found, agreed)), own(found, agreed)))
    noise.drawn(frame(COUNTED, [("a", 900, 9)]), ["channel"], "asked", columns, private)
    delta = costs.pop(1)
    assert sum(found for found, _ in costs) == pytest.approx(private.epsilon) and len(costs) == len(columns)
    assert 0 < delta[0] <= private.delta == delta[1]
    with pytest.raises(ValueError, match="costs 2, more than 1; nothing was drawn"):
        own(2, 1)


def test_one_person_moves_counts_by_what_the_noise_is_made_for(frame: Any) -> None:
    """The exact counts of bounded people with somebody and without: one a cell, in at most cells_per_person cells."""
    said = rows(10)
    both = []
    for people in (said, [r for r in said if r[2] != "p3"]):
        counted = cells.count(noise.bounded(frame(PEOPLE, people), KEYS, 2), KEYS, "asked", ["asked", "yes"])
        both.append({r.channel: (r.asked, r.yes) for r in counted.collect()})
    moved = [np.subtract(both[0][c], both[1].get(c, (0, 0))) for c in both[0]]
    assert sorted(m[0] for m in moved)[-2:] == [1, 1] and sum(m[0] for m in moved) == 2 and max(m[1] for m in moved) <= 1
