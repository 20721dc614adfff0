"""What keeps older versions of a table readable: its properties, and where an engine begins to read its log."""

from __future__ import annotations

import io
import json
import re
import time
from collections.abc import Collection
from typing import Any

import pyarrow.parquet as pq

from jobs import stamps
from jobs.files import Files

# By default a writer removes log entries a month after they came, and VACUUM the files of versions that are a week old.
EVER = "interval 36500 days"
PROPERTIES = {"delta.enableExpiredLogCleanup": "false", "delta.logRetentionDuration": EVER,
              "delta.deletedFileRetentionDuration": EVER}
# Many small files are read more slowly than one; joining a few at a time would write the large ones over and over.
MANY, WHOLE = 16, 64 * 1024 * 1024
HINT, FIRST = "_last_checkpoint", f"{0:020d}.checkpoint.parquet"


def reach_back(table: str) -> None:
    """Let engines read versions that are older than the last checkpoint of the table at an address.

    Sail 0.7.2 begins at the checkpoint that the hint of Delta's protocol names, for versions before it too, and then misses
    commits. The hint may be absent or old: whoever reads lists the log from there and finds the checkpoint that
    fits. It is taken away, or names the checkpoint of version 0 where there is one: on S3, readers who may list some prefixes
    only are refused a file that is missing.
    """
    log = Files(f"{table}/_delta_log")
    hint = log.read(HINT)
    if hint is None or json.loads(hint)["version"] == 0:
        return
    first = log.read(FIRST)
    if first is None:
        log.remove(HINT)
    else:
        log.write(HINT, json.dumps({"version": 0, "size": pq.read_metadata(io.BytesIO(first)).num_rows}).encode())


def swept(table: Any, path: str, keep: Collection[int], hours: int, dry_run: bool) -> int:
    """Remove the files that no version of a DeltaTable which stood within ``hours`` needs, and none of ``keep``; how many.

    VACUUM counts from when a file was replaced. Compaction replaces those of a version that stands on, so the one that stood
    ``hours`` ago is kept by its number. No commit is made, as VACUUM makes two.
    """
    until = time.time() * 1000 - hours * 3_600_000
    changes = stamps.changes(table.history())
    stood = {e["version"] for e in (*changes[:1], *[e for e in changes if e["timestamp"] <= until][:1])}
    kept = {*keep, *stood} - lost(path, stood)
    unneeded = table.vacuum(retention_hours=hours, dry_run=True, enforce_retention_duration=False, full=True,
                            keep_versions=sorted(kept))
    files = Files(path)
    there = files.names() & set(unneeded)  # The log tells of files that went long ago, too.
    for name in () if dry_run else sorted(there):
        files.remove(name)
    return len(there)


def compacted(table: Any, writer: Any, properties: Any) -> int:
    """Join the small files of a DeltaTable where there are ``MANY``; how many they were. Those of before stay for a ``swept``."""
    sizes = table.get_add_actions().column("size_bytes").to_pylist()
    if sum(size < WHOLE // 2 for size in sizes) < MANY:  # What was joined is a little smaller than was asked for.
        return 0
    done = table.optimize.compact(target_size=WHOLE, writer_properties=writer, commit_properties=properties)
    return int(done["numFilesRemoved"])


def lost(path: str, wanted: Collection[int]) -> set[int]:
    """Those of some versions of the table at an address that its log cannot open any more.

    A version rests on the newest checkpoint up to it, or on version 0, and on each commit since; lakes that are older than
    ``PROPERTIES`` lost theirs a month after they came.
    """
    names = Files(f"{path}/_delta_log").names()
    commits = {int(name[:20]) for name in names if re.fullmatch(r"\d{20}\.json", name)}
    bases = {int(name[:20]) for name in names if re.match(r"\d{20}\.checkpoint", name)} | ({0} & commits)

    def opens(version: int) -> bool:
        base = max((b for b in bases if b <= version), default=None)
        return base is not None and commits.issuperset(range(base + 1, version + 1))
    return {version for version in wanted if not opens(version)}
