"""Keeping the index of who is where: at the end of each stage, and before anybody asks it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from jobs.errors import LostRace
from jobs.lake import Lake
from jobs.settings import Settings
from jobs.turn import turn
from jobs.whereabouts.cursor import is_complete, through

if TYPE_CHECKING:
    from contracts.load import Catalog

NAME = "whereabouts"


def keep(settings: Settings, lake: Lake, catalog: Catalog) -> None:
    """Bring into the index what a stage wrote. Where another run is at it, that one does, or the next, or who asks."""
    from jobs.whereabouts import index

    with suppress(LostRace), turn(settings.home / "turns", NAME, patience=0):
        index.keep(lake, catalog)


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

    with suppress(LostRace), turn(settings.home / "turns", NAME, patience=0):
        index.keep(lake, catalog)
        prune(lake)
