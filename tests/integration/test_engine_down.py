"""An engine that is not there, or that is something else: said at once, and in the trail."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.exit_codes import ExitCode
from jobs import engine
from jobs.errors import ConcordError, ConfigurationError, EngineUnavailable
from jobs.ledger import lineage
from jobs.run.people import resolve
from tests import small_lake
from tests.landing import lake_of


@pytest.fixture
def mute() -> Iterator[str]:
    """The address of a server that takes a connection and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"sc://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize("kind", ["closed", "mute", "nonsense"])
def test_an_engine_that_does_not_answer_is_said_and_in_the_trail(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mute: str, kind: str) -> None:
    monkeypatch.setattr(engine, "PATIENCE_SECONDS", 1)
    address = {"closed": "sc://127.0.0.1:9", "mute": mute, "nonsense": "sc://127.0.0.1:port"}[kind]
    made = small_lake.settings(tmp_path / "home", address)
    with pytest.raises(ConcordError) as failure:
        resolve(made)
    if kind == "nonsense":
        assert isinstance(failure.value, ConfigurationError)
    else:
        assert isinstance(failure.value, EngineUnavailable) and failure.value.exit_code is ExitCode.UNAVAILABLE
        assert str(failure.value) == (f"the engine at {address} does not answer; start it with `concord engine`, or unset "
                                      "CONCORD_ENGINE")
    entries = lake_of(made).arrow("ledger.audit").to_pylist()
    assert [(row["stage"], row["result"]) for row in entries] == [("resolve", "failed")]
    assert [(e["job"]["name"], e["eventType"]) for e in lineage.events(made)] == [("resolve.people", "FAIL")]
