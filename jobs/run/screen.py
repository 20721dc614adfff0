"""screen: the shell that looks for adverse-event candidates, before any consent is asked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import reduce
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from contracts.model import Source
from jobs.run.shell import Report, Shell, open_shell
from jobs.settings import Settings
from jobs.stages import screen as stage
from jobs.workspace import Workspace, workspace

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

KINDS: tuple[stage.Kind, ...] = ("message", "interaction", "observation")
TABLE = "safety.candidate"


def screen(settings: Settings, source_id: str) -> Report:
    """Add the candidates among a source's rows that are not known yet; a known one keeps its clocks.

    Records that conform rejected or refused are screened too, as far as they can be read: reporting is a legal duty.
    """
    with open_shell(settings, "screen", source_id, with_engine=True) as shell:
        shell.report.facts.update(candidates=find(shell, shell.catalog.sources[source_id]))
        return shell.report


def find(shell: Shell, source: Source) -> int:
    """Add a source's new candidates; how many there are."""
    lake, now, found = shell.lake, datetime.now(UTC), 0
    with workspace(shell.settings.lake_root, f"{shell.trail.stage}.screened.{source.id}", lake.spark) as work:
        made = [frame for kind in KINDS if f"core.{kind}" in source.tables
                for frame in _candidates(shell, source, kind, work, now)]
        if made:
            held = lake.read(TABLE).select("source", "record_id")
            every = stage.one_each(reduce(lambda a, b: a.unionByName(b), made), stage.lexicon())
            new = work.keep("new", every.join(held, ["source", "record_id"], "left_anti"))
            found = new.count()
            if found:
                lake.merge(TABLE, new)
                shell.report.change(TABLE)
                shell.trail.writes(TABLE)
    return found


def _candidates(shell: Shell, source: Source, kind: stage.Kind, work: Workspace, now: datetime) -> Iterator[DataFrame]:
    """Those among the rows of a core table, and among the records of the streams that feed it which are not in core."""
    lake, table = shell.lake, f"core.{kind}"
    shell.trail.reads(table)
    yield stage.screen(lake.read(table).where(f"source = '{source.id}'"), kind, stage.lexicon(), now)
    apart = [name for name in (f"{source.raw}__rejected", f"{source.raw}__refused") if lake.exists(name)]
    if not apart:
        return
    shell.trail.reads(source.raw, *apart)
    place = ["batch_id", "position"]
    pointers = reduce(lambda a, b: a.unionByName(b), [lake.read(name).select(*place) for name in apart])
    records = lake.read(source.raw).join(pointers, place, "left_semi")
    for feed in source.feeds:
        if feed.table == table:
            # Kept, because Sail fails to plan a filter on what is made of bytes.
            rows = work.keep(f"unread_{feed.name}", stage.unread(records, source, feed, lake.contract(table)))
            yield stage.screen(rows, kind, stage.lexicon(), now).withColumn("table_name", F.lit(source.raw))
