"""The chain of the audit: what is changed, left out, put in between or made anew is seen, and where."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from jobs.ledger import chain

AT = datetime(2026, 11, 1, 12, 30, tzinfo=UTC)
Entries = list[dict[str, Any]]


def made(count: int) -> Entries:
    entries: Entries = []
    for number in range(1, count + 1):
        entry = {"number": number, "run_id": f"run-{number}", "stage": "land", "actor": "Zoë", "at": AT + timedelta(minutes=number)}
        entries.append(chain.sealed(entry, entries[-1]["sha256"] if entries else chain.FIRST))
    return entries


def changed(entries: Entries, number: int, **values: Any) -> Entries:
    return [{**entry, **values} if entry["number"] == number else entry for entry in entries]


def forged(entries: Entries, number: int) -> Entries:
    """An entry is changed and sealed anew."""
    return [chain.sealed({**entry, "actor": "nobody"}, entry["previous"]) if entry["number"] == number else entry for entry in entries]


@pytest.mark.parametrize(("touch", "faults"), [
    (lambda e: e, ()),
    (lambda e: [], ()),
    (lambda e: changed(e, 2, actor="nobody"), ("entry 2 was changed",)),
    (lambda e: changed(e, 2, at=AT), ("entry 2 was changed",)),
    (lambda e: forged(e, 2), ("entry 3 does not seal the one before it",)),
    (lambda e: [e[0], *e[2:]], ("entry 2 is missing",)),
    (lambda e: e[1:], ("entry 1 is missing",)),
    (lambda e: [e[0], e[1], e[1], *e[2:]], ("entry 2 is there more than once",)),
    (lambda e: changed(e, 4, previous="f" * 64), ("entry 4 does not seal the one before it", "entry 4 was changed"))])
def test_what_was_done_to_a_chain_is_seen(touch: Callable[[Entries], Entries], faults: tuple[str, ...]) -> None:
    assert chain.verify(touch(made(4))).faults == faults


def test_the_seal_of_an_entry_kept_elsewhere_shows_that_the_end_was_cut_off_or_all_made_anew() -> None:
    kept = made(4)[2]["sha256"]
    assert chain.verify(made(4), kept).faults == ()
    for entries in (made(2), [chain.sealed({**entry, "actor": "x"}, chain.FIRST) for entry in made(1)]):
        assert chain.verify(entries).faults == ()
        assert "no entry has the seal that was given" in chain.verify(entries, kept).faults[0]


def test_a_seal_is_of_plain_json_and_the_same_for_any_form_of_a_moment() -> None:
    entry = {"stage": "land", "at": AT, "number": 1}
    written = '{"at":"2026-11-01T12:30:00.000000+00:00","number":1,"stage":"land"}'
    assert chain.seal(entry) == hashlib.sha256(written.encode()).hexdigest() == chain.seal({**entry, "at": AT.replace(tzinfo=None)})
