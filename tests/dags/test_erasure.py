"""The officer's answer to a list of people who ask to be forgotten, and what follows from it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from contracts import catalog


@pytest.fixture(scope="module")
def dag(airflow: Path) -> Any:
    from airflow.dag_processing.dagbag import BundleDagBag

    bag = BundleDagBag(dag_folder=str(airflow / "erasure.py"), bundle_path=airflow, bundle_name="concord")
    assert bag.import_errors == {}
    return bag.dags["erasure"]


def test_a_rejection_is_kept_too(dag: Any) -> None:
    """It skips what is directly after the answer alone, as it does in an extract's DAG."""
    approve, grant = dag.get_task("approve"), dag.get_task("grant")
    assert approve.downstream_task_ids == {"approved"} == grant.upstream_task_ids and grant.trigger_rule == "none_failed"


def test_the_officer_is_shown_how_many_and_which_list_within_the_month_of_the_law(dag: Any) -> None:
    approve = dag.get_task("approve")
    assert all(word in approve.body for word in ("people", "list", "oldest")) and approve.response_timeout.days == 28


def test_where_nobody_asks_nothing_is_granted(dag: Any) -> None:
    from airflow.sdk.exceptions import AirflowSkipException

    find, run = dag.get_task("grant").arguments[2], SimpleNamespace(dag_id="erasure", run_id="run-1")
    with pytest.raises(AirflowSkipException):
        find({"ti": SimpleNamespace(xcom_pull=lambda task_ids: None), "dag_run": run})
    assert find({"ti": SimpleNamespace(xcom_pull=lambda task_ids: {"people": 1}), "dag_run": run}) == ("--dag-run", "erasure", "run-1")


def test_recipients_can_be_told(dag: Any) -> None:
    assert {recipient.connection for recipient in catalog().recipients.values()} < set(dag.get_task("grant").connections)
