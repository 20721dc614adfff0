"""conform: the shell that turns waiting raw batches into core rows, checked before they are written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import reduce
from typing import TYPE_CHECKING, Any

import structlog

from contracts.model import Feed, Source, Stream
from contracts.vocabulary import Outcome
from jobs.ledger import accounts, batches
from jobs.run import consent
from jobs.run.gated import gate
from jobs.run.shell import Report, Shell, open_shell
from jobs.settings import Settings
from jobs.stages import conform as stage
from jobs.stages import refuse, statements
from jobs.stages.clocks import CLOCK_SKEW
from jobs.workspace import Workspace, workspace

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


log = structlog.get_logger()


def conform(settings: Settings, source_id: str, checks: bool = True) -> Report:
    """Conform every waiting batch of a source, oldest first.

    Each step can be repeated: rows are merged by key, accounts and marks are written last. Raises GateFailed when
    expectations fail (nothing of the batch is in core then) and IntegrityError when records are unaccounted for.
    """
    with open_shell(settings, "conform", source_id, with_engine=True) as shell:
        source = shell.catalog.sources[source_id]
        shell.trail.reads(source.raw)
        total: dict[str, int] = {}
        for batch in batches.waiting(shell.lake, source.id):
            for entry in _conform_batch(shell, source, batch, checks):
                total[entry.outcome] = total.get(entry.outcome, 0) + entry.rows
        for table in source.tables:
            shell.trail.writes(table, origins(source, table))
        shell.report.facts.update(outcomes=total, rows=sum(total.values()))
        return shell.report


def origins(source: Source, table: str) -> dict[str, list[str]]:
    """For each column of a core table the payload paths this source makes it from."""
    found: dict[str, list[str]] = {}
    for feed in source.feeds:
        if feed.table == table:
            for mapping in feed.mappings:
                found.setdefault(mapping.column, []).extend(f"{source.raw}.{p}" for p in mapping.paths)
    record = sorted({f"{source.raw}.{source.stream(f.stream).record_id}" for f in source.feeds if f.table == table})
    return {"record_id": record, **found}


def _conform_batch(shell: Shell, source: Source, batch: dict[str, Any], checks: bool) -> list[accounts.Entry]:
    lake, tables = shell.lake, shell.catalog.tables
    raw = lake.read(source.raw).where(f"batch_id = '{batch['batch_id']}'")
    streams = _present(source, raw)
    entries: list[accounts.Entry] = []
    log.info("conforming", batch=batch["batch_id"], records=batch["rows"])
    with _staged(shell, source, batch, raw, streams, checks) as (taken, work):
        said = _statements(shell, source, batch, taken, work)
        decided = _refused(shell, source, batch, taken, said, work)
        for frame in decided.values():
            entries.extend(accounts.Entry(r["stream"], r["outcome"], r["reason_code"], r["rows"])
                           for r in stage.account(frame).collect())
        accounts.hold(batch["batch_id"], batch["rows"], entries)
        made = {table: _table_rows(shell, source, batch, table, decided, said) for table in source.tables
                if any(f.table == table and f.stream in decided for f in source.feeds)}
        for table, (rows, _) in made.items():
            if not rows.isEmpty():
                gate(shell, batch["batch_id"], rows, tables[table], batch["landed_at"].replace(tzinfo=UTC) + CLOCK_SKEW,
                     _needed(source, table), {name: others for name, (others, _) in made.items()})
        for table, (rows, gone) in made.items():
            _write(shell, source, table, rows, gone)
        _set_apart(shell, source, entries, decided)
        _remember(shell, source, entries, decided)
    now = datetime.now(UTC)
    accounts.write(lake, batch["batch_id"], [("conform", e) for e in entries], now)
    batches.record(lake, source.id, batch["number"], batch["rows"], batch["landed_at"], now)
    return entries


def _set_apart(shell: Shell, source: Source, entries: list[accounts.Entry], decided: dict[str, DataFrame]) -> None:
    """Keep pointers to the records that were rejected, and to those that were refused."""
    made: dict[Outcome, tuple[str, list[DataFrame]]] = {
        Outcome.REJECTED: (f"{source.raw}__rejected", [stage.rejected(frame, source) for frame in decided.values()]),
        Outcome.REFUSED: (f"{source.raw}__refused", [refuse.pointers(decided[s.name], source, source.feeds_of(s))
                                                     for s in source.refusable if s.name in decided])}
    for outcome, (name, frames) in made.items():
        if any(e.outcome == outcome for e in entries):
            shell.lake.merge(name, reduce(lambda a, b: a.unionByName(b), frames))
            shell.report.change(name)


def _present(source: Source, raw: DataFrame) -> list[Stream]:
    """The streams that a batch has records of; all when it has none, so that an empty batch is accounted for too."""
    found = {row["stream"] for row in raw.select("stream").distinct().collect()}
    return [s for s in source.streams if s.name in found] or list(source.streams)


def _needed(source: Source, table: str) -> frozenset[str]:
    """Columns that every feed of a source into a table requires, whether the table does or not."""
    feeds = [f for f in source.feeds if f.table == table]
    return frozenset.intersection(*[frozenset(m.column for m in f.mappings if m.required) for f in feeds])


@contextmanager
def _staged(shell: Shell, source: Source, batch: dict[str, Any], raw: DataFrame, streams: list[Stream],
            checks: bool) -> Iterator[tuple[dict[str, DataFrame], Workspace]]:
    """The decided records of each stream, parsed and written aside once so that what is checked is what is written; and where."""
    with workspace(shell.settings.lake_root, batch["batch_id"], shell.lake.spark) as work:
        decided = {}
        for stream in streams:
            records = stage.typed(raw, source, stream, shell.catalog.tables, checks)
            parsed = work.keep(f"{stream.name}_typed", records)
            known = _known(shell, source, batch, stream)
            contests = work.keep(f"{stream.name}_contests", stage.contested(parsed, known))
            decided[stream.name] = stage.outcomes(parsed, contests)
        yield decided, work


def _refused(shell: Shell, source: Source, batch: dict[str, Any], decided: dict[str, DataFrame], rows: DataFrame | None,
             work: Workspace) -> dict[str, DataFrame]:
    """The decided records, those refused whose person said no to all that the source asks for, before or in this batch.

    rows: what the batch puts into core.consent, None where it has nothing about consent.
    """
    streams = [s for s in source.refusable if s.name in decided]
    if source.refusal is None or not streams:
        return decided
    said = consent.of_source(shell, source.id)
    if rows is not None:
        key = list(shell.lake.contract(consent.CONSENT).key)
        said = said.join(rows.select(*key), key, "left_anti").unionByName(rows)
    refusing = refuse.refusing(statements.current(said), source.refusal.purposes, batch["landed_at"].replace(tzinfo=UTC))
    people = work.keep("refusing", refusing)
    if people.isEmpty():
        return decided
    return decided | {s.name: work.keep(f"{s.name}_refused", refuse.refused(decided[s.name], source.feeds_of(s), people))
                      for s in streams}


def _known(shell: Shell, source: Source, batch: dict[str, Any], stream: Stream) -> DataFrame:
    tables = dict.fromkeys(f.table for f in source.feeds if f.stream == stream.name)
    frames = [_held(shell, source, batch, t).selectExpr("record_id", "version_at", "payload_sha256", "false AS is_gone")
              for t in tables]
    frames.append(shell.lake.read(f"{source.raw}__deleted").where(f"batch_id <> '{batch['batch_id']}'")
                  .selectExpr("record_id", "version_at", "payload_sha256", "true AS is_gone"))
    return reduce(lambda a, b: a.unionByName(b), frames)


def _held(shell: Shell, source: Source, batch: dict[str, Any], table: str) -> DataFrame:
    """What a core table holds of a source from other batches, as it was before this one."""
    rows = shell.lake.read(table).where(f"source = '{source.id}' AND batch_id <> '{batch['batch_id']}'")
    return statements.current(rows, batch["batch_id"]) if table == consent.CONSENT else rows


def _remember(shell: Shell, source: Source, entries: list[accounts.Entry], decided: dict[str, DataFrame]) -> None:
    """Keep what was deleted, and forget of it what has come back: deletions are versions too."""
    name = f"{source.raw}__deleted"
    if shell.lake.version(name) > 0 or any(e.outcome == Outcome.DELETION for e in entries):
        rows = reduce(lambda a, b: a.unionByName(b), [stage.settled(d, source) for d in decided.values()])
        back = rows.where("is_present").join(shell.lake.read(name).select("record_id"), "record_id", "left_semi")
        shell.lake.merge(name, rows.where("NOT is_present").unionByName(back), gone="is_present")


def _table_rows(shell: Shell, source: Source, batch: dict[str, Any], table: str, decided: dict[str, DataFrame],
                said: DataFrame | None) -> tuple[DataFrame, DataFrame]:
    """The rows a batch puts into a core table, and the keys it takes out: deleted records, and edits that left it."""
    if table == consent.CONSENT and said is not None:
        return said, said.select("record_id").limit(0)
    rows, mine = _rows(shell, source, table, decided)
    held = _held(shell, source, batch, table)
    settled = mine.where(f"outcome IN ('{Outcome.DELETION}', '{Outcome.ACCEPTED}')").select("record_id")
    left = held.select("record_id").join(settled, "record_id", "left_semi")
    gone = left.join(rows.select("record_id"), "record_id", "left_anti")
    return rows, gone


def _statements(shell: Shell, source: Source, batch: dict[str, Any], decided: dict[str, DataFrame],
                work: Workspace) -> DataFrame | None:
    """The rows a batch puts into core.consent, those that it closes among them; None where it has nothing about consent."""
    if not any(f.table == consent.CONSENT and f.stream in decided for f in source.feeds):
        return None
    rows, mine = _rows(shell, source, consent.CONSENT, decided)
    held = _held(shell, source, batch, consent.CONSENT)
    return work.keep("statements", statements.closed(statements.doubted(rows, mine, held), mine, held))


def _rows(shell: Shell, source: Source, table: str, decided: dict[str, DataFrame]) -> tuple[DataFrame, DataFrame]:
    """The rows that the accepted records of a batch give a core table, and what became of the records that may feed it."""
    feeds: list[Feed] = [f for f in source.feeds if f.table == table and f.stream in decided]
    rows = reduce(lambda a, b: a.unionByName(b),
                  [stage.core_rows(decided[f.stream], source, f, shell.catalog.tables[table]) for f in feeds])
    return rows, reduce(lambda a, b: a.unionByName(b), [
        decided[name].select("record_id", "position", "batch_id", "received_at", "outcome")
        for name in dict.fromkeys(f.stream for f in feeds)])


def _write(shell: Shell, source: Source, table: str, rows: DataFrame, gone: DataFrame) -> None:
    from pyspark.sql import functions as F

    left = gone.count()
    merged = rows.withColumn("is_gone", F.lit(False))
    if left:
        keys = gone.select(F.lit(source.id).alias("source"), "record_id", F.lit(True).alias("is_gone"))
        merged = merged.unionByName(keys, allowMissingColumns=True)
    if left or not rows.isEmpty():
        shell.lake.merge(table, merged, gone="is_gone")
        shell.report.change(table)
