"""Asking Airflow who triggered a run, who answered its approval task and who holds a token: an actor is proved by their
log-in."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import quote

import requests

from jobs.connections import Access, access
from jobs.errors import ConcordError, NotApproved, NotAuthorised, SourceUnavailable

CONNECTION = "concord_airflow"
APPROVAL_TASK = "approve"
TOKEN = re.compile(r"[A-Za-z0-9_.=-]{1,8192}")


@dataclass(frozen=True)
class Answer:
    """What Airflow holds of an approval: who answered what, when, and the text that they were shown."""

    approver: str
    is_approved: bool
    responded_at: str
    shown: str
    proof: str


@dataclass
class _Api:
    """Airflow's REST API at the address of the connection ``concord_airflow``."""

    held: Access = field(default_factory=lambda: access(CONNECTION))
    refusal: ClassVar[type[ConcordError]] = NotApproved
    advice: ClassVar[str] = f"check the connection {CONNECTION}"

    def __post_init__(self) -> None:
        self._base = self.held.base_url.rstrip("/")
        self._session = requests.Session()
        self._session.trust_env = False
        if self.held.ca_file:
            self._session.verify = self.held.ca_file

    def _call(self, method: str, path: str, **kwargs: Any) -> dict[str, Any]:
        try:
            answer = self._session.request(method, self._base + path, timeout=30, allow_redirects=False, **kwargs)
        except requests.RequestException as error:
            raise SourceUnavailable(f"Airflow at {self._base} does not answer ({type(error).__name__})") from None
        if answer.status_code >= 500:
            raise SourceUnavailable(f"Airflow answered {answer.status_code} to {method} {path}")
        try:
            found = answer.json() if answer.status_code < 300 else None
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise self.refusal(f"Airflow answered {answer.status_code} to {method} {path}; {self.advice}")
        return found

    def roles(self, name: str) -> frozenset[str]:
        """The roles of a user. Raises what refuses here where who asks may not read them ("can read on Users")."""
        user = self._call("GET", f"/auth/fab/v1/users/{quote(name, safe='')}")
        if user.get("username") != name:
            raise self.refusal(f"Airflow does not say which roles {name} has; {self.advice}")
        return frozenset(str(role.get("name")) for role in user.get("roles") or [])


class Airflow(_Api):
    """Airflow as the service user of the connection sees it."""

    def __post_init__(self) -> None:
        super().__post_init__()
        answer = self._call("POST", "/auth/token", json={"username": self.held.login, "password": self.held.password})
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


class Holder(_Api):
    """Airflow as the holder of a token sees it; no other log-in is used, so it tells what this one may know."""

    refusal = NotAuthorised
    advice = "log in again for a new token, and ask with that of an officer"

    def prove(self, token: str) -> str:
        """The name of who holds the token, as Airflow says. Raises NotAuthorised when it does not take the token."""
        if not TOKEN.fullmatch(token):
            raise NotAuthorised("what was given is no API token of Airflow; POST /auth/token gives one")
        self._session.headers["Authorization"] = f"Bearer {token}"
        name = self._call("GET", "/ui/auth/me").get("username")
        if not name or not isinstance(name, str):
            raise NotAuthorised(f"Airflow does not say who holds this token; {self.advice}")
        return name
