"""Conform beside a plain-Python twin: every record has one outcome, and core ends as the twin says."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import DataFrame

from jobs.ledger import batches
from jobs.run import conform as shell
from jobs.settings import Settings
from jobs.stages import conform as stage
from tests.landing import RECEIVED, Raw, account, core, land, probe, reading

DAYS = [f"2026-10-{day:02}T00:00:00Z" for day in range(1, 10)]
SHAPES = ["reading", "reading", "reading", "dose", "gone", "tombstone", "broken", "cut"]


@dataclass(frozen=True)
class Event:
    """One landed record: which, in which shape, of which version (None: it says none), with which value."""

    name: int
    shape: str
    at: str | None
    value: int

    @property
    def raw(self) -> Raw:
        record_id = f"events/{self.name}"
        match self.shape:
            case "reading":
                return Raw(record_id, self._reading(value=self.value))
            case "dose":
                return Raw(record_id, {**self._reading(value=self.value), "kind": "dose", "name": "Metformin"})
            case "gone":
                return Raw(record_id, self._reading(gone=True))
            case "tombstone":
                return Raw(record_id, {"at": self.at}, is_deleted=True)
            case "broken":
                return Raw(record_id, self._reading(value=str(self.value)))
        return Raw(record_id, '{"kind": "reading", "val')

    def _reading(self, **changes: Any) -> dict[str, Any]:
        """Each at a minute of its own: one person measures once in a second."""
        return reading(self.at, measured=f"2026-09-30T08:{self.name:02}:00Z", **changes)

    @property
    def is_gone(self) -> bool:
        return self.shape in ("gone", "tombstone")

    @property
    def is_well(self) -> bool:
        return self.shape not in ("broken", "cut")


def naive(landed: list[list[Event]]) -> tuple[dict[tuple[int, int], str], dict[int, Event]]:
    """The rules read aloud: outcomes by (batch, position), and what core and its memory of deletions end with."""
    outcomes: dict[tuple[int, int], str] = {}
    held: dict[int, tuple[str | None, Event]] = {}
    for number, batch in enumerate(landed):
        received = (RECEIVED + timedelta(hours=number)).strftime("%Y-%m-%dT%H:%M:%SZ")
        for position, event in enumerate(batch):
            mine = [(p, e) for p, e in enumerate(batch) if e.name == event.name and e.is_well]
            newest = max(mine, key=lambda pair: (pair[1].at or received, pair[0]), default=(None, None))[0]
            at, (before, old) = event.at, held.get(event.name, (None, None))
            if not event.is_well:
                outcome = "rejected"
            elif any(p > position and e.raw.content == event.raw.content and e.is_gone == event.is_gone for p, e in mine):
                outcome = "duplicate"
            elif newest != position:
                outcome = "superseded"
            elif old and (old.raw.content, old.is_gone) == (event.raw.content, event.is_gone):
                outcome = "duplicate"
            elif before is not None and at is not None and before > at:
                outcome = "superseded"
            else:
                outcome = "deletion" if event.is_gone else "accepted"
            outcomes[number, position] = outcome
        for position, event in enumerate(batch):
            if outcomes[number, position] in ("deletion", "accepted"):
                held[event.name] = event.at, event
    return outcomes, {name: event for name, (_, event) in held.items() if not event.is_gone}


def conformed(engine: str, landed: list[list[Event]]) -> tuple[dict[tuple[int, int], str], dict[int, tuple[str, float]], int]:
    """The same through the real stage: outcomes, core by record, and how many rows the accounts hold."""
    decided: dict[tuple[int, int], str] = {}
    counted = stage.account

    def note(frame: DataFrame) -> DataFrame:
        for row in frame.select("batch_id", "position", "outcome").collect():
            decided[int(row["batch_id"][-6:]) - 1, row["position"]] = row["outcome"]
        return counted(frame)

    with tempfile.TemporaryDirectory() as home, pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONCORD_CONTRACTS", probe(Path(home)))
        patch.setattr(stage, "account", note)
        made = Settings(home=Path(home), lake="", engine=engine, actor="test")
        for number, batch in enumerate(landed):
            land(made, "probe", [e.raw for e in batch], number + 1)
        shell.conform(made, "probe")
        held = {int(row["record_id"].removeprefix("events/")): (kind, row[column])
                for kind, table, column in (("reading", "core.observation", "value"), ("dose", "core.medication_event", "dose_value"))
                for row in core(made, "probe", table)}
        total = sum(sum(account(made, batches.batch_id("probe", n + 1)).values()) for n in range(len(landed)))
    return decided, held, total


def events(versions: Any) -> Any:
    return st.lists(st.builds(Event, st.integers(1, 12), st.sampled_from(SHAPES), versions, st.integers(101, 103)), min_size=1, max_size=30)


few = settings(max_examples=3, deadline=None, database=None, suppress_health_check=list(HealthCheck))


@few
@given(landed=st.lists(events(st.none() | st.sampled_from(DAYS[:4])), min_size=2, max_size=3))
def test_outcomes_accounts_and_core_equal_the_naive_ones(engine: str, landed: list[list[Event]]) -> None:
    expected, held = naive(landed)
    decided, found, total = conformed(engine, landed)
    assert decided == expected
    assert total == sum(map(len, landed))
    assert found == {name: (event.shape, float(event.value)) for name, event in held.items()}


@few
@given(data=st.data())
def test_the_order_of_batches_does_not_matter_where_versions_decide(engine: str, data: st.DataObject) -> None:
    """Each record has each version once; the batches come in two orders and leave the same rows in core."""
    pairs = data.draw(st.lists(st.tuples(st.integers(1, 12), st.sampled_from(DAYS)), unique=True, min_size=8, max_size=40))
    made = [Event(name, data.draw(st.sampled_from(SHAPES)), at, data.draw(st.integers(101, 103))) for name, at in pairs]
    landed = [made[0::3], made[1::3], made[2::3]]
    other = data.draw(st.permutations(landed).filter(lambda order: order != landed))
    _, first, _ = conformed(engine, landed)
    _, second, _ = conformed(engine, other)
    assert first == second
