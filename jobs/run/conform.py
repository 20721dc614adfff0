"""conform: the shell that turns waiting raw batches into core rows, checked before they are written."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import structlog

from contracts.model import Source
from contracts.vocabulary import Outcome
from jobs.ledger import accounts, batches
from jobs.run import drift, intake, limits, replay_rejected
from jobs.run.rules import rules
from jobs.run.shell import Report, Shell, open_shell
from jobs.settings import Settings

log = structlog.get_logger()


def conform(settings: Settings, source_id: str, checks: bool = True) -> Report:
    """Conform every waiting batch of a source, oldest first.

    Each step can be repeated: rows are merged by key, accounts and marks are written last. Raises GateFailed when
    expectations fail or more is rejected than the contract allows (nothing of the batch is in core then, and those behind it
    wait with it), Drifted at a batch that waits for a new version of the contract, ContractChanged at one that the contract
    of today cannot decide or finish, and IntegrityError when records are unaccounted for.
    """
    with open_shell(settings, "conform", source_id, with_engine=True) as shell:
        source = shell.catalog.sources[source_id]
        shell.trail.reads(source.raw)
        total: dict[str, int] = {}
        waiting = batches.waiting(shell.lake, source.id)
        if waiting:
            replay_rejected.finish(shell, source)
        for batch in waiting:
            drift.refuse_frozen(shell.lake, source, batch["batch_id"])
            for entry in _conform_batch(shell, source, batch, checks):
                total[entry.outcome] = total.get(entry.outcome, 0) + entry.rows
        for table in source.tables:
            shell.trail.writes(table, intake.origins(source, table))
        shell.report.facts.update(outcomes=total, rows=sum(total.values()))
        return shell.report


def _conform_batch(shell: Shell, source: Source, batch: dict[str, Any], checks: bool) -> list[accounts.Entry]:
    lake, name = shell.lake, batch["batch_id"]
    log.info("conforming", batch=name, records=batch["rows"])
    envelopes = lake.read(source.raw).where(f"batch_id = '{name}'").selectExpr("*", "received_at AS known_at")
    taken = intake.Intake(name, batch["rows"], batch["landed_at"].replace(tzinfo=UTC), envelopes)
    with intake.judged(shell, source, taken, checks) as judged:
        limits.hold(shell, source, name, judged.entries)
        intake.check(shell, source, taken, judged)
        intake.write(shell, source, taken, judged)
        _set_apart(shell, source, judged)
    now = datetime.now(UTC)
    accounts.write(lake, name, [("conform", e) for e in judged.entries], now)
    batches.record(lake, source.id, batch["number"], batch["rows"], batch["landed_at"], now)
    return judged.entries


def _set_apart(shell: Shell, source: Source, judged: intake.Judged) -> None:
    """Keep pointers to the records that were rejected, and to those that were refused."""
    made = {Outcome.REJECTED: (f"{source.raw}__rejected", intake.rejected(judged, source, rules(source, shell.catalog.tables))),
            Outcome.REFUSED: (f"{source.raw}__refused", intake.refused(judged, source))}
    for outcome, (name, pointers) in made.items():
        if pointers is not None and intake.has(judged, outcome):
            shell.lake.merge(name, pointers)
            shell.report.change(name)
