"""The search for a model finds what pairs were drawn with; a model of a sample is that of the whole."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest

from contracts.matching import ColumnMap, Role, load
from jobs.matching import pairs, quality, records, training
from jobs.matching.clusters import Scored
from jobs.matching.model import asked, linker, score
from jobs.matching.search import Floats, Ints, Learned, Search
from tests.synthetic_people import MAP, people

EVERY = 2_000_000
M = [[0.8, 0.15, 0.05], [0.9, 0.04, 0.06], [0.75, 0.1, 0.15], [0.7, 0.1, 0.2], [0.6, 0.1, 0.3]]
U = [[0.01, 0.02, 0.97], [0.001, 0.009, 0.99], [0.02, 0.02, 0.96], [0.005, 0.005, 0.99], [0.002, 0.008, 0.99]]
HOUSEHOLD = {2: [0.9, 0.05, 0.05], 3: [0.85, 0.1, 0.05], 4: [0.4, 0.1, 0.5]}
MATCHES, NEIGHBOURS = 4_000, 200_000


@lru_cache
def drawn(households: int) -> tuple[Ints, Floats]:
    """Patterns of all pairs, and how many pairs have each."""
    roll = np.random.default_rng(11)
    classes = [(MATCHES, M), (households, [HOUSEHOLD.get(i, U[i]) for i in range(len(U))]), (EVERY - MATCHES - households, U)]
    drawn_ = np.concatenate([np.stack([roll.choice(3, number, p=shares) for shares in levels], axis=1) for number, levels in classes])
    patterns, counts = np.unique(drawn_, axis=0, return_counts=True)
    return patterns, counts.astype(float)


def found(patterns: Ints, counts: Floats, circles: list[list[int]], at_most: float = 1.0) -> Learned:
    return Search(patterns, counts, [3] * len(U), [at_most] * len(U), circles).run()


def test_matches_households_and_strangers_are_told_apart():
    learned = found(*drawn(NEIGHBOURS), [[2, 3, 4]])
    assert learned.prior == pytest.approx(MATCHES / EVERY, rel=0.05)
    assert np.allclose(learned.m, M, atol=0.04) and np.allclose(learned.u, U, rtol=0.1, atol=2e-4)
    ((share, levels),) = learned.circles
    assert share == pytest.approx(NEIGHBOURS / (EVERY - MATCHES), rel=0.01)
    assert all(np.allclose(levels[i], HOUSEHOLD[i], atol=0.02) for i in HOUSEHOLD)


def test_without_circles_a_household_would_be_the_person():
    assert found(*drawn(NEIGHBOURS), []).prior > 20 * MATCHES / EVERY


def test_random_pairs_stand_for_those_that_nobody_looked_at():
    """Pairs that agree somewhere were blocked; of the others, one in two hundred was drawn."""
    patterns, counts = drawn(NEIGHBOURS)
    looked_at = (patterns[:, :2] == 0).any(axis=1)
    some = np.where(looked_at, counts, np.random.default_rng(5).binomial(counts.astype(int), 1 / 200) * 200)
    learned = found(patterns, some, [[2, 3, 4]])
    assert learned.prior == pytest.approx(MATCHES / EVERY, rel=0.05)
    assert learned.circles[0][0] == pytest.approx(NEIGHBOURS / (EVERY - MATCHES), rel=0.05)


def test_records_of_a_person_differ_at_most_so_often():
    learned = found(*drawn(0), [], at_most=0.02)
    assert all(m[-1] <= 0.02 for m in learned.m)


def test_a_sample_of_pairs_gives_the_model_of_all(tmp_path: Path, monkeypatch):
    read = _read(tmp_path)
    pairs.find(read, load())
    whole = training.train(read, load())
    monkeypatch.setattr(training, "MOST_TRAINING_PAIRS", 60_000)
    assert training.train(read, load()).prior == pytest.approx(whole.prior, rel=0.25)


def test_training_and_scoring_see_the_same_levels(tmp_path: Path):
    """Training counts levels by a query of its own; Splink, which scores, numbers them from the least alike."""
    read, matching = _read(tmp_path), load()
    read.run(f"update {records.TABLE} set given_name = family_name, family_name = given_name where unique_id % 7 = 0")
    pairs.find(read, matching)
    compared = matching.levels(read.roles)
    scored = score(linker(read, matching, training.train(read, matching)))
    best = {role: sum(not level.silent for level in levels) for role, levels in compared.items()}
    numbers = ", ".join(f"case when gamma_{role} < 0 then -1 else {most} - gamma_{role} end" for role, most in best.items())
    expected = {tuple(found): times for *found, times in read.run(f"select {numbers}, count(*) from {scored} group by all")}
    patterns, counts = training._patterns(read, pairs.PAIRS, asked(matching, read.roles), compared, sum(expected.values()))
    assert dict(zip(map(tuple, patterns.tolist()), counts.tolist(), strict=True)) == expected
    assert all({-1, 0, best[role]} <= set(patterns[:, i].tolist()) for i, role in enumerate(compared))
    crossed = list(compared).index(Role.GIVEN_NAME), list(compared).index(Role.FAMILY_NAME)
    assert set(patterns[patterns[:, crossed[0]] == 1][:, crossed[1]].tolist()) == {-1}, "crossed names are counted once"


def test_blocks_that_tell_nobody_apart_give_no_pairs(tmp_path: Path):
    """Twenty share a town, two an e-mail address."""
    matching = load().model_copy(update={"all_pairs_up_to": 1, "largest_block": 5, "blocking": (("city",), ("email",))})
    read = _read(tmp_path)
    read.run(f"update {records.TABLE} set city = case when unique_id < 20 then 'here' end, "
             "email = case when unique_id in (3, 40) then 'same' end")
    assert pairs.find(read, matching) == ["email"]
    assert read.run(f"select l, r from {pairs.PAIRS}") == [(3, 40)]


def test_rules_are_used_while_their_pairs_fit(tmp_path: Path):
    matching = load().model_copy(update={"all_pairs_up_to": 1, "most_pairs": 11, "most_pairs_a_record": 0, "blocking": (
        ("email",), ("city",), ("phone",))})
    read = _read(tmp_path)
    read.run(f"update {records.TABLE} set email = case when unique_id < 5 then 'ten pairs' end, "
             "city = case when unique_id < 3 then 'three pairs' end, phone = case when unique_id in (7, 9) then 'one pair' end")
    assert pairs.find(read, matching) == ["email", "phone"]
    assert read.one(f"select count(*) from {pairs.PAIRS}") == 11


def test_quality_counts_pairs():
    truth = np.array([0, 0, 0, 1, 2])
    scored = Scored(np.array([0, 1, 2, 0]), np.array([1, 2, 3, 4]), np.array([9.0, -1.0, 3.0, 5.0]))
    before = quality.of_pairs(scored, 0.0, truth)
    assert (before.true, before.linked, before.right, before.precision, before.recall) == (3, 3, 1, 1 / 3, 1 / 3)
    after = quality.of_clusters(np.array([0, 0, 1, 1, 2]), truth)
    assert (after.true, after.linked, after.right, after.f1) == (3, 2, 1, 0.4)
    assert quality.of_clusters(np.arange(3), np.arange(3)).f1 == 1.0


def _read(folder: Path) -> records.Records:
    pyarrow.parquet.write_table(people(300), folder / "people.parquet")
    roles = {Role(role): column for role, column in MAP.items() if role != "record_id"}
    return records.read(folder / "people.parquet", ColumnMap(record_id="id", roles=roles), load())
