"""A folder that nobody sees before it is whole: written aside under a name of its own, listed with hashes, and renamed last."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from jobs.errors import ConfigurationError

MANIFEST = "manifest.json"
OWNER, OWNERS = 0o600, 0o700
ASIDE = ".concord-access-"  # What killed runs leave begins so; nothing else of anybody's does.


@dataclass
class Part:
    """One file under way: its content so far as a hash, its size in bytes, and its lines where it has any."""

    stream: BinaryIO
    digest: Any = field(default_factory=hashlib.sha256)
    size: int = 0
    lines: int | None = None

    def write(self, content: bytes) -> None:
        """Append."""
        self.stream.write(content)
        self.digest.update(content)
        self.size += len(content)


class Folder:
    """The files of one folder under way; none is held in memory."""

    def __init__(self, place: Path, stack: ExitStack) -> None:
        self._place, self._stack = place, stack
        self._parts: dict[str, Part] = {}

    def part(self, name: str) -> Part:
        """The file of a name (a way from the folder), begun where it is not there yet."""
        if name not in self._parts:
            path = self._place / name
            path.parent.mkdir(mode=OWNERS, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, OWNER)
            self._parts[name] = Part(self._stack.enter_context(os.fdopen(descriptor, "wb")))
        return self._parts[name]

    def write(self, name: str, content: bytes) -> None:
        """Write a file whole; one that is there already stays."""
        if name not in self._parts:
            self.part(name).write(content)
            self._parts[name].stream.close()

    def line(self, name: str, value: Any) -> None:
        """Append a JSON value as a line of a file."""
        part = self.part(name)
        part.write(msgspec.json.encode(value) + b"\n")
        part.lines = (part.lines or 0) + 1

    def files(self) -> list[dict[str, Any]]:
        """Name, bytes, sha256 and lines of each file so far, by name."""
        return [{"name": name, "bytes": part.size, "sha256": part.digest.hexdigest(),
                 **({"lines": part.lines} if part.lines is not None else {})} for name, part in sorted(self._parts.items())]

    def end(self, said: dict[str, Any]) -> str:
        """Write the manifest, which says ``said`` and lists every other file; its sha256."""
        self.write(MANIFEST, msgspec.json.format(msgspec.json.encode({**said, "files": self.files()})))
        return str(self._parts[MANIFEST].digest.hexdigest())


def refuse_unfit(out: Path, homes: tuple[Path, ...]) -> None:
    """Raise ConfigurationError, which does not repeat the name, unless such a folder can be made: it is not there or empty, and
    lies in a folder that is there and in none of ``homes``, where an erasure would find it and readers might."""
    if out.is_symlink() or (out.exists() and not (out.is_dir() and not any(out.iterdir()))):
        raise ConfigurationError("--out is there already and no empty folder; name another one, or empty it")
    if not out.parent.is_dir():
        raise ConfigurationError("the folder that --out is to lie in is not there; make it first, for yourself alone")
    if any(out.resolve().is_relative_to(home.resolve()) for home in homes):
        raise ConfigurationError("--out lies in the platform's own folders; name one outside of CONCORD_HOME and the lake")


@contextmanager
def whole(out: Path) -> Iterator[Folder]:
    """A folder that takes the name ``out`` when everything within went well, and else leaves nothing.

    What killed runs left beside it goes first. Raises ConfigurationError where something has that name by then.
    """
    for left in out.parent.iterdir():
        if left.name.startswith(f"{ASIDE}{out.name}-") and left.name.rpartition("-")[2].isdigit():
            shutil.rmtree(left)
    place = out.parent / f"{ASIDE}{out.name}-{os.getpid()}"
    place.mkdir(mode=OWNERS)
    try:
        with ExitStack() as stack:
            yield Folder(place, stack)
        _name(place, out)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _name(place: Path, out: Path) -> None:
    try:
        os.rename(place, out)
    except OSError as error:
        raise ConfigurationError(f"--out cannot be made ({error.strerror}); name a folder that is not there") from None
