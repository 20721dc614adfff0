"""`concord table`: tables of the lake, and what to do about one that somebody wrote to by hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Annotated, Any

import typer

from jobs.settings import Settings


def add(app: typer.Typer, known: Callable[[str, str, Iterable[str]], None], report: Callable[..., None]) -> None:
    """Give an app the commands. ``known`` refuses a name that no contract declares, ``report`` runs a stage and tells."""
    mine = typer.Typer(no_args_is_help=True, help="Tables of the lake: which were written to by hand, and the ways out of that.")
    app.add_typer(mine, name="table")

    def named(name: str) -> str:
        from contracts import catalog

        known("table", name, catalog().tables)
        return name

    @mine.command("list")
    def show(as_json: Annotated[bool, typer.Option("--json", help="JSON for machines.")] = False) -> None:
        """Every table with its version, and which somebody wrote to by hand.  Example: concord table list --json"""
        from jobs.run.by_hand import overview

        found = overview(Settings())
        if as_json:
            typer.echo(json.dumps(found, indent=2, default=lambda moment: moment.isoformat()))
        elif not found:
            typer.echo("no tables yet")
        else:
            _list(found)

    @mine.command()
    def restore(table: str) -> None:
        """Put TABLE back to what it was before somebody wrote to it by hand.  Example: concord table restore core.identity"""
        from jobs.run.by_hand import restore as run

        report(lambda: run(Settings(), named(table)), "{table} is again as version {restored} was")

    @mine.command()
    def accept(table: str, because: Annotated[str, typer.Option(help="Why this is right; ledger.audit keeps it.")]) -> None:
        """Keep what was written to TABLE by hand, if its gate lets it in.

        Example: concord table accept core.identity --because "typing errors of the call centre, ticket 1204"
        """
        from jobs.run.by_hand import accept as run

        report(lambda: run(Settings(), named(table), because), "version {accepted} of {table} is taken over")


def _list(found: list[dict[str, Any]]) -> None:
    from jobs.tables import screen, titled

    shown = titled("Tables", "table", "version", "last written (UTC)", "by hand")
    for row in found:
        hand = row["by_hand"]
        shown.add_row(row["table"], str(row["version"]), f"{row['at']:%Y-%m-%d %H:%M}",
                      f"version {hand['version']}: {hand['operation']} by {hand['engine']}" if hand else "-")
    screen().print(shown)
