"""The `concord` program without its imports: each command is a fork of one process that has imported everything.

An import of everything costs a processor five seconds, and a flow through Airflow runs a hundred commands. What runs is a process
of its own with the words, environment, folder, rights of new files and open files of the program that was started.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[1]
LARGEST = 1 << 20  # Bytes of a command's words and environment.
PROGRAM = """#!{python} -IS
import json, os, socket, sys
if sys.argv[1] == "engine":  # A service, which is ended by signals of its own.
    os.execv(sys.executable, [sys.executable, "-m", "jobs", *sys.argv[1:]])
mask = os.umask(0o077)
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asked:
    asked.connect({address!r})
    socket.send_fds(asked, [json.dumps([sys.argv[1:], dict(os.environ), os.getcwd(), mask]).encode()], [0, 1, 2])
    sys.exit(int(asked.recv(16) or 1))
"""


@contextmanager
def warm(folder: Path) -> Iterator[Path]:
    """The program, for CONCORD_EXECUTABLE; it works until the block ends. Its path has to be short, as a socket's has."""
    address, program = folder / "asked", folder / "concord"
    server = subprocess.Popen([sys.executable, "-m", "tests.warm_program", str(address)], cwd=ROOT, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, start_new_session=True)
    try:
        assert server.stdout and server.stdout.readline(), "the process that imports everything did not start"
        program.write_text(PROGRAM.format(python=sys.executable, address=str(address)), "utf-8")
        program.chmod(0o700)
        yield program
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.communicate()


def serve(address: str) -> NoReturn:
    """Answer one program after the other, each in a fork."""
    importlib.import_module("tests.faults.warm")
    gc.freeze()  # What all commands have in common is not looked through for garbage by each.
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(address)
        listening.listen(64)
        print("ready", flush=True)
        while True:
            asked, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                _answer(asked)
            asked.close()
            with suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass


def _answer(asked: socket.socket) -> NoReturn:
    """Run the command in a fork, and tell its status: 128 and the signal where one ended it, as a shell does."""
    content, descriptors, *_ = socket.recv_fds(asked, LARGEST, 3)
    command = os.fork()
    if command == 0:
        asked.close()
        for place, descriptor in enumerate(descriptors):
            os.dup2(descriptor, place)
        _run(*json.loads(content))
    status = os.waitstatus_to_exitcode(os.waitpid(command, 0)[1])
    asked.send(str(status if status >= 0 else 128 - status).encode())
    os._exit(0)


def _run(words: list[str], environment: dict[str, str], folder: str, mask: int) -> NoReturn:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    os.umask(mask)
    from jobs.__main__ import main

    sys.argv, status = ["concord", *words], 1
    try:
        main()
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    serve(sys.argv[1])
