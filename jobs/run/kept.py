"""What the law makes us keep of people who are forgotten: the payloads in which a safety candidate of theirs was found."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from contracts.model import Source
from jobs.erasure.rows import Sought, about
from jobs.erasure.traces import Traces
from jobs.run.shell import Shell
from jobs.schema import arrow_schema

CANDIDATE, RECORD = "safety.candidate", "safety.record"
# Who reports a suspected adverse event must be able to follow it up.
GROUND = "Directive 2001/83/EC article 107, GDPR article 17(3)(b) and (c)"


def keep(shell: Shell, erasure: int, found: Traces) -> int:
    """Copy the envelopes of theirs that safety candidates rest on to the safety zone, before raw loses them; how many this pass
    keeps. One that is there stays as it is, so a killed pass is made good by the next."""
    lake = shell.lake
    there = lake.arrow(RECORD, columns=["batch_id", "position", "erasure"])
    known = {(row["batch_id"], row["position"]) for row in there.to_pylist()}
    rows = [row | {"ground": GROUND, "erasure": erasure} for source in shell.catalog.sources.values()
            if lake.exists(source.raw) for row in _resting(shell, source, found)
            if (row["batch_id"], row["position"]) not in known]
    if rows:
        shell.trail.reads(CANDIDATE)
        lake.append_arrow(RECORD, pa.Table.from_pylist(rows, schema=arrow_schema(lake.contract(RECORD))))
        shell.report.change(RECORD)
        shell.trail.writes(RECORD)
    return len(rows) + there["erasure"].to_pylist().count(erasure)


def _resting(shell: Shell, source: Source, found: Traces) -> Iterator[dict[str, Any]]:
    """The envelopes of a source that are theirs and that a candidate names: by record, or by place where they have no name."""
    lake, table = shell.lake, shell.catalog.tables[source.raw]
    names = lake.arrow(CANDIDATE, columns=["record_id"], filters=pc.field("source") == source.id)["record_id"]
    if not len(names):
        return
    shell.trail.reads(source.raw)
    place = pc.binary_join_element_wise(pc.field("batch_id"), pc.field("position").cast(pa.string()), "/")
    columns = ["batch_id", "position", "source", "record_id", "stream", "payload", "received_at", "sha256"]
    rows = lake.arrow(source.raw, columns=columns, filters=(
        pc.is_in(pc.field("record_id"), value_set=names.combine_chunks()) | pc.is_in(place, value_set=names.combine_chunks())))
    for row in rows.filter(pa.array(about(table, rows, Sought(found)))).to_pylist():
        yield row | {"record_id": row["record_id"] or f"{row['batch_id']}/{row['position']}"}
