"""Changes of payloads at landing: what is told of them, and what a contract's onChange makes of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from contracts.exit_codes import ExitCode
from jobs.connectors import Record
from jobs.errors import Drifted
from jobs.ledger import batches
from jobs.run import drift
from jobs.run import land as landing
from jobs.run.conform import conform
from jobs.settings import Settings
from tests import small_lake
from tests.integration.test_command import run
from tests.landing import account, lake_of, probe, reading

Land = Callable[[list[dict[str, Any]]], dict[str, Any]]
FOLK = 15


@pytest.fixture
def home(tmp_path: Path, engine: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("CONCORD_CONTRACTS", probe(tmp_path))
    monkeypatch.setattr(landing, "access", lambda _: None)
    return small_lake.settings(tmp_path / "home", engine)


@pytest.fixture
def land(home: Settings, monkeypatch: pytest.MonkeyPatch) -> Land:
    """Land payloads; the facts of the report. The cursor counts the landings that held."""
    def made(payloads: list[dict[str, Any]]) -> dict[str, Any]:
        def fetch(source: object, access: object, state: dict[str, Any], *_: object) -> Iterator[Any]:
            turn = state.get("events", {}).get("turn", 0)
            for number, payload in enumerate(payloads):
                yield Record("events", f"events/{turn}-{number}", json.dumps(payload).encode(), False)
            yield "events", {"turn": turn + 1}
        monkeypatch.setattr(landing, "fetch", fetch)
        return landing.land(home, "probe").facts
    return made


def say(home: Settings, *edits: tuple[str, str]) -> None:
    """Edit the probe's contract."""
    path = home.home.parent / "contracts" / "sources" / "probe.yaml"
    text = path.read_text("utf-8")
    for before, after in edits:
        assert before in text
        text = text.replace(before, after)
    path.write_text(text, "utf-8")
    from contracts import load
    load._catalog.cache_clear()


def folk(start: int = 0, **changes: Any) -> list[dict[str, Any]]:
    """Sound readings of as many people, one each."""
    return [reading(**{"person": f"p{n}", "value": 50.0 + start + n, **changes}) for n in range(FOLK)]


FREEZE, REJECT = (("onChange, value: evolve", f"onChange, value: {word}") for word in ("freeze", "reject"))
HIGHER = ("version: 1.2.0", "version: 1.2.1")


def test_changes_are_told_by_the_report_the_ledger_and_the_command(home, land, monkeypatch, capsys):
    assert land(folk())["drift"] == []
    facts = land([*folk(start=20, mood="well"), reading(person="p1", value=1.5, **{"ada@post.example": "x"})])
    assert facts["drift"] == [
        {"stream": "events", "place": place, "kind": "new_field", "before": "-", "after": "string", "is_read": False,
         "effect": "reported"} for place in ("payload.*", "payload.mood")]
    assert land(folk(value="high", start=40))["drift"] == [
        {"stream": "events", "place": "payload.value", "kind": "changed_type", "before": "number", "after": "string", "is_read": True,
         "effect": "reported"}]
    assert land(folk(value=None))["drift"] == [
        {"stream": "events", "place": "payload.value", "kind": "vanished_field", "before": "number, string", "after": "-",
         "is_read": True, "effect": "reported"}]
    monkeypatch.setenv("CONCORD_HOME", str(home.home))
    assert run(monkeypatch, "drift", "probe", "--json") == ExitCode.OK
    found = json.loads(capsys.readouterr().out)
    assert [(row["batch_id"], row["kind"], row["place"], row["waits"]) for row in found] == [
        ("probe.000004", "vanished_field", "payload.value", False), ("probe.000003", "changed_type", "payload.value", False),
        ("probe.000002", "new_field", "payload.*", False), ("probe.000002", "new_field", "payload.mood", False)]
    assert run(monkeypatch, "drift") == ExitCode.OK
    assert "vanished field" in (shown := capsys.readouterr().out) and "ada" not in shown
    held = lake_of(home).arrow("ledger.shape").to_pylist()
    assert {r["place"] for r in held} > {"payload.*", "payload.mood"} and "ada" not in str(held)


