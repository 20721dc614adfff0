"""`concord explain`: what an officer asks about a person in a past release."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from contracts import catalog
from jobs.settings import Settings

Release = Annotated[str, typer.Option(help="GROUP/NUMBER, or the NUMBER alone with --product or where there is one group.")]
Product = Annotated[str, typer.Option(help="This product alone, instead of all of the release.")]
TokenFile = Annotated[Path | None, typer.Option(help="File with the API token alone, which only you may read (mode 0600).")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON for machines.")]


def explain(release: Release, product: Product = "", token_file: TokenFile = None, as_json: AsJson = False) -> None:
    """Why a person is in RELEASE or out of it: by which statements, as known then and as true now.

    Standard input is {"person": {"source": "crm", "source_person_id": "..."}, "token": "..."}, with the token of an
    officer's log-in to Airflow (POST /auth/token); --token-file may hold the token instead. Airflow, at the address of
    CONCORD_CONNECTION_CONCORD_AIRFLOW, is asked who holds it. Ends with 8 when the release contradicts its permits.

    Example: concord explain --release engagement/3 < question.json

    Example: concord explain --product glucose_daily --release 3 --token-file token --json < person.json
    """
    from jobs.answers import show_explanation
    from jobs.run.asking import MOST_BYTES, Question
    from jobs.run.explain import explain as run
    from jobs.run.past import asked

    wanted = asked(catalog(), release, product or None)
    question = Question(sys.stdin.buffer.read(MOST_BYTES), token_file)
    run(Settings(), wanted, question, document if as_json else show_explanation)


def document(answer: dict[str, Any]) -> None:
    """Print an answer as JSON."""
    typer.echo(json.dumps(answer, indent=2, default=lambda moment: moment.isoformat()))
