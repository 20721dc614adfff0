"""`concord forget`: people leave the lake, and it is looked whether they did."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jobs.settings import Settings

if TYPE_CHECKING:
    from jobs.run.shell import Report

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
        report(lambda: run(Settings(), question, persons_in(persons) if persons else ()),
               "erasure {erasure}: {rows} rows are gone, and words of theirs in {changed} rows of others; {found} places were "
               "found in {looked_at} files; {kept} payloads that tell of suspected adverse events are kept in safety.record; "
               "nothing was known of {unknown} of {people} people")
