"""`concord drift`: what changed in the payloads of sources."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Annotated, Any

import typer

from jobs.settings import Settings

MOST_SHOWN = 50
Source = Annotated[str, typer.Argument(help="A source; all of them if none.")]

Json = Annotated[bool, typer.Option("--json", help="JSON for machines; every change.")]


def add(app: typer.Typer, known: Callable[[str, str, Iterable[str]], None]) -> None:
    """Give an app the command. ``known`` refuses a name that no contract declares."""

    @app.command()
    def drift(source: Source = "", as_json: Json = False) -> None:
        """What changed in the payloads of SOURCE, newest first: new fields, changed types, vanished fields; no values.

        A star stands for names that may be values, such as ids. Of a big batch a sample is looked at.

        Example: concord drift crm
        """
        from contracts import catalog
        from jobs.run.drift import overview

        if source:
            known("source", source, catalog().sources)
        found = overview(Settings(), source or None)
        if as_json:
            typer.echo(json.dumps(found, indent=2, default=lambda moment: moment.isoformat()))
        else:
            _show(found)


def landed(facts: dict[str, Any]) -> str:
    """What a landing says of itself."""
    changes = len(facts["drift"])
    return f"landed {facts['rows']} records" + (f"; {changes} changes in their payloads, see concord drift" if changes else "")


def _show(found: list[dict[str, Any]]) -> None:
    from jobs.tables import screen, titled

    shown = titled(f"Changes in payloads: {len(found):,}", "noticed (UTC)", "batch", "stream", "change", "place", "before",
                   "after", "contract", "effect")
    for row in found[:MOST_SHOWN]:
        shown.add_row(f"{row['noticed_at']:%Y-%m-%d %H:%M}", row["batch_id"], row["stream"], row["kind"].replace("_", " "),
                      row["place"].replace("[", r"\["), row["types_before"], row["types_after"],
                      "reads it" if row["is_read"] else "-", "waits" if row["waits"] else row["effect"])
    screen().print(shown)
    if len(found) > MOST_SHOWN:
        typer.echo(f"{len(found) - MOST_SHOWN:,} more: --json")
