"""A consent whose later version cannot be read is a no until one can be read again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from jobs.run.conform import conform
from jobs.settings import Settings
from tests.landing import Raw, account, core, land

SOURCE = "adherence_app"
UNREADABLE: dict[str, dict[str, Any]] = {
    "withdrawn until no date": {"decision": "withdrawn", "valid_until": "n/a"},
    "a word nobody knows": {"decision": "revoked"}, "a version to come": {"updated_at": "2036-01-01T00:00:00Z"}}
# Versions of one statement in one batch, in their order, and what they say; a zero stands for one that cannot be read.
ORDERS: dict[tuple[int, ...], str] = {(1, 0): "deny", (0, 2): "permit", (1, 0, 3): "permit", (1, 0, 0): "deny"}
OTHER = "a statement nobody touches"


def statement(name: str, number: int, **changes: Any) -> Raw:
    """Version ``number`` of a statement: granted, on that day of October."""
    at = f"2026-10-0{number}T00:00:00Z"
    return Raw(f"consents/{name}", {"id": name, "user_id": f"u-{name}", "purpose": "research", "decision": "granted",
                                    "recorded_at": at, "updated_at": at, **changes}, "consents")


@dataclass(frozen=True)
class House:
    """What each statement said after each batch, and the account of the batches."""

    answers: list[dict[str, str]]
    accounts: list[dict[tuple[str, str], int]]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, engine: str) -> House:
    """Three batches: all statements granted, each unreadable in its way, granted anew; and the orders, in the first."""
    home = Settings(home=tmp_path_factory.mktemp("unread"), lake="", engine=engine)
    orders = [statement(str(order), n) if n else statement(str(order), 9 - i, decision="revoked")
              for order in ORDERS for i, n in enumerate(order)]
    batches = [[*(statement(name, 1) for name in UNREADABLE), statement(OTHER, 1), *orders],
               [statement(name, 2, **changes) for name, changes in UNREADABLE.items()],
               [statement(name, 3) for name in UNREADABLE]]
    made = House([], [])
    for number, records in enumerate(batches, 1):
        batch = land(home, SOURCE, records, number)
        conform(home, SOURCE)
        made.answers.append({r["record_id"].removeprefix("consents/"): r["decision_code"] for r in core(home, SOURCE, "core.consent")})
        made.accounts.append(account(home, batch))
    return made


@pytest.mark.parametrize("unreadable", UNREADABLE)
def test_what_cannot_be_read_is_a_no_until_a_version_can(house: House, unreadable: str) -> None:
    assert [answers[unreadable] for answers in house.answers] == ["permit", "deny", "permit"]


def test_every_version_has_its_outcome(house: House) -> None:
    assert [{outcome for outcome, _ in entries} for entries in house.accounts[1:]] == [{"rejected"}, {"accepted"}]
    assert sum(house.accounts[1].values()) == sum(house.accounts[2].values()) == len(UNREADABLE)


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_within_one_batch_the_last_version_counts(house: House, order: tuple[int, ...]) -> None:
    assert house.answers[0][str(order)] == ORDERS[order]


def test_other_statements_are_left_alone(house: House) -> None:
    assert {answers[OTHER] for answers in house.answers} == {"permit"}
    assert house.answers[2].keys() == {*UNREADABLE, OTHER, *map(str, ORDERS)}
