"""`concord access`: what is held of a person, as a folder to be given to them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from jobs.settings import Settings

TokenFile = Annotated[Path | None, typer.Option(help="File with the API token alone, which only you may read (mode 0600).")]
Out = Annotated[Path, typer.Option(help="Folder that is to be made; it is not there yet, or empty. Name it after nobody: names "
                                        "of files are seen by others.")]


def add(app: typer.Typer, report: Callable[..., None]) -> None:
    """Give an app the command. ``report`` runs a stage and says how it ended."""

    @app.command()
    def access(out: Out, token_file: TokenFile = None) -> None:
        """Copy what is held of one person, to be given to them (GDPR articles 15 and 20). An officer's act.

        Standard input is {"person": {"source": "crm", "source_person_id": "..."}, "reason": "...", "token": "..."}, with the
        token of an officer's log-in to Airflow (POST /auth/token); --token-file may hold the token instead. All identities that
        are one person with the one named are in it; a match that waits for a review is another person, and you alone are told
        that there is one. The folder has index.html, to be read; data/, every row with its table and version; fhir-bundle.json
        (FHIR R4); media/; about.json, what article 15 asks for; manifest.json, with the SHA-256 of each file. What names others,
        too, stays out and is counted. The folder is yours to deliver and then to delete: an erasure does not find it.

        Example: concord access --out copy-7 --token-file token < question.json
        """
        from jobs.run.access import access as run
        from jobs.run.asking import MOST_BYTES, Question

        report(lambda: run(Settings(), Question(sys.stdin.buffer.read(MOST_BYTES), token_file), out), said)


def said(facts: dict[str, Any]) -> str:
    """What came of it, in a few sentences for the officer."""
    notes = []
    if facts["forgotten_in"] is not None:
        notes.append(f"They were forgotten in erasure {facts['forgotten_in']}; a keyed digest of the id keeps it from coming "
                     "back, and what the law asks for is kept.")
    if facts["held"]:
        notes.append(f"For you alone: {facts['held']} matches of this person with another one wait for a review (concord review "
                     "list); what belongs to the other is not in it.")
    if facts["answer"] == "nothing_held":
        head = "nothing is held of a person of that id; no folder was made. Look whether the id is the right one."
    else:
        head = (f"{facts['rows']:,} rows of {facts['tables']} tables, {facts['resources']:,} FHIR resources, {facts['media']} "
                f"media, {facts['recipients']} extracts; {facts['withheld']} withheld. Deliver the folder, then delete it.")
    return " ".join([f"access {facts['access']}:", head, *notes])
