"""What is noticed of payloads: places and types, no value and no name that may be one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from contracts import catalog
from contracts.load import load
from jobs.connectors import Record
from jobs.drift import shape
from jobs.drift.shape import MOST_RECORDS, PEOPLE, Noticing, Shape
from tests.landing import probe


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = Path(probe(tmp_path_factory.mktemp("shape"))) / "sources" / "probe.yaml"
    return load(path, "sources", catalog().tables)


def noticed(source: Any, payloads: Iterable[Any], known: Iterable[str] = (), deleted: bool = False) -> Shape:
    noticing = Noticing(source, source.stream("events"), set(known))
    for number, payload in enumerate(payloads):
        content = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        if (digest := hashlib.sha256(content).hexdigest()) < noticing.below:
            noticing.notice(Record("events", f"events/{number}", content, deleted), digest)
    return noticing.shape()


def places(found: Shape) -> dict[str, str]:
    return {place: " ".join(sorted(met.types)) for place, met in found.places.items()}


def people(*contents: dict[str, Any]) -> list[dict[str, Any]]:
    """Each content in a record of each of enough people."""
    return [{"person": f"p{n}", **content} for content in contents for n in range(PEOPLE)]


def test_places_and_types_are_noticed_and_null_is_nothing(source):
    found = noticed(source, people({"extra": {"deep": [1, "a", {"x": True}]}, "empty": None, "none": [None]}))
    assert places(found) == {
        "payload": "object", "payload.person": "string", "payload.extra": "object", "payload.extra.deep": "array",
        "payload.extra.deep[]": "number object string", "payload.extra.deep[].x": "boolean", "payload.none": "array"}
    assert found.records == PEOPLE and found.places["payload.extra.deep[]"].records == PEOPLE


def test_what_the_contract_reads_is_told_and_any_other_name_only_once_enough_people_have_it(source):
    few = [{"person": f"p{n}", "value": 1, "quantity": {"code": "mg"}, "extra": 1} for n in range(PEOPLE - 1)]
    assert places(noticed(source, few)) == {
        "payload": "object", "payload.person": "string", "payload.value": "number", "payload.quantity": "object",
        "payload.quantity.*": "string", "payload.*": "number"}
    assert "payload.extra" in places(noticed(source, [*few, {"person": "p9", "extra": 2}]))
    assert "payload.extra" in places(noticed(source, few, known=["payload.extra"]))
    alone = [{"person": "p1", "extra": n} for n in range(20)]
    assert "payload.extra" not in places(noticed(source, alone)), "twenty records of one person tell one person's name"
    assert "payload.extra" not in places(noticed(source, [{"extra": n} for n in range(20)])), "nobody knows whose they are"


@pytest.mark.parametrize("name", ["ada@post.example", "Ada Lang", "+49 30 1", "2026-10-01", "17", "x" * 65, "ada.lang", "", "*", "[]"])
def test_a_name_that_looks_like_none_is_never_told(source, name):
    assert set(places(noticed(source, people({name: 1}, {name: "a"})))) == {"payload", "payload.person", "payload.*"}


def test_ids_as_names_are_one_place_and_what_lies_below_them_is_told_when_enough_people_have_it(source):
    found = noticed(source, [{"person": f"p{n}", "by_id": {f"ada_{n}": {"value": n}, f"bob_{n}": {"secret": "s"}}} for n in range(PEOPLE)])
    assert places(found)["payload.by_id.*"] == "object"
    assert {"payload.by_id.*.value", "payload.by_id.*.secret"} <= set(places(found))
    assert found.places["payload.by_id.*"].records == PEOPLE, "a record with two of them counts once"
    assert "ada" not in str(found) and "bob" not in str(found)


def test_what_is_no_json_and_deletions_are_not_looked_at(source):
    assert noticed(source, [b"\xff", b"{", {"a": 1}]).records == 1
    assert noticed(source, [{"a": 1}], deleted=True).records == 0
    assert noticed(source, [{"a": 1}, {"a": 1}]).records == 1, "one payload counts once"


def test_a_sample_of_a_big_batch_is_spread_over_it_and_the_same_each_time(source):
    """A place in every second record, and one in the last tenth only."""
    count = 20 * MOST_RECORDS
    payloads = [{"person": f"p{n}", "n": n, **({"odd": 1} if n % 2 else {}), **({"late": 1} if n >= 0.9 * count else {})}
                for n in range(count)]
    found = noticed(source, payloads)
    assert MOST_RECORDS / 2 <= found.records <= MOST_RECORDS
    assert 0.4 < found.places["payload.odd"].records / found.records < 0.6
    assert 0.06 < found.places["payload.late"].records / found.records < 0.14
    assert noticed(source, payloads[::-1]).places == found.places


def test_big_and_deep_payloads_are_bounded(source, monkeypatch):
    monkeypatch.setattr(shape, "MOST_BYTES", 1_000)
    assert noticed(source, [{"n": n, "text": "x" * 200} for n in range(50)]).records <= 4
    monkeypatch.setattr(shape, "MOST_BYTES", 10**9)
    deep: Any = 1
    for _ in range(200):
        deep = {"a": deep}
    assert noticed(source, [deep]).is_capped
    wide = noticed(source, [{f"k{n}": 1 for n in range(2 * shape.MOST_NODES)}])
    assert wide.is_capped and set(places(wide)) == {"payload", "payload.*"}
    assert not noticed(source, people({"extra": {"deep": [1]}})).is_capped
