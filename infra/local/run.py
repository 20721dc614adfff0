"""The whole platform: python -m infra.local.run [--once] [--people 2000] [--days 30] [--withdraw 0]
[--home .concord] [--port 8080]"""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from contracts import ContractError, catalog
from contracts.life import Environment, may_run
from infra.local import preflight
from infra.local.airflow_api import AirflowRefused, Api
from infra.local.flow import FRESHNESS, MATCHING, Flow, FlowFailed
from infra.local.home import Home
from infra.local.processes import ServiceEnded, adopt_orphans, end, heed_interrupts, ignore_interrupts
from infra.local.services import Plan, Services, program

FAILED, REFUSED, INTERRUPTED = 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the platform; 0 when all went well, 1 when a task or a service failed, 2 when it could not start."""
    given = _options().parse_args(arguments)
    os.umask(0o077)
    console, mark = Console(soft_wrap=True), f"concord-{secrets.token_hex(8)}"
    heed_interrupts()
    home = Home(given.home.resolve())
    try:
        expected = _dags()
        preflight.make(home)
        with preflight.locked(home, mark):
            preflight.check(home, given.port, program())
            return _run(given, home, mark, expected, console)
    except (preflight.Refusal, ContractError) as refusal:
        console.print(f"concord: {refusal}", markup=False, highlight=False)
        return REFUSED
    except KeyboardInterrupt:
        return INTERRUPTED


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="infra.local.run", description="The whole platform on this machine.")
    parser.add_argument("--once", action="store_true", help="end after one pass instead of staying up")
    parser.add_argument("--people", type=int, default=2000, help="how many people the source systems know")
    parser.add_argument("--days", type=int, default=30, help="how many days they have data for")
    parser.add_argument("--home", type=Path, default=Path(".concord"), help="folder for the lake, keys and logs")
    parser.add_argument("--port", type=int, default=8080, help="Airflow's port on loopback; 0 for a free one")
    parser.add_argument("--withdraw", type=int, default=0, help="how many people withdraw in the CRM before the flow starts")
    parser.add_argument("--canary", action="store_true", help="give the first person recognisable values, for tests")
    return parser


def _run(given: argparse.Namespace, home: Home, mark: str, expected: set[str], console: Console) -> int:
    adopt_orphans()
    services = Services(home, mark)
    try:
        url, flow = _start(given, services, home, console)
        flow.drive(expected)
        is_sound = services.summarise()
        _explain(home, url, console, given.once)
        if not given.once:
            _stay(services)
        return 0 if is_sound else FAILED
    except (FlowFailed, ServiceEnded, AirflowRefused) as failure:
        console.print(f"concord: {failure}", markup=False, highlight=False)
        return FAILED
    finally:
        _stop(mark, console)


def _start(given: argparse.Namespace, services: Services, home: Home, console: Console) -> tuple[str, Flow]:
    began = time.monotonic()
    console.print(f"starting source systems with {given.people} people over {given.days} days, store, engine, Airflow")
    url = services.start(Plan(given.people, given.days, given.port, given.canary, given.withdraw))
    console.print(f"all services are up after {time.monotonic() - began:.0f} s; Airflow is at {url}", highlight=False)
    users = home.secrets()["users"]
    engineer, officer = (Api(url, name, users[name]["password"]) for name in ("engineer", "officer"))
    if given.withdraw:
        console.print(f"{given.withdraw} people who were in by consent have withdrawn in the CRM")
    return url, Flow(engineer, officer, console, services.check)


def _dags() -> set[str]:
    contracts, today = catalog(), datetime.now(UTC).date()
    made = {kind: [c.id for c in getattr(contracts, kind).values() if may_run(c, Environment.DEVELOPMENT, today)]
            for kind in ("products", "recipients")}
    return {"people", MATCHING, FRESHNESS, *(f"source_{name}" for name in contracts.sources),
            *(f"product_{n}" for n in made["products"]), *(f"release_{n}" for n in contracts.release_groups()),
            *(f"extract_{n}" for n in made["recipients"]), *(f"recall_{n}" for n in contracts.recipients)}


def _stay(services: Services) -> None:
    with suppress(KeyboardInterrupt):
        while True:
            services.check()
            time.sleep(1)


def _explain(home: Home, url: str, console: Console, is_over: bool) -> None:
    engineer = home.secrets()["users"]["engineer"]["password"]
    for line in (f"lake     {home.lake}", f"Airflow  {url}", f"log-in   engineer, password {engineer}",
                 f"         officer (approves extracts) and admin: passwords in {home.accounts}",
                 f"logs     {home.logs}", "stopping everything" if is_over else "Ctrl-C stops everything"):
        console.print(line, markup=False, highlight=False)


def _stop(mark: str, console: Console) -> None:
    ignore_interrupts()
    if left := end(mark):
        console.print(f"concord: these processes would not end: {', '.join(map(str, left))}", highlight=False)
    else:
        console.print("stopped; no process is left")


if __name__ == "__main__":
    sys.exit(main())
