"""What every stage's shell needs: settings, contracts, the lake, an engine when asked, and a trail that is always closed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from contracts.load import Catalog, catalog
from jobs import engine, zones
from jobs.errors import ConcordError, LostRace, no_room
from jobs.lake import Lake
from jobs.ledger import audit
from jobs.races import is_lost_race
from jobs.run import life, whereabouts
from jobs.settings import Settings
from jobs.turn import house, turn


@dataclass
class Report:
    """How a stage ended: ``changed`` names the tables it changed; ``facts`` are counts and names for people and machines.

    A stage that only tells something sets ``is_answer``.
    """

    changed: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    is_answer: bool = False

    @property
    def result(self) -> str:
        """done or unchanged."""
        return "done" if self.changed or self.is_answer else "unchanged"

    def change(self, table: str) -> None:
        """Note a changed table once."""
        if table not in self.changed:
            self.changed.append(table)


@dataclass
class Shell:
    """One running stage."""

    settings: Settings
    catalog: Catalog
    lake: Lake
    trail: audit.Trail
    report: Report


@contextmanager
def open_shell(settings: Settings, stage: str, subject: str, with_engine: bool, alone: bool = False) -> Iterator[Shell]:
    """Open the lake for a stage, when it is its turn; whatever happens, one audit entry and one lineage event are written.

    ``alone``: no other stage runs meanwhile.

    Raises NotInForce where a contract that the stage reads may not run.
    """
    contracts = catalog()
    trail = audit.Trail(stage, subject)
    report = Report()
    lake = Lake(settings.lake_root, contracts.tables)
    started, name = time.monotonic(), f"{stage}.{subject}"
    with _closed(Shell(settings, contracts, lake, trail, report), started) as shell, turn(settings.home / "turns", name), \
            house(settings.home / "turns", alone):
        zones.secure(settings, contracts.tables)
        life.refuse(settings, contracts, lake, stage, subject)
        if not with_engine:
            yield shell
        else:
            with engine.session(settings.engine) as spark:
                shell.lake = Lake(settings.lake_root, contracts.tables, spark)
                yield shell
        whereabouts.keep(settings, shell.lake, contracts)


@contextmanager
def _closed(shell: Shell, started: float) -> Iterator[Shell]:
    try:
        yield shell
    except BaseException as error:
        _keep_to_what_changed(shell)
        shell.trail.detail = {"error": type(error).__name__}
        audit.close(shell.settings, shell.lake, shell.trail, "failed")
        if isinstance(error, ConcordError) or not isinstance(error, Exception):
            raise
        if full := no_room(error):
            raise full from error
        if is_lost_race(error):
            raise LostRace(f"{shell.trail.stage}: another run was writing a table that this one reads or writes; nothing is "
                           "lost, and running it again helps") from error
        raise
    _keep_to_what_changed(shell)
    shell.trail.detail.update(shell.report.facts)
    shell.report.facts["seconds"] = round(time.monotonic() - started, 2)
    audit.close(shell.settings, shell.lake, shell.trail, shell.report.result)


def _keep_to_what_changed(shell: Shell) -> None:
    """Of the lake's tables the trail tells on those alone that this run changed."""
    shell.trail.outputs = {name: columns for name, columns in shell.trail.outputs.items()
                           if name in shell.report.changed or name not in shell.catalog.tables}
