"""Turns: of two runs that would write the same thing on this machine, the second waits a little and then gives up.

Airflow runs each DAG once at a time; this is for a person who starts a command beside it. A lock of the operating system
falls with its process, so a killed run leaves none behind.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from jobs.errors import LostRace

PATIENCE_SECONDS = 20.0


@contextmanager
def turn(folder: Path, name: str, patience: float | None = None) -> Iterator[None]:
    """Hold the turn called ``name``. Raises LostRace when another run holds it for longer than ``patience`` seconds."""
    patience = PATIENCE_SECONDS if patience is None else patience
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    deadline = time.monotonic() + patience
    # A name that somebody typed may hold anything: as a file it stays in its folder.
    with open(folder / f"{quote(name, safe='')}.lock", "w", encoding="utf-8") as file:
        while not _taken(file.fileno()):
            if time.monotonic() > deadline:
                raise LostRace(f"another run is at work on {name}; run it again later")
            time.sleep(0.05)
        yield


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
