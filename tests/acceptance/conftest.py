"""One whole run of the platform, as a newcomer starts it, with a person whose every value can be recognised."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from contracts import catalog
from jobs.lake import Lake
from jobs.settings import Settings
from tests.warm_program import warm

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class WholeRun:
    """Where it ran, what it printed, and its summary."""

    home: Path
    output: str
    settings: Settings

    @property
    def lake(self) -> Lake:
        """The lake of the run, for Arrow reads."""
        return Lake(self.settings.lake_root, catalog().tables)

    def command(self, *arguments: str) -> str:
        """What a `concord` command prints on this lake."""
        done = subprocess.run([sys.executable, "-m", "jobs", *arguments], cwd=ROOT, capture_output=True, text=True,
                              check=True, timeout=120, env=environment(self.home))
        return done.stdout

    def summary(self) -> dict:
        """The summary as JSON."""
        return json.loads(self.command("summary", "--json"))


def environment(home: Path) -> dict[str, str]:
    """The environment of a newcomer's shell, and where this run keeps its things."""
    return {**{k: v for k, v in os.environ.items() if not k.startswith("CONCORD_")}, "CONCORD_HOME": str(home)}


def run_once(home: Path, *options: str, program: Path | None = None) -> str:
    """One pass of `make run ONCE=1` over a small population; its output. Fails when it ends with an error.

    With ``program`` its commands are forks of a process that has imported everything (tests/warm_program.py).
    """
    given = {"CONCORD_EXECUTABLE": str(program)} if program else {}
    done = subprocess.run(
        [sys.executable, "-m", "infra.local.run", "--once", "--people", "80", "--days", "4", "--port", "0", "--canary",
         "--home", str(home), *options], cwd=ROOT, capture_output=True, text=True, timeout=900, env=environment(home) | given)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The `concord` program without its imports."""
    with warm(tmp_path_factory.mktemp("warm")) as made:
        yield made


@pytest.fixture(scope="session")
def whole_run(program: Path, tmp_path_factory: pytest.TempPathFactory) -> WholeRun:
    home = tmp_path_factory.mktemp("whole") / "home"
    output = run_once(home, program=program)
    return WholeRun(home, output, Settings(home=home, lake=str(home / "lake"), engine="sail"))
