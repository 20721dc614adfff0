"""How long withdrawals took, in numbers and in words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest

from jobs.ledger import withdrawals
from jobs.tables import withdrawals as lines

AT = datetime(2026, 11, 1, tzinfo=UTC)


def found(seconds: list[float], effect: str = "released", marks: tuple[Any, ...] = ()) -> dict[str, Any]:
    rows = [{"reference": f"{i // 2}", "effect": effect, "said_at": AT, "effective_at": AT + timedelta(seconds=s)}
            for i, s in enumerate(seconds)]
    tables = {withdrawals.WITHDRAWAL: rows, withdrawals.SUPERSEDED: list(marks), withdrawals.RECALL: []}
    return withdrawals.overview(SimpleNamespace(arrow=lambda name: pa.Table.from_pylist(tables[name])))  # type: ignore[arg-type]


@pytest.mark.parametrize(("seconds", "p50", "p99"), [
    ([], None, None), ([5.0], 5.0, 5.0), ([4.0, 1.0], 1.0, 4.0), ([30.0, 10.0, 20.0], 20.0, 30.0),
    ([float(i) for i in range(1, 101)], 50.0, 99.0), ([float(i) for i in range(1, 102)], 51.0, 100.0), ([-3.0], 0.0, 0.0)])
def test_percentiles_are_nearest_ranks(seconds: list[float], p50: float | None, p99: float | None) -> None:
    assert found(seconds)["said_to_released"] == {"count": len(seconds), "p50_seconds": p50, "p99_seconds": p99}
    assert found(seconds, "recalled")["said_to_released"]["count"] == 0


def test_a_withdrawal_with_two_effects_counts_once() -> None:
    assert found([1.0, 2.0, 3.0])["withdrawals"] == 2


def test_what_is_said_of_them() -> None:
    marks = tuple({"release_group": "g", "number": 1, "product": p, "because": "withdrawal", "people": 1} for p in ("x", "y"))
    assert lines(found([], marks=marks)) == ["Withdrawals that took effect: 0; superseded releases: 1; recalls: 0"]
    assert lines(found([60.0, 200.0]))[1:] == ["  out of the release 60 s (p50), 3.3 min (p99) after it was said"]
    assert lines(found([7_300.0, 260_000.0], "recalled"))[1:] == [
        "  recalled from an extract 2.0 h (p50), 3.0 days (p99) after it was said"]
