"""Which changes of payloads are told: new fields, changed types, vanished fields, and no false alarm from chance."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from contracts.vocabulary import DriftKind, OnChange
from jobs.drift.changes import LEAST_SILENCE, Change, Known, changes, folded
from jobs.drift.shape import MOST_PLACES, Place, Shape

READS = {"payload.id", "payload.body.value", "payload.quantity"}


def shape(records: int, **places: int | dict[str, int]) -> Shape:
    """A shape of so many records; a place is below payload, __ a dot, and has records of type string or of each type."""
    found = {"payload": Place(records, Counter(object=records))}
    for name, met in places.items():
        types = Counter(met) if isinstance(met, dict) else Counter(string=met)
        found[f"payload.{name.replace('__', '.')}"] = Place(max(types.values()), types)
    return Shape(records, found, False)


def told(seen: Shape, known: dict[str, Known]) -> dict[str, tuple[str, str, str]]:
    return {c.place: (str(c.kind), c.before, c.after) for c in changes("events", seen, known, READS)}


def after(*seen: Shape) -> dict[str, Known]:
    known: dict[str, Known] = {}
    for each in seen:
        known = folded(each, known)
    return known


def test_the_first_batch_changes_nothing_and_the_same_again_neither():
    first = shape(50, id=50, extra=3)
    assert told(first, {}) == {} and told(first, after(first)) == {}


def test_a_new_field_is_told_once_without_what_lies_below_it():
    known, second = after(shape(50, id=50)), shape(5, id=5, extra={"object": 1}, extra__deep=1)
    assert told(second, known) == {"payload.extra": ("new_field", "-", "object")}
    assert told(second, folded(second, known)) == {}


def test_a_changed_type_is_told_and_single_records_at_fault_are_not():
    known = after(shape(100, id={"number": 100}))
    assert told(shape(100, id={"number": 96, "string": 4}), known) == {}
    assert told(shape(100, id={"number": 95, "string": 5}), known) == {"payload.id": ("changed_type", "number", "number, string")}
    assert told(shape(100, id=100), folded(shape(100, id={"number": 96, "string": 4}), known)) == {
        "payload.id": ("changed_type", "number", "string")}, "what was too little to be told is not known either"
    assert told(shape(9, id={"object": 9}, id__new=9), known) == {"payload.id": ("changed_type", "number", "object")}


def test_a_vanished_field_is_told_where_the_contract_reads_it_or_what_is_below():
    known = after(shape(100, id=100, extra=100, body={"object": 100}, body__value=100, quantity={"object": 100}, quantity__code=100))
    assert told(shape(20), known) == {place: ("vanished_field", kind, "-") for place, kind in {
        "payload.id": "string", "payload.body": "object", "payload.quantity": "object"}.items()}
    assert told(shape(20, id=1, body={"object": 1}, quantity={"object": 1}), known) == {
        "payload.body.value": ("vanished_field", "string", "-"), "payload.quantity.code": ("vanished_field", "string", "-")}


def test_a_small_batch_without_a_field_is_no_vanished_field_but_many_in_a_row_are_told_once():
    known = after(shape(100, id=100))
    batches = []
    for _ in range(10):
        small = shape(LEAST_SILENCE // 2)
        batches.append(told(small, known))
        known = folded(small, known)
    assert batches == [{}, {"payload.id": ("vanished_field", "string", "-")}, *[{}] * 8]


def test_a_rare_field_needs_a_longer_silence():
    known = after(shape(1000, id=10))
    assert told(shape(100), known) == {} and "payload.id" in told(shape(5000), known)
    assert told(shape(500), after(shape(5, id=1))) == {}, "of something met once nobody knows how often it comes"


def test_what_comes_in_bursts_is_mistaken_once():
    """Weekdays with a field, weekends without it."""
    known, alarms = {}, 0
    for day in range(68):
        seen = shape(200, id=200) if day % 7 < 5 else shape(200)
        alarms += len(told(seen, known))
        known = folded(seen, known)
    assert alarms == 1
    gone = []
    for _ in range(10):
        gone.append(bool(told(shape(200), known)))
        known = folded(shape(200), known)
    assert gone.count(True) == 1 and gone.index(True) == 4, "silent for more than twice a weekend"


def test_chance_alone_gives_no_alarm():
    """20 fields of any frequency in 1,000 batches of 1 to 40 records: 20,000 chances of a false alarm of less than one in a million."""
    dice, known, alarms = random.Random(7), {}, 0  # noqa: S311
    shares = [10 ** -dice.uniform(0, 2) for _ in range(20)]
    for _ in range(1000):
        records = dice.randint(1, 40)
        met = {f"quantity__f{n}": sum(dice.random() < share for _ in range(records)) for n, share in enumerate(shares)}
        seen = shape(records, **{name: count for name, count in met.items() if count})
        alarms += sum(c.kind is DriftKind.VANISHED_FIELD for c in changes("events", seen, known, READS))
        known = folded(seen, known)
    assert alarms == 0


def test_beyond_the_most_places_nothing_is_kept_and_nothing_told():
    full = after(shape(5, **{f"p{n}": 5 for n in range(2 * MOST_PLACES)}))
    assert len(full) == MOST_PLACES
    assert told(shape(5, **{f"q{n}": 5 for n in range(3)}), full) == {}


@pytest.mark.parametrize(("kind", "is_read", "stopped_by"), [
    (DriftKind.NEW_FIELD, False, {OnChange.REJECT}), (DriftKind.NEW_FIELD, True, {OnChange.REJECT}),
    (DriftKind.CHANGED_TYPE, True, {OnChange.FREEZE, OnChange.REJECT}), (DriftKind.CHANGED_TYPE, False, set()),
    (DriftKind.VANISHED_FIELD, True, {OnChange.FREEZE, OnChange.REJECT})])
def test_what_a_contract_stops_at(kind, is_read, stopped_by):
    change = Change("events", "payload.x", kind, "a", "b", is_read)
    assert {on_change for on_change in OnChange if change.stops(on_change)} == stopped_by
