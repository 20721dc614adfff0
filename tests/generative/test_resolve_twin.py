"""The resolve stage beside a plain union-find."""

from __future__ import annotations

import random
from collections import Counter
from itertools import count
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.stages import resolve

Rows = list[tuple[str, ...]]
identities = st.tuples(st.sampled_from(["app", "crm", "web"]), st.integers(0, 8).map(str))
values = st.tuples(st.sampled_from(["email", "phone", "device"]), st.integers(0, 9).map(str))
evidence = st.lists(st.tuples(identities, values).map(lambda pair: (*pair[0], *pair[1])), max_size=40)
known = st.dictionaries(identities, st.sampled_from(["k1", "k2", "k3"]), max_size=8)
crowd = st.sampled_from([0, 20, 21])  # how many more share one placeholder


def naive(shared: Rows, people: set[tuple[str, str]], keys: dict[tuple[str, str], str]) -> tuple[dict[Any, Any], ...]:
    """Each identity's root (its first identity), the key that its component holds, if any, and its evidence."""
    pairs = {((s, i), (k, v)) for s, i, k, v in shared if (s, i) in people}
    sharing = Counter(value for _, value in pairs)
    pairs = {(who, value) for who, value in pairs if 2 <= sharing[value] <= resolve.MOST_SHARING}
    root = {who: who for who in people}
    for _ in people:
        for who, value in pairs:
            root[who] = min(root[other] for other, same in pairs if same == value)
            for other, same in pairs:
                if same == value:
                    root[other] = min(root[other], root[who])
    holder = {key: root[min(w for w in keys if keys[w] == key and w in people)]
              for key in {keys[w] for w in keys if w in people}}
    held = {who: min((k for k, r in holder.items() if r == root[who]), default=None) for who in people}
    ties = {who: {value[0] for w, value in pairs if w == who} for who in people}
    return root, held, {w: next((k for k in ("device", "email", "phone") if k in t), "alone") for w, t in ties.items()}


def table(rows: Rows, *columns: str) -> pa.Table:
    return pa.table({c: pa.array([r[n] for r in rows], pa.string()) for n, c in enumerate(columns)})


def run(shared: Rows, people: Rows, keys: Rows) -> pa.Table:
    numbers = count(1)
    return resolve.components(
        table(shared, "source", "source_person_id", "kind", "value"), table(people, "source", "source_person_id"),
        table(keys, "source", "source_person_id", "person_key"), lambda: f"new{next(numbers):03}")


@settings(max_examples=60, deadline=None)
@given(shared=evidence, people=st.sets(identities, max_size=20), keys=known, crowd=crowd, seed=st.integers(0, 99))
def test_persons_equal_the_naive_ones(shared: Rows, people: set[tuple[str, str]], keys: dict[tuple[str, str], str],
                                      crowd: int, seed: int) -> None:
    crowded = {("crm", f"crowd{n:02}") for n in range(crowd)}
    shared, people = [*shared, *((*who, "email", "unknown") for who in crowded)], people | crowded
    held_before = [(*who, key) for who, key in keys.items()]
    found = run(shared, list(people), held_before)
    root, held, ties = naive(shared, people, keys)
    assert {(r["source"], r["source_person_id"]): r["evidence"] for r in found.to_pylist()} == ties
    key = {(r["source"], r["source_person_id"]): r["person_key"] for r in found.to_pylist()}
    assert all(key[w] == held[w] for w in people if held[w]) and all(key[w][:3] == "new" for w in people if not held[w])
    assert {(a, b) for a in people for b in people if key[a] == key[b]} == {
        (a, b) for a in people for b in people if root[a] == root[b]}
    mixed = [random.Random(seed).sample(rows, len(rows)) for rows in (shared, sorted(people), held_before)]  # noqa: S311
    assert run(*mixed).equals(found)
    again = run(shared, list(people), [(*w, k) for w, k in key.items()])
    assert resolve.new_links(again, found).num_rows == 0
