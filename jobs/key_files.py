"""Files that only this user reads: written once, and read back only while that holds."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from jobs.errors import KeysUnreadable


def read_own(path: Path) -> bytes:
    """The content of a file. Raises KeysUnreadable where others can read it, or nobody can."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            raise KeysUnreadable(f"{path} can be read by others (mode {mode:04o}); run chmod 600 {path}")
        return path.read_bytes()
    except OSError as error:
        raise KeysUnreadable(f"{path} cannot be read ({error.strerror}); run `concord keys create` once, or restore "
                             "the file from its backup") from None


def write_once(path: Path, content: bytes) -> bool:
    """Write a file of mode 0600 that is not there yet; True when it was written."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    return True
