"""The links that a model expects to be wrong or missing: figures by hand, and beside the truth of the simulated population."""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa
import pytest

from jobs.matching.errors import Errors, Estimator
from jobs.matching.model import Model
from jobs.matching.stored import FREQUENCIES, Stored

LINKS = {"a": "P", "b": "P", "c": "P", "d": "Q", "e": "R"}


def estimator(edges: list[tuple[Any, ...]], decisions: list[tuple[str, str, bool]] = [], prior: float = 0.0) -> Estimator:  # noqa: B006
    links = pa.table({"name": list(LINKS), "person_key": list(LINKS.values())})
    names = ("left_name", "right_name", "weight", "proof", "against")
    types = (pa.string(), pa.string(), pa.float64(), pa.string(), pa.string())
    rows = pa.table({n: pa.array([e[i] if i < len(e) else None for e in edges], t) for i, (n, t) in enumerate(zip(names, types, strict=True))})
    said = pa.table({n: pa.array([d[i] for d in decisions], t) for i, (n, t) in enumerate(
        zip(("left_name", "right_name", "is_same"), (pa.string(), pa.string(), pa.bool_()), strict=True))})
    stored = Stored(Model(prior, {}, {}, {}, {}), 0.0, (), FREQUENCIES.empty_table())
    return Estimator(links, rows, said, stored, len(LINKS))


def people(*keys: str) -> pa.Table:
    return pa.table({"person_key": list(keys)})


def near(found: Errors, linked: int, false: float, missed: float) -> None:
    assert found.linked == linked
    assert (found.false, found.missed) == (pytest.approx(false), pytest.approx(missed))


def test_a_pair_is_as_sure_as_its_weight_or_as_its_best_way() -> None:
    found = estimator([("a", "b", 3.0), ("b", "c", 1.0)]).of()
    one, other = 8 / 9, 2 / 3
    near(found, 3, (1 - one) + (1 - other) + (1 - one * other), 0)
    assert found.false_match_rate == 0.283951 and found.missed_match_rate == 0  # Six figures of 23 / 81.


def test_a_direct_tie_that_is_better_than_the_way_counts() -> None:
    near(estimator([("a", "b", 3.0), ("b", "c", 1.0), ("a", "c", 5.0)]).of(), 3,
         (1 - 8 / 9) + (1 - 8 / 9 * 32 / 33) + (1 - 32 / 33), 0)


def test_what_is_held_is_expected_to_be_missing_half_for_each_person() -> None:
    estimates = estimator([("c", "d", 0.0), ("d", "e", 2.0)])
    near(estimates.of(), 3, 3, 0.5 + 0.8)
    near(estimates.of(people("Q")), 0, 0, 0.25 + 0.4)
    near(estimates.of(people("P", "Q")), 3, 3, 0.5 + 0.4)


def test_what_nobody_looked_at_is_expected_of_everybody_alike() -> None:
    prior = 0.5  # of the 10 pairs of 5 identities: 5 matches, of which 8/9 are linked
    estimates = estimator([("a", "b", 3.0)], prior=prior)
    near(estimates.of(), 3, 2 + 1 / 9, 5 - 8 / 9)
    near(estimates.of(people("Q", "R")), 0, 0, (5 - 8 / 9) * 2 / 5)


def test_a_proof_is_wrong_as_often_as_where_more_is_known() -> None:
    found = estimator([("a", "b", 1.0, "email"), ("b", "c", 12.0, "email"), ("c", "d", 30.0, "email", "two birth dates")]).of()
    proof, sure, across = 1 - 1.5 / 3, 1 / (1 + 2**-12), 1 / (1 + 2**-30)
    near(found, 3, (1 - max(2 / 3, proof)) + (1 - sure) + (1 - max(2 / 3, proof) * sure), across)


def test_what_people_decided_is_sure_either_way() -> None:
    same = estimator([("c", "d", 0.0)], [("a", "b", True), ("b", "c", True)]).of()
    near(same, 3, 4 * 2**-40, 0.5)
    assert estimator([("c", "d", 0.0)], [("c", "d", False)]).of().missed == 0


def test_nobody_linked_is_no_error() -> None:
    found = estimator([]).of(people("Q"))
    assert (found.false_match_rate, found.missed_match_rate) == (0, 0) and not math.isnan(found.missed)
