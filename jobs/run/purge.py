"""purge: the shell that takes the envelopes of refused records out of raw, the contract's days after they came."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from contracts.model import Refusal, Source
from jobs.ledger import accounts
from jobs.run import consent, screen
from jobs.run.shell import Report, Shell, open_shell
from jobs.settings import Settings
from jobs.stages import refuse, statements
from jobs.workspace import Workspace, workspace


def purge(settings: Settings, source_id: str) -> Report:
    """Purge what is due at a source, of people who still say no to everything; who said yes since keeps their envelopes.

    What is due is screened for safety first, whoever started this and whatever ran before: reporting is a legal duty. Each
    step may be repeated: envelopes first, then the account, then the pointers that led to them. Raises ConsentUnreadable.
    """
    with open_shell(settings, "purge", source_id, with_engine=True) as shell:
        source = shell.catalog.sources[source_id]
        purged = 0
        if source.refusal and shell.lake.version(f"{source.raw}__refused") > 0:
            with workspace(settings.lake_root, f"purge.{source.id}", shell.lake.spark) as work:
                purged = _purged(shell, source, source.refusal, work)
        shell.report.facts.update(purged=purged)
        return shell.report


def _purged(shell: Shell, source: Source, refusal: Refusal, work: Workspace) -> int:
    """How many envelopes are gone now."""
    lake, pointers, now = shell.lake, f"{source.raw}__refused", datetime.now(UTC)
    refusing = refuse.refusing(statements.current(consent.of_source(shell, source.id)), refusal.purposes, now)
    version, place = lake.version(pointers), ["batch_id", "position"]
    due = work.keep("due", refuse.due(lake.read(pointers), refusing, now - timedelta(days=refusal.purge_after_days)))
    count = due.count()
    shell.trail.reads(pointers, consent.CONSENT)
    if count:
        screen.find(shell, source)
        lake.purge(source.raw, lake.read(source.raw).join(due.select(*place), place, "left_semi"))
        accounts.write(lake, f"{pointers}@{version}", [("purge", accounts.Entry(source.raw, "purged", refuse.WHY, count))], now)
        lake.purge(pointers, due)
        for name in (source.raw, pointers):
            shell.report.change(name)
            shell.trail.writes(name)
    return count
