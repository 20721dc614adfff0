"""What becomes of landed records, those of a batch or those that a replay takes up: outcomes, core rows, gate and writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from typing import TYPE_CHECKING

from contracts.model import Feed, Source, Stream
from contracts.vocabulary import Outcome
from jobs.errors import ContractChanged
from jobs.ledger import accounts, intakes
from jobs.row_rules import breaking
from jobs.run import consent
from jobs.run.gated import gate
from jobs.run.rules import declared
from jobs.run.shell import Shell
from jobs.stages import conform as stage
from jobs.stages import refuse, statements
from jobs.stages import replay_rejected as again
from jobs.stages.clocks import CLOCK_SKEW
from jobs.workspace import Workspace, workspace

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@dataclass(frozen=True)
class Intake:
    """Records that are decided together. ``id`` names the batch or the replay, ``at`` when it was landed or began (aware).

    envelopes: as ``conform.typed`` reads them, position unique and in their order. landed: of a replay, all versions
    of its records (``replay_rejected.landed``); a batch comes after all that is known, so it needs none.
    """

    id: str
    rows: int
    at: datetime
    envelopes: DataFrame
    landed: DataFrame | None = None


@dataclass(frozen=True)
class Judged:
    """The records of an intake with their outcomes, by stream; its account; and by table the rows it gets and those that go."""

    frames: dict[str, DataFrame]
    entries: list[accounts.Entry]
    made: dict[str, tuple[DataFrame, DataFrame]]


def origins(source: Source, table: str) -> dict[str, list[str]]:
    """For each column of a core table the payload paths this source makes it from."""
    found: dict[str, list[str]] = {}
    for feed in source.feeds:
        if feed.table == table:
            for mapping in feed.mappings:
                found.setdefault(mapping.column, []).extend(f"{source.raw}.{p}" for p in mapping.paths)
    record = sorted({f"{source.raw}.{source.stream(f.stream).record_id}" for f in source.feeds if f.table == table})
    return {"record_id": record, **found}


@contextmanager
def judged(shell: Shell, source: Source, intake: Intake, checks: bool = True) -> Iterator[Judged]:
    """Decide an intake; nothing is written but aside, once, so that what is checked is what is written.

    Raises IntegrityError when records are unaccounted for, ContractChanged when a killed run began it under another contract
    or a stream was taken out that it has records of.
    """
    intakes.refuse_edited(shell.lake, intake.id, source, declared(source, shell.catalog.tables))
    with workspace(shell.settings.lake_root, intake.id, shell.lake.spark) as work:
        taken = {s.name: _decided(shell, source, intake, s, checks, work) for s in _present(source, intake.envelopes)}
        said = _statements(shell, source, intake, taken, work)
        frames = _refused(shell, source, intake, taken, said, work)
        entries = [accounts.Entry(r["stream"], r["outcome"], r["reason_code"], r["rows"])
                   for frame in frames.values() for r in stage.account(frame).collect()]
        accounts.hold(intake.id, intake.rows, entries)
        made = {table: _table_rows(shell, source, intake, table, frames, said) for table in source.tables
                if any(f.table == table and f.stream in frames for f in source.feeds)}
        yield Judged(frames, entries, made)


def check(shell: Shell, source: Source, intake: Intake, judged: Judged) -> None:
    """Ask the gate about every table's rows. Raises GateFailed; then nothing may be written.

    Of statements those that come in are asked about: one that is only closed was asked about when it came, under the rules
    of then, and a rule of today must not keep the no that closes it out.
    """
    for table, (rows, _) in judged.made.items():
        if table == consent.CONSENT:
            rows = _rows(shell, source, table, judged.frames)[0]
        if not rows.isEmpty():
            gate(shell, intake.id, rows, shell.catalog.tables[table], intake.at + CLOCK_SKEW, _needed(source, table),
                 {name: others for name, (others, _) in judged.made.items()},
                 _held(shell, source, intake, table) if intake.landed is None else None)


def write(shell: Shell, source: Source, intake: Intake, judged: Judged) -> None:
    """Write the rows into core, and remember what was deleted; first of all, by which contract. May be repeated: rows are
    merged by key."""
    intakes.begin(shell.lake, intake.id, source, declared(source, shell.catalog.tables))
    for table, (rows, gone) in judged.made.items():
        _write(shell, source, table, rows, gone)
    _remember(shell, source, judged)


def rejected(judged: Judged, source: Source, rules_sha256: str) -> DataFrame:
    """Pointers to the records that were rejected."""
    return _union([stage.rejected(frame, source, rules_sha256) for frame in judged.frames.values()])


def refused(judged: Judged, source: Source) -> DataFrame | None:
    """Pointers to the records that were refused; None where none could be."""
    made = [refuse.pointers(judged.frames[s.name], source, source.feeds_of(s)) for s in source.refusable
            if s.name in judged.frames]
    return _union(made) if made else None


def has(judged: Judged, outcome: Outcome) -> bool:
    """Whether any record has an outcome."""
    return any(entry.outcome == outcome for entry in judged.entries)


def _present(source: Source, envelopes: DataFrame) -> list[Stream]:
    """The streams that there are records of; all when there are none, so that an empty batch is accounted for too."""
    found = {row["stream"] for row in envelopes.select("stream").distinct().collect()}
    if gone := sorted(found - {s.name for s in source.streams}):
        raise ContractChanged(f"{source.raw} holds records of {', '.join(gone)} that wait to be conformed, but "
                              f"{source.path} declares no such stream any more; put it back, with a feed, and run "
                              f"`concord conform {source.id}`")
    return [s for s in source.streams if s.name in found] or list(source.streams)


def _needed(source: Source, table: str) -> frozenset[str]:
    """Columns that every feed of a source into a table requires, whether the table does or not."""
    feeds = [f for f in source.feeds if f.table == table]
    return frozenset.intersection(*[frozenset(m.column for m in f.mappings if m.required) for f in feeds])


def _decided(shell: Shell, source: Source, intake: Intake, stream: Stream, checks: bool, work: Workspace) -> DataFrame:
    """The records of a stream with their outcomes."""
    typed = work.keep(f"{stream.name}_typed", stage.typed(intake.envelopes, source, stream, shell.catalog.tables, checks))
    parsed = _ruled(shell, source, stream, typed, work) if checks else typed
    contests = work.keep(f"{stream.name}_contests", stage.contested(parsed, _known(shell, source, intake, stream)))
    return stage.outcomes(parsed, contests)


def _ruled(shell: Shell, source: Source, stream: Stream, typed: DataFrame, work: Workspace) -> DataFrame:
    """The records, those set apart of which a row breaks a rule of its table that sets rows apart."""
    tables = shell.catalog.tables
    found = [breaking(stage.candidate_rows(typed, source, feed, tables[feed.table]), tables[feed.table], "position")
             for feed in source.feeds_of(stream)]
    rules = [frame for frame in found if frame is not None]
    if not rules:
        return typed
    broken = work.keep(f"{stream.name}_broken", stage.first_broken(_union(rules)))
    return typed if broken.isEmpty() else stage.set_apart(typed, broken)


def _known(shell: Shell, source: Source, intake: Intake, stream: Stream) -> DataFrame:
    tables = dict.fromkeys(f.table for f in source.feeds if f.stream == stream.name)
    version = ("record_id", "version_at", "payload_sha256")
    frames = [_held(shell, source, intake, t).selectExpr(*version, "false AS is_gone") for t in tables]
    frames.append(shell.lake.read(f"{source.raw}__deleted").where(f"batch_id <> '{intake.id}'")
                  .selectExpr(*version, "true AS is_gone"))
    known = _union(frames).selectExpr("*", "CAST(NULL AS BIGINT) AS position")
    return known if intake.landed is None else again.seen(known, intake.landed)


def _held(shell: Shell, source: Source, intake: Intake, table: str) -> DataFrame:
    """What a core table holds of a source from others, as it was before this one."""
    rows = shell.lake.read(table).where(f"source = '{source.id}' AND batch_id <> '{intake.id}'")
    return statements.current(rows, intake.id) if table == consent.CONSENT else rows


def _statements(shell: Shell, source: Source, intake: Intake, frames: dict[str, DataFrame], work: Workspace) -> DataFrame | None:
    """The rows that go into core.consent, those that are closed among them; None where there is nothing about consent."""
    if not any(f.table == consent.CONSENT and f.stream in frames for f in source.feeds):
        return None
    rows, mine = _rows(shell, source, consent.CONSENT, frames)
    held = _held(shell, source, intake, consent.CONSENT)
    if intake.landed is None:
        fresh = statements.doubted(rows, mine, held)
    else:
        standing, as_read = _standing(shell, source, intake, mine, held, work)
        ended = work.keep("restored", statements.restored(standing, as_read.unionByName(mine), held))
        fresh = statements.spoiled(rows, mine).unionByName(ended)
        mine = mine.unionByName(as_read.join(ended.select("record_id").distinct(), "record_id", "left_semi"))
    return work.keep("statements", statements.closed(fresh, mine, held))


def _standing(shell: Shell, source: Source, intake: Intake, mine: DataFrame, held: DataFrame,
              work: Workspace) -> tuple[DataFrame, DataFrame]:
    """The versions that stand beside a replay's of the same record, read once more, as ``_rows`` gives them.

    What could not be read may have made a no of their yes; whether it still does is seen from what they say themselves.
    """
    assert intake.landed is not None
    settled = mine.where(f"outcome IN ('{Outcome.DELETION}', '{Outcome.ACCEPTED}')").select("record_id")
    said = shell.lake.read(consent.CONSENT).where(f"source = '{source.id}'")
    found = again.standing(intake.landed, held.join(settled, "record_id", "left_anti"), said, intake.id, intake.at)
    frames = {}
    for stream in source.streams:
        if any(f.table == consent.CONSENT and f.stream == stream.name for f in source.feeds):
            parsed = work.keep(f"{stream.name}_standing", stage.typed(found, source, stream, shell.catalog.tables))
            frames[stream.name] = stage.outcomes(parsed, parsed.selectExpr("position", "CAST(NULL AS STRING) AS contest"))
    return _rows(shell, source, consent.CONSENT, frames)


def _refused(shell: Shell, source: Source, intake: Intake, decided: dict[str, DataFrame], rows: DataFrame | None,
             work: Workspace) -> dict[str, DataFrame]:
    """The decided records, those refused whose person said no to all that the source asks for, before or in this intake.

    rows: what it puts into core.consent, None where it has nothing about consent.
    """
    streams = [s for s in source.refusable if s.name in decided]
    if source.refusal is None or not streams:
        return decided
    said = consent.of_source(shell, source.id)
    if rows is not None:
        key = list(shell.lake.contract(consent.CONSENT).key)
        said = said.join(rows.select(*key), key, "left_anti").unionByName(rows)
    people = work.keep("refusing", refuse.refusing(statements.current(said), source.refusal.purposes, intake.at))
    if people.isEmpty():
        return decided
    return decided | {s.name: work.keep(f"{s.name}_refused", refuse.refused(decided[s.name], source.feeds_of(s), people))
                      for s in streams}


def _table_rows(shell: Shell, source: Source, intake: Intake, table: str, frames: dict[str, DataFrame],
                said: DataFrame | None) -> tuple[DataFrame, DataFrame]:
    """The rows an intake puts into a core table, and the keys it takes out: deleted records, and edits that left it."""
    if table == consent.CONSENT and said is not None:
        return said, said.select("record_id").limit(0)
    rows, mine = _rows(shell, source, table, frames)
    held = _held(shell, source, intake, table)
    settled = mine.where(f"outcome IN ('{Outcome.DELETION}', '{Outcome.ACCEPTED}')").select("record_id")
    left = held.select("record_id").join(settled, "record_id", "left_semi")
    gone = left.join(rows.select("record_id"), "record_id", "left_anti")
    return rows, gone


def _rows(shell: Shell, source: Source, table: str, frames: dict[str, DataFrame]) -> tuple[DataFrame, DataFrame]:
    """The rows that accepted records give a core table, and what became of the records that may feed it."""
    feeds: list[Feed] = [f for f in source.feeds if f.table == table and f.stream in frames]
    rows = _union([stage.core_rows(frames[f.stream], source, f, shell.catalog.tables[table]) for f in feeds])
    return rows, _union([frames[name].select("record_id", "position", "batch_id", "known_at", "outcome")
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


def _remember(shell: Shell, source: Source, judged: Judged) -> None:
    """Keep what was deleted, and forget of it what has come back: deletions are versions too."""
    name = f"{source.raw}__deleted"
    if shell.lake.version(name) > 0 or has(judged, Outcome.DELETION):
        rows = _union([stage.settled(frame, source) for frame in judged.frames.values()])
        back = rows.where("is_present").join(shell.lake.read(name).select("record_id"), "record_id", "left_semi")
        shell.lake.merge(name, rows.where("NOT is_present").unionByName(back), gone="is_present")


def _union(frames: list[DataFrame]) -> DataFrame:
    return reduce(lambda a, b: a.unionByName(b), frames)
