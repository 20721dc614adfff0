"""Processes of one run of the platform: started with a mark in their environment, found by it, none left behind."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

import psutil

MARK = "CONCORD_FLOW"
PDEATHSIG, SUBREAPER = 1, 36
PATIENCE_SECONDS, BURIAL_SECONDS = 6.0, 2.0
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_interrupted, _forking = threading.Event(), threading.Event()


class ServiceEnded(Exception):
    """A service ended by itself, or did not begin in time; the text names its log and quotes its last lines."""


@dataclass(frozen=True)
class Service:
    """A started program and the file that gets its output."""

    name: str
    process: subprocess.Popen[str]
    log: Path

    def check(self) -> None:
        """Raise ServiceEnded when it no longer runs, KeyboardInterrupt when we were interrupted."""
        if _interrupted.is_set():
            raise KeyboardInterrupt
        if self.process.poll() is not None:
            self._complain(f"ended with status {self.process.returncode}")

    def await_ready(self, is_ready: Callable[[], bool], seconds: float = 120.0) -> None:
        """Wait until it is ready. Raises ServiceEnded when it ends before, or takes too long."""
        deadline = time.monotonic() + seconds
        while not is_ready():
            self.check()
            if time.monotonic() > deadline:
                self._complain(f"was not ready after {seconds:.0f} s")
            time.sleep(0.1)

    def tell(self, line: str) -> None:
        """Write one line to its standard input, which stays open until we end."""
        if self.process.stdin:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()

    def _complain(self, what: str) -> NoReturn:
        raise ServiceEnded(f"{self.name} {what}; {self.log} says:\n{tail(self.log)}")


def start(name: str, arguments: Sequence[str], environment: Mapping[str, str], log: Path, folder: Path) -> Service:
    """Start a program in a session of its own, so that a Ctrl-C reaches only us; it is ended when we are."""
    with log.open("w", encoding="utf-8") as output:
        _forking.set()
        process = subprocess.Popen(list(arguments), env=dict(environment), cwd=folder,  # noqa: S603 - no shell
                                   stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT, text=True,
                                   start_new_session=True, preexec_fn=end_with_parent)
        _forking.clear()
    return Service(name, process, log)


def tail(path: Path, lines: int = 20) -> str:
    """The last lines of a file."""
    with suppress(OSError):
        return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
    return ""


def members(mark: str) -> list[psutil.Process]:
    """Processes that carry the mark, or one that begins with it; not ourselves, nor what waits to be buried."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if (process.pid != os.getpid() and process.environ().get(MARK, "").startswith(mark)
                    and process.status() != psutil.STATUS_ZOMBIE):
                found.append(process)
    return found


def end(mark: str) -> list[int]:
    """End all that carry the mark, politely and then for certain; process ids of what is left, which should be none."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + PATIENCE_SECONDS
        for process in members(mark):
            with suppress(psutil.Error):
                process.send_signal(sign)
        while members(mark) and time.monotonic() < deadline:
            reap()
            time.sleep(0.05)
    deadline = time.monotonic() + BURIAL_SECONDS
    while psutil.Process().children() and time.monotonic() < deadline:
        reap()
        time.sleep(0.02)
    return [process.pid for process in members(mark)]


def reap() -> set[int]:
    """Bury all of our children that have ended; their process ids."""
    ended = set()
    with suppress(ChildProcessError):
        while pid := os.waitpid(-1, os.WNOHANG)[0]:
            ended.add(pid)
    return ended


def heed_interrupts() -> None:
    """Make Ctrl-C, SIGTERM and SIGHUP a KeyboardInterrupt; while we fork, when Python loses it, it comes at a check."""
    for sign in SIGNALS:
        signal.signal(sign, _interrupt)


def ignore_interrupts() -> None:
    """Let nothing disturb the end."""
    for sign in SIGNALS:
        signal.signal(sign, signal.SIG_IGN)


def adopt_orphans() -> None:
    """Become the parent of grandchildren whose parent ends (Linux), so that they can be buried."""
    _prctl(SUBREAPER, 1)


def end_with_parent() -> None:
    """Ask for SIGTERM when the parent ends, however it ends (Linux)."""
    _prctl(PDEATHSIG, signal.SIGTERM)


def _interrupt(number: int, frame: FrameType | None) -> None:
    _interrupted.set()
    if not _forking.is_set():
        raise KeyboardInterrupt


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value)
