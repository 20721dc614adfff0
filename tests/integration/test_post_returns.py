"""A post that was gone and is back is in core again, and stays there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jobs.connectors import fetch
from jobs.run import land as landing
from jobs.run.conform import conform
from tests import small_lake
from tests.integration.connecting import contract, odd_server
from tests.integration.test_connector_vendors import posts
from tests.landing import account, core


def test_a_post_that_is_back_is_in_core_again(tmp_path: Path, engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = small_lake.settings(tmp_path / "home", engine)
    source = contract("social")
    source = source.model_copy(update={"connection": source.connection.model_copy(update={"token_path": None})})
    created = (datetime.now(UTC) - timedelta(days=2)).isoformat()
    post: dict[str, Any] = {"id": "12", "created_at": created, "account": {"id": "1", "acct": "me"}, "content": "Hello"}
    shown = [post]
    monkeypatch.setattr(landing, "access", lambda _: None)
    with odd_server(tmp_path, posts(shown, {})) as odd:
        monkeypatch.setattr(landing, "fetch", lambda _, __, *more: fetch(source, odd.access, *more))
        found = []
        for there in (True, False, True, True, False, True):
            shown[:] = [post] if there else []
            report = landing.land(made, "social")
            conform(made, "social")
            batch = report.facts["batch"]
            outcome = sorted(account(made, batch)) if batch else []
            found.append(([o for o, _ in outcome], len(core(made, "social", "core.message"))))
    assert found == [(["accepted"], 1), (["deletion"], 0), (["accepted"], 1), ([], 1), (["deletion"], 0), (["accepted"], 1)]
