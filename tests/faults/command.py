"""The `concord` command in a process that can be killed.

Python's fork server imports everything once; each command is a fork of it, which starts its own engine. What is killed is so a
real process with a real Sail in it, and costs no twenty seconds of imports.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.faults.points import Kill, Points

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["tests.faults.warm"])
MOST_SECONDS = 300


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit status (-9 when it was killed), what it said, and the writes it came to."""

    status: int
    output: str
    errors: str
    points: list[str]

    @property
    def is_killed(self) -> bool:
        """Whether it died by SIGKILL."""
        return self.status == -signal.SIGKILL

    @property
    def report(self) -> dict[str, Any]:
        """The report of a stage. Fails when it did not end well."""
        assert self.status == 0, self.errors
        return dict(json.loads(self.output.splitlines()[-1]))


def concord(home: Path, *words: str, kill: Kill | None = None) -> Ended:
    """Run `concord WORDS` on a home, in this environment otherwise, killed where it is told. Fails when it does not end."""
    own = {"CONCORD_HOME": str(home), "CONCORD_ENGINE": os.environ.get("CONCORD_ENGINE", "sail"), "CONCORD_ACTOR": "test"}
    with tempfile.TemporaryDirectory() as folder:
        there = Path(folder)
        process = SERVER.Process(target=_run, args=({**os.environ, **own}, words, kill, there))
        process.start()
        process.join(MOST_SECONDS)
        if process.is_alive():
            process.kill()
            raise AssertionError(f"concord {' '.join(words)} did not end within {MOST_SECONDS} seconds")
        output, errors, points = ((there / name).read_text("utf-8") if (there / name).exists() else ""
                                  for name in ("output", "errors", "points"))
        return Ended(process.exitcode or 0, output, errors, points.splitlines())


def _run(environment: dict[str, str], words: tuple[str, ...], kill: Kill | None, folder: Path) -> None:
    os.environ.clear()
    os.environ.update(environment)
    for name, descriptor in (("output", 1), ("errors", 2)):
        os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT, 0o600), descriptor)
    from jobs.__main__ import main

    Points(folder / "points", kill).watch()
    sys.argv = ["concord", *words]
    main()