def test_a_frozen_batch_is_kept_and_waits_for_a_higher_version_of_the_contract(home, land):
    say(home, FREEZE)
    land(folk())
    assert [c["effect"] for c in land(folk(start=20, mood="well"))["drift"]] == ["reported"], "a new field freezes nothing"
    assert [c["effect"] for c in land(folk(value="high"))["drift"]] == ["frozen"]
    land(folk(start=60))
    with pytest.raises(Drifted, match=r"probe.000003: .*events: changed type payload.value, number to string.*above 1\.2\.0"):
        conform(home, "probe")
    assert account(home, "probe.000002") == {("accepted", "-"): FOLK}
    assert [b["batch_id"] for b in batches.waiting(lake_of(home), "probe")] == ["probe.000003", "probe.000004"]
    assert [row["waits"] for row in drift.overview(home, "probe")] == [True, False]
    say(home, ("onChange, value: freeze", "onChange, value: evolve"))
    with pytest.raises(Drifted):
        conform(home, "probe")
    say(home, HIGHER)
    conform(home, "probe")
    assert account(home, "probe.000003") == {("rejected", "wrong_type"): FOLK}
    assert account(home, "probe.000004") == {("accepted", "-"): FOLK}
    assert not any(row["waits"] for row in drift.overview(home, "probe"))


@pytest.mark.parametrize(("payloads", "told"), [
    (folk(start=20, mood="well"), "new field payload.mood, - to string"),
    (folk(value="high", start=20), "changed type payload.value, number to string"),
    (folk(value=None, start=20), "vanished field payload.value, number to -")])
def test_a_rejected_landing_leaves_nothing_but_word_of_it_until_the_version_is_raised(home, land, payloads, told):
    say(home, REJECT)
    land(folk())
    lake = lake_of(home)
    before = [lake.version(name) for name in ("raw.probe", "ledger.batch", "ledger.shape")]
    for _ in range(2):
        with pytest.raises(Drifted, match=f"nothing was landed .*|{told}") as refused:
            land(payloads)
        assert told in str(refused.value) and refused.value.exit_code is ExitCode.CONTRACT
    assert [lake.version(name) for name in ("raw.probe", "ledger.batch", "ledger.shape")] == before
    assert landing.lake_state(lake, lake_source("probe")) == {"events": {"turn": 1}}, "the cursor stays"
    rows = drift.overview(home, "probe")
    assert {row["effect"] for row in rows} == {"refused"} and len(rows) == len({row["place"] for row in rows})
    say(home, HIGHER)
    assert land(payloads)["rows"] == FOLK
    assert land(folk(start=40))["rows"] == FOLK
    with pytest.raises(Drifted, match="payload.other"):
        land(folk(start=60, other=1))


def lake_source(name: str) -> Any:
    from contracts import catalog
    return catalog().sources[name]


def test_a_landing_killed_after_its_commit_is_looked_at_by_the_next(home, land, monkeypatch):
    """Killed before, between and after what is written of its payloads: the ledger is as without the kill."""
    land(folk())
    tables = ("ledger.shape", "ledger.drift")
    expected = None
    for number, step in enumerate(("jobs.ledger.drift.write", "jobs.ledger.drift.keep", "jobs.ledger.batches.record"), 2):
        with monkeypatch.context() as patch:
            def killed(*_: Any, **__: Any) -> None:
                raise KeyboardInterrupt
            patch.setattr(step, killed)
            with pytest.raises(KeyboardInterrupt):
                land(folk(start=20 * number, **{f"came{number}": "x"}))
        assert len(batches.of(lake_of(home), "probe")) == number - 1
        land([])
        assert [row["place"] for row in drift.overview(home, "probe")][:1] == [f"payload.came{number}"]
        held = {row["place"]: (row["looked"], row["seen"], row["number"]) for row in lake_of(home).arrow(tables[0]).to_pylist()}
        expected = number * FOLK
        assert held["payload.value"] == (expected, expected, number) and held[f"payload.came{number}"] == (FOLK, FOLK, number)
    assert len(batches.of(lake_of(home), "probe")) == 4
