"""`concord reidentify`: who stands behind a pseudonym, for two officers and a purpose."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from contracts.vocabulary import ReversalPurpose
from jobs.settings import Settings

if TYPE_CHECKING:
    from jobs.run.asking import Question
    from jobs.run.shell import Report

AsJson = Annotated[bool, typer.Option("--json", help="JSON for machines.")]
TokenFile = Annotated[Path | None, typer.Option(help="File with the API token alone, which only you may read (mode 0600).")]
Domain = Annotated[str, typer.Option("--domain", help="Whose pseudonym: the pseudonymDomain of a product or a partner.")]
Why = Annotated[ReversalPurpose, typer.Option("--purpose", help="What for.")]


def add(app: typer.Typer, report: Callable[[Callable[[], Report], str], None]) -> None:
    """Give an app the commands. ``report`` runs a stage and says how it ended."""
    group = typer.Typer(no_args_is_help=True, help="Who stands behind a pseudonym: one officer asks, another one is told.")
    group.command("tell")(tell)
    group.command("list")(requests)

    @group.command("request")
    def request(domain: Domain, purpose: Why, token_file: TokenFile = None) -> None:
        """Ask who a pseudonym is; another officer must take the answer within seven days.

        Standard input is {"pseudonym": "...", "reason": "...", "token": "..."}, with the token of an officer's log-in to Airflow
        (POST /auth/token); --token-file may hold the token instead. The ledger keeps who asked and why, not whose it is.

        Example: concord reidentify request --domain glycemia_institute --purpose safety_follow_up < question.json
        """
        from jobs.run.reidentify import request as run

        report(lambda: run(Settings(), domain, purpose, _question(token_file)),
               "{by} asked for {purpose}; another officer gets the answer by `concord reidentify tell {reversal}`")

    app.add_typer(group, name="reidentify")


def tell(reversal: Annotated[str, typer.Argument(help="The request, as `concord reidentify list` names it.")],
         token_file: TokenFile = None, as_json: AsJson = False) -> None:
    """Be told which identities stand behind the pseudonym of a request, as another officer than the one who asked.

    Standard input is {"pseudonym": "...", "token": "..."}, with the same pseudonym. It is told once.

    Example: concord reidentify tell 3f0c5a1b9d2e4c77 < answer.json
    """
    from jobs.run.reidentify import tell as run

    run(Settings(), reversal, _question(token_file), _document if as_json else _show)


def requests(as_json: AsJson = False) -> None:
    """Who asked for the person behind a pseudonym, why, and who was told.  Example: concord reidentify list --json"""
    from jobs.run.reidentify import requests as run
    from jobs.tables import screen, titled

    found = run(Settings())
    if as_json:
        _document(found)
        return
    table = titled(f"{len(found):,} requests", "request", "domain", "purpose", "asked by", "when (UTC)", "told to", "reason")
    for row in found:
        table.add_row(row["reversal_id"], row["domain"], row["purpose_code"], row["requested_by"],
                      f"{row['requested_at']:%Y-%m-%d %H:%M}", row["told_to"] or "-", row["reason"])
    screen().print(table)


def _question(token_file: Path | None) -> Question:
    from jobs.run.asking import MOST_BYTES, Question

    return Question(sys.stdin.buffer.read(MOST_BYTES), token_file)


def _show(answer: dict[str, Any]) -> None:
    for identity in answer["identities"]:
        typer.echo(f"{identity['source']}  {identity['source_person_id']}")
    if not answer["identities"]:
        typer.echo("no identity: the person was merged with another one since; ask with a newer pseudonym")


def _document(answer: Any) -> None:
    typer.echo(json.dumps(answer, indent=2, default=lambda moment: moment.isoformat()))
