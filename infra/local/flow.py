"""One pass through the whole flow, driven over Airflow's REST API as its people would: an engineer and an officer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from rich.console import Console

from infra.local.airflow_api import Api

FRESHNESS = "freshness"
MATCHING = "matching"  # Started once: later models are for people to ask for.
LOOK_SECONDS = 1.0  # Airflow answers six questions a look: more often takes the processor from what is asked about.
# How long a question waits for the simulated officer: Airflow fails a task that is answered before the scheduler has heard of
# the end of the process that asked, which takes longer on a busy machine.
PARKED_SECONDS = 6.0
LOG_LINES = 20
SAID = {"success": "[green]done[/]", "skipped": "nothing new", "failed": "[red]failed[/]",
        "upstream_failed": "[red]not run[/]", "up_for_retry": "[yellow]will be tried again[/]"}


class FlowFailed(Exception):
    """A DAG run failed; the text names the task and ends with its log."""


class Flow:
    """Starts runs as the engineer, answers as the simulated officer, and looks until Airflow rests."""

    def __init__(self, engineer: Api, officer: Api, console: Console, alive: Callable[[], None]) -> None:
        self.engineer, self.officer, self.console, self.alive = engineer, officer, console, alive
        self.since = datetime.now(UTC).isoformat()
        self.dags: list[str] = []
        self.told: set[tuple[str, ...]] = set()
        self.asked: dict[str, float] = {}

    def drive(self, expected: set[str]) -> None:
        """The whole flow: every source and all that follows, a first model of matching, then an extract for every partner."""
        self._await_dags(expected)
        for kind in ("recall_", "extract_", "release_", "product_", "people", MATCHING, FRESHNESS, "source_"):
            for dag in self._named(kind):
                self.engineer.unpause(dag)
        for kind in ("source_", MATCHING, "extract_", FRESHNESS):
            resumed = {run["dag_id"] for run in self.engineer.runs(["queued", "running"])}
            for dag in self._named(kind):
                if dag not in resumed and not (dag == MATCHING and self.engineer.has_succeeded(dag)):
                    self.engineer.trigger(dag)
            self._until_rest()

    def _named(self, kind: str) -> Iterator[str]:
        return (dag for dag in self.dags if dag.startswith(kind))

    def _await_dags(self, expected: set[str]) -> None:
        with self._waiting("Airflow reads the DAGs"):
            while not expected <= set(self.dags):
                self.alive()
                if errors := self.engineer.import_errors():
                    raise FlowFailed("a DAG file cannot be read:\n" + "\n".join(errors))
                self.dags = [dag["dag_id"] for dag in self.engineer.dags()]
                time.sleep(LOOK_SECONDS)
        self.dags = sorted(expected)

    def _until_rest(self) -> None:
        quiet = 0
        with self._waiting("starting") as show:
            while quiet < 2:
                self.alive()
                self._answer()
                self._tell()
                self._stop_on_failure()
                running = [f"{task['dag_id']} {task['task_id']}" for task in self.engineer.tasks(["running"])]
                show(", ".join(sorted(running)) or "waiting")
                quiet = quiet + 1 if not running and self._rests() else 0
                time.sleep(LOOK_SECONDS)
        self._tell()

    def _rests(self) -> bool:
        return not any(run["dag_id"] in self.dags for run in self.engineer.runs(["queued", "running"])) and not any(
            self.engineer.queued_events(dag) for dag in self.dags if not dag.startswith(("source_", "extract_")))

    def _answer(self) -> None:
        for question in self.officer.waiting_approvals():
            task, now = question["task_instance"], time.monotonic()
            if now - self.asked.setdefault(task["id"], now) > PARKED_SECONDS:
                self.officer.respond(task, "Approve", "simulated officer of a local run")
                self.console.print(f"  the officer approves: {question['subject']}", highlight=False)

    def _tell(self) -> None:
        for task in reversed(self.engineer.tasks(list(SAID), end_date_gte=self.since)):
            key = (task["dag_id"], task["dag_run_id"], task["task_id"], str(task["try_number"]), task["state"])
            if key not in self.told and task["operator"] != "EmptyOperator":
                self.told.add(key)
                seconds = f"{task['duration'] or 0:6.1f} s"
                self.console.print(f"  {seconds}  {task['dag_id']:<32} {task['task_id']:<9} {SAID[task['state']]}",
                                   highlight=False)

    def _stop_on_failure(self) -> None:
        for run in self.engineer.runs(["failed"], end_date_gte=self.since):
            tasks = self.engineer.tasks(["failed"], run)
            raise FlowFailed(self._story(tasks[0]) if tasks else f"{run['dag_id']} failed")

    def _story(self, task: dict[str, Any]) -> str:
        lines = self.engineer.log(task)[-LOG_LINES:]
        return "\n  ".join([f"task {task['task_id']} of {task['dag_id']} failed; its log ends with:", *lines])

    @contextmanager
    def _waiting(self, said: str) -> Iterator[Callable[[str], None]]:
        if self.console.is_terminal:
            with self.console.status(said) as status:
                yield status.update
        else:
            yield lambda text: None
