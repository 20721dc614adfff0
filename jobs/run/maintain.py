"""maintain: files that no kept version of a table needs go."""

from __future__ import annotations

from contracts.vocabulary import Zone
from jobs.run import pins
from jobs.run.shell import Report, open_shell
from jobs.settings import Settings


def maintain(settings: Settings, grace_hours: int = pins.GRACE_HOURS) -> Report:
    """Remove the files that neither a newest version nor a release or candidate has needed for ``grace_hours``.

    A version that the log cannot open any more needs none, and is named. No commit is made and no row changes, so nothing is
    built or released anew. A second run finds nothing to do.
    """
    with open_shell(settings, "maintain", "all", with_engine=False) as shell:
        kept = pins.standing(shell.lake, shell.catalog)
        files = pins.sweep(shell.lake, shell.catalog, kept, grace_hours, (Zone.LEDGER, *pins.SWEPT))
        shell.report.facts.update(files=files, unreadable=[str(pin) for pin in kept.lost])
        shell.report.is_answer = bool(files)
        return shell.report
