"""`concord rejected`: records that were set apart, by reason."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Annotated, Any

import typer

from jobs.settings import Settings

MOST_SHOWN = 50
Source = Annotated[str, typer.Argument(help="A source; all of them if none.")]
Reason = Annotated[str, typer.Option(help="Only what was rejected for this reason, not_json for example.")]


def add(app: typer.Typer, known: Callable[[str, str, Iterable[str]], None]) -> None:
    """Give an app the command. ``known`` refuses a name that no contract declares."""

    @app.command()
    def rejected(source: Source = "", reason: Reason = "",
                 records: Annotated[bool, typer.Option("--records", help="Where each record lies in the raw table.")] = False,
                 as_json: Annotated[bool, typer.Option("--json", help="JSON for machines; all of them.")] = False) -> None:
        """Records of SOURCE that no contract could take, by reason; no values, and not whose they are.

        Example: concord rejected crm --reason too_long --records
        """
        from contracts import catalog
        from jobs.run.rejected import overview
        from jobs.run.rejected import records as listed

        if source:
            known("source", source, catalog().sources)
        found = (listed if records else overview)(Settings(), source or None, reason or None)
        if as_json:
            typer.echo(json.dumps(found, indent=2, default=lambda moment: moment.isoformat()))
        elif records:
            _show_records(found)
        else:
            _show(found)


def _show(found: list[dict[str, Any]]) -> None:
    from jobs.tables import screen, titled

    counts = ("records", "batches")
    table = titled(f"Records set apart: {sum(row['rows'] for row in found):,}", "source", "stream", "reason", "field", "contract",
                   "replay", *counts, "first (UTC)", "last (UTC)", numbers=counts)
    for row in found:
        times = [f"{row[name]:%Y-%m-%d %H:%M}" for name in ("first_at", "last_at")]
        table.add_row(row["source"], row["stream"], row["reason_code"], row["field"] or "-", row["contract_version"],
                      "due" if row["is_due"] else "-", f"{row['rows']:,}", f"{row['batches']:,}", *times)
    screen().print(table)
    for source in sorted({row["source"] for row in found if row["is_due"]}):
        typer.echo(f"rejected under other rules than today's: concord replay {source}")


def _show_records(found: list[dict[str, Any]]) -> None:
    from jobs.tables import screen, titled

    table = titled(f"Records set apart: {len(found):,}", "batch", "position", "stream", "reason", "field", "contract",
                   "rejected (UTC)", numbers=("position",))
    for row in found[:MOST_SHOWN]:
        table.add_row(row["batch_id"], str(row["position"]), row["stream"], row["reason_code"], row["field"] or "-",
                      row["contract_version"], f"{row['rejected_at']:%Y-%m-%d %H:%M}")
    screen().print(table)
    if len(found) > MOST_SHOWN:
        typer.echo(f"{len(found) - MOST_SHOWN:,} more: --json")
