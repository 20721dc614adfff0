"""A new source whose payloads need no special parsing costs one YAML file, and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from contracts import catalog
from contracts.vocabulary import Outcome
from infra.local.sources.process import Sources, running
from jobs.ledger import batches
from jobs.run.conform import conform
from jobs.run.land import land
from jobs.settings import Settings
from tests.landing import account, core, lake_of

ROOT = Path(__file__).resolve().parents[2]
CONTRACT = """
apiVersion: v3.1.0
kind: DataContract
id: glucose_club
name: Glucose club
version: 1.0.0
status: active
domain: patient_engagement
tags: [club]
description:
  purpose: Members of a self-help club and the readings and doses they keep there.
team:
  name: communities
customProperties:
  - property: connection
    value: {id: concord_glucose_club, connector: rest, tokenPath: /app/oauth/token, pageSize: 100, maxAnswerMb: 8}
  - {property: schedule, value: "20 4 * * *"}
  - {property: onChange, value: evolve}
  - {property: retentionDays, value: 365}
  - {property: legalBasis, value: consent}
  - {property: jurisdictions, value: [DE, FR]}
  - {property: linkPurposes, value: [adherence_monitoring, decision_support, research]}
  - property: streams
    value:
      members: {path: /app/v1/users, recordId: payload.id, version: timestamp(payload.updated_at), deleted: boolean(payload.deleted), items: data, cursor: next_cursor, since: updated_since}
      diary: {path: /app/v1/data-points, recordId: payload.header.id, version: timestamp(payload.header.modified_date_time), deleted: boolean(payload.header.deleted), items: data, cursor: next_cursor, since: updated_since}
schema:
  - name: members
    customProperties:
      - {property: stream, value: members}
      - {property: feeds, value: core.identity}
    properties:
      - {name: source_person_id, transformLogic: identifier(payload.id), required: true}
      - {name: email, transformLogic: email(payload.email)}
      - {name: country_code, transformLogic: text(payload.country)}
  - name: readings
    customProperties:
      - {property: stream, value: diary}
      - {property: feeds, value: core.observation}
      - {property: when, value: exists(payload.body.blood_glucose)}
    properties:
      - {name: source_person_id, transformLogic: identifier(payload.header.user_id)}
      - {name: code, transformLogic: "code(payload.body.blood_glucose.unit, 'mg/dL', '2339-0', 'mmol/L', '15074-8')"}
      - {name: value, transformLogic: number(payload.body.blood_glucose.value)}
      - {name: unit_code, transformLogic: text(payload.body.blood_glucose.unit)}
      - {name: effective_at, transformLogic: timestamp(payload.body.effective_time_frame.date_time)}
      - {name: status_code, transformLogic: const('final')}
  - name: doses
    customProperties:
      - {property: stream, value: diary}
      - {property: feeds, value: core.medication_event}
      - {property: when, value: exists(payload.body.medication)}
    properties:
      - {name: source_person_id, transformLogic: identifier(payload.header.user_id)}
      - {name: medication_name, transformLogic: text(payload.body.medication.generic_name)}
      - {name: dose_value, transformLogic: number(payload.body.dose.value)}
      - {name: dose_unit_code, transformLogic: text(payload.body.dose.unit)}
      - {name: status_code, transformLogic: const('taken')}
      - {name: effective_at, transformLogic: timestamp(payload.body.effective_time_frame.date_time)}
"""
TABLES = ("core.identity", "core.observation", "core.medication_event")


@dataclass(frozen=True)
class Added:
    """A home with nothing but the new contract, the sources it is asked from, and how commands are started."""

    settings: Settings
    contracts: Path
    sources: Sources

    @property
    def access(self) -> str:
        """The connection that the contract names."""
        client = self.sources.credentials["app"]
        return json.dumps({"base_url": self.sources.base_url, "login": client["client_id"],
                           "password": client["client_secret"], "ca_file": self.sources.ca})

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """A command in an environment with the contracts' folder, the lake and the one connection."""
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("CONCORD_", "AIRFLOW"))}
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, env={
            **clean, "CONCORD_CONTRACTS": str(self.contracts), "CONCORD_HOME": str(self.settings.home),
            "CONCORD_ENGINE": self.settings.engine, "CONCORD_CONNECTION_CONCORD_GLUCOSE_CLUB": self.access,
            "CONCORD_ENVIRONMENT": "development",
            "AIRFLOW_HOME": str(self.settings.home / "airflow"), "AIRFLOW__CORE__LOAD_EXAMPLES": "False", "PYTHONPATH": str(ROOT)})

    def concord(self, *words: str) -> dict[str, Any]:
        """The report of a ``concord`` command."""
        done = self.run(sys.executable, "-m", "jobs", *words)
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.fixture(scope="module")
def added(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Added]:
    folder = tmp_path_factory.mktemp("new_source")
    file = folder / "contracts" / "sources" / "glucose_club.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(CONTRACT, "utf-8")
    with running(folder / "sources", "--people", "40", "--days", "3") as sources, pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONCORD_CONTRACTS", str(folder / "contracts"))
        yield Added(Settings(home=folder / "home", lake="", engine=engine, actor="test"), folder / "contracts", sources)
    assert [p for p in (folder / "contracts").rglob("*") if p.is_file()] == [file], "one file, and no code"


