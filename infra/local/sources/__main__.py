"""python -m infra.local.sources --people 2000 --days 30 --seed 7 --start 2026-10-01 --port 0 --dir DIR"""

from __future__ import annotations

import argparse
import datetime as dt
import time
from pathlib import Path

from .credentials import Tokens
from .faults import Faults, from_text
from .population import Settings
from .server import serve
from .site import Site
from .withdrawals import withdraw
from .world import World


def main() -> None:
    """Read the command line, make the world, serve it."""
    parser = argparse.ArgumentParser(prog="infra.local.sources", description="Six simulated source systems.")
    parser.add_argument("--people", type=int, default=2000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--start", type=dt.date.fromisoformat, default=dt.date(2026, 10, 1), help="first day")
    parser.add_argument("--port", type=int, default=0, help="0 for a free one")
    parser.add_argument("--dir", type=Path, required=True, help="where files for clients are written")
    parser.add_argument("--canary", action="store_true", help="person 0 has recognisable values everywhere")
    parser.add_argument("--faults", default="", help="for example app:429:3,crm:500:1")
    parser.add_argument("--withdraw", type=int, default=0, help="people in by consent who withdraw in the CRM now")
    parser.add_argument("--token-seconds", type=float, default=300.0, help="life of a token")
    parser.add_argument("--polls", type=int, default=2, help="how often an export answers: not yet")
    parser.add_argument("--retry-after", type=int, default=1, help="seconds, in answers that ask for patience")
    given = parser.parse_args()
    if not (1 <= given.people <= 200_000 and 0 <= given.days <= 3660 and 0 <= given.port < 65536 and given.withdraw >= 0):
        parser.error("people must be 1 to 200000, days 0 to 3660, port 0 to 65535, withdraw 0 or more")
    faults = Faults()
    try:
        for fault in from_text(given.faults):
            faults.add(fault)
    except ValueError as error:
        parser.error(f"--faults: {error}")
    world = World(Settings(given.people, given.days, given.seed, given.start, given.canary))
    try:
        withdraw(world, given.dir / "withdrawn.json", given.withdraw, int(time.time()) * 1000)
    except ValueError as error:
        parser.error(f"--withdraw: {error}")
    site = Site(world, Tokens(given.token_seconds), faults, given.polls, given.retry_after)
    serve(site, given.dir, given.port)


if __name__ == "__main__":
    main()
