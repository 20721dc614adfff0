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
HOUSE = "%"  # No name of a turn is quoted so.


@contextmanager
def turn(folder: Path, name: str, patience: float | None = None) -> Iterator[None]:
    """Hold the turn called ``name``. Raises LostRace when another run holds it for longer than ``patience`` seconds."""
    # A name that somebody typed may hold anything: as a file it stays in its folder.
    with _locked(folder, quote(name, safe=""), fcntl.LOCK_EX, patience, f"another run is at work on {name}; run it again later"):
        yield


@contextmanager
def house(folder: Path, alone: bool) -> Iterator[None]:
    """Be in the house with others, or ``alone``. Raises LostRace where somebody stays alone in it, or others do not leave."""
    said = "other stages are at work, and this one must be alone; run it again when they have ended" if alone else (
        "people are being forgotten, and nothing else runs meanwhile; run it again later")
    with _locked(folder, HOUSE, fcntl.LOCK_EX if alone else fcntl.LOCK_SH, None, said):
        yield


@contextmanager
def _locked(folder: Path, name: str, kind: int, patience: float | None, said: str) -> Iterator[None]:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    deadline = time.monotonic() + (PATIENCE_SECONDS if patience is None else patience)
    with open(folder / f"{name}.lock", "w", encoding="utf-8") as file:
        while not _taken(file.fileno(), kind):
            if time.monotonic() > deadline:
                raise LostRace(said)
            time.sleep(0.05)
        yield


def _taken(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
