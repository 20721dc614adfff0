"""Keeping the index of who is where: at the end of each stage, and before anybody asks it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import structlog

from jobs.errors import IntegrityError, LostRace
from jobs.lake import Lake
from jobs.settings import Settings
from jobs.turn import turn
from jobs.whereabouts.cursor import is_complete, through

if TYPE_CHECKING:
    from contracts.load import Catalog

NAME = "whereabouts"


def keep(settings: Settings, lake: Lake, catalog: Catalog) -> None:
    """Bring into the index what a stage wrote. Where another run is at it, on this machine or another, that one does, or the
    next, or who asks. A table that cannot be read stays behind: the stage is done, and who asks is told."""
    from jobs.whereabouts import index

    with suppress(LostRace, IntegrityError), turn(settings.home / "turns", NAME, patience=0):
        index.keep(lake, catalog, _left)


def complete(settings: Settings, lake: Lake) -> None:
    """See to it that the index has everything. Raises LostRace where another run is at it for long."""
    if is_complete(lake, through(lake)):
        return
    from contracts.load import catalog
    from jobs.whereabouts import index

    with turn(settings.home / "turns", NAME):
        index.keep(Lake(lake.root, catalog().tables), catalog())


def prune(settings: Settings, lake: Lake, catalog: Catalog) -> None:
    """Take out of the index who is in nothing that can be read; where another run is at it, the next one does."""
    from jobs.whereabouts import index
    from jobs.whereabouts.prune import prune

    with suppress(LostRace, IntegrityError), turn(settings.home / "turns", NAME, patience=0):
        index.keep(lake, catalog, _left)
        prune(lake)


def _left(table: str, error: Exception) -> None:
    structlog.get_logger().warning("not in the index of who is where", table=table, error=type(error).__name__)
