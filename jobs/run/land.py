"""land: payloads go to ``raw.<source>`` untouched, in one commit that also carries the cursor."""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
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
from jobs.run import drift
from jobs.run.shell import Report, open_shell
from jobs.run.suppression import Suppression
from jobs.schema import arrow_schema
from jobs.settings import Settings

CHUNK = 5_000
TELL_SECONDS = 10
LEFT_SECONDS = 24 * 3600
log = structlog.get_logger()


@dataclass(frozen=True)
class Spooled:
    """What is new at a source: how many rows, how many others were about people who were forgotten, the new cursor, and when the
    last was received."""

    rows: int
    suppressed: int
    state: dict[str, dict[str, Any]]
    at: datetime


def land(settings: Settings, source_id: str) -> Report:
    """Fetch what is new at a source and append it as one batch. Nothing new changes nothing.

    The commit holds the batch's number and the cursor, so both move together: a run that is killed before it leaves
    nothing, one that is killed after it is completed by the next. Changes of the payloads' shape are reported.
    Raises SourceUnavailable, SourceRefused, and Drifted where the contract rejects such a change.
    """
    with open_shell(settings, "land", source_id, with_engine=False) as shell:
        source, lake = shell.catalog.sources[source_id], shell.lake
        number = healed(lake, source)
        state, watch = lake_state(lake, source), drift.Watch(lake, source, number + 1)
        with _spool(settings.spool, source) as spool:
            new = _spooled(settings, spool, source, state, lake, number + 1, watch)
            if new.rows:
                looked = watch.look()
                drift.refuse(lake, source, number + 1, looked, new.at)
                reader = pq.ParquetFile(spool)
                stream = pa.RecordBatchReader.from_batches(reader.schema_arrow, reader.iter_batches(CHUNK))
                note = {"batch": number + 1, "rows": new.rows, "state": new.state, "at": new.at.isoformat()}
                lake.append_arrow(source.raw, stream, note=note, once=(source.raw, number + 1))
                drift.keep(lake, source, number + 1, looked, new.at)
                batches.record(lake, source.id, number + 1, new.rows, new.at)
                shell.report.change(source.raw)
                shell.report.facts.update(looked.facts)
        shell.trail.reads(f"source.{source.id}")
        shell.trail.writes(source.raw, {"payload": []})
        batch = batches.batch_id(source.id, number + 1) if new.rows else None
        shell.report.facts.update(rows=new.rows, suppressed=new.suppressed, batch=batch)
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


def healed(lake: Any, source: Source) -> int:
    """Number of the last landed batch; its ledger entries are written when a kill came before that."""
    number = lake.done(source.raw, source.raw) or 0
    if number and number not in {row["number"] for row in batches.of(lake, source.id)}:
        note = _last_note(lake, source)
        at = datetime.fromisoformat(note["at"])
        watch = drift.Watch(lake, source, number)
        for records, digests in _again(lake, source, batches.batch_id(source.id, number)):
            watch.notice(records, digests)
        drift.keep(lake, source, number, watch.look(), at)
        batches.record(lake, source.id, number, note["rows"], at)
    return int(number)


def _again(lake: Any, source: Source, batch: str) -> Iterator[tuple[list[Record], list[str]]]:
    """The records of a landed batch in parts, with their payloads' SHA-256."""
    rows = lake.arrow(source.raw, columns=["stream", "record_id", "payload", "is_deleted", "sha256"],
                      filters=pc.field("batch_id") == batch)
    for chunk in rows.to_batches():
        part = chunk.to_pylist()
        yield ([Record(row["stream"], row["record_id"], row["payload"], row["is_deleted"]) for row in part],
               [row["sha256"] for row in part])


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


def _spooled(settings: Settings, path: Path, source: Source, state: dict[str, dict[str, Any]], lake: Any, number: int,
             watch: drift.Watch) -> Spooled:
    """Write what is new to a file.

    A fetch may take hours. What is received late in it may have been made after it began, so each chunk has a time of
    its own; the cursor and the days asked for again count from the beginning.
    """
    schema = arrow_schema(lake.contract(source.raw))
    new_state = dict(state)
    at = begun = datetime.now(UTC)

    def known(stream: str, days: int) -> Mapping[str, str]:
        return _landed(lake, source, stream, begun - timedelta(days=days))

    written, told = 0, time.monotonic()
    stopped = Suppression(settings, lake, source)
    with pq.ParquetWriter(path, schema) as writer:
        for chunk in _chunks(fetch(source, access(source.connection.id), state, known, begun), new_state, stopped):
            at = max(at, datetime.now(UTC))
            digests = [hashlib.sha256(record.payload).hexdigest() for record in chunk]
            watch.notice(chunk, digests)
            batch = batches.batch_id(source.id, number)
            writer.write_table(_envelopes(chunk, digests, source, batch, written, at, schema))
            written += len(chunk)
            if time.monotonic() - told > TELL_SECONDS:
                log.info("fetching", source=source.id, records=written)
                told = time.monotonic()
    return Spooled(written, stopped.count, new_state, at)


def _chunks(found: Iterator[Record | tuple[str, dict[str, Any]]], state: dict[str, dict[str, Any]],
            stopped: Suppression) -> Iterator[list[Record]]:
    """Records in parts, without those about people who were forgotten; the state is kept up to date."""
    chunk: list[Record] = []
    for item in found:
        if isinstance(item, tuple):
            state[item[0]] = item[1]
            continue
        if stopped.stops(item):
            continue
        chunk.append(item)
        if len(chunk) >= CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _envelopes(chunk: list[Record], digests: list[str], source: Source, batch: str, first: int, at: datetime,
               schema: pa.Schema) -> pa.Table:
    count = len(chunk)
    columns = {
        "batch_id": pa.array([batch] * count), "position": pa.array(range(first, first + count), pa.int64()),
        "source": pa.array([source.id] * count), "stream": pa.array([r.stream for r in chunk]),
        "record_id": pa.array([r.record_id for r in chunk], pa.string()),
        "payload": pa.array([r.payload for r in chunk], pa.binary()),
        "is_deleted": pa.array([r.is_deleted for r in chunk]),
        "received_at": pa.array([at] * count, pa.timestamp("us", "UTC")),
        "sha256": pa.array(digests)}
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
