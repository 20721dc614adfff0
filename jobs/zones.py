"""Zone rights on a disk: the modes of the lake's folders, after the one table of `contracts/zones.py`.

The platform's user reads everything. A Unix group may be named whose members read what data scientists may: those folders hand
their group on (set-group-ID), and their default ACL hands on its right to read. A default ACL stands in for the umask
of whoever writes below, so the umask stays as private as it is, be the writer delta-rs, Sail, or a server of its own.
"""

from __future__ import annotations

import errno
import grp
import os
import stat
import struct
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import structlog

from contracts.vocabulary import Zone
from contracts.zones import is_open, is_open_zone
from jobs.errors import ConfigurationError
from jobs.files import ERASING, EXTRACTS, WORK
from jobs.settings import Settings

log = structlog.get_logger()
REFUSALS = (errno.EPERM, errno.EACCES, errno.EROFS, errno.ENOTSUP, errno.EOPNOTSUPP)
CLOSED, PASSED, OPEN, OPEN_FILE = 0o700, 0o710, 0o2750, 0o640
# acl(5), as Linux keeps it: version 2, then tag, permissions and id of user::rwx, group::r-x, other::---.
INHERITED = "system.posix_acl_default"
ACL = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", tag, may, 0xFFFFFFFF) for tag, may in ((1, 7), (4, 5), (32, 0)))


def secure(settings: Settings, tables: Iterable[str]) -> None:
    """Make the folders of a lake on a disk, and give each its mode where it has another; nothing of a lake on s3://.

    Without a group everything is its owner's alone. A folder that was wider than it should be is closed with a warning.
    Raises ConfigurationError where a mode cannot be set, and for a group that does not exist.
    """
    if settings.lake_root.startswith("s3://"):
        if settings.readers_group:
            raise ConfigurationError("CONCORD_READERS_GROUP is for a lake on a disk, and this one is on s3://; unset it, and "
                                     "give readers the bucket policy that `concord zones policy` prints")
        return
    group = group_id(settings.readers_group)
    root = Path(settings.lake_root)
    root.mkdir(mode=CLOSED, parents=True, exist_ok=True)
    if group is not None:
        _let_pass(settings, root, group)
    for folder, mode in rights(root, tables, group is not None):
        _give(folder, mode, group)


def rights(root: Path, tables: Iterable[str], has_readers: bool) -> Iterator[tuple[Path, int]]:
    """Each folder of ours below the root with its mode; a zone that readers have some tables of is one they pass."""
    for name in (WORK, EXTRACTS, ERASING, *map(str, Zone)):
        inside = sorted(table.split(".")[1] for table in tables if table.startswith(f"{name}."))
        opened = {thing for thing in inside if has_readers and is_open(f"{name}.{thing}")}
        if not opened:
            yield root / name, CLOSED
        elif is_open_zone(Zone(name)):
            yield from ((folder, OPEN) for folder in (root / name, *_folders(root / name)))
        else:
            yield root / name, PASSED
            for folder in sorted({root / name / thing for thing in inside} | _folders(root / name)):
                yield folder, OPEN if folder.name in opened else CLOSED


def group_id(name: str) -> int | None:
    """Number of a Unix group, by its name or number; None where none is named. Raises ConfigurationError."""
    try:
        return None if not name else grp.getgrgid(int(name)).gr_gid if name.isdecimal() else grp.getgrnam(name).gr_gid
    except (KeyError, OverflowError):
        raise ConfigurationError(f"CONCORD_READERS_GROUP is {name!r}, and this machine has no such group; make it (groupadd "
                                 f"{name}), correct the name, or unset it") from None


def blocked(root: Path, group: int) -> Path | None:
    """The first folder above the lake that a group cannot pass; None where its members reach the lake."""
    above = reversed((root.resolve(), *root.resolve().parents))
    return next((folder for folder in above if folder.exists() and not _is_passable(folder.stat(), group)), None)


def _let_pass(settings: Settings, root: Path, group: int) -> None:
    """Let a group through the lake's root, not list it; and through our home, where the lake lies in it."""
    home = settings.home.resolve()
    if root.resolve().is_relative_to(home) and not _is_passable(home.stat(), group):
        _give(home, PASSED, group)
    _give(root, PASSED, group)


def _is_passable(found: os.stat_result, group: int) -> bool:
    return bool(found.st_mode & (stat.S_IXGRP if found.st_gid == group else stat.S_IXOTH))


def _give(folder: Path, mode: int, group: int | None) -> None:
    """Make a folder and give it its mode, and its group where the mode is for one."""
    try:
        folder.mkdir(mode=CLOSED, exist_ok=True)
        found = folder.stat()
        had = stat.S_IMODE(found.st_mode)
        if had == mode and (mode == CLOSED or found.st_gid == group) and (mode != OPEN or _inherited(folder) == ACL):
            return
        if had & ~mode & 0o077:
            log.warning("folder was open to others", folder=str(folder), mode=f"{had:04o}", now=f"{mode:04o}")
        if mode == OPEN:
            _open_below(folder, group)
        _set(folder, mode, group)
    except OSError as error:
        if error.errno not in REFUSALS:
            raise
        raise ConfigurationError(f"{folder} should have mode {mode:04o}{'' if mode == CLOSED else f' and group {group}'}, which "
                                 f"cannot be set ({error.strerror}); it must belong to the user who runs concord, who must be a "
                                 "member of CONCORD_READERS_GROUP, on a disk with ACLs (ext4, XFS, Btrfs, tmpfs)") from None


def _open_below(top: Path, group: int | None) -> None:
    """Open what lies in a folder, which stays closed meanwhile: a killed run is made good by the next."""
    top.chmod(CLOSED)
    _hand_on(top, group)
    for place, _, _ in os.walk(top, topdown=False):
        if Path(place) != top:
            _set(Path(place), OPEN, group)
        for file in Path(place).iterdir():
            with suppress(FileNotFoundError):  # Another run may be writing, under a name of a moment.
                if file.is_file() and not file.is_symlink():
                    os.chown(file, -1, -1 if group is None else group)
                    file.chmod(OPEN_FILE)


def _hand_on(folder: Path, group: int | None) -> None:
    os.chown(folder, -1, -1 if group is None else group)
    if not hasattr(os, "setxattr"):
        raise OSError(errno.ENOTSUP, "this system has no ACLs of Linux")
    os.setxattr(folder, INHERITED, ACL)


def _set(folder: Path, mode: int, group: int | None) -> None:
    if mode == OPEN:
        _hand_on(folder, group)
    elif mode == PASSED and group is not None:
        os.chown(folder, -1, group)
    if mode != OPEN and _inherited(folder) is not None:
        os.removexattr(folder, INHERITED)
    folder.chmod(mode)


def _inherited(folder: Path) -> bytes | None:
    try:
        return os.getxattr(folder, INHERITED)
    except (OSError, AttributeError):  # None is there, or this system keeps none.
        return None


def _folders(parent: Path) -> set[Path]:
    return {path for path in parent.iterdir() if path.is_dir() and not path.is_symlink()} if parent.is_dir() else set()
