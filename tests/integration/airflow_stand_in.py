"""Airflow's REST answers about one run or about who holds a token, for the cases that a real Airflow cannot be made to give;
the whole run has the real one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


class Run:
    """What Airflow would say of a run: who triggered it, and how its approval was answered."""

    def __init__(self) -> None:
        self.requester: str | None = "engineer"
        self.approver: str | None = "officer"
        self.chosen = ["Approve"]
        self.body = ""

    def answer(self, path: str) -> dict[str, Any]:
        """The JSON of a route."""
        if path.endswith("/auth/token"):
            return {"access_token": "a-token"}
        if path.endswith("/hitlDetails"):
            responder = {"id": "2", "name": self.approver} if self.approver else None
            return {"response_received": self.approver is not None, "responded_by_user": responder, "subject": "Extract",
                    "body": self.body, "chosen_options": self.chosen, "responded_at": "2026-11-01T10:00:00Z"}
        return {"dag_run_id": "run", "triggering_user_name": self.requester}

    def reply(self, path: str, authorization: str) -> tuple[int, Any]:
        """Status and JSON of a route."""
        return 200, self.answer(path)


class Answering(Run):
    """An Airflow that tells the roles of who answered too."""

    def __init__(self) -> None:
        super().__init__()
        self.roles = {"officer": ["Officer"], "engineer": ["Engineer"]}

    def reply(self, path: str, authorization: str) -> tuple[int, Any]:
        """Status and JSON of a route."""
        if path.startswith("/auth/fab/v1/users/"):
            name = path.rpartition("/")[2]
            return 200, {"username": name, "roles": [{"name": role} for role in self.roles[name]]}
        return super().reply(path, authorization)


class Users:
    """What Airflow with the FAB auth manager says of the holders of tokens: their names, and roles to those who may read users."""

    def __init__(self) -> None:
        self.holders = {"officers-token": "officer", "engineers-token": "engineer", "services-token": "concord",
                        "admins-token": "admin"}
        self.roles = {"officer": ["Officer"], "engineer": ["Engineer"], "concord": ["Viewer"], "admin": ["Admin"]}
        self.may_read_users = {"officer", "admin"}
        self.asked: list[str] = []
        self.replies: dict[str, tuple[int, Any]] = {}

    def reply(self, path: str, authorization: str) -> tuple[int, Any]:
        """Status and JSON of a route; ``replies`` come first."""
        self.asked.append(path)
        name = self.holders.get(authorization.removeprefix("Bearer "))
        if path in self.replies:
            return self.replies[path]
        if name is None:
            return 401, {"detail": "Not authenticated"}
        if path == "/ui/auth/me":
            return 200, {"id": "2", "username": name}
        if path.startswith("/auth/fab/v1/users/") and name in self.may_read_users:
            asked = path.rpartition("/")[2]
            return 200, {"username": asked, "roles": [{"name": role} for role in self.roles[asked]]}
        return 403, {"detail": "Forbidden"}


@contextmanager
def serving(airflow: Run | Users) -> Iterator[str]:
    """Serve an Airflow's answers on loopback; the base URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = airflow.reply(self.path, self.headers.get("Authorization", ""))
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.do_GET()

        def log_message(self, format: str, *args: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
