"""Files that only this user reads: written once, and read back only while that holds."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from jobs.errors import KeysUnreadable

CREATE = "run `concord keys create` once, or restore the file from its backup"


def read_own(path: Path, advice: str = CREATE) -> bytes:
    """The content of a file. Raises KeysUnreadable where others can read it, or nobody can, with the ``advice``."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            raise KeysUnreadable(f"{path} can be read by others (mode {mode:04o}); run chmod 600 {path}")
        return path.read_bytes()
    except OSError as error:
        raise KeysUnreadable(f"{path} cannot be read ({error.strerror}); {advice}") from None


def write_once(path: Path, content: bytes) -> bool:
    """Write a file of mode 0600 that is not there yet; True when it was written."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    except OSError as error:
        raise KeysUnreadable(f"{path} cannot be written ({error.strerror}); {CREATE}") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())  # What is made with a key must not be on the disk before it.
    return True


def destroy(path: Path) -> None:
    """Write zeros over a file and delete it, if it is there. Raises KeysUnreadable.

    A disk may keep what stood there before (a journal, a snapshot, spare blocks of flash), and so may a backup.
    """
    try:
        with open(path, "r+b") as file:
            file.write(bytes(path.stat().st_size))
            file.flush()
            os.fsync(file.fileno())
        path.unlink()
    except FileNotFoundError:
        return
    except OSError as error:
        raise KeysUnreadable(f"{path} cannot be destroyed ({error.strerror}); give this user the right to, and run it "
                             "again") from None
