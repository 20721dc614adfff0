"""`concord review`: matches that wait for people."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobs.settings import Settings

if TYPE_CHECKING:
    from jobs.run.shell import Report

AsJson = Annotated[bool, typer.Option("--json", help="JSON for machines.")]
TokenFile = Annotated[Path | None, typer.Option(help="File with the API token alone, which only you may read (mode 0600).")]
Match = Annotated[str, typer.Argument(help="The match, as `concord review list` names it.")]
OneMatch = Annotated[str, typer.Option("--match", help="The match, as `concord review list` names it.")]
MOST_SHOWN = 20


class Decision(StrEnum):
    """What a reviewer may say."""

    SAME = "same"
    DIFFERENT = "different"


def add(app: typer.Typer, report: Callable[[Callable[[], Report], str], None]) -> None:
    """Give an app the commands. ``report`` runs a stage and says how it ended."""
    group = typer.Typer(no_args_is_help=True, help="Matches that wait for a review: list them, see their evidence, decide.")
    group.command("list")(queue)
    group.command("show")(show)
    group.command("history")(history)

    @group.command()
    def decide(decision: Decision, match: OneMatch = "", token_file: TokenFile = None) -> None:
        """Say that the two persons of a match are the SAME, or DIFFERENT people.

        Standard input is {"reason": "...", "token": "..."}, with the token of an officer's log-in to Airflow (POST
        /auth/token); --token-file may hold the token instead. Without --match it also names two identities: {"person":
        {"source": "crm", "source_person_id": "..."}, "other": {...}}; so people who were linked wrongly are told apart.
        Two officers must agree that persons are the same where either said anything about a purpose. The next run of
        `concord resolve` obeys. Deciding otherwise takes a decision back.

        Example: concord review decide same --match 3f0c5a1b9d2e4c77 < answer.json
        """
        from jobs.run.review import decide as run

        report(lambda: run(Settings(), str(decision), match or None, question(token_file)),
               "{by} said {decision} of match {match}; what stands: {stands}")

    app.add_typer(group, name="review")


def queue(as_json: AsJson = False, every: Annotated[bool, typer.Option("--all", help="All of them.")] = False) -> None:
    """The matches that wait, the likeliest first; no values of people.  Example: concord review list --json"""
    from jobs.run.review import queue as run
    from jobs.tables import screen, titled

    found = run(Settings())
    if as_json:
        _document(found)
        return
    shown = found if every else found[:MOST_SHOWN]
    table = titled(f"{len(found):,} matches wait for a review", "match", "weight", "sources", "why", "since", "said",
                   numbers=("weight",))
    for row in shown:
        weight = "-" if row["weight"] is None else f"{row['weight']:.1f}"
        table.add_row(row["match"], weight, " and ".join(row["sources"]), row["reason"], f"{row['held_at']:%Y-%m-%d %H:%M}",
                      ", ".join(row["said"]))
    screen().print(table)
    if len(shown) < len(found):
        typer.echo(f"{len(found) - len(shown):,} more: --all")


def history(as_json: AsJson = False) -> None:
    """Merges and splits of persons, the newest first; no values of people.  Example: concord review history --json"""
    from jobs.run.review import history as run
    from jobs.tables import screen, titled

    found = run(Settings())
    if as_json:
        _document(found)
        return
    table = titled("Identities that changed hands", "at (UTC)", "what", "source", "identities", "run", numbers=("identities",))
    for row in found:
        table.add_row(f"{row['at']:%Y-%m-%d %H:%M:%S}", row["kind"], row["source"], f"{row['identities']:,}", row["run"])
    screen().print(table)


def show(match: Match, token_file: TokenFile = None, as_json: AsJson = False) -> None:
    """The evidence of MATCH, its two persons side by side; to officers alone.

    Standard input is {"token": "..."}, with the token of an officer's log-in to Airflow, unless --token-file holds it.

    Example: concord review show 3f0c5a1b9d2e4c77 --token-file token
    """
    from jobs.answers import show_evidence
    from jobs.run.review import show as run

    run(Settings(), match, question(token_file, is_needed=False), _document if as_json else show_evidence)


def question(token_file: Path | None, is_needed: bool = True) -> Any:
    """What came in; standard input is left alone where a file holds all that is asked for."""
    from jobs.run.asking import MOST_BYTES, Question

    return Question(sys.stdin.buffer.read(MOST_BYTES) if is_needed or not token_file else b"", token_file)


def _document(found: Any) -> None:
    typer.echo(json.dumps(found, indent=2, default=lambda moment: moment.isoformat()))
