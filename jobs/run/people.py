"""resolve: the shell that links source identities to persons and mints keys."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from jobs.lake import Lake
from jobs.run.shell import Report, open_shell
from jobs.schema import arrow_schema
from jobs.settings import Settings
from jobs.stages import hold
from jobs.stages import resolve as stage

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

INPUTS = ("core.identity", "core.contact_point")
HELD, PAIR = "vault.held", ["person_key", "other_key"]


def resolve(settings: Settings) -> Report:
    """Link every identity that core knows. Links are written before persons, so that a killed run leaves no person
    without a link; the next run adds the persons that links name."""
    with open_shell(settings, "resolve", "people", with_engine=True) as shell:
        lake, now = shell.lake, datetime.now(UTC)
        identity, contact_point = (lake.read(name) for name in INPUTS)
        found = stage.evidence(identity, contact_point).toArrow()
        identities = (identity.where("source_person_id IS NOT NULL").select("source", "source_person_id").distinct().toArrow())
        known = lake.arrow("vault.link")
        resolved = stage.components(found, identities, known, lambda: secrets.token_hex(16))
        fresh = stage.new_links(resolved, known)
        if fresh.num_rows:
            links = fresh.append_column("linked_at", pa.array([now] * fresh.num_rows, pa.timestamp("us", "UTC")))
            lake.merge("vault.link", lake.spark.createDataFrame(links.select(arrow_schema(lake.contract("vault.link")).names)))
            shell.report.change("vault.link")
        minted = _add_persons(lake, now)
        lake.ensure(HELD)
        waiting, is_new = _hold(lake, hold.held(identity, contact_point, lake.read("vault.link")), now)
        if is_new:
            shell.report.change(HELD)
        shell.trail.reads(*INPUTS)
        shell.trail.writes(HELD)
        shell.trail.writes("vault.link", {"person_key": ["core.identity.source_person_id", "core.identity.email",
                                                         "core.identity.phone", "core.identity.device_id",
                                                         "core.contact_point.value"]})
        shell.report.facts.update(identities=identities.num_rows, persons=pc.count_distinct(resolved["person_key"]).as_py(),
                                  new_links=fresh.num_rows, minted=minted, held=waiting)
        return shell.report


def _hold(lake: Lake, found: DataFrame, now: datetime) -> tuple[int, bool]:
    """Keep the matches that wait for a review, and forget those that do not any more: how many wait, and whether that is new."""
    schema = pa.schema([(name, pa.string()) for name in PAIR])
    waiting, known = found.select(*PAIR).toArrow().cast(schema), lake.arrow(HELD, columns=PAIR).cast(schema)
    new, over = waiting.join(known, PAIR, join_type="left anti"), known.join(waiting, PAIR, join_type="left anti")
    if new.num_rows + over.num_rows:
        rows = pa.concat_tables([new, over]).append_column("is_gone", pa.array([False] * new.num_rows + [True] * over.num_rows))
        at = pa.array([now] * rows.num_rows, pa.timestamp("us", "UTC"))
        lake.merge(HELD, lake.spark.createDataFrame(rows.append_column("held_at", at)), gone="is_gone")
    return waiting.num_rows, bool(new.num_rows + over.num_rows)


def _add_persons(lake: Lake, now: datetime) -> int:
    linked = pc.unique(lake.arrow("vault.link", columns=["person_key"])["person_key"])
    held = lake.arrow("vault.person", columns=["person_key"])["person_key"]
    new = linked.filter(pc.invert(pc.is_in(linked, value_set=held.combine_chunks())))
    if len(new):
        rows = pa.table({"person_key": new, "minted_at": pa.array([now] * len(new), pa.timestamp("us", "UTC"))})
        lake.merge_arrow("vault.person", rows)
    return len(new)
