"""The services of a local installation: the source systems, the object store, the engine, Airflow."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from infra.local.connections import connections
from infra.local.home import Home
from infra.local.preflight import HOST, free_port
from infra.local.processes import MARK, Service, ServiceEnded, start
from infra.local.sources.credentials import write_private
from infra.local.store import filled

ROOT = Path(__file__).resolve().parents[2]
KEPT = ("PATH", "HOME", "LANG", "TMPDIR")


@dataclass(frozen=True)
class Plan:
    """What to start: how many people over how many days are simulated, and Airflow's port.

    ``withdraw`` people who are in by consent withdraw in the CRM before anything is asked for.

    ``has_canary`` gives the first person recognisable values in every field, for tests that look for them.
    """

    people: int
    days: int
    port: int
    has_canary: bool = False
    withdraw: int = 0


def program() -> list[str]:
    """The ``concord`` command: ``CONCORD_EXECUTABLE``, or the jobs of this Python."""
    own = os.environ.get("CONCORD_EXECUTABLE")
    return [own] if own else [sys.executable, "-m", "jobs"]


class Services:
    """Starts all services at once, then waits until each is ready; ``environment`` is what our commands get."""

    def __init__(self, home: Home, mark: str) -> None:
        self.home, self.running = home, list[Service]()
        kept = {k: v for k, v in os.environ.items() if k in KEPT or k.startswith("CONCORD_")}
        self.environment = kept | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "CONCORD_HOME": str(home.root),
                                   "CONCORD_LAKE": str(home.lake), "CONCORD_ENVIRONMENT": "development", MARK: mark}
        self.store = f"http://{HOST}:{free_port()}"
        self.store_login = (secrets.token_hex(10), secrets.token_urlsafe(24))

    def start(self, plan: Plan) -> str:
        """Start everything, and come back when everything is ready; Airflow's address. Raises ServiceEnded."""
        engine = None if "CONCORD_ENGINE" in self.environment else self._engine()
        port = plan.port or free_port()
        airflow, sources, store = self._airflow(port), self._sources(plan), self._store()
        self._make_keys()
        sources.await_ready((self.home.sources / "endpoint.json").exists)
        url = f"http://{HOST}:{port}"
        write_private(self.home.airflow / "connections.json", connections(self.home, url, self.store, self.store_login))
        store.await_ready(lambda: filled(self.store, self.store_login, self.home.exports))
        if engine:
            engine.await_ready((self.home.root / "engine.address").exists)
        airflow.await_ready((self.home.airflow / "ready").exists)
        return url

    def check(self) -> None:
        """Raise ServiceEnded when one ended by itself."""
        for service in self.running:
            service.check()

    def summarise(self) -> bool:
        """Print ``concord summary``; whether it went well."""
        shown = subprocess.run([*program(), "summary"], env=self.environment, cwd=ROOT, stdin=subprocess.DEVNULL,  # noqa: S603
                               check=False)
        return shown.returncode == 0

    def _start(self, name: str, ready: Path, arguments: list[str], **more: str) -> Service:
        ready.unlink(missing_ok=True)
        service = start(name, arguments, self.environment | more, self.home.logs / f"{name}.log", ROOT)
        self.running.append(service)
        return service

    def _engine(self) -> Service:
        ready, port = self.home.root / "engine.address", str(free_port())
        self.environment["CONCORD_ENGINE"] = f"sc://{HOST}:{port}"
        return self._start("engine", ready, [*program(), "engine", "--port", port, "--ready-file", str(ready)])

    def _sources(self, plan: Plan) -> Service:
        return self._start("sources", self.home.sources / "endpoint.json", [
            sys.executable, "-m", "infra.local.sources", "--people", str(plan.people), "--days", str(plan.days),
            "--port", "0", "--dir", str(self.home.sources), *(["--canary"] if plan.has_canary else []),
            "--withdraw", str(plan.withdraw)])

    def _store(self) -> Service:
        return self._start("store", self.home.root / "store", [
            sys.executable, "-m", "moto.server", "-H", HOST, "-p", str(urlsplit(self.store).port)])

    def _airflow(self, port: int) -> Service:
        ready = self.home.airflow / "ready"
        service = self._start("airflow", ready, [sys.executable, "-m", "infra.local.airflow_server"], **{
            "AIRFLOW_HOME": str(self.home.airflow), MARK: f"{self.environment[MARK]}-airflow", "SPT_NOENV": "1",
            "NO_COLOR": "1", "SCARF_ANALYTICS": "false", "DO_NOT_TRACK": "1"})
        order = {"port": port, "dags": str(ROOT / "dags"), "ready_file": str(ready), "logs": str(self.home.logs),
                 **self.home.secrets()}
        service.tell(json.dumps(order))
        return service

    def _make_keys(self) -> None:
        made = subprocess.run([*program(), "keys", "create"], env=self.environment, cwd=ROOT, text=True,  # noqa: S603
                              stdin=subprocess.DEVNULL, capture_output=True, check=False)
        if made.returncode:
            raise ServiceEnded(f"the keys could not be made: {(made.stderr or made.stdout).strip()}")
