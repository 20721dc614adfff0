"""Clusters beside a naive twin: average linkage, one merge after the other, over a table of every pair."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.matching.clusters import MOST_SURE, UNSEEN, Scored, cluster, threshold

# Weights that no two different means are made of, so that there are no ties to break.
PAIRS = st.integers(2, 7).flatmap(lambda records: st.tuples(st.just(records), st.dictionaries(
    st.sampled_from(list(itertools.combinations(range(records), 2))), st.floats(-9.9, 39.9, allow_nan=False), max_size=21)))


def twin(records: int, weights: dict[tuple[int, int], float], least: float) -> set[frozenset[int]]:
    groups = [frozenset([n]) for n in range(records)]

    def mean(a: frozenset[int], b: frozenset[int]) -> float:
        return float(np.mean([min(max(weights.get((min(x, y), max(x, y)), UNSEEN), UNSEEN), MOST_SURE) for x in a for y in b]))

    while len(groups) > 1:
        a, b = max(itertools.combinations(groups, 2), key=lambda pair: mean(*pair))
        if mean(a, b) < least:
            break
        groups = [g for g in groups if g not in (a, b)] + [a | b]
    return set(groups)


def found(records: int, weights: dict[tuple[int, int], float], least: float) -> set[frozenset[int]]:
    pairs = np.array(list(weights), dtype=np.int64).reshape(-1, 2)
    labels = cluster(Scored(pairs[:, 0], pairs[:, 1], np.array(list(weights.values()), dtype=float)), records, least)
    assert labels[0] == 0 and set(labels) == set(range(labels.max() + 1))
    return {frozenset(np.flatnonzero(labels == n).tolist()) for n in set(labels.tolist())}


@given(PAIRS, st.sampled_from([0.0, 1.5, 7.0]))
@settings(deadline=None, max_examples=300)
def test_clusters_are_those_of_the_twin(given_pairs: tuple[int, dict[tuple[int, int], float]], least: float):
    records, weights = given_pairs
    noise = np.random.default_rng(len(weights))
    weights = {pair: float(w + noise.random() * 1e-6) for pair, w in weights.items()}
    assert found(records, weights, least) == twin(records, weights, least)


def test_one_wrong_pair_does_not_chain_two_people():
    alike = {(0, 1): 20.0, (0, 2): 20.0, (1, 2): 20.0, (3, 4): 20.0, (3, 5): 20.0, (4, 5): 20.0}
    assert found(6, alike | {(2, 3): 5.0}, 0.0) == {frozenset({0, 1, 2}), frozenset({3, 4, 5})}


def test_a_component_too_large_for_a_matrix_falls_apart_at_heavier_pairs(monkeypatch):
    monkeypatch.setattr("jobs.matching.clusters.LARGEST", 3)
    assert found(4, {(0, 1): 3.0, (0, 2): 3.0, (1, 2): 3.0, (1, 3): 3.0, (2, 3): 3.0}, 0.0) == {frozenset({n}) for n in range(4)}
    chain = {(0, 1): 20.0, (0, 2): 20.0, (1, 2): 20.0, (2, 3): 0.5, (3, 4): 9.0, (5, 6): 20.0}
    assert found(8, chain, 0.0) == {frozenset({0, 1, 2}), frozenset({3, 4}), frozenset({5, 6}), frozenset({7})}


@given(st.lists(st.floats(-5, 30), max_size=30), st.sampled_from([0.8, 0.99]))
def test_matches_from_the_threshold_on_are_right_often_enough(weights: list[float], precision: float):
    least = threshold(np.array(weights), precision)
    taken = [1 / (1 + 2**-w) for w in weights if w >= least]
    assert least >= 0
    if taken:
        assert np.mean(taken) >= precision - 1e-9
    lower = [w for w in weights if 0 <= w < least]
    for w in lower:  # No lower threshold would do.
        assert np.mean([1 / (1 + 2**-v) for v in weights if v >= w]) < precision
