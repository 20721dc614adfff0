"""Airflow in one process tree on loopback: its code is imported once, then its three services are forked.

Started as a child with AIRFLOW_HOME, ``CONCORD_FLOW`` (a mark) and SPT_NOENV=1 (or else Airflow wipes the mark) in its
environment. The first line of standard input is its order, as JSON: port, dags, ready_file, logs, users, fernet_key.
Tasks read connections from connections.json in AIRFLOW_HOME. The ready file is written when all are healthy; all end
when standard input closes, so also when the one who started it is killed.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import signal
import sys
import time
import traceback
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from infra.local import airflow_config, airflow_database
from infra.local.processes import MARK, adopt_orphans, end, end_with_parent, reap

SERVICES = (("api-server",), ("scheduler", "--skip-serve-logs"), ("dag-processor",))
SHARED = ("airflow.jobs.scheduler_job_runner", "airflow.dag_processing.manager", "airflow.executors.local_executor",
          "airflow.cli.cli_parser", "airflow.api_fastapi.core_api.app", "airflow.api_fastapi.execution_api.app",
          "airflow.cli.commands.api_server_command", "airflow.providers.fab.www.app", "uvicorn")


def main() -> None:
    """Read the order, serve until standard input closes, leave nothing behind."""
    os.umask(0o077)
    order = json.loads(sys.stdin.readline())
    home = Path(os.environ["AIRFLOW_HOME"])
    settings = airflow_config.configuration(home, Path(order["dags"]), order["port"], order["fernet_key"])
    airflow_config.write(home, settings)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    adopt_orphans()
    try:
        serve(order)
    finally:
        end(os.environ[MARK])


def serve(order: dict[str, Any]) -> None:
    """Prepare the database while the code loads, start the services, say when they are healthy, watch them."""
    logs = Path(order["logs"])
    setup = fork(logs / "airflow-database.log", lambda: airflow_database.prepare(order["users"]))
    for module in SHARED:
        importlib.import_module(module)
    if os.waitpid(setup, 0)[1]:
        raise SystemExit(f"Airflow's database could not be prepared; see {logs / 'airflow-database.log'}")
    gc.collect()
    gc.freeze()
    services = {fork(logs / f"airflow-{command[0]}.log", partial(run, command)): command[0] for command in SERVICES}
    url = f"http://{airflow_config.HOST}:{order['port']}"
    while not is_healthy(url):
        check(services)
        time.sleep(0.1)
    Path(order["ready_file"]).write_text(url, encoding="utf-8")
    while not (select.select([sys.stdin], [], [], 1)[0] and not sys.stdin.readline()):
        check(services)


def fork(log: Path, work: Callable[[], object]) -> int:
    """Do work in a child of its own session whose output goes to a file; its process id."""
    if pid := os.fork():
        return pid
    status = 1
    try:
        os.setsid()
        end_with_parent()
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
        for stream, descriptor in ((os.open(os.devnull, os.O_RDONLY), 0), (output, 1), (output, 2)):
            os.dup2(stream, descriptor)
        work()
        status = 0
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def run(command: tuple[str, ...]) -> None:
    """Be one of Airflow's commands."""
    sys.argv = ["airflow", *command]
    from airflow.__main__ import main as airflow

    airflow()


def is_healthy(url: str) -> bool:
    """Whether all parts say that they are well.

    The tasks' own interface is asked first: its first answer takes seconds in which everything else would wait.
    """
    with suppress(OSError, ValueError):
        ask(f"{url}/execution/health")
        health = json.loads(ask(f"{url}/api/v2/monitor/health"))
        return all(health[part]["status"] == "healthy" for part in ("metadatabase", "scheduler", "dag_processor"))
    return False


def ask(url: str) -> bytes:
    """The answer to a GET on loopback. Raises OSError."""
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - http on loopback
        content: bytes = answer.read()
        return content


def check(services: dict[int, str]) -> None:
    """Bury what ended. Raises SystemExit when it was one of the services."""
    for pid in reap() & services.keys():
        raise SystemExit(f"Airflow's {services[pid]} ended by itself")


if __name__ == "__main__":
    main()
