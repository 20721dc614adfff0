"""What Airflow calls when a deadline passes, with a stand-in for the command."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

COMMAND = """#!{python}
import os, sys
print("words", *sys.argv[1:])
print("names", *sorted(name for name in os.environ if name.startswith(("CONCORD_CONNECTION_", "AIRFLOW"))))
sys.exit({status})
"""
CONTEXT = {"dag_run": {"queued_at": "2026-11-28T02:15:00Z"}, "deadline": {"id": "x", "deadline_time": datetime(2026, 11, 28, 8, 15, tzinfo=UTC)}}


@pytest.fixture
def miss(airflow: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[str]]:
    """Miss a deadline where the command ends with a status; what it said."""
    def missed(status: int) -> list[str]:
        import deadlines

        program = tmp_path / "concord"
        program.write_text(COMMAND.format(python=sys.executable, status=status), encoding="utf-8")
        program.chmod(0o700)
        monkeypatch.setenv("CONCORD_EXECUTABLE", str(program))
        monkeypatch.setenv("CONCORD_CONNECTION_CONCORD_CRM", "{}")
        said: list[str] = []
        monkeypatch.setattr(deadlines, "log", SimpleNamespace(info=said.append))
        deadlines.missed("source.crm", "latency", CONTEXT)
        return said

    return missed


def test_a_missed_deadline_starts_the_command_with_what_was_missed_and_no_connection(miss: Callable[[int], list[str]]) -> None:
    said = miss(0)
    assert "words freshness record --missed source.crm latency 2026-11-28T02:15:00Z 2026-11-28 08:15:00+00:00" in said
    assert "names" in said


def test_one_that_cannot_be_written_down_fails_the_callback_and_says_who_finds_it(miss: Callable[[int], list[str]]) -> None:
    from airflow.sdk.exceptions import AirflowException

    with pytest.raises(AirflowException, match="75, UNAVAILABLE: latency of source.crm was missed, .* the DAG freshness finds it"):
        miss(75)


def test_what_airflow_passes_is_read_as_moments() -> None:
    """Both ways in which Airflow writes a moment."""
    from jobs.cli_freshness import _moment

    assert _moment("2026-11-28T08:15:00Z") == _moment("2026-11-28 08:15:00+00:00") == _moment("2026-11-28T08:15:00")
