"""lineage: the way from an extract or a table back to the sources, as the OpenLineage events tell it."""

from __future__ import annotations

from jobs.errors import ConfigurationError
from jobs.ledger import lineage as ledger
from jobs.settings import Settings


def lineage(settings: Settings, name: str) -> list[tuple[int, str, str]]:
    """(depth, column, origin) for every step back from an extract or a table.

    Raises ConfigurationError when no event tells of it.
    """
    found = ledger.events(settings)
    for dataset in (f"extract.{name}", name):
        steps = ledger.way(found, dataset)
        if steps:
            return steps
    raise ConfigurationError(f"no event tells of an extract or table {name!r}; `concord summary` shows the extracts there are")
