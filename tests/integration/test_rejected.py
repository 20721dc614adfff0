"""`concord rejected`: what is set apart by reason and where it lies, and nothing of whom it is about."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from jobs.cli import app
from jobs.errors import ConfigurationError
from jobs.run.conform import conform
from jobs.run.rejected import overview, records
from jobs.settings import Settings
from tests.landing import Raw, land, probe, reading

SECRET = "Lovelace"
BROKEN = [Raw(f"events/{SECRET}-{i}", payload) for i, payload in enumerate((
    reading(value=SECRET), reading(value="95"), f'{{"kind": "{SECRET}', reading(code=None), reading()))]


@pytest.fixture(scope="module")
def home(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Two batches of the small source: three reasons, of which one came twice; and a sound record each."""
    folder = tmp_path_factory.mktemp("rejected")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("CONCORD_CONTRACTS", probe(folder)), ("CONCORD_HOME", str(folder)), ("CONCORD_LAKE", "")):
            patch.setenv(name, value)
        made = Settings(home=folder, lake="", engine=engine, actor="test")
        land(made, "probe", BROKEN)
        land(made, "probe", [Raw("events/again", reading(value=True)), Raw("events/sound", reading())], 2)
        conform(made, "probe")
        yield made


def said(*words: str) -> str:
    done = CliRunner().invoke(app, ["rejected", *words], catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


def test_reasons_are_counted_the_most_first(home: Settings) -> None:
    found = [(r["stream"], r["reason_code"], r["field"], r["rows"], r["batches"], r["contract_version"]) for r in overview(home, "probe")]
    assert found == [("events", "wrong_type", "value", 3, 2, "1.2.0"), ("events", "missing", "code", 1, 1, "1.2.0"),
                     ("events", "not_json", None, 1, 1, "1.2.0")]
    assert overview(home) == overview(home, "probe") and overview(home, "crm") == []
    assert [row["rows"] for row in overview(home, "probe", "not_json")] == [1]


def test_each_record_is_found_in_the_raw_table_by_batch_and_position(home: Settings) -> None:
    found = records(home, "probe", "wrong_type")
    assert sorted((row["batch_id"], row["position"]) for row in found) == [
        ("probe.000001", 0), ("probe.000001", 1), ("probe.000002", 0)]


def test_the_command_shows_no_value_and_nobody(home: Settings) -> None:
    documents: list[list[dict[str, Any]]] = [json.loads(said("probe", "--json")), json.loads(said("--records", "--json"))]
    assert [len(document) for document in documents] == [3, 5]
    texts = [said(), said("probe", "--records"), said("--reason", "missing"), json.dumps(documents)]
    assert all("missing" in text for text in texts) and not [text for text in texts if SECRET in text or "again" in text]
    assert "Records set apart: 5" in texts[0]


def test_a_reason_that_there_is_not_is_refused(home: Settings) -> None:
    with pytest.raises(ConfigurationError, match="no reason is called 'lost'; there are bad_format, "):
        overview(home, None, "lost")
