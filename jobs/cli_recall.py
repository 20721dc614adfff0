"""`concord recall`: recalls of extracts that hold people who do not permit it any more."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import typer

from contracts import catalog
from jobs.settings import Settings

if TYPE_CHECKING:
    from jobs.run.shell import Report


def add(app: typer.Typer, known: Callable[[str, str, Iterable[str]], None],
        report: Callable[[Callable[[], Report], str], None]) -> None:
    """Give an app the command. ``known`` refuses a name that is not among those there are, ``report`` runs and says."""

    @app.command()
    def recall(recipient: str) -> None:
        """Tell RECIPIENT whom to delete from delivered extracts.  Example: concord recall glycemia_institute"""
        from jobs.run.recall import recall as run

        known("recipient", recipient, catalog().recipients)
        report(lambda: run(Settings(), recipient), "recalled {people} people of {recalled}")
