"""Noise: counts of people so that whoever is in them or not changes little of what is told (differential privacy).

Two tables are neighbours where one has a person more. Of a person ``cells_per_person`` rows count, so that one person moves each
column of counts by one in so many cells. What is drawn is OpenDP's. For the people of cells it is discrete Laplace noise, and
what does not reach a threshold is left out, since that a cell exists would tell of whoever is in it alone (Rogers, A Unifying
Privacy Analysis Framework for Unknown Domain Algorithms in Differential Privacy, arXiv:2309.09170); then, for each other column,
discrete Laplace noise in the cells that are left. Each column costs an equal part of epsilon, the first one delta too, and
parts add up (sequential composition).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from contracts.differential_privacy import DifferentialPrivacy
from jobs.stages.cells import PERSON

MOST_THRESHOLD = 10**9
CLOSE = 1e-9


def bounded(people: DataFrame, keys: Sequence[str], most: int) -> DataFrame:
    """The rows of at most ``most`` cells of each person, the same ones each time; which, depends on that person's rows alone."""
    rows = people.where(F.col(PERSON).isNotNull())
    order = Window.partitionBy(PERSON).orderBy(F.xxhash64(PERSON, *keys), *keys)
    ranked = rows.select(PERSON, *keys).distinct().withColumn("_place", F.row_number().over(order))
    same = [rows[name].eqNullSafe(F.col(f"_{name}")) for name in (PERSON, *keys)]
    kept = ranked.where(F.col("_place") <= most).select(*[F.col(name).alias(f"_{name}") for name in (PERSON, *keys)])
    return rows.join(kept, on=same, how="left_semi")


def drawn(counted: DataFrame, keys: Sequence[str], counts_people: str, cells: Sequence[str],
          private: DifferentialPrivacy) -> DataFrame:
    """Counts of bounded people as they may be told, where enough are: the keys, counts_people, the other cells.

    Each call draws anew. No cell is below 0 or above the people of its row. Rows are collected, as OpenDP draws in this process.
    """
    exact = counted.select(*keys, counts_people, *[c for c in cells if c != counts_people]).toArrow()
    rows = exact.to_pylist()
    named = {json.dumps([row[name] for name in keys], default=str): row for row in rows}
    others = [name for name in exact.column_names if name not in (*keys, counts_people)]
    share = private.epsilon / (1 + len(others))
    people = _with_threshold({key: row[counts_people] for key, row in named.items()}, share, private)
    told = sorted(people)
    made = [{**{name: named[key][name] for name in keys}, counts_people: max(0, people[key])} for key in told]
    for name in others:
        noisy = _with_noise([named[key][name] for key in told], share, private.cells_per_person)
        for row, count in zip(made, noisy, strict=True):
            row[name] = min(max(0, count), row[counts_people])
    if not made:  # No frame is made of nothing.
        return counted.select(exact.column_names).limit(0)
    return counted.sparkSession.createDataFrame(pa.Table.from_pylist(made, schema=exact.schema)).select(*exact.column_names)


def _with_threshold(counts: Mapping[str, int], epsilon: float, private: DifferentialPrivacy) -> dict[str, int]:
    """Noisy counts of those cells of which they reach the threshold that ``delta`` asks for."""
    import opendp.prelude as dp

    dp.enable_features("contrib")
    domain = dp.map_domain(dp.atom_domain(T=dp.String), dp.atom_domain(T=dp.i64))
    metric = dp.l01inf_distance(dp.absolute_distance(T=dp.i64))
    scale, moved = private.cells_per_person / epsilon, (private.cells_per_person, private.cells_per_person, 1)

    def costs(threshold: float) -> tuple[float, float]:
        return dp.m.make_laplace_threshold(domain, metric, scale=scale, threshold=threshold).map(moved)

    threshold = dp.binary_search(lambda t: costs(t)[1] <= private.delta, bounds=(1, MOST_THRESHOLD))
    found = costs(threshold)
    _refuse_more(found[0], epsilon)
    _refuse_more(found[1], private.delta)
    return dict(dp.m.make_laplace_threshold(domain, metric, scale=scale, threshold=threshold)(dict(counts)))


def _with_noise(counts: Sequence[int], epsilon: float, cells_per_person: int) -> list[int]:
    """Counts with noise, in their order."""
    import opendp.prelude as dp

    dp.enable_features("contrib")
    domain, metric = dp.vector_domain(dp.atom_domain(T=dp.i64)), dp.l1_distance(T=dp.i64)
    drawing = dp.m.make_laplace(domain, metric, scale=cells_per_person / epsilon)
    _refuse_more(drawing.map(cells_per_person), epsilon)
    return list(drawing(list(counts)))


def _refuse_more(costs: Any, agreed: float) -> None:
    if costs > agreed * (1 + CLOSE):
        raise ValueError(f"what OpenDP would draw costs {costs}, more than {agreed}; nothing was drawn")
