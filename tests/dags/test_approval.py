"""The officer's answer, and what follows from it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from contracts import catalog


@pytest.fixture(scope="module")
def approve(airflow: Path) -> Any:
    from airflow.dag_processing.dagbag import BundleDagBag

    bag = BundleDagBag(dag_folder=str(airflow / "extracts.py"), bundle_path=airflow, bundle_name="concord")
    assert bag.import_errors == {}
    return bag.dags["extract_glycemia_institute"].get_task("approve")


def answered(task: Any, option: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the tasks that are skipped when the officer answers."""
    skipped: list[str] = []
    monkeypatch.setattr(type(task), "skip", lambda self, ti, tasks: skipped.extend(t.task_id for t in tasks))
    ti = SimpleNamespace(map_index=-1)
    task.execute_complete({"task": task, "ti": ti}, {
        "chosen_options": [option], "params_input": {"reason": "seen"}, "responded_at": datetime.now(UTC),
        "responded_by_user": {"id": "3", "name": "officer"}})
    return skipped


def test_an_approval_lets_all_steps_go_on(approve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert answered(approve, "Approve", monkeypatch) == []


def test_a_rejection_is_recorded_and_delivers_nothing(approve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert answered(approve, "Reject", monkeypatch) == ["approved"]
    deliver, record = approve.dag.get_task("deliver"), approve.dag.get_task("record")
    assert "approved" in deliver.upstream_task_ids and deliver.trigger_rule == "all_success"
    assert record.trigger_rule == "none_failed"


def test_an_unknown_answer_and_a_timeout_fail(approve: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.providers.standard.exceptions import HITLTimeoutError

    with pytest.raises(ValueError, match="Perhaps"):
        answered(approve, "Perhaps", monkeypatch)
    with pytest.raises(HITLTimeoutError):
        approve.execute_complete({}, {"error": "late", "error_type": "timeout"})
    assert approve.response_timeout.days == catalog().recipients["glycemia_institute"].expires_after_days


def test_the_officer_is_shown_the_manifest(approve: Any) -> None:
    assert all(word in approve.body for word in ("extract_id", "manifest_sha256", "rows", "told", "triggering_user_name"))
    assert approve.template_fields == ("subject", "body")


def test_steps_after_an_extract_that_was_not_prepared_are_skipped(airflow: Path, approve: Any) -> None:
    from airflow.sdk.exceptions import AirflowSkipException

    find = approve.dag.get_task("record").arguments[2]
    with pytest.raises(AirflowSkipException):
        find({"ti": SimpleNamespace(xcom_pull=lambda task_ids: None)})
