"""The DAGs made of the contracts, parsed as Airflow parses them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from contracts import catalog

ROOT = Path(__file__).resolve().parents[2]
DAGS = ROOT / "dags"
FORBIDDEN = {"jobs", "expectations", "pyspark", "great_expectations", "pysail", "deltalake", "pandas"}


def parse(home: Path, **settings: str) -> dict[str, Any]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("parse.py")), str(DAGS)],
        text=True, capture_output=True, check=True,
        env=kept | {"AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False", "PYTHONPATH": str(ROOT),
                    "PYTHONDONTWRITEBYTECODE": "1", **settings})
    return dict(json.loads(done.stdout.splitlines()[-1]))


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return parse(tmp_path_factory.mktemp("airflow"), CONCORD_LAKE="s3://lake/house")


@pytest.fixture(scope="module")
def dags(bag: dict[str, Any]) -> dict[str, Any]:
    return dict(bag["dags"])


def test_all_files_parse_and_none_imports_more_than_contracts(bag: dict[str, Any]) -> None:
    assert bag["errors"] == {}
    assert not FORBIDDEN & set(bag["modules"])
    print(f"all DAG files parsed in {bag['seconds']:.2f} s")


def test_files_are_short() -> None:
    assert {p.name: n for p in DAGS.glob("*.py") if (n := len(p.read_text().splitlines())) >= 60} == {}


def test_every_contract_has_one_dag_and_nothing_else_has(dags: dict[str, Any]) -> None:
    known = catalog()
    assert set(dags) == {"people", "matching", "freshness", "retention", "maintenance", "erasure", *(f"source_{n}" for n in known.sources), *(f"product_{n}" for n in known.products),
                         *(f"release_{n}" for n in known.release_groups()), *(f"extract_{n}" for n in known.recipients),
                         *(f"recall_{n}" for n in known.recipients)}


def test_owners_tags_and_documentation_come_from_the_contracts(dags: dict[str, Any]) -> None:
    known = catalog()
    for kind, contracts in (("source", known.sources), ("product", known.products), ("extract", known.recipients),
                            ("recall", known.recipients)):
        for name, contract in contracts.items():
            dag = dags[f"{kind}_{name}"]
            assert dag["owner"] == contract.owner
            assert {kind, *contract.tags} == set(dag["tags"])
            assert contract.name in dag["doc"] and (kind == "recall" or contract.description in dag["doc"])


def test_one_active_run_no_catching_up_and_retries_that_back_off(dags: dict[str, Any]) -> None:
    for dag in dags.values():
        assert (dag["runs"], dag["catchup"]) == (1, False)
        for task in dag["tasks"].values():
            assert task["kind"] != "ConcordTask" or (task["retries"] == 3 and task["backoff"] == 2.0)


def test_what_is_started_by_hand_is_not_started_once_more_for_a_time_that_has_just_gone_by(dags: dict[str, Any]) -> None:
    asked = {name: dag["makes_up"] for name, dag in dags.items() if dag["cron"]}
    assert len(asked) > len(catalog().sources) and set(asked.values()) == {False}


def test_sources_run_on_their_schedule_and_land_with_their_own_connection_only(dags: dict[str, Any]) -> None:
    for name, source in catalog().sources.items():
        dag = dags[f"source_{name}"]
        tasks = dag["tasks"]
        assert (dag["timetable"], dag["cron"]) == ("CronTriggerTimetable", source.schedule)
        assert {t: (tasks[t]["words"], tasks[t]["down"], tasks[t]["connections"]) for t in tasks} == {
            "land": (["land", name], ["conform"], [source.connection.id]),
            "conform": (["conform", name], ["replay"], []), "replay": (["replay", name], ["screen"], []), "screen": (["screen", name], ["purge"] if source.refusal else [], []),
            **({"purge": (["purge", name], [], [])} if source.refusal else {})}
        assert {tasks[t]["rule"] for t in tasks if t != "land"} == {"none_failed"}
        assert set(source.tables) < set(tasks["conform"]["outlets"]) == set(tasks["replay"]["outlets"])


def test_consumers_wait_for_any_of_what_they_rest_on(dags: dict[str, Any]) -> None:
    expected = {"people": ["core.contact_point", "core.identity", "vault.model"]}
    for name, product in catalog().products.items():
        consent = ["core.consent", "core.identity", "vault.held"] if product.legal_basis.rests_on_consent else []
        expected[f"product_{name}"] = sorted({*product.inputs, *consent, "vault.link"})
    for group, members in catalog().release_groups().items():
        expected[f"release_{group}"] = sorted(p.table.name for p in members)
    for name in catalog().recipients:
        expected[f"recall_{name}"] = ["core.consent", "core.identity", "ledger.delivery", "vault.held", "vault.link"]
    assert {name: dags[name]["triggers"] for name in expected} == expected
    assert {dags[name]["condition"] for name in expected} == {"AssetAny"}
    by_night = {name for name in expected if dags[name]["cron"] == "0 1 * * *"}
    assert by_night == {"people"} | {f"recall_{name}" for name in catalog().recipients} | {
        f"product_{p.id}" for p in catalog().products.values()
        if p.legal_basis.rests_on_consent or "frequency" in {level.promise for level in p.service_levels}}


def test_assets_are_the_tables_and_lie_where_the_tables_lie(dags: dict[str, Any]) -> None:
    outlets = {n: uri for dag in dags.values() for task in dag["tasks"].values() for n, uri in task["outlets"].items()}
    assert outlets.keys() <= catalog().tables.keys()
    assert all(uri == f"s3://lake/house/{name.replace('.', '/')}" for name, uri in outlets.items())
    assert {name for dag in dags.values() for name in dag["triggers"]} <= outlets.keys()


def test_every_command_declares_an_outlet(dags: dict[str, Any]) -> None:
    tasks = [task for dag in dags.values() for task in dag["tasks"].values() if task["kind"] == "ConcordTask"]
    assert len(tasks) >= 20 and all(task["outlets"] for task in tasks)


def test_runs_have_deadlines_that_follow_from_what_contracts_promise(dags: dict[str, Any]) -> None:
    found = {(dag, name): hours for dag, described in dags.items() for name, (_, hours, _, _) in described["deadlines"].items()}
    expected: dict[tuple[str, str], float] = {}
    for name in ("adherence_app", "crm", "device_cloud", "community", "study"):
        expected |= {(f"source_{name}", f"latency of source.{name}"): 6, (f"source_{name}", f"frequency of source.{name}"): 26}
    expected |= {("source_social", "latency of source.social"): 2, ("source_social", "frequency of source.social"): 3}
    expected |= {(f"source_{name}", f"timeToDetect of source.{name}"): 24 for name in ("adherence_app", "crm", "device_cloud", "social")}
    for name in catalog().products:
        for dag in (f"product_{name}", "release_engagement"):
            expected |= {(dag, f"latency of product.{name}"): 12, (dag, f"frequency of product.{name}"): 26}
    expected |= {(dag, f"timeToRepair of product.{name}"): 48 for name in ("glucose_daily", "patient_profile")
                 for dag in (f"product_{name}", "release_engagement")}
    expected["recall_glycemia_institute", "timeToNotify of recipient.glycemia_institute"] = 48
    assert found == expected
    kinds = {(reference, path) for dag in dags.values() for reference, _, path, _ in dag["deadlines"].values()}
    assert kinds == {("DagRunQueuedAtDeadline", "deadlines.missed")}
    assert dags["source_crm"]["deadlines"]["latency of source.crm"][3] == {"subject": "source.crm", "promise": "latency"}


def test_what_is_late_is_looked_for_every_hour(dags: dict[str, Any]) -> None:
    dag = dags["freshness"]
    assert (dag["cron"], dag["tasks"]["record"]["words"], list(dag["tasks"]["record"]["outlets"])) == (
        "10 * * * *", ["freshness", "record"], ["ledger.freshness"])


def test_an_extract_is_started_by_people_and_answered_by_officers(dags: dict[str, Any]) -> None:
    for name, recipient in catalog().recipients.items():
        dag = dags[f"extract_{name}"]
        assert (dag["timetable"], dag["access"]) == ("NullTimetable", {"Officer": ["can_edit", "can_read"]})
        tasks = dag["tasks"]
        assert {t: tasks[t]["down"] for t in tasks} == {
            "prepare": ["approve"], "approve": ["approved"], "approved": ["deliver", "record"], "record": ["deliver"],
            "deliver": []}
        assert tasks["record"]["rule"] == "none_failed" and tasks["deliver"]["rule"] == "all_success"
        assert tasks["deliver"]["connections"] == [recipient.connection]


def test_a_recall_needs_nobody_and_its_own_connection_only(dags: dict[str, Any]) -> None:
    for name, recipient in catalog().recipients.items():
        dag = dags[f"recall_{name}"]
        assert (list(dag["tasks"]), dag["access"]) == (["recall"], {})
        task = dag["tasks"]["recall"]
        assert (task["words"], task["connections"]) == (["recall", name], [recipient.connection])
        assert set(task["outlets"]) == {"ledger.recall", "ledger.withdrawal"}


def test_a_contract_dropped_into_a_folder_is_a_new_dag(tmp_path: Path) -> None:
    (tmp_path / "sources").mkdir()
    text = (ROOT / "contracts" / "sources" / "social.yaml").read_text(encoding="utf-8")
    text = text.replace("id: social", "id: forum", 1).replace("concord_social", "concord_forum")
    text = text.replace("30 * * * *", "5 4 * * *").replace("frequency, value: 3,", "frequency, value: 30,")
    (tmp_path / "sources" / "forum.yaml").write_text(text, encoding="utf-8")
    found = parse(tmp_path / "home", CONCORD_CONTRACTS=str(tmp_path))["dags"]
    assert found["source_forum"]["cron"] == "5 4 * * *"
    assert found["source_forum"]["tasks"]["land"]["connections"] == ["concord_forum"]


def test_what_may_not_run_has_no_dag_and_what_a_retired_source_left_is_purged_on(tmp_path: Path) -> None:
    own = tmp_path / "contracts"
    for file, status in (("sources/crm.yaml", "retired"), ("products/glucose_daily.yaml", "draft")):
        old, new = file.split("/")[1].removesuffix(".yaml"), file.split("/")[1].replace(".yaml", "_b")
        path = own / file.replace(old, new)
        path.parent.mkdir(parents=True)
        text = (ROOT / "contracts" / file).read_text("utf-8").replace("status: active", f"status: {status}")
        path.write_text(text.replace(f"id: {old}\n", f"id: {new}\n", 1).replace(f"name: {old}\n", f"name: {new}\n"), "utf-8")
    found = parse(tmp_path / "production", CONCORD_CONTRACTS=str(own))["dags"]
    assert "product_glucose_daily_b" not in found and "product_glucose_daily" in found
    assert set(found["source_crm_b"]["tasks"]) == {"screen", "purge"}
    assert set(found["source_crm_b"]["deadlines"]) == {"timeToDetect of source.crm_b"}, "nothing is fetched"
    assert not [name for name in found["release_engagement"]["deadlines"] if "glucose_daily_b" in name]
    assert "product.glucose_daily_b" not in found["release_engagement"]["triggers"]
    tried = parse(tmp_path / "development", CONCORD_CONTRACTS=str(own), CONCORD_ENVIRONMENT="development")["dags"]
    assert "product.glucose_daily_b" in tried["release_engagement"]["triggers"]
    assert "latency of product.glucose_daily_b" in tried["release_engagement"]["deadlines"]
    assert "product_glucose_daily_b" in tried and set(tried["source_crm_b"]["tasks"]) == {"screen", "purge"}
