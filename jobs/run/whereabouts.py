"""Keeping the index of who is where: at the end of each stage, and before anybody asks it."""

from __future__ import annotations

from contextlib import suppress

from contracts.load import Catalog
from jobs.errors import LostRace
from jobs.lake import Lake
from jobs.settings import Settings
from jobs.turn import turn
from jobs.whereabouts import index

NAME = "whereabouts"


def keep(settings: Settings, lake: Lake, catalog: Catalog) -> None:
    """Bring into the index what a stage wrote. Where another run is at it, that one does, or the next, or who asks."""
    with suppress(LostRace), turn(settings.home / "turns", NAME, patience=0):
        index.keep(lake, catalog)


def complete(settings: Settings, lake: Lake, catalog: Catalog) -> None:
    """Bring everything into the index. Raises LostRace where another run is at it for long."""
    with turn(settings.home / "turns", NAME):
        index.keep(lake, catalog)
