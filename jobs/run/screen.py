"""screen: the shell that looks for adverse-event candidates, before any consent is asked."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import reduce

from jobs.run.shell import Report, open_shell
from jobs.settings import Settings
from jobs.stages import screen as stage

KINDS: tuple[stage.Kind, ...] = ("message", "interaction", "observation")
TABLE = "safety.candidate"


def screen(settings: Settings, source_id: str) -> Report:
    """Add the candidates among a source's rows that are not known yet; a known one keeps its clocks."""
    with open_shell(settings, "screen", source_id, with_engine=True) as shell:
        source, lake, now = shell.catalog.sources[source_id], shell.lake, datetime.now(UTC)
        kinds = [kind for kind in KINDS if f"core.{kind}" in source.tables]
        shell.trail.reads(*[f"core.{kind}" for kind in kinds])
        found = 0
        if kinds:
            made = [stage.screen(lake.read(f"core.{kind}").where(f"source = '{source.id}'"), kind, stage.lexicon(), now)
                    for kind in kinds]
            held = lake.read(TABLE).select("source", "record_id")
            new = reduce(lambda a, b: a.unionByName(b), made).join(held, ["source", "record_id"], "left_anti")
            found = new.count()
            if found:
                lake.merge(TABLE, new)
                shell.report.change(TABLE)
                shell.trail.writes(TABLE)
        shell.report.facts.update(candidates=found)
        return shell.report
