"""What must be true before anything starts; each refusal is one plain line that says what to do."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from infra.local.home import Home
from infra.local.processes import end

HOST = "127.0.0.1"
GIGABYTE = 1_000_000_000
NEEDED_BYTES = 2 * GIGABYTE
NEEDED_PACKAGES = ("apache-airflow", "apache-airflow-providers-fab", "boto3", "fastapi", "flask", "moto", "pysail",
                   "trustme", "uvicorn")


class Refusal(Exception):
    """The platform does not start; the text says why and what to do."""


def check(home: Home, port: int, program: Sequence[str], needed_bytes: int = NEEDED_BYTES) -> None:
    """Folders, disk, programs and port. Raises Refusal."""
    check_disk(home.root, needed_bytes)
    check_programs(program)
    check_port(port)


def make(home: Home) -> None:
    """Make the folders and see that they can be written to. Raises Refusal."""
    try:
        home.create()
        (home.root / ".written").touch()
        (home.root / ".written").unlink()
    except OSError as error:
        raise Refusal(f"{home.root} cannot be written to ({error.strerror}); give another folder with --home") from None


def check_disk(folder: Path, needed_bytes: int) -> None:
    """Raise Refusal when the disk is too full."""
    free = shutil.disk_usage(folder).free
    if free < needed_bytes:
        raise Refusal(f"the disk of {folder} has {free / GIGABYTE:.1f} GB left, {needed_bytes / GIGABYTE:.1f} GB are "
                      "needed; make room, or give a folder on another disk with --home")


def check_programs(program: Sequence[str], packages: Sequence[str] = NEEDED_PACKAGES) -> None:
    """Raise Refusal when a program or a Python package is missing."""
    if not shutil.which(program[0]):
        raise Refusal(f"the program {program[0]} is missing; correct CONCORD_EXECUTABLE, or unset it")
    missing = [name for name in packages if not _is_installed(name)]
    if missing:
        raise Refusal(f"Python packages are missing: {', '.join(missing)}; make run installs all that are needed")


def check_port(port: int) -> None:
    """Raise Refusal when a port of loopback is taken; 0 means any free one and never is."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError as error:
            raise Refusal(f"port {port} cannot be used ({error.strerror}); stop what uses it, or give another "
                          "with --port (0 takes a free one)") from None


def free_port() -> int:
    """A port of loopback that nobody uses now."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return int(listener.getsockname()[1])


@contextmanager
def locked(home: Home, mark: str) -> Iterator[None]:
    """Keep a second copy away from this folder; what a killed one left running is ended first. Raises Refusal."""
    with (home.root / "run.lock").open("a+", encoding="utf-8") as file:
        file.seek(0)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            pid = _entry(file.read()).get("pid", "unknown")
            raise Refusal(f"Concord already runs in {home.root} (process {pid}); stop it first, or give another folder "
                          "with --home") from None
        if left := _entry(file.read()).get("mark"):
            end(str(left))
        _write(file.fileno(), json.dumps({"pid": os.getpid(), "mark": mark}))
        try:
            yield
        finally:
            _write(file.fileno(), "")


def _entry(text: str) -> dict[str, object]:
    with suppress(ValueError):
        found = json.loads(text)
        return found if isinstance(found, dict) else {}
    return {}


def _write(descriptor: int, text: str) -> None:
    os.ftruncate(descriptor, 0)
    os.write(descriptor, text.encode())


def _is_installed(name: str) -> bool:
    with suppress(PackageNotFoundError):
        return bool(version(name))
    return False
