"""Asking Airflow who triggered a run and who answered its approval task: the proof of an actor is their log-in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import requests

from jobs.connections import access
from jobs.errors import NotApproved, SourceUnavailable

CONNECTION = "concord_airflow"
APPROVAL_TASK = "approve"


@dataclass(frozen=True)
class Answer:
    """What Airflow holds of an approval: who answered what, when, and the text that they were shown."""

    approver: str
    is_approved: bool
    responded_at: str
    shown: str
    proof: str


class Airflow:
    """Airflow's REST API as the service user of the connection ``concord_airflow``."""

    def __init__(self) -> None:
        held = access(CONNECTION)
        self._base = held.base_url.rstrip("/")
        self._session = requests.Session()
        self._session.trust_env = False
        if held.ca_file:
            self._session.verify = held.ca_file
        answer = self._call("POST", "/auth/token", json={"username": held.login, "password": held.password})
        self._session.headers["Authorization"] = f"Bearer {answer['access_token']}"

    def requester(self, dag_id: str, run_id: str) -> str:
        """The user who triggered a run. Raises NotApproved when no log-in stands behind it."""
        name = self._call("GET", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}").get("triggering_user_name")
        if not name:
            raise NotApproved(f"run {run_id} of {dag_id} was triggered by no logged-in user; trigger it as the requester")
        return str(name)

    def answer(self, dag_id: str, run_id: str) -> Answer:
        """The answer to the run's approval task. Raises NotApproved when nobody answered."""
        place = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{APPROVAL_TASK}/-1/hitlDetails"
        found = self._call("GET", place)
        user = found.get("responded_by_user") or {}
        if not found.get("response_received") or not user.get("name"):
            raise NotApproved(f"nobody answered the approval task of run {run_id}; a task marked as success is no approval")
        return Answer(str(user["name"]), found.get("chosen_options") == ["Approve"], str(found.get("responded_at")),
                      f"{found.get('subject')}\n{found.get('body')}", f"{dag_id}/{run_id}/{APPROVAL_TASK}")

    def _call(self, method: str, path: str, **kwargs: Any) -> dict[str, Any]:
        try:
            answer = self._session.request(method, self._base + path, timeout=30, allow_redirects=False, **kwargs)
        except requests.RequestException as error:
            raise SourceUnavailable(f"Airflow at {self._base} does not answer ({type(error).__name__})") from None
        if answer.status_code >= 500:
            raise SourceUnavailable(f"Airflow answered {answer.status_code} to {method} {path}")
        if answer.status_code >= 400:
            raise NotApproved(f"Airflow answered {answer.status_code} to {method} {path}; check the connection {CONNECTION}")
        return dict(answer.json())
