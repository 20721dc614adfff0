"""`concord retention` and `concord maintain`: data that is past its contract's days goes, and files that nobody needs."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobs.settings import Settings

if TYPE_CHECKING:
    from jobs.run.shell import Report

DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would go, and remove nothing.")]
Json = Annotated[bool, typer.Option("--json", help="JSON for machines.")]


def add(app: typer.Typer, report: Callable[[Callable[[], Report], str], None]) -> None:
    """Give an app the commands. ``report`` runs a stage and says how it ended."""

    @app.command()
    def retention(dry_run: DryRun = False, as_json: Json = False) -> None:
        """Remove what is past the days that its contract allows (retentionDays), and say what is overdue and why.

        Payloads and the core rows made of them go by their source's contract, counted from the day their batch landed;
        releases by their product's, the newest never. Statements, identities and contact points stay: they tell who said
        no. Files of versions that no release needs go a week later. Ends with 9 where more than a release
        keeps something past its time.

        Example: concord retention --dry-run
        """
        from jobs.run.retention import retention as run

        if as_json:
            run(Settings(), lambda found: typer.echo(json.dumps(found, indent=2, default=lambda at: at.isoformat())), dry_run)
        else:
            report(lambda: run(Settings(), _show, dry_run),
                   "{rows} rows and {files} files " + ("would go" if dry_run else "are gone"))

    @app.command()
    def maintain() -> None:
        """Join small files where a table has many, and remove those that no newest version, release or candidate has needed for
        a week.  Example: concord maintain"""
        from jobs.run.maintain import maintain as run

        report(lambda: run(Settings()), "{joined} small files are joined, {files} that nobody needs are gone")


def _show(found: dict[str, Any]) -> None:
    from jobs.tables import screen, titled

    numbers = ("days", "removed", "overdue")
    table = titled("What would go" if found["dry_run"] else "What was removed", "table", "by contract of", "days", "older than",
                   "removed", "oldest left", "overdue", "kept by", numbers=numbers)
    for row in found["tables"]:
        oldest = f"{row['oldest_at']:%Y-%m-%d}" if row["oldest_at"] else "-"
        table.add_row(row["table_name"], row["scope"], f"{row['days']:,}", f"{row['before_at']:%Y-%m-%d}", f"{row['rows']:,}",
                      oldest, f"{row['overdue']:,}", row["kept_by"] or "-")
    screen().print(table)
