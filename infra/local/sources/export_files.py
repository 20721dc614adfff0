"""The files that the community and the study drop: everything before the first day, then what changed in each week.

A file never changes once it is there. Some hold what files of others do hold: a statement twice, a broken line.
"""

from __future__ import annotations

import csv
import gzip
import io
import shutil
from pathlib import Path

import msgspec

from .population import DAY_MS
from .versions import Log, Record, moment
from .world import World

WEEK_MS = 7 * DAY_MS
BROKEN_LINE = b'{"consent_id": "m-broken", "member_id": "m'
BROKEN_ROW = b"S-broken,S-nobody,research\r\n"
LATIN_ROW = "S-latin,S-nobody,research,,,agreed,participant,explicit,,,,,,Einverständnis,2.0,de,DE,\r\n".encode("latin-1")


def files(world: World) -> dict[str, bytes]:
    """Every file dropped up to the world's clock, by source, stream and the day it was dropped."""
    found: dict[str, bytes] = {}
    for last in range(world.settings.start_ms, world.clock + 1, WEEK_MS):
        first, day = last == world.settings.start_ms, f"{moment(last):%Y-%m-%d}"
        since = -1 if first else last - WEEK_MS
        for stream, log in world.community.logs.items():
            content = _ndjson(_changes(log, since, last), stream == "consents" and first)
            name = f"community/{stream}/{day}.ndjson"
            found |= {name: content} if first else {f"{name}.gz": gzip.compress(content, mtime=0)}
        for stream, log in world.study.logs.items():
            content = _csv(_changes(log, since, last), _columns(log, stream), stream == "consents" and first)
            found[f"study/{stream}/{day}.csv"] = content
    return found


def write(world: World, folder: Path) -> None:
    """Put the files below a folder, and no others."""
    shutil.rmtree(folder, ignore_errors=True)
    for name, content in files(world).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_bytes(content)


def _changes(log: Log, since: int, last: int) -> list[Record]:
    return log.page(log.end(since), log.end(last))


def _ndjson(changes: list[Record], is_flawed: bool) -> bytes:
    lines = [msgspec.json.encode(change) for change in changes]
    if is_flawed:
        lines += [*lines[:1], BROKEN_LINE]
    return b"".join(line + b"\n" for line in lines)


def _columns(log: Log, stream: str) -> list[str]:
    """The columns of a stream's files: those of its first record, which has all of them."""
    return list(log.versions[0].record) if log.versions else [f"{stream.removesuffix('s')}_id"]


def _csv(changes: list[Record], columns: list[str], is_flawed: bool) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows([*changes, *(changes[:1] if is_flawed else [])])
    return text.getvalue().encode("utf-8-sig") + (BROKEN_ROW + LATIN_ROW if is_flawed else b"")
