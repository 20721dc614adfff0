"""Training: the model of a table, learned without labels.

Splink finds how often two random records meet each level. How often a person's own records do (m), how often those of two people
(u), and how many pairs are one person, is then searched for over the pairs that blocking gives. What it leaves out counts as
strangers, at the rate that random pairs tell, so u is free of the true matches among random pairs, which are many where a file
repeats its people.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from contracts.matching import Matching, Role
from jobs.matching.model import ELSE, Circle, Model, Weighed, linker, score
from jobs.matching.pairs import PAIRS
from jobs.matching.records import TABLE, Records
from jobs.matching.search import LEAST_U, Floats, Ints, Learned, Search

RANDOM_PAIRS = 2_000_000
MOST_TRAINING_PAIRS = 3_000_000
SEED = 1


def train(records: Records, matching: Matching) -> Model:
    """The model of the records and their ``PAIRS``."""
    splink = linker(records, matching)
    splink.training.estimate_u_using_random_sampling(max_pairs=RANDOM_PAIRS, seed=SEED, min_count_per_level=None)
    levels = {role: [level for level in found if not level.silent] for role, found in matching.levels(records.roles).items()}
    names = {role: [*(level.level for level in found), ELSE] for role, found in levels.items()}
    rare = {role for role, found in levels.items() if found[0].frequency}
    random = [_strangers(splink, role, found) for role, found in names.items()]
    random = [_exactly(records, role, u) if role in rare else u for role, u in zip(names, random, strict=True)]
    patterns, counts = _patterns(records, score(splink, _some(records)), {role: len(n) for role, n in names.items()})
    circles = {name: [i for i, role in enumerate(names) if role in shared] for name, shared in matching.circles.items()}
    circles = {name: shared for name, shared in circles.items() if len(shared) > 1}
    at_most = [matching.differs_at_most.get(role, 1.0) for role in names]
    search = Search(patterns, counts * _scale(records, counts), random, at_most, list(circles.values()), _known(records, names),
                    len(records) * (len(records) - 1) / 2)
    return _model(search.run(), names, list(circles), {role: random[i] for i, role in enumerate(names) if role in rare})


def _model(learned: Learned, names: dict[Role, list[str]], circles: list[str], random: dict[Role, Floats]) -> Model:
    """The parameters by their names. random: of the roles whose values weigh by how rare they are."""
    roles = list(names)
    weighed = {role: zip(names[role], learned.m[i].tolist(), learned.u[i].tolist(), strict=True) for i, role in enumerate(roles)}
    levels = {role: tuple(Weighed(*one) for one in found) for role, found in weighed.items()}
    found = {name: Circle(share, {roles[i]: tuple(shares.tolist()) for i, shares in shared.items()})
             for name, (share, shared) in zip(circles, learned.circles, strict=True)}
    return Model(learned.prior, levels, found, {role: float(levels[role][0].u / u[0]) for role, u in random.items()})


def _known(records: Records, roles: Iterable[Role]) -> Floats:
    """In which share of all pairs both values are known, by role."""
    return np.array([float(records.one(f"select (count({role}) / count(*)) ** 2 from {TABLE}")) for role in roles])


def _strangers(splink: Any, role: Role, names: list[str]) -> Floats:
    """What Splink found of random pairs: how often each level is met."""
    comparison = next(c for c in splink._settings_obj.comparisons if c.output_column_name == role)
    known = {level.label_for_charts: level.u_probability for level in comparison.comparison_levels if not level.is_null_level}
    found = np.array([known[name] if isinstance(known[name], float) else 0.0 for name in names])
    found = np.maximum(found, LEAST_U)
    return np.asarray(found / found.sum())


def _exactly(records: Records, role: Role, u: Floats) -> Floats:
    """u with how often two records have the same value, which is known without a sample."""
    same = records.one("select sum(n * (n - 1)) / (sum(n) * (sum(n) - 1.0)) from (select count(*)::double as n "
                       f"from {TABLE} where {role} is not null group by {role})")
    if not same:
        return u
    exact = float(np.clip(same, LEAST_U, 1 - len(u) * LEAST_U))
    return np.append(exact, u[1:] * (1 - exact) / u[1:].sum())


def _some(records: Records) -> str:
    """The pairs to train with: all, or as many as a sample holds, the same ones each time."""
    total = records.one(f"select count(*) from {PAIRS}")
    if total <= MOST_TRAINING_PAIRS:
        return PAIRS
    share = int(MOST_TRAINING_PAIRS / total * 1_000_000)
    records.run(f"create or replace table some_pairs as select * from {PAIRS} where hash(l, r) % 1000000 < {share}")
    return "some_pairs"


def _scale(records: Records, counts: Floats) -> float:
    """What a pair of the sample stands for."""
    return float(records.one(f"select count(*) from {PAIRS}") / counts.sum()) if counts.sum() else 1.0


def _patterns(records: Records, scored: str, levels: dict[Role, int]) -> tuple[Ints, Floats]:
    """Patterns of levels among scored pairs, 0 the most alike, and how many pairs have each."""
    roles = [f"gamma_{role}" for role in levels]
    counted = f"select {', '.join(roles)}, count(*) as pairs from {scored} group by all order by all"
    found = records.connection.execute(counted).fetchnumpy()
    records.run(f"drop table {scored}")
    raw = np.stack([np.asarray(found[role], dtype=np.int64) for role in roles], axis=1)
    best = np.array(list(levels.values())) - 1  # Splink counts the least alike as 0.
    return np.where(raw >= 0, best - raw, -1), np.asarray(found["pairs"], dtype=np.float64)
