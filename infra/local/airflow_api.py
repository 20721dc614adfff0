"""A small client of Airflow's REST API: what a person does in its pages, done with that person's log-in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import requests

TIMEOUT_SECONDS = 30
PAGE = 100
ATTEMPTS = 3


class AirflowRefused(Exception):
    """Airflow answered with an error; the text holds the request and the status, nothing else."""


class Api:
    """Airflow as one user sees it."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self.url, self._login = url, {"username": user, "password": password}
        self._session = requests.Session()
        self._session.trust_env = False
        self._log_in()

    def call(self, method: str, path: str, body: object = None, **query: object) -> Any:
        """One request below /api/v2, tried again when the token has expired or the database was busy (SQLite, 500).

        Raises AirflowRefused.
        """
        for _ in range(ATTEMPTS):
            answer = self._session.request(method, f"{self.url}/api/v2{path}", json=body, params=query,  # type: ignore[arg-type]
                                           timeout=TIMEOUT_SECONDS)
            if answer.status_code == 401:
                self._log_in()
            elif answer.status_code < 500:
                break
        if not answer.ok:
            raise AirflowRefused(f"{method} {path} was answered with {answer.status_code}")
        return answer.json() if answer.content else None

    def dags(self) -> list[dict[str, Any]]:
        """All DAGs this user may see, by id."""
        found: list[dict[str, Any]] = []
        while (page := self.call("GET", "/dags", limit=PAGE, offset=len(found), order_by="dag_id")["dags"]):
            found += page
        return found

    def import_errors(self) -> list[str]:
        """Why a DAG file could not be read, one text a file."""
        return [e["stack_trace"] for e in self.call("GET", "/importErrors")["import_errors"]]

    def unpause(self, dag: str) -> None:
        """Let a DAG run."""
        self.call("PATCH", f"/dags/{dag}", {"is_paused": False})

    def trigger(self, dag: str) -> str:
        """Start a run of a DAG; its id."""
        return str(self.call("POST", f"/dags/{dag}/dagRuns", {"logical_date": None, "conf": {}})["dag_run_id"])

    def has_succeeded(self, dag: str) -> bool:
        """Whether a run of a DAG ever ended well."""
        return bool(self.call("GET", f"/dags/{dag}/dagRuns", state=["success"], limit=1)["total_entries"])

    def runs(self, states: Sequence[str], **limits: str) -> list[dict[str, Any]]:
        """Runs in these states, the newest first, a page at most."""
        return list(self.call("GET", "/dags/~/dagRuns", state=states, limit=PAGE, order_by="-id", **limits)["dag_runs"])

    def tasks(self, states: Sequence[str], run: dict[str, Any] | None = None, **limits: str) -> list[dict[str, Any]]:
        """Task instances in these states, of one run or of all, those that ended last first, a page at most."""
        path = f"/dags/{run['dag_id']}/dagRuns/{quote(run['dag_run_id'], safe='')}" if run else "/dags/~/dagRuns/~"
        found = self.call("GET", f"{path}/taskInstances", state=states, limit=PAGE, order_by="-end_date", **limits)
        return list(found["task_instances"])

    def queued_events(self, dag: str) -> int:
        """Changes of assets that a DAG has not taken up yet."""
        try:
            return int(self.call("GET", f"/dags/{dag}/assets/queuedEvents")["total_entries"])
        except AirflowRefused:
            return 0

    def log(self, task: dict[str, Any]) -> list[str]:
        """Lines of the last try of a task instance."""
        path = f"{_task(task)}/logs/{task['try_number']}"
        content = self.call("GET", path, full_content="true").get("content") or []
        return [str(line.get("event", "")) if isinstance(line, dict) else str(line) for line in content]

    def waiting_approvals(self) -> list[dict[str, Any]]:
        """Questions that nobody has answered yet: subject, body and the task instance of each."""
        return list(self.call("GET", "/dags/~/dagRuns/~/hitlDetails", response_received="false", state="awaiting_input",
                              limit=PAGE)["hitl_details"])

    def respond(self, task: dict[str, Any], option: str, reason: str) -> None:
        """Answer a question with one of its options."""
        self.call("PATCH", f"{_task(task)}/{task['map_index']}/hitlDetails",
                  {"chosen_options": [option], "params_input": {"reason": reason}})

    def _log_in(self) -> None:
        answer = self._session.post(f"{self.url}/auth/token", json=self._login, timeout=TIMEOUT_SECONDS)
        if not answer.ok:
            raise AirflowRefused(f"Airflow refused the log-in of {self._login['username']} ({answer.status_code})")
        self._session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"


def _task(task: dict[str, Any]) -> str:
    return f"/dags/{task['dag_id']}/dagRuns/{quote(task['dag_run_id'], safe='')}/taskInstances/{task['task_id']}"
