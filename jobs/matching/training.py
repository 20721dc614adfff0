"""Training: the model of a table, learned without labels.

Two strata of pairs stand for all: those that blocking gives, where the matches are, and random ones of those that it leaves
out, each of which stands for many. The parameters are searched for over their patterns together, so that
what is learned of strangers holds for all strangers, and not for those alone whom blocking brought together for being alike.
"""

from __future__ import annotations

import numpy as np

from contracts.matching import Level, Matching, Role
from jobs.matching.model import ELSE, FREQUENCY, Circle, Model, Weighed, asked, condition
from jobs.matching.pairs import PAIRS
from jobs.matching.records import TABLE, Records
from jobs.matching.search import Floats, Ints, Learned, Search

RANDOM_PAIRS = 1_000_000
MOST_TRAINING_PAIRS = 1_000_000


def train(records: Records, matching: Matching) -> Model:
    """The model of the records and their ``PAIRS``."""
    compared = matching.levels(records.roles)
    levels = {role: [level for level in found if not level.silent] for role, found in compared.items()}
    names = {role: [*(level.level for level in found), ELSE] for role, found in levels.items()}
    numbers = {role: len(found) for role, found in names.items()}
    looked_at = int(records.one(f"select count(*) from {PAIRS}"))
    left_out = len(records) * (len(records) - 1) // 2 - looked_at
    columns = asked(matching, records.roles)
    strata = [_patterns(records, some, columns, compared, standing) for some, standing in (
        (_some(records, looked_at), looked_at), (_random(records, left_out), left_out)) if standing]
    patterns, counts = (np.concatenate(parts) for parts in zip(*strata, strict=True))
    circles = {name: [i for i, role in enumerate(names) if role in shared] for name, shared in matching.circles.items()
               if len(set(shared) & set(names)) > 1}
    at_most = [matching.differs_at_most.get(role, 1.0) for role in names]
    learned = Search(patterns, counts, list(numbers.values()), at_most, list(circles.values())).run()
    weighed = [role for role, found in levels.items() if any(level.frequency for level in found)]
    values = _count_values(records, weighed)
    repeats = {role: _repeats(records, role, values[role]) for role in weighed}
    return _model(learned, names, list(circles), repeats, values)


def _model(learned: Learned, names: dict[Role, list[str]], circles: list[str], repeats: dict[Role, float],
           values: dict[Role, int]) -> Model:
    """The parameters by their names. repeats: how often two records have one value, where values weigh by how rare they are."""
    roles = list(names)
    weighed = {role: zip(names[role], learned.m[i].tolist(), learned.u[i].tolist(), strict=True) for i, role in enumerate(roles)}
    levels = {role: tuple(Weighed(*one) for one in found) for role, found in weighed.items()}
    found = {name: Circle(share, {roles[i]: tuple(shares.tolist()) for i, shares in shared.items()})
             for name, (share, shared) in zip(circles, learned.circles, strict=True)}
    rarity = {role: min(levels[role][0].u / often, 1.0) for role, often in repeats.items() if often}
    return Model(learned.prior, levels, found, rarity, {role: values[role] for role in rarity})


def _count_values(records: Records, roles: list[Role]) -> dict[Role, int]:
    """Fill ``FREQUENCY``; by role, how many records have a value."""
    records.run(f"create or replace table {FREQUENCY} (role varchar, value varchar, times bigint)")
    for role in roles:
        records.run(f"insert into {FREQUENCY} select '{role}', {role}, count(*) from {TABLE} where {role} is not null "
                    f"group by {role} having count(*) > 1 order by {role}")
    return {role: int(records.one(f"select count({role}) from {TABLE}")) for role in roles}


def _repeats(records: Records, role: Role, values: int) -> float:
    """How often two records have the same value."""
    same = records.one(f"select coalesce(sum(times::double * (times - 1)), 0) from {FREQUENCY} where role = '{role}'")
    return float(same) / max(values * (values - 1.0), 1.0)


def _some(records: Records, looked_at: int) -> str:
    """The pairs to train with: all, or as many as a sample holds, the same ones each time."""
    if looked_at <= MOST_TRAINING_PAIRS:
        return PAIRS
    share = int(MOST_TRAINING_PAIRS / looked_at * 1_000_000)
    records.run(f"create or replace table some_pairs as select * from {PAIRS} where hash(l, r) % 1000000 < {share}")
    return "some_pairs"


def _random(records: Records, left_out: int) -> str:
    """Random pairs of those that blocking left out, the same ones each time; at most as many as a tenth of them."""
    many = min(RANDOM_PAIRS, max(left_out // 10, 1_000))
    one, other = (f"(hash(n, {which}) % {len(records)})::bigint" for which in (1, 2))
    records.run("create or replace table random_pairs as select distinct least(a, b) as l, greatest(a, b) as r "
                f"from (select {one} as a, {other} as b from range({many}) as t(n)) where a <> b")
    records.run(f"create or replace table random_pairs as from random_pairs anti join {PAIRS} using (l, r)")
    return "random_pairs"


def _patterns(records: Records, some: str, columns: set[str], compared: dict[Role, tuple[Level, ...]],
              standing: int) -> tuple[Ints, Floats]:
    """Patterns of levels among pairs, 0 the most alike, -1 not known, and how many each stands for, ``standing`` in all."""
    sides = ", ".join(f"{side}.{column} as {column}_{side}" for side in "lr" for column in sorted(columns))
    levels = ", ".join(f"{_level(role, found)} as level_of_{role}" for role, found in compared.items())
    found = records.connection.execute(
        f"select {levels}, count(*) as pairs from (select {sides} from {some} p join {TABLE} l on l.unique_id = p.l "
        f"join {TABLE} r on r.unique_id = p.r) group by all order by all").fetchnumpy()
    counts = np.asarray(found.pop("pairs"), dtype=np.float64)
    patterns = np.stack([np.asarray(each, dtype=np.int64) for each in found.values()], axis=1)
    return patterns, counts * (standing / max(counts.sum(), 1))


def _level(role: Role, levels: tuple[Level, ...]) -> str:
    """The number of a pair's level as SQL: what is silent says nothing, as a value that is not known."""
    silent = [f"{role}_l is null", f"{role}_r is null", *(condition(role, level) for level in levels if level.silent)]
    telling = [condition(role, level) for level in levels if not level.silent]
    cases = " ".join(f"when {one} then {number}" for number, one in enumerate(telling))
    return f"case when {' or '.join(f'({one})' for one in silent)} then -1 {cases} else {len(telling)} end"
