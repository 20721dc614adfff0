"""maintain: many small files become few, and files that no kept version of a table needs go."""

from __future__ import annotations

from contracts.vocabulary import Zone
from jobs.run import pins, whereabouts
from jobs.run.shell import Report, open_shell
from jobs.settings import Settings

# Not products, of which each candidate is written as one; not payloads and cases, whose copy could outlive a purge.
JOINED = (Zone.LEDGER, Zone.CORE, Zone.VAULT)


def maintain(settings: Settings, grace_hours: int = pins.GRACE_HOURS) -> Report:
    """Join the small files of each table that has many, and remove those that neither a newest version nor a release or
    candidate has needed for ``grace_hours``.

    A version that the log cannot open any more needs none, and is named. No row changes, so no table has a new version to build
    or release from. A second run finds nothing to do.
    """
    with open_shell(settings, "maintain", "all", with_engine=False) as shell:
        joined = sum(shell.lake.compact(name) for name, table in sorted(shell.catalog.tables.items())
                     if table.zone in JOINED and shell.lake.exists(name))
        kept = pins.standing(shell.lake, shell.catalog)
        files = pins.sweep(shell.lake, shell.catalog, kept, grace_hours, (Zone.LEDGER, *pins.SWEPT))
        whereabouts.prune(settings, shell.lake, shell.catalog)
        shell.report.facts.update(files=files, joined=joined, unreadable=[str(pin) for pin in kept.lost])
        shell.report.is_answer = bool(files or joined)
        return shell.report
