"""`concord where`: what an officer asks about a person: where they are."""

from __future__ import annotations

import json
import sys
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Annotated, Any

import typer

from jobs.ending import ending

TokenFile = Annotated[Path | None, typer.Option(help="File with the API token alone, which only you may read (mode 0600).")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON for machines.")]


def where(token_file: TokenFile = None, as_json: AsJson = False) -> None:
    """Every table version, release and extract that holds a person. An officer's question.

    Standard input is {"person": {"source": "crm", "source_person_id": "..."}, "reason": "...", "token": "..."}, with the token of
    an officer's log-in to Airflow (POST /auth/token); --token-file may hold the token instead. All identities that are one person
    with the one named count; a match that waits for a review is another person. The audit keeps who asked, why, and a commitment
    to whom. Versions whose files are gone are not told. What stands under a key that is somebody else's today is marked: it is of
    both.

    Example: concord where < question.json

    Example: concord where --token-file token --json < question.json
    """
    from jobs.run.asking import MOST_BYTES, Question
    from jobs.run.where import where as run
    from jobs.settings import Settings

    run(Settings(), Question(sys.stdin.buffer.read(MOST_BYTES), token_file), _document if as_json else _show)


class _WithoutPandas(MetaPathFinder):
    """Arrow imports pandas wherever there is one, for frames that nobody here has, and that takes half a second."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        """Raises ImportError for pandas."""
        if name == "pandas":
            raise ImportError(name)


def main() -> None:
    """Run this command alone, as ``concord where``."""
    sys.meta_path.insert(0, _WithoutPandas())
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command()(where)
    with ending():
        app(args=sys.argv[2:], prog_name="concord where")


def spans(versions: list[int]) -> str:
    """Version numbers, those that follow one another as from-to."""
    said: list[str] = []
    for version in versions:
        first, _, last = said[-1].partition("-") if said else ("", "", "")
        if said and int(last or first) + 1 == version:
            said[-1] = f"{first}-{version}"
        else:
            said.append(str(version))
    return ", ".join(said)


def _show(answer: dict[str, Any]) -> None:
    from jobs.tables import screen, titled

    if not answer["tables"] and not answer["extracts"]:
        typer.echo("no version of any table and no extract holds them: the id may be mistaken, or they were forgotten")
        return
    table = titled(f"{len(answer['tables']):,} tables", "table", "versions", "newest", "also somebody else's")
    for row in answer["tables"]:
        table.add_row(row["table"], spans(row["versions"]), _yes(row["is_current"]), _yes(row["is_shared"]))
    screen().print(table)
    table = titled(f"{len(answer['releases']):,} releases", "release", "products", "superseded")
    for row in answer["releases"]:
        table.add_row(row["release"], ", ".join(row["products"]), _yes(row["is_superseded"]))
    screen().print(table)
    table = titled(f"{len(answer['extracts']):,} extracts", "extract", "recipient", "of release", "state", "told to delete (UTC)")
    for row in answer["extracts"]:
        table.add_row(row["extract"], row["recipient"], str(row["release"]), row["state"],
                      f"{row['recalled_at']:%Y-%m-%d %H:%M}" if row["recalled_at"] else "-")
    screen().print(table)


def _yes(is_so: bool) -> str:
    return "yes" if is_so else "-"


def _document(answer: dict[str, Any]) -> None:
    typer.echo(json.dumps(answer, indent=2, default=lambda moment: moment.isoformat()))
