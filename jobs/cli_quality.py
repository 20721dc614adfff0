"""`concord quality`: what gates found, over time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from jobs.settings import Settings

MOST_SHOWN, MOST_IN_DOCS = 50, 200
Table = Annotated[str, typer.Argument(help="A table, core.observation for example; all of them if none.")]


def add(app: typer.Typer, known: Callable[[str, str, Iterable[str]], None]) -> None:
    """Give an app the command. ``known`` refuses a name that no contract declares."""

    @app.command()
    def quality(table: Table = "", failed: Annotated[bool, typer.Option("--failed", help="Only checks that failed.")] = False,
                as_json: Annotated[bool, typer.Option("--json", help="JSON for machines; every check.")] = False,
                docs: Annotated[Path | None, typer.Option(help="Folder that gets Data Docs, pages that a browser opens.")] = None,
                most: Annotated[int, typer.Option(min=1, help="Most checks in Data Docs, the newest.")] = MOST_IN_DOCS) -> None:
        """What gates found of TABLE, newest first: rows, expectations, and which were not met by how many; no values.

        Example: concord quality core.observation --failed    concord quality --docs quality-docs
        """
        from contracts import catalog
        from jobs.run.quality import checks, overview

        if table:
            known("table", table, catalog().tables)
        if docs is not None:
            _write(docs, table, failed, most, as_json)
            return
        found = [check for check in checks(Settings(), table or None) if check["not_met"] or not failed]
        if as_json:
            typer.echo(json.dumps(found, indent=2, default=lambda moment: moment.isoformat()))
        elif table or failed:
            _show(found)
        else:
            _show_tables(overview(Settings()))


def _write(folder: Path, table: str, failed: bool, most: int, as_json: bool) -> None:
    from jobs.run.quality import docs

    made = docs(Settings(), folder, table or None, failed, most=most)
    index = folder / "index.html"
    if as_json:
        typer.echo(json.dumps({**made._asdict(), "index": str(index) if made.checks else None}))
    elif not made.checks:
        typer.echo(f"no {'failed ' if failed else ''}checks yet, {folder} is as it was")
    else:
        older = f"; {made.left_out:,} older ones are left out: --most {made.checks + made.left_out}" if made.left_out else ""
        typer.echo(f"{made.checks:,} checks of {made.tables:,} tables in {index}{older}")


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
