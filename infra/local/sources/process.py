"""Start the simulated systems in a process of their own, talk to them, and stop them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

ROOT = Path(__file__).resolve().parents[3]
TOKEN_PATHS = {"app": "/app/oauth/token", "crm": "/crm/services/oauth2/token", "social": "/oauth/token",
               "device_cloud": "/fhir/token"}


@dataclass(frozen=True, slots=True)
class Sources:
    """A running program: its address, and its directory with ca.pem, credentials.json, truth.json and output.log."""

    base_url: str
    pid: int
    directory: Path

    @property
    def ca(self) -> str:
        """Path of the CA certificate, for `verify=` of a client."""
        return str(self.directory / "ca.pem")

    @property
    def credentials(self) -> dict[str, dict[str, str]]:
        """Client ids and secrets by source, and the control token."""
        content: dict[str, dict[str, str]] = self._read("credentials.json")
        return content

    @property
    def truth(self) -> dict[str, Any]:
        """Which identifiers belong to the same person."""
        content: dict[str, Any] = self._read("truth.json")
        return content

    def session(self) -> requests.Session:
        """A session that trusts the CA and nothing else: the environment's CA bundle and proxies are not asked."""
        session = requests.Session()
        session.verify, session.trust_env = self.ca, False
        return session

    def token(self, source: str) -> str:
        """A new access token of a source."""
        client = self.credentials[source]
        form = {"grant_type": "client_credentials", **client}
        answer = self.session().post(self.base_url + TOKEN_PATHS[source], data=form, timeout=30)
        answer.raise_for_status()
        return str(answer.json()["access_token"])

    def control(self, action: str, **order: object) -> dict[str, Any]:
        """Post to a control route (advance, reset, faults) or get `state`; HTTPError when it is refused."""
        head = {"Authorization": f"Bearer {self.credentials['control']['token']}"}
        method, body = ("GET", None) if action == "state" else ("POST", json.dumps(order))
        answer = self.session().request(method, f"{self.base_url}/_control/{action}", headers=head, data=body,
                                        timeout=60)
        answer.raise_for_status()
        content: dict[str, Any] = answer.json()
        return content

    def _read(self, name: str) -> Any:
        return json.loads((self.directory / name).read_text(encoding="utf-8"))


@contextmanager
def running(directory: Path, *arguments: str) -> Iterator[Sources]:
    """Run the program with command-line arguments until the block ends; RuntimeError when it does not start."""
    directory.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "infra.local.sources", "--dir", str(directory), *arguments]
    with (directory / "output.log").open("w", encoding="utf-8") as errors:
        process = subprocess.Popen(  # noqa: S603 - this interpreter, an argument vector, no shell
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True)
        try:
            if process.stdout is None or not process.stdout.readline().startswith("listening "):
                raise RuntimeError(f"the simulated sources did not start: see {directory / 'output.log'}")
            endpoint = json.loads((directory / "endpoint.json").read_text(encoding="utf-8"))
            yield Sources(endpoint["base_url"], endpoint["pid"], directory)
        finally:
            _stop(process)


def _stop(process: subprocess.Popen[str]) -> None:
    """Ask the process to end, and end it if it does not within ten seconds."""
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(timeout=10)
    if process.stdout is not None:
        process.stdout.close()
