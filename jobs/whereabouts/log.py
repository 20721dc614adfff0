"""What a Delta table's log says of its files: which came and which went with each version, and which versions can be read."""

from __future__ import annotations

import io
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

import msgspec
from pyarrow.fs import FileSelector, SubTreeFileSystem

LOG, COMMIT, CHECKPOINT = "_delta_log", re.compile(r"\d{20}\.json"), re.compile(r"\d{20}\.checkpoint.*\.parquet")
LATEST = 2**63 - 1  # A version that no table reaches.
ACTIONS = (b'"add"', b'"remove"')


class _File(msgspec.Struct):
    path: str
    dataChange: bool = True


class _Action(msgspec.Struct):
    add: _File | None = None
    remove: _File | None = None


@dataclass(frozen=True)
class State:
    """A version of a table: its files (their ways from the table), and whether it only has rows in other files than the one
    before."""

    version: int
    files: frozenset[str]
    is_care: bool


def states(store: SubTreeFileSystem) -> Iterator[State]:
    """Every version that the log of the table in whose folder a file system is rooted can still open, the oldest first.

    Versions rest on the commit 0, or on the oldest checkpoint from which no commit is missing.
    """
    names = {info.base_name for info in store.get_file_info(FileSelector(LOG, allow_not_found=True)) if info.is_file}
    commits = {int(name[:20]) for name in names if COMMIT.fullmatch(name)}
    first = _first(commits)
    live, base = frozenset[str](), -1
    if first:
        at = min((int(n[:20]) for n in names if CHECKPOINT.fullmatch(n) and int(n[:20]) >= first - 1), default=None)
        if at is None:
            return
        live, base = _checkpoint(store, [n for n in names if CHECKPOINT.fullmatch(n) and int(n[:20]) == at]), at
        yield State(base, live, is_care=False)
    for version in sorted(v for v in commits if v > base):
        added, removed, is_care = _commit(store, version)
        live = (live - removed) | added
        yield State(version, live, is_care)


def commit(table: str, version: int) -> str:
    """The way of the commit that made a version of the table in a folder."""
    return f"{table}/{LOG}/{version:020d}.json"


def there(store: SubTreeFileSystem) -> frozenset[str]:
    """The Parquet files below a table's folder."""
    found = store.get_file_info(FileSelector("", recursive=True, allow_not_found=True))
    return frozenset(info.path for info in found if info.is_file and info.path.endswith(".parquet")
                     and not info.path.startswith(f"{LOG}/"))


def readable(found: Iterable[State], files: Collection[str]) -> list[int]:
    """The versions of which every file is there."""
    there = frozenset(files)
    return [state.version for state in found if state.files <= there]


def _first(commits: set[int]) -> int:
    """The oldest commit from which none is missing up to the newest."""
    version = max(commits, default=0)
    while version - 1 in commits:
        version -= 1
    return version


def _commit(store: SubTreeFileSystem, version: int) -> tuple[frozenset[str], frozenset[str], bool]:
    """The files that came and went with a commit, and whether it only moved rows."""
    with store.open_input_stream(f"{LOG}/{version:020d}.json") as stream:
        lines = stream.read().splitlines()
    actions = [msgspec.json.decode(line, type=_Action) for line in lines if any(action in line[:12] for action in ACTIONS)]
    added, removed = [a.add for a in actions if a.add], [a.remove for a in actions if a.remove]
    is_care = bool(actions) and not any(file.dataChange for file in (*added, *removed))
    return frozenset(unquote(file.path) for file in added), frozenset(unquote(file.path) for file in removed), is_care


def _checkpoint(store: SubTreeFileSystem, names: Sequence[str]) -> frozenset[str]:
    import pyarrow.parquet as pq

    found: set[str] = set()
    for name in names:
        with store.open_input_stream(f"{LOG}/{name}") as stream:
            adds = pq.read_table(io.BytesIO(stream.read()), columns=["add"])["add"].to_pylist()
        found |= {unquote(add["path"]) for add in adds if add is not None}
    return frozenset(found)
