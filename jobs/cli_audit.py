"""`concord audit`: whether the audit is whole, and who asked about a person."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from jobs.settings import Settings

app = typer.Typer(no_args_is_help=True, help="The audit: whether it is whole, and who asked about a person.")
AsJson = Annotated[bool, typer.Option("--json", help="JSON for machines.")]
TokenFile = Annotated[Path | None, typer.Option(help="File with the API token alone, which only you may read (mode 0600).")]
Head = Annotated[str | None, typer.Option(help="The seal of an entry, kept elsewhere: it must be in the audit still.")]
MOST_NAMED = 20


@app.command()
def verify(head: Head = None, as_json: AsJson = False) -> None:
    """Look whether no entry of the audit was changed, left out or put in between.

    Each entry seals the one before it. The seal of the last one is told: kept where the platform cannot write, and given by
    --head another day, it shows that nothing up to then was made anew. Erasing people changes no entry. Ends with 8 where
    something is wrong.

    Example: concord audit verify --head 6ac2...
    """
    from jobs.errors import IntegrityError
    from jobs.run.audited import verify as run

    found = run(Settings(), head)
    if as_json:
        typer.echo(json.dumps({"entries": found.entries, "head": found.head, "faults": found.faults}, indent=2))
    else:
        typer.echo(f"{found.entries:,} entries; the last one's seal is {found.head}")
    if found.faults:
        more = f"; and {len(found.faults) - MOST_NAMED:,} more" if len(found.faults) > MOST_NAMED else ""
        raise IntegrityError(f"the audit is not whole: {'; '.join(found.faults[:MOST_NAMED])}{more}")


@app.command()
def about(token_file: TokenFile = None, as_json: AsJson = False) -> None:
    """Who asked about a person, when, and by which command. An officer's question, which is an entry too.

    Standard input is {"person": {"source": "crm", "source_person_id": "..."}, "token": "..."}, with the token of an officer's
    log-in to Airflow (POST /auth/token); --token-file may hold the token instead. All identities that are one person with that
    one count. Of somebody who was forgotten nobody can tell any more.

    Example: concord audit about --token-file token < person.json
    """
    from jobs.run.asking import MOST_BYTES, Question
    from jobs.run.audited import tell

    tell(Settings(), Question(sys.stdin.buffer.read(MOST_BYTES), token_file), _document if as_json else _show)


def _show(answer: dict[str, Any]) -> None:
    from jobs.tables import screen, titled

    if not answer["is_known"]:
        typer.echo("nothing is known of this person, so no entry can be told to be about them")
        return
    found = answer["entries"]
    table = titled(f"{len(found):,} entries are about this person", "entry", "when (UTC)", "who", "stage", "subject", "result")
    for row in found:
        said = (row[name] for name in ("actor", "stage", "subject", "result"))
        table.add_row(str(row["number"]), f"{row['at']:%Y-%m-%d %H:%M}", *said)
    screen().print(table)


def _document(answer: dict[str, Any]) -> None:
    typer.echo(json.dumps(answer, indent=2, default=lambda moment: moment.isoformat()))
