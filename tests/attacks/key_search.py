"""Looking for secrets in whatever form somebody may have written them, and watching what a command shows while it runs."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest
from pyspark.sql.connect.client import DefaultChannelBuilder

from jobs import key_stores, keys
from tests.acceptance.canary import texts

ROOT = Path(__file__).resolve().parents[2]
HALF = 16
Places = Mapping[str, bytes]


def forms(secret: bytes) -> dict[str, bytes]:
    """Every form in which a secret may stand in a text, as it is and as a part of something longer."""
    found = {"raw": secret, "hex": secret.hex().encode(), "HEX": secret.hex().upper().encode(), "repr": repr(secret)[2:-1].encode(),
             "list": ", ".join(map(str, secret)).encode(), "java": ", ".join(str(b - 256 * (b > 127)) for b in secret).encode()}
    for shift in range(3):  # Of four signs some tell of what stands before or after, too: those are left out.
        for name, encode in (("base64", base64.b64encode), ("base64url", base64.urlsafe_b64encode)):
            text = encode(bytes(shift) + secret).rstrip(b"=")
            end = len(text) if (shift + len(secret)) % 3 == 0 else len(text) - 1
            found[f"{name}+{shift}"] = text[-(-shift * 4 // 3):end]
    return found


def found(places: Places, secrets: Mapping[str, bytes]) -> list[str]:
    """Where half a secret stands, in which form; what is found is named, not shown."""
    wanted = [(f"{name} ({part} half, {form})", text) for name, secret in secrets.items()
              for part, half in (("first", secret[:HALF]), ("last", secret[-HALF:])) for form, text in forms(half).items()]
    return [f"{place} holds {name}" for place, content in places.items() for name, text in wanted if text in content]


def secrets_of(folder: Path, domains: Iterable[str]) -> dict[str, bytes]:
    """The master secret, every salt, and every key that is derived from them."""
    made = {"master": key_stores.master(folder, "file")}
    for path in sorted(folder.glob("*.salt")):
        domain, epoch, _ = path.name.split(".")
        made[f"salt of {domain}/{epoch}"] = path.read_bytes()
        made[f"key of {domain}/{epoch}"] = keys.epoch_key(folder, domain, int(epoch))
    assert {name.rpartition("/")[0] for name in made if name.startswith("key")} == {f"key of {domain}" for domain in domains}
    return made | {f"key of {name}": keys.reference_key(folder, name) for name in ("reversals", "ledger.withdrawal")}


def files(folder: Path, leave_out: tuple[str, ...] = ()) -> dict[str, bytes]:
    """Every file below a folder, as bytes and, where it is Parquet, as its values."""
    return {str(path): content for path, content in texts(folder, leave_out)}


@dataclass
class Watch:
    """Commands that were run, and all that could be seen of them: what they said, how the system lists them, what they worked on."""

    environment: dict[str, str]
    folders: tuple[Path, ...]
    program: tuple[str, ...] = (sys.executable, "-m", "jobs")
    seen: dict[str, bytes] = field(default_factory=dict)
    _known: set[tuple[str, int]] = field(default_factory=set)

    def concord(self, *words: str, given: str = "", **more: str) -> tuple[int, str]:
        """Run `concord WORDS` in a process of its own, watched until it ends; its status and what it said."""
        process = subprocess.Popen([*self.program, *words], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, env={**self.environment, **more})
        name, said = f"{len(self.seen)} {' '.join(words)}", b""
        text: str | None = given
        while True:
            try:
                said, _ = process.communicate(text.encode() if text is not None else None, timeout=0.05)
                break
            except subprocess.TimeoutExpired:
                text = None
                self._look(name, process.pid)
        self.seen[f"output of {name}"] = said
        return process.returncode, said.decode()

    def _look(self, name: str, pid: int) -> None:
        with suppress(psutil.Error):
            top = psutil.Process(pid)
            for process in (top, *top.children(recursive=True)):
                with suppress(psutil.Error):
                    shown = "\0".join((*process.cmdline(), *(f"{k}={v}" for k, v in process.environ().items())))
                    self.seen[f"process list of {name} {process.pid} {process.name()}"] = shown.encode()
        for folder in self.folders:
            for path in _there(folder):
                with suppress(OSError):
                    if path.is_file() and (mark := (str(path), path.stat().st_size)) not in self._known:
                        self._known.add(mark)
                        self.seen[f"during {name}: {path}"] = path.read_bytes()


def _there(folder: Path) -> Iterator[Path]:
    """The files of a folder, of which any may go while it is looked through."""
    for where, _, names in os.walk(folder):
        yield from (Path(where) / name for name in names)


@contextmanager
def sent_to_the_engine(patch: pytest.MonkeyPatch) -> Iterator[dict[str, bytes]]:
    """Every message that goes to an engine while the block runs: plans, and rows that go with them."""
    seen: dict[str, bytes] = {}

    def keep(request: Any) -> Any:
        seen[f"message {len(seen)}"] = request if isinstance(request, bytes) else request.SerializeToString()
        return request

    class Kept(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor, grpc.StreamUnaryClientInterceptor):  # type: ignore[misc]
        def intercept_unary_unary(self, ask: Any, details: Any, request: Any) -> Any:
            return ask(details, keep(request))

        intercept_unary_stream = intercept_unary_unary

        def intercept_stream_unary(self, ask: Any, details: Any, requests: Any) -> Any:
            return ask(details, map(keep, requests))

    opened = DefaultChannelBuilder.toChannel
    patch.setattr(DefaultChannelBuilder, "toChannel", lambda builder: grpc.intercept_channel(opened(builder), Kept()))
    yield seen
