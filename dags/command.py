"""One ``concord`` process of an Airflow task: its start, its output line by line, and its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress

PATIENCE_SECONDS = 5


def executable() -> list[str]:
    """The program: ``CONCORD_EXECUTABLE``, or the jobs of the Python that runs Airflow."""
    own = os.environ.get("CONCORD_EXECUTABLE")
    return [own] if own else [sys.executable, "-m", "jobs"]


class Command:
    """A running command in a process group of its own; it has no input and was started without a shell."""

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        vector = [*executable(), *arguments]
        self.process = subprocess.Popen(vector, env=dict(environment), stdin=subprocess.DEVNULL,  # noqa: S603
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1,
                                        encoding="utf-8", errors="replace", start_new_session=True)

    def follow(self, say: Callable[[str], None]) -> tuple[int, str]:
        """Say each line when it comes; the exit status and the last line of standard output that is not empty."""
        aside = threading.Thread(target=_pass_on, args=(self.process.stderr, say), daemon=True)
        aside.start()
        last = _pass_on(self.process.stdout or (), say)
        status = self.process.wait()
        aside.join(PATIENCE_SECONDS)
        return status, last

    def end(self) -> None:
        """End the whole group: politely, then for certain."""
        for sign in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError, subprocess.TimeoutExpired):
                os.killpg(self.process.pid, sign)
                self.process.wait(PATIENCE_SECONDS)


def _pass_on(lines: Iterable[str], say: Callable[[str], None]) -> str:
    last = ""
    for line in lines:
        last = line.strip() or last
        say(line.rstrip("\n"))
    return last
