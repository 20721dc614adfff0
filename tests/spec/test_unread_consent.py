"""A consent whose later version cannot be read is a no until one can be read again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jobs.run.conform import conform
from jobs.settings import Settings
from tests.landing import Raw, account, core, land

UNREADABLE: dict[str, Any] = {"withdrawn until no date": {"decision": "withdrawn", "valid_until": "n/a"},
                              "a word nobody knows": {"decision": "revoked"}, "a version to come": {"updated_at": "2036-01-01T00:00:00Z"}}


def statement(number: int, **changes: Any) -> Raw:
    """Version ``number`` of one statement: granted, on that day of October."""
    at = f"2026-10-0{number}T00:00:00Z"
    return Raw("consents/c1", {"id": "c1", "user_id": "u1", "purpose": "research", "decision": "granted", "recorded_at": at,
                               "updated_at": at, **changes}, "consents")


def answers(home: Settings) -> list[str]:
    return [row["decision_code"] for row in core(home, "adherence_app", "core.consent")]


@pytest.fixture
def home(tmp_path: Path, engine: str) -> Settings:
    return Settings(home=tmp_path, lake="", engine=engine)


@pytest.mark.parametrize("unreadable", UNREADABLE)
def test_what_cannot_be_read_is_a_no_until_a_version_can(home: Settings, unreadable: str) -> None:
    for number, (changes, answer) in enumerate([({}, "permit"), (UNREADABLE[unreadable], "deny"), ({}, "permit")], 1):
        batch = land(home, "adherence_app", [statement(number, **changes)], number)
        conform(home, "adherence_app")
        assert answers(home) == [answer]
        assert {outcome for outcome, _ in account(home, batch)} == {"rejected" if changes else "accepted"}


@pytest.mark.parametrize(("order", "answer"), [((1, 0), "deny"), ((0, 2), "permit"), ((1, 0, 3), "permit"), ((1, 0, 0), "deny")])
def test_within_one_batch_the_last_version_counts(home: Settings, order: tuple[int, ...], answer: str) -> None:
    """A zero stands for a version that cannot be read."""
    land(home, "adherence_app", [statement(n) if n else statement(9 - i, decision="revoked") for i, n in enumerate(order)])
    conform(home, "adherence_app")
    assert answers(home) == [answer]


def test_other_statements_are_left_alone(home: Settings) -> None:
    land(home, "adherence_app", [statement(1), Raw("consents/c2", statement(1, id="c2", user_id="u2").payload, "consents")])
    conform(home, "adherence_app")
    land(home, "adherence_app", [statement(2, decision="revoked")], 2)
    conform(home, "adherence_app")
    assert answers(home) == ["deny", "permit"]
