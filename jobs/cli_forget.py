"""`concord forget` and `forget-requested`: people leave the lake, and it is looked whether they did."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jobs.settings import Settings

if TYPE_CHECKING:
    from jobs.run.shell import Report

ENDED = ("erasure {erasure}: {rows} rows are gone, and words of theirs in {changed} rows of others; {found} places were found "
         "in {looked_at} files; {kept} payloads that tell of suspected adverse events are kept in safety.record; nothing was "
         "known of {unknown} of {people} people")
DagRun = Annotated[tuple[str, str], typer.Option("--dag-run", help="DAG id and run id in which an officer answered.")]
TokenFile = Annotated[Path | None, typer.Option(help="File with the API token alone, which only you may read (mode 0600).")]
LINE = '{"source": "crm", "source_person_id": "..."}'
Persons = Annotated[Path | None, typer.Option(help=f"File of people, a JSON object a line: {LINE}.")]


def add(app: typer.Typer, report: Callable[[Callable[[], Report], str], None]) -> None:
    """Give an app the command. ``report`` runs a stage and says how it ended."""

    @app.command()
    def forget(persons: Persons = None, token_file: TokenFile = None) -> None:
        """Erase people from every zone and version, and look at the bytes of every file that is left. An officer's act.

        Standard input is {"persons": [{"source": "crm", "source_person_id": "..."}], "reason": "...", "token": "..."}, with the
        token of an officer's log-in to Airflow (POST /auth/token); --persons names a file with more people, --token-file may hold
        the token instead. All identities that are one person with those named go too; a match that waits for a review is another
        person. Releases stay readable without them, and no source brings them back. Safety candidates are kept, with the payloads
        they were found in: the law asks for it. Nothing else runs meanwhile; a run that was killed is made good by the next.

        Example: concord forget --persons people.jsonl --token-file token < why.json; the last line is its counts, as JSON
        """
        from jobs.run.asking import MOST_BYTES, Question, persons_in
        from jobs.run.forget import forget as run

        question = Question(sys.stdin.buffer.read(MOST_BYTES), token_file)
        report(lambda: run(Settings(), question, persons_in(persons) if persons else ()), ENDED)
    _add_requests(app, report)


def _add_requests(app: typer.Typer, report: Callable[[Callable[[], Report], str], None]) -> None:
    group = typer.Typer(no_args_is_help=True, help="People who asked a source to be forgotten: list them, forget those approved.")
    app.add_typer(group, name="erasure")

    @group.command("requests")
    def requests() -> None:
        """Put the people who ask to be forgotten on a list for an officer, by a digest that names nobody.

        They are those of whom a source delivered an interaction of kind erasure_request; the CRM's contract makes it of cases
        of type Erasure. GDPR article 12(3) gives a month for the answer.

        Example: concord erasure requests
        """
        from jobs.run.requested import list_requests as run

        report(lambda: run(Settings()), "{people} people ask to be forgotten")

    @group.command("grant")
    def grant(dag_run: DagRun) -> None:
        """Forget the people of the list that an officer approved in a run of the DAG erasure; a rejection is kept.

        Example: concord erasure grant --dag-run erasure manual__2026-11-01
        """
        from jobs.run.requested import forget_requested as run

        report(lambda: run(Settings(), dag_run), "list {list} was {decision} by {by}")