@pytest.fixture(scope="module")
def dags(added: Added) -> dict[str, Any]:
    """All DAGs, parsed as Airflow parses them."""
    done = added.run(sys.executable, str(ROOT / "tests" / "dags" / "parse.py"), str(ROOT / "dags"))
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["errors"] == {}
    return dict(found["dags"])


def test_the_contract_is_sound(added: Added) -> None:
    file = added.contracts / "sources" / "glucose_club.yaml"
    for words, said in (((str(file),), "1 contracts are sound"), ((), "contracts are sound")):
        done = added.run(sys.executable, "-m", "jobs", "contract", "check", *words)
        assert (done.returncode, done.stderr) == (0, "") and said in done.stdout
    file.write_text(CONTRACT.replace("number(payload.body.dose", "amount(payload.body.dose"), "utf-8")
    try:
        done = added.run(sys.executable, "-m", "jobs", "contract", "check", str(file))
        line = next(n for n, text in enumerate(file.read_text("utf-8").splitlines(), 1) if "amount(" in text)
        assert done.returncode == 3 and f"{file}:{line}: " in done.stderr and "unknown function 'amount'" in done.stderr
    finally:
        file.write_text(CONTRACT, "utf-8")


def test_its_dag_appears_and_wakes_what_reads_its_tables(dags: dict[str, Any]) -> None:
    dag = dags["source_glucose_club"]
    assert (dag["cron"], dag["owner"], dag["tags"]) == ("20 4 * * *", "communities", ["club", "source"])
    assert dag["tasks"]["land"]["connections"] == ["concord_glucose_club"]
    outlets = set(dag["tasks"]["conform"]["outlets"])
    assert outlets == {*TABLES, "raw.glucose_club__rejected", "raw.glucose_club__refused"}
    woken = {name for name, other in dags.items() if outlets & set(other["triggers"])}
    assert woken == {"people", *(f"recall_{name}" for name in catalog().recipients), *(f"product_{p.id}" for p in catalog().products.values() if set(p.inputs) & set(TABLES))}
    assert "product_glucose_daily" in woken


def test_it_lands_and_conforms_as_its_dag_says_and_every_record_has_an_outcome(added: Added, dags: dict[str, Any]) -> None:
    """The commands of the DAG's tasks, one after the other; what they change is what their tasks announce."""
    tasks = dags["source_glucose_club"]["tasks"]
    reports = {name: added.concord(*tasks[name]["words"]) for name in ("land", "conform", "screen")}
    served = added.sources.control("state")["records"]["app"]
    landed = reports["land"]["rows"]
    assert landed == served["users"] + served["data-points"] > 200
    for name, report in reports.items():
        assert set(report["changed"]) <= set(tasks[name]["outlets"]), name
    assert set(reports["conform"]["changed"]) >= set(TABLES)
    entries = account(added.settings, batches.batch_id("glucose_club", 1))
    assert sum(entries.values()) == landed and {outcome for outcome, _ in entries} <= {str(o) for o in Outcome}
    rows = {table: core(added.settings, "glucose_club", table) for table in TABLES}
    assert sum(map(len, rows.values())) == entries["accepted", "-"] and all(rows.values())
    assert not [key for key in entries if key[0] == "rejected"]
    people = {row["source_person_id"] for row in rows["core.identity"]}
    assert {row["source_person_id"] for row in rows["core.observation"]} & people
    assert batches.waiting(lake_of(added.settings), "glucose_club") == []


def test_a_second_run_brings_nothing_and_a_later_one_what_is_new(added: Added, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONCORD_CONNECTION_CONCORD_GLUCOSE_CLUB", added.access)
    assert [stage(added.settings, "glucose_club").result for stage in (land, conform)] == ["unchanged"] * 2
    before = added.sources.control("state")["records"]["app"]
    added.sources.control("advance", days=1)
    after = added.sources.control("state")["records"]["app"]
    new = sum(after[name] - before[name] for name in ("users", "data-points"))
    assert land(added.settings, "glucose_club").facts["rows"] == new > 0
    assert conform(added.settings, "glucose_club").facts["rows"] == new
    assert sum(account(added.settings, batches.batch_id("glucose_club", 2)).values()) == new
