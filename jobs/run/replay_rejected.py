"""replay: the shell that takes up again what was set apart, under the contract and the parsers of today."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from contracts.model import Source
from contracts.vocabulary import Outcome, RefuseReason, RejectReason
from jobs.errors import ConfigurationError
from jobs.ledger import accounts, batches, intakes, replays
from jobs.run import consent, intake
from jobs.run.rules import declared, rules
from jobs.run.shell import Report, Shell, open_shell
from jobs.settings import Settings
from jobs.stages import refuse, statements
from jobs.stages import replay_rejected as stage
from jobs.turn import turn
from jobs.workspace import workspace

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

REASONS = (*map(str, RejectReason), *map(str, RefuseReason))


def replay(settings: Settings, source_id: str, reason: str | None = None, dry_run: bool = False) -> Report:
    """Give a source's rejected records, and the refused ones of people who do not refuse any more, a new outcome.

    What today's rules rejected already is left alone. A replay that was killed comes to its end first. With ``dry_run``
    nothing is written. Raises GateFailed (nothing is written then), ConfigurationError for a reason that there is not
    and while a batch is conformed in part, ContractChanged when a replay was killed under another contract,
    ConsentUnreadable and LostRace.
    """
    if reason is not None and reason not in REASONS:
        raise ConfigurationError(f"no reason is called {reason!r}; there are {', '.join(sorted(REASONS))}")
    # Conform's turn too: what one of them decides rests on what the other wrote.
    with (open_shell(settings, "replay.rejected", source_id, with_engine=True) as shell,
          turn(settings.home / "turns", f"conform.{source_id}")):
        source = shell.catalog.sources[source_id]
        _refuse_begun(shell, source)
        found = [] if dry_run else finish(shell, source)
        found += _replayed(shell, source, reason, dry_run)
        if consent.CONSENT in shell.report.changed and source.refusal and reason is None:
            # A statement that can be read now may have been the yes that takes up what was refused.
            found += _replayed(shell, source, refuse.WHY, dry_run)
        total: dict[str, int] = {}
        for entry in found:
            total[entry.outcome] = total.get(entry.outcome, 0) + entry.rows
        shell.report.is_answer = dry_run
        shell.report.facts.update(outcomes=total, rows=sum(total.values()), dry_run=dry_run)
        return shell.report


def finish(shell: Shell, source: Source) -> list[accounts.Entry]:
    """Bring a replay that was killed to its end, before anything newer is decided; its account, empty where there is none."""
    return _replayed(shell, source, None, False) if replays.last(shell.lake, source.id)[1] is not None else []


def _refuse_begun(shell: Shell, source: Source) -> None:
    """Raise ConfigurationError while core holds some of a batch that a killed run began: nothing older is decided beside it."""
    waiting = ", ".join(f"'{batch['batch_id']}'" for batch in batches.waiting(shell.lake, source.id))
    for table in source.tables if waiting else ():
        by = f"batch_id IN ({waiting})" + (f" OR superseded_by IN ({waiting})" if table == consent.CONSENT else "")
        if not shell.lake.read(table).where(f"source = '{source.id}' AND ({by})").isEmpty():
            raise ConfigurationError(f"a batch of {source.id} was conformed in part; run `concord conform {source.id}` first")


def _replayed(shell: Shell, source: Source, reason: str | None, dry_run: bool) -> list[accounts.Entry]:
    """One replay, the one that did not come to its end if there is one; its account, empty where there was nothing to do."""
    from pyspark.sql import functions as F

    lake = shell.lake
    number, begun = replays.last(lake, source.id)
    name, at = replays.replay_id(source.id, number if begun else number + 1), begun or datetime.now(UTC)
    intakes.refuse_edited(lake, name, source, declared(source, shell.catalog.tables))
    conformed = [b["batch_id"] for b in batches.of(lake, source.id) if b["conformed_at"] is not None]
    if not conformed:
        return []
    raw = lake.read(source.raw).where(f"batch_id <= '{conformed[-1]}'")
    with workspace(shell.settings.lake_root, f"{name}.taken", lake.spark) as work:
        chosen = lake.read(_taken(source)).where(f"replay_id = '{name}'") if begun else _chosen(shell, source, reason, at)
        there = raw.where(F.col("stream").isin([s.name for s in source.streams]))
        taken = work.keep("taken", chosen.join(there, list(stage.PLACE), "left_semi"))
        if taken.isEmpty():
            if begun and not dry_run:  # Nothing of what a killed one took up is there any more: it is as if it had not begun.
                lake.merge(_taken(source), chosen.withColumn("is_gone", F.lit(True)), gone="is_gone")
            return []
        landed = work.keep("landed", stage.landed(raw, taken))
        envelopes = stage.envelopes(landed, name, at)
        return _judged(shell, source, intake.Intake(name, envelopes.count(), at, envelopes, landed), taken, dry_run)


def _chosen(shell: Shell, source: Source, reason: str | None, at: datetime) -> DataFrame:
    """Pointers to what is due, with what had become of it."""
    lake = shell.lake
    refused = lake.read(f"{source.raw}__refused")
    if source.refusal:
        said = statements.current(consent.of_source(shell, source.id))
        refused = refused.join(refuse.refusing(said, source.refusal.purposes, at), "source_person_id", "left_anti")
    return stage.chosen(lake.read(f"{source.raw}__rejected"), refused, rules(source, shell.catalog.tables), reason)


def _judged(shell: Shell, source: Source, taking: intake.Intake, taken: DataFrame, dry_run: bool) -> list[accounts.Entry]:
    """Decide what is taken up and write it. What is taken is written first and the account last, so that it may be repeated."""
    from pyspark.sql import functions as F

    lake = shell.lake
    with intake.judged(shell, source, taking) as judged:
        if dry_run:
            return judged.entries
        intake.check(shell, source, taking, judged)
        lake.merge(_taken(source), taken.select(*stage.POINTER, F.lit(taking.id).alias("replay_id"),
                                                F.lit(taking.at).alias("taken_at")))
        intake.write(shell, source, taking, judged)
        _point(shell, source, taking, judged)
        before = _before(taking)
    accounts.hold(taking.id, taking.rows, before)
    accounts.write(lake, taking.id, [*((replays.TAKEN, e) for e in before), *((replays.STAGE, e) for e in judged.entries)],
                   datetime.now(UTC))
    shell.trail.reads(source.raw, f"{source.raw}__rejected", f"{source.raw}__refused")
    for table in source.tables:
        shell.trail.writes(table, intake.origins(source, table))
    return judged.entries


def _point(shell: Shell, source: Source, taking: intake.Intake, judged: intake.Judged) -> None:
    """Let the pointers say what became of the records: those that were taken in, or apart for another reason, have none."""
    assert taking.landed is not None
    made = {Outcome.REJECTED: intake.rejected(judged, source, rules(source, shell.catalog.tables)),
            Outcome.REFUSED: intake.refused(judged, source)}
    for outcome, pointers in made.items():
        name = f"{source.raw}__{outcome}"
        if pointers is None:
            pointers = shell.lake.read(name).limit(0)
        rows = stage.pointers(pointers, taking.landed, outcome)
        if not rows.isEmpty():
            shell.lake.merge(name, rows, gone="is_gone")
            shell.report.change(name)


def _taken(source: Source) -> str:
    return f"{source.raw}__replayed"


def _before(taking: intake.Intake) -> list[accounts.Entry]:
    """What had become of the records of a replay."""
    assert taking.landed is not None
    counted = taking.landed.where("was IS NOT NULL").groupBy("stream", "was", "was_because").count().collect()
    return [accounts.Entry(row["stream"], row["was"], row["was_because"], row["count"]) for row in counted]
