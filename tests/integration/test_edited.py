"""A contract that is edited between two steps: each pair goes on by a rule of its own, or stops with a clear error."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import contracts
from contracts import catalog
from contracts.exit_codes import ExitCode
from jobs.errors import ContractChanged
from jobs.run import conform as conforming
from jobs.run import intake
from jobs.run.conform import conform
from jobs.run.extract import deliver, prepare
from jobs.run.product import build
from jobs.run.release import release
from jobs.run.replay_rejected import replay
from jobs.settings import Settings
from tests import small_lake
from tests.integration.airflow_stand_in import Run, serving
from tests.integration.test_drift import say
from tests.landing import Raw, account, core, lake_of, land, probe, reading
from tests.replaying import FIRST, LATER, SOURCE, contract, measured

NOTES_STREAM = "      notes: {path: /notes, recordId: payload.id}\n"
NEWER = ("version: 1.2.0", "version: 1.3.0")
GROUP, PRODUCT, RECIPIENT = "engagement", "glucose_daily", "glycemia_institute"


@pytest.fixture
def landed(tmp_path: Path, engine: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Two readings, one of them without its value, and a note wait to be conformed."""
    monkeypatch.setenv("CONCORD_CONTRACTS", probe(tmp_path))
    home = small_lake.settings(tmp_path / "home", engine)
    land(home, "probe", [Raw("events/1", reading()), Raw("events/2", reading(value=None, amount=77)),
                         Raw("notes/1", {"id": "1", "kind": "ask", "measured": "2026-09-30T08:00:00Z"}, stream="notes")])
    return home


def decided_by(home: Settings) -> list[str]:
    return lake_of(home).arrow("ledger.intake")["contract_version"].to_pylist()


def test_a_batch_is_decided_by_the_contract_of_the_day_which_its_entry_names(landed):
    assert decided_by(landed) == []
    say(landed, ("{name: value, transformLogic: number(payload.value)}",
                 "{name: value, transformLogic: 'first(number(payload.value), number(payload.amount))'}"), NEWER)
    conform(landed, "probe")
    assert [(row["value"], row["contract_version"]) for row in core(landed, "probe", "core.observation")] == [
        (95.5, "1.3.0"), (77.0, "1.3.0")]
    assert decided_by(landed) == ["1.3.0"]


def test_a_stream_with_landed_records_cannot_be_taken_out(landed):
    path = landed.home.parent / "contracts" / "sources" / "probe.yaml"
    text = path.read_text("utf-8")
    say(landed, (NOTES_STREAM, ""), (text[text.index("  - name: notes\n"):], ""))
    with pytest.raises(ContractChanged, match=r"raw\.probe holds records of notes .* probe\.yaml declares no such stream") as error:
        conform(landed, "probe")
    assert error.value.exit_code is ExitCode.CONTRACT
    assert lake_of(landed).version("core.observation") <= 0 and account(landed, "probe.000001") == {}


def test_a_batch_that_a_killed_run_wrote_a_part_of_is_not_finished_by_another_contract(landed, monkeypatch):
    def killed(*_: Any) -> None:
        raise KeyboardInterrupt
    with monkeypatch.context() as patch:
        patch.setattr(conforming, "_set_apart", killed)
        with pytest.raises(KeyboardInterrupt):
            conform(landed, "probe")
    assert len(core(landed, "probe", "core.observation")) == 1
    say(landed, ("identifier(payload.person)}", "identifier(payload.other), required: true}"), NEWER)
    with pytest.raises(ContractChanged, match=r"probe\.000001: .* by version 1\.2\.0 of probe\.yaml, which was edited since") as error:
        conform(landed, "probe")
    assert error.value.exit_code is ExitCode.CONTRACT
    assert account(landed, "probe.000001") == {} and decided_by(landed) == ["1.2.0"]
    probe(landed.home.parent)
    say(landed)
    conform(landed, "probe")
    assert account(landed, "probe.000001") == {("accepted", "-"): 2, ("rejected", "missing"): 1}


def test_a_killed_replay_is_not_finished_by_another_contract_and_what_lands_waits(tmp_path, engine, monkeypatch):
    home = small_lake.settings(tmp_path / "home", engine)

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    def by(name: str, says: dict[str, Any]) -> None:
        monkeypatch.setenv("CONCORD_CONTRACTS", contract(tmp_path / name, says))
    by("first", FIRST)
    land(home, SOURCE, [measured(n, "ward") for n in range(3)])
    conform(home, SOURCE)
    by("later", LATER)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(intake, "_remember", killed)
        replay(home, SOURCE)
    by("again", {**LATER, "version": 2, "places": "'home'"})
    land(home, SOURCE, [measured(9)], 2)
    for run in (replay, conform):
        with pytest.raises(ContractChanged, match=r"house\.replay-000001: .* by version 1\.1\.0 of .*house\.yaml.* `concord replay house`"):
            run(home, SOURCE)
    assert account(home, "house.replay-000001") == account(home, "house.000002") == {}
    by("later", LATER)
    conform(home, SOURCE)
    assert len(core(home, SOURCE, "core.observation")) == 4


@pytest.fixture
def home(small_release: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A released lake beside a tree of contracts of its own."""
    own = tmp_path / "0" / "contracts"
    shutil.copytree(Path(contracts.__file__).parent, own, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    monkeypatch.setattr("contracts.load.folders", lambda: (own,))
    return small_lake.copy(small_release, tmp_path / "home")


def edit_product(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "1" / "contracts"
    shutil.copytree(tmp_path / "0" / "contracts", own)
    path = own / "products" / f"{PRODUCT}.yaml"
    path.write_text(path.read_text("utf-8").replace("version: 1.0.0", "version: 1.0.1", 1), "utf-8")
    monkeypatch.setattr("contracts.load.folders", lambda: (own,))


def test_a_candidate_of_another_contract_is_not_released_and_no_extract_is_made_or_delivered(home, tmp_path, monkeypatch):
    airflow = Run()
    with serving(airflow) as address:
        monkeypatch.setenv("CONCORD_CONNECTION_CONCORD_AIRFLOW",
                           json.dumps({"base_url": address, "login": "concord", "password": "x", "ca_file": ""}))
        extract = prepare(home, RECIPIENT, ("extract", "before")).facts["extract_id"]
        edit_product(tmp_path, monkeypatch)
        assert catalog().products[PRODUCT].version == "1.0.1"
        assert release(home, GROUP).facts["waiting_for"] == [PRODUCT]
        said = rf"{PRODUCT}\.yaml was edited since release 1 of {GROUP} was made by version 1\.0\.0 of it"
        with pytest.raises(ContractChanged, match=said):
            prepare(home, RECIPIENT, ("extract", "after"))
        monkeypatch.setattr("jobs.stages.extract.approved_by", lambda *_: "officer")
        with pytest.raises(ContractChanged, match=said) as error:
            deliver(home, extract)
        assert error.value.exit_code is ExitCode.CONTRACT
        build(home, PRODUCT)
        assert release(home, GROUP).facts["number"] == 2
        assert prepare(home, RECIPIENT, ("extract", "after")).result == "done"
