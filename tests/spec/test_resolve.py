"""Who is whom: what is evidence, what it ties together, and which key a person keeps."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import pyarrow as pa
import pytest

from jobs.stages import resolve

IDENTITY = ("source string, source_person_id string, email string, is_email_verified boolean, phone string, "
            "is_phone_verified boolean, device_id string")
CONTACT = "source string, source_person_id string, system_code string, value string, is_verified boolean"
Rows = list[tuple[Any, ...]]


def table(rows: Rows, *columns: str) -> pa.Table:
    return pa.table({c: pa.array([r[n] for r in rows], pa.string()) for n, c in enumerate(columns)})


def minting() -> Callable[[], str]:
    numbers = count(1)
    return lambda: f"new{next(numbers)}"


def people(shared: Rows, identities: Rows, known: Rows) -> dict[str, tuple[str, str]]:
    found = resolve.components(
        table(shared, "source", "source_person_id", "kind", "value"), table(identities, "source", "source_person_id"),
        table(known, "source", "source_person_id", "person_key"), minting())
    return {f"{r['source']}/{r['source_person_id']}": (r["person_key"], r["evidence"]) for r in found.to_pylist()}


def test_only_what_is_verified_is_evidence(frame: Any) -> None:
    identity = frame(IDENTITY, [
        ("app", "1", "a@x", True, "+491", True, None), ("app", "2", "b@x", False, "+492", None, None),
        ("app", "3", None, True, "", True, "D1"), ("app", None, "c@x", True, "+493", True, "D2"),
        ("app", "4", " d@x ", True, None, None, "  ")])
    contact = frame(CONTACT, [
        ("crm", "1", "email", "a@x", True), ("crm", "1", "phone", "+494", True), ("crm", "2", "email", "e@x", False),
        ("crm", "2", "phone", "+495", None), ("crm", "1", "email", "a@x", True)])
    found = sorted(tuple(r) for r in resolve.evidence(identity, contact).collect())
    assert found == [("app", "1", "email", "a@x"), ("app", "1", "phone", "+491"), ("app", "3", "device", "D1"),
                     ("app", "4", "email", "d@x"), ("crm", "1", "email", "a@x"), ("crm", "1", "phone", "+494")]


A, B, C = ("app", "a"), ("crm", "b"), ("web", "c")
MAIL, PHONE, DEVICE = ("email", "m"), ("phone", "+1"), ("device", "d")
CASES: list[tuple[str, Rows, Rows, dict[str, tuple[str, str]]]] = [
    ("nobody shares anything", [(*A, *MAIL)], [],
     {"app/a": ("new1", "alone"), "crm/b": ("new2", "alone"), "web/c": ("new3", "alone")}),
    ("one address", [(*A, *MAIL), (*B, *MAIL)], [],
     {"app/a": ("new1", "email"), "crm/b": ("new1", "email"), "web/c": ("new2", "alone")}),
    ("a chain over two kinds", [(*A, *MAIL), (*B, *MAIL), (*B, *PHONE), (*C, *PHONE)], [],
     {"app/a": ("new1", "email"), "crm/b": ("new1", "email"), "web/c": ("new1", "phone")}),
    ("a device ties more than an address", [(*A, *DEVICE), (*B, *DEVICE), (*A, *MAIL), (*C, *MAIL)], [],
     {"app/a": ("new1", "device"), "crm/b": ("new1", "device"), "web/c": ("new1", "email")}),
    ("the same text as another kind is nothing shared", [(*A, "email", "7"), (*B, "phone", "7")], [],
     {"app/a": ("new1", "alone"), "crm/b": ("new2", "alone"), "web/c": ("new3", "alone")}),
    ("the key is inherited", [(*A, *MAIL), (*B, *MAIL)], [(*B, "k1")],
     {"app/a": ("k1", "email"), "crm/b": ("k1", "email"), "web/c": ("new1", "alone")}),
    ("a merge keeps the smallest", [(*A, *MAIL), (*B, *MAIL)], [(*A, "k2"), (*B, "k1"), (*C, "k0")],
     {"app/a": ("k1", "email"), "crm/b": ("k1", "email"), "web/c": ("k0", "alone")}),
    ("a split leaves the key with the first", [], [(*A, "k1"), (*B, "k1"), (*C, "k2")],
     {"app/a": ("k1", "alone"), "crm/b": ("new1", "alone"), "web/c": ("k2", "alone")}),
    ("a key of somebody gone is not given on", [], [("app", "gone", "k1"), (*A, "k2")],
     {"app/a": ("k2", "alone"), "crm/b": ("new1", "alone"), "web/c": ("new2", "alone")}),
    ("evidence of somebody unknown", [("app", "unknown", *MAIL), (*A, *MAIL)], [],
     {"app/a": ("new1", "alone"), "crm/b": ("new2", "alone"), "web/c": ("new3", "alone")}),
    ("the same evidence twice is not shared", [(*A, *MAIL), (*A, *MAIL)], [],
     {"app/a": ("new1", "alone"), "crm/b": ("new2", "alone"), "web/c": ("new3", "alone")}),
]


@pytest.mark.parametrize(("name", "shared", "known", "expected"), CASES, ids=[c[0] for c in CASES])
def test_components(name: str, shared: Rows, known: Rows, expected: dict[str, tuple[str, str]]) -> None:
    for turn in (1, -1):
        assert people(shared[::turn], [A, B, C, A][::turn], known[::turn]) == expected


@pytest.mark.parametrize(("sharing", "persons"), [(resolve.MOST_SHARING, 1), (resolve.MOST_SHARING + 1, 21)])
def test_a_value_that_too_many_share_is_no_evidence(sharing: int, persons: int) -> None:
    identities: Rows = [("crm", f"{n:02}") for n in range(sharing)]
    found = people([(*i, "email", "unknown@example.org") for i in identities], identities, [])
    assert len({key for key, _ in found.values()}) == persons


def test_nobody_at_all() -> None:
    assert people([], [], []) == {}


def test_only_what_changed_is_new() -> None:
    columns = ("source", "source_person_id", "person_key", "evidence")
    resolved = table([(*A, "k1", "email"), (*B, "k1", "email"), (*C, "k2", "alone")], *columns)
    assert resolve.new_links(resolved, resolved).num_rows == 0
    known = table([(*C, "k2", "alone"), (*A, "k1", "alone")], *columns)
    assert resolve.new_links(resolved, known).to_pylist() == resolved.slice(0, 2).to_pylist()
    assert resolve.new_links(resolved, known.select(columns[:3])).to_pylist() == resolved.slice(1, 1).to_pylist()
