"""`concord quality`: what gates found, over time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Annotated, Any

import typer

from jobs.settings import Settings

MOST_SHOWN = 50
Table = Annotated[str, typer.Argument(help="A table, core.observation for example; all of them if none.")]


def add(app: typer.Typer, known: Callable[[str, str, Iterable[str]], None]) -> None:
    """Give an app the command. ``known`` refuses a name that no contract declares."""

    @app.command()
    def quality(table: Table = "", failed: Annotated[bool, typer.Option("--failed", help="Only checks that failed.")] = False,
                as_json: Annotated[bool, typer.Option("--json", help="JSON for machines; every check.")] = False) -> None:
        """What gates found of TABLE, newest first: rows, expectations, and which were not met by how many; no values.

        Example: concord quality core.observation --failed
        """
        from contracts import catalog
        from jobs.run.quality import checks, overview

        if table:
            known("table", table, catalog().tables)
        found = [check for check in checks(Settings(), table or None) if check["not_met"] or not failed]
        if as_json:
            typer.echo(json.dumps(found, indent=2, default=lambda moment: moment.isoformat()))
        elif table or failed:
            _show(found)
        else:
            _show_tables(overview(Settings()))


def _show_tables(found: list[dict[str, Any]]) -> None:
    from jobs.tables import screen, titled

    counts = ("checks", "failed", "expectations", "rows last")
    shown = titled("What gates found", "table", *counts, "last check (UTC)", "not met then", numbers=counts)
    for row in found:
        shown.add_row(row["table_name"], f"{row['checks']:,}", f"{row['failed']:,}", str(row["expectations"]), _rows(row),
                      f"{row['checked_at']:%Y-%m-%d %H:%M}", _not_met(row))
    screen().print(shown)


def _show(found: list[dict[str, Any]]) -> None:
    from jobs.tables import screen, titled

    counts = ("rows", "expectations")
    shown = titled(f"Checks: {len(found):,}", "checked (UTC)", "table", "of", *counts, "not met", numbers=counts)
    for row in found[:MOST_SHOWN]:
        shown.add_row(f"{row['checked_at']:%Y-%m-%d %H:%M}", row["table_name"], row["subject"], _rows(row),
                      str(row["expectations"]), _not_met(row))
    screen().print(shown)
    if len(found) > MOST_SHOWN:
        typer.echo(f"{len(found) - MOST_SHOWN:,} more: --json")


def _rows(row: dict[str, Any]) -> str:
    return "-" if row["rows"] is None else f"{row['rows']:,}"


def _not_met(row: dict[str, Any]) -> str:
    return "; ".join(f"{found['expectation'].removeprefix('expect_')} on {found['columns']}"
                     + ("" if found["broken"] is None else f" ({found['broken']:,})") for found in row["not_met"]) or "-"
