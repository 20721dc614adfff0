"""land: payloads go to ``raw.<source>`` untouched, in one commit that also carries the cursor."""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import structlog

from contracts.model import Source
from jobs.connections import access
from jobs.connectors import Record, fetch
from jobs.ledger import batches
from jobs.run.shell import Report, open_shell
from jobs.schema import arrow_schema
from jobs.settings import Settings

CHUNK = 5_000
TELL_SECONDS = 10
LEFT_SECONDS = 24 * 3600
log = structlog.get_logger()


def land(settings: Settings, source_id: str) -> Report:
    """Fetch what is new at a source and append it as one batch. Nothing new changes nothing.

    The commit holds the batch's number and the cursor, so both move together: a run that is killed before it leaves
    nothing, one that is killed after it is completed by the next. Raises SourceUnavailable, SourceRefused.
    """
    with open_shell(settings, "land", source_id, with_engine=False) as shell:
        source, lake = shell.catalog.sources[source_id], shell.lake
        number = _healed(lake, source)
        state = lake_state(lake, source)
        with _spool(settings.spool, source) as spool:
            rows, new_state, at = _spooled(spool, source, state, lake, number + 1)
            if rows:
                reader = pq.ParquetFile(spool)
                stream = pa.RecordBatchReader.from_batches(reader.schema_arrow, reader.iter_batches(CHUNK))
                note = {"batch": number + 1, "rows": rows, "state": new_state, "at": at.isoformat()}
                lake.append_arrow(source.raw, stream, note=note, once=(source.raw, number + 1))
                batches.record(lake, source.id, number + 1, rows, at)
                shell.report.change(source.raw)
        shell.trail.reads(f"source.{source.id}")
        shell.trail.writes(source.raw, {"payload": []})
        shell.report.facts.update(rows=rows, batch=batches.batch_id(source.id, number + 1) if rows else None)
        return shell.report


def lake_state(lake: Any, source: Source) -> dict[str, dict[str, Any]]:
    """The cursor: what the newest landed batch's commit says of every stream; empty before the first."""
    note = _last_note(lake, source)
    return dict(note.get("state", {}))


def _last_note(lake: Any, source: Source) -> dict[str, Any]:
    for version in range(lake.version(source.raw), 0, -1):
        note = lake.note(source.raw, version)
        if "batch" in note:
            return dict(note)
    return {}


def _healed(lake: Any, source: Source) -> int:
    """Number of the last landed batch; its ledger entry is written when a kill came before that."""
    number = lake.done(source.raw, source.raw) or 0
    if number and number not in {row["number"] for row in batches.of(lake, source.id)}:
        note = _last_note(lake, source)
        batches.record(lake, source.id, number, note["rows"], datetime.fromisoformat(note["at"]))
    return int(number)


@contextmanager
def _spool(folder: Path, source: Source) -> Iterator[Path]:
    """A file of this run alone; those that killed runs of the source left behind more than a day ago are removed."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in folder.glob(f"{source.id}.*.parquet"):
        with suppress(FileNotFoundError):
            if left.stat().st_mtime < time.time() - LEFT_SECONDS:
                left.unlink()
    path = folder / f"{source.id}.{uuid.uuid4().hex}.parquet"
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def _spooled(path: Path, source: Source, state: dict[str, dict[str, Any]], lake: Any,
             number: int) -> tuple[int, dict[str, dict[str, Any]], datetime]:
    """Write what is new to a file: how many rows, the new cursor, and when the last of them was received.

    A fetch may take hours. What is received late in it may have been made after it began, so each chunk has a time of
    its own; the cursor and the days asked for again count from the beginning.
    """
    schema = arrow_schema(lake.contract(source.raw))
    new_state = dict(state)
    at = begun = datetime.now(UTC)

    def known(stream: str, days: int) -> Mapping[str, str]:
        return _landed(lake, source, stream, begun - timedelta(days=days))

    written, told = 0, time.monotonic()
    with pq.ParquetWriter(path, schema) as writer:
        for chunk in _chunks(fetch(source, access(source.connection.id), state, known, begun), new_state):
            at = max(at, datetime.now(UTC))
            writer.write_table(_envelopes(chunk, source, batches.batch_id(source.id, number), written, at, schema))
            written += len(chunk)
            if time.monotonic() - told > TELL_SECONDS:
                log.info("fetching", source=source.id, records=written)
                told = time.monotonic()
    return written, new_state, at


def _chunks(found: Iterator[Record | tuple[str, dict[str, Any]]],
            state: dict[str, dict[str, Any]]) -> Iterator[list[Record]]:
    chunk: list[Record] = []
    for item in found:
        if isinstance(item, tuple):
            state[item[0]] = item[1]
            continue
        chunk.append(item)
        if len(chunk) >= CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _envelopes(chunk: list[Record], source: Source, batch: str, first: int, at: datetime,
               schema: pa.Schema) -> pa.Table:
    count = len(chunk)
    columns = {
        "batch_id": pa.array([batch] * count), "position": pa.array(range(first, first + count), pa.int64()),
        "source": pa.array([source.id] * count), "stream": pa.array([r.stream for r in chunk]),
        "record_id": pa.array([r.record_id for r in chunk], pa.string()),
        "payload": pa.array([r.payload for r in chunk], pa.binary()),
        "is_deleted": pa.array([r.is_deleted for r in chunk]),
        "received_at": pa.array([at] * count, pa.timestamp("us", "UTC")),
        "sha256": pa.array([hashlib.sha256(r.payload).hexdigest() for r in chunk])}
    return pa.Table.from_pydict(columns, schema=schema)


def _landed(lake: Any, source: Source, stream: str, since: datetime) -> Mapping[str, str]:
    """SHA-256 of the payload last landed for every record of a stream that was landed since; deletions left out."""
    rows = lake.arrow(source.raw, columns=["record_id", "sha256", "is_deleted", "batch_id", "position", "stream", "received_at"],
                      filters=(pc.field("stream") == stream) & (pc.field("received_at") >= pa.scalar(since)))
    latest: dict[str, str] = {}
    for row in rows.sort_by([("batch_id", "ascending"), ("position", "ascending")]).to_pylist():
        if row["is_deleted"]:
            latest.pop(row["record_id"], None)
        elif row["record_id"] is not None:
            latest[row["record_id"]] = row["sha256"]
    return latest
