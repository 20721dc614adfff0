"""Parse a folder of DAG files as Airflow does, in a process of its own; print what was found as one line of JSON."""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch


def described(dag: Any) -> dict[str, Any]:
    """All that the tests want to know about a DAG."""
    waits_for = getattr(dag.timetable, "asset_condition", None)
    clock = getattr(dag.timetable, "timetable", dag.timetable)
    return {
        "owner": dag.owner, "tags": sorted(dag.tags), "doc": dag.doc_md, "runs": dag.max_active_runs,
        "catchup": dag.catchup, "timetable": type(dag.timetable).__name__,
        "cron": getattr(clock, "expression", None), "makes_up": makes_up(dag),
        "condition": type(waits_for).__name__, "triggers": sorted(a.name for a in getattr(waits_for, "objects", [])),
        "deadlines": {d.name: [type(d.reference).__name__, d.interval / 3600, d.callback.path, d.callback.kwargs]
                      for d in dag.deadline or []},
        "access": {role: sorted(things["DAGs"]) for role, things in (dag.access_control or {}).items()},
        "tasks": {task.task_id: task_described(task) for task in dag.tasks}}


def makes_up(dag: Any) -> bool | None:
    """Whether the scheduler, a minute after a time of the schedule, would start a DAG that it meets for the first time; None
    without a schedule."""
    from airflow.serialization.serialized_objects import DagSerialization
    from airflow.timetables.base import TimeRestriction

    timetable = DagSerialization.from_dict(DagSerialization.to_dict(dag)).timetable
    clock = getattr(timetable, "timetable", timetable)
    if type(clock).__name__ != "CronTriggerTimetable":
        return None

    def first(now: datetime) -> datetime:
        with patch("airflow.timetables.trigger.utcnow", lambda: now):
            return clock.next_dagrun_info(last_automated_data_interval=None, restriction=TimeRestriction(None, None, False)).run_after

    later = first(datetime(2026, 10, 1, 12, 1, tzinfo=UTC)) + timedelta(minutes=1)
    return first(later) < later


def task_described(task: Any) -> dict[str, Any]:
    """All that the tests want to know about a task."""
    return {"down": sorted(task.downstream_task_ids), "outlets": {o.name: o.uri for o in task.outlets},
            "retries": task.retries, "backoff": task.retry_exponential_backoff, "rule": str(task.trigger_rule.value),
            "kind": type(task).__name__, "connections": list(getattr(task, "connections", ())),
            "words": [word for word in getattr(task, "arguments", ()) if isinstance(word, str)]}


def main(folder: str) -> None:
    """Parse, serialise and describe."""
    from airflow.dag_processing.dagbag import BundleDagBag
    from airflow.serialization.serialized_objects import DagSerialization

    started = time.perf_counter()
    bag = BundleDagBag(dag_folder=folder, bundle_path=Path(folder), bundle_name="concord")
    seconds = time.perf_counter() - started
    for dag in bag.dags.values():
        DagSerialization.to_dict(dag)
    print(json.dumps({
        "errors": bag.import_errors, "seconds": seconds, "dags": {d.dag_id: described(d) for d in bag.dags.values()},
        "modules": sorted({name.split(".")[0] for name in sys.modules})}))


if __name__ == "__main__":
    main(sys.argv[1])
