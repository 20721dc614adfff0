"""`concord suppression`: who was forgotten and stays out, and who comes back of their own will."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jobs.settings import Settings

if TYPE_CHECKING:
    from jobs.run.shell import Report

AsJson = Annotated[bool, typer.Option("--json", help="JSON for machines.")]
TokenFile = Annotated[Path | None, typer.Option(help="File with the API token alone, which only you may read (mode 0600).")]


def add(app: typer.Typer, report: Callable[[Callable[[], Report], str], None]) -> None:
    """Give an app the commands. ``report`` runs a stage and says how it ended."""
    group = typer.Typer(no_args_is_help=True, help="Who was forgotten and stays out, and who comes back of their own will.")
    group.command("list")(overview)

    @group.command("lift")
    def lift(token_file: TokenFile = None) -> None:
        """Let people who were forgotten come back, because they consented anew. An officer's act, which the ledger keeps.

        Standard input is {"persons": [{"source": "crm", "source_person_id": "..."}], "consented_at": "2026-11-01T12:00:00Z",
        "reason": "...", "token": "..."}: name each identity that is to come back, since nothing leads from one to another any
        more. What a source sends of them lands again, but for statements of before the new consent.

        Example: concord suppression lift --token-file token < returned.json
        """
        from jobs.run.asking import MOST_BYTES, Question
        from jobs.run.suppression import lift as run

        question = Question(sys.stdin.buffer.read(MOST_BYTES), token_file)
        report(lambda: run(Settings(), question),
               "{people} identities may come back; what their sources send from now on lands, but for what they said before")

    app.add_typer(group, name="suppression")


def overview(as_json: AsJson = False) -> None:
    """How many stay out, and how many came back, by erasure and source.  Example: concord suppression list --json"""
    from jobs.run.suppression import overview as run
    from jobs.tables import screen, titled

    found = run(Settings())
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    table = titled("Whom no source brings back", "erasure", "source", "stay out", "came back")
    for row in found:
        table.add_row(*map(str, row.values()))
    screen().print(table)
