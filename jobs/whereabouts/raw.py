"""Whom the envelopes of a source are about: those whom a payload names, and where it names nobody, those of its record."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from contracts.expressions import Call
from contracts.model import Mapping, Source
from jobs.connectors.owners import WHO
from jobs.connectors.records import at, parsed
from jobs.lake import Lake

PLACE = ("batch_id", "position")
ENVELOPE = (*PLACE, "stream", "record_id", "payload")


class Raw:
    """What a source sent, to be asked about envelopes that do not say by themselves whom they are about."""

    def __init__(self, lake: Lake, source: Source) -> None:
        self.source, self._lake = source, lake

    def named(self, rows: pa.Table) -> set[str]:
        """The ids of whom envelopes are about, or rows that point to them by batch and position, or by record."""
        there = set(rows.column_names)
        if "payload" in there:
            each = list(owned(self.source, rows))
            mute = rows.filter(pa.array([not found for found in each], pa.bool_()))
            return set[str]().union(*each) | self._of_records(mute["record_id"])
        if {*PLACE} <= there:
            return self._at(rows)
        return self._of_records(rows["record_id"]) if "record_id" in there else set()

    def _at(self, rows: pa.Table) -> set[str]:
        """Of pointers: those of the envelopes that are there still."""
        found = self._envelopes(pc.field("batch_id").isin(rows["batch_id"].unique().to_pylist()))
        places = set(_places(rows))
        return self.named(found.filter(pa.array([place in places for place in _places(found)], pa.bool_())))

    def _of_records(self, names: pa.ChunkedArray) -> set[str]:
        """Of records: those whom any of their envelopes names, as a notice of a deletion names nobody."""
        wanted = names.unique().drop_null()
        found = self._envelopes(pc.field("record_id").isin(wanted.to_pylist())) if len(wanted) else None
        return set[str]() if found is None else set[str]().union(*owned(self.source, found))

    def _envelopes(self, wanted: pc.Expression) -> pa.Table:
        if not self._lake.exists(self.source.raw):
            return pa.table({column: [] for column in ENVELOPE})
        return self._lake.arrow(self.source.raw, columns=list(ENVELOPE), filters=wanted)


def _places(rows: pa.Table) -> Iterator[tuple[str, int]]:
    return zip(*(rows[column].to_pylist() for column in PLACE), strict=True)


def owned(source: Source, rows: pa.Table) -> Iterator[set[str]]:
    """The ids of whom the payload of each envelope names as whom it is about, as core calls them."""
    ways = {feed.stream: list[tuple[Any, bool]]() for feed in source.feeds}
    for feed in source.feeds:
        ways[feed.stream] += [(path, _is_reference(m)) for m in feed.mappings if m.column == WHO for path in m.paths]
    for stream, payload in zip(rows["stream"].to_pylist(), rows["payload"].to_pylist(), strict=True):
        content = parsed(payload)
        values = ((at(content, path), is_reference) for path, is_reference in ways.get(stream, ()))
        yield {str(value).rpartition("/")[2] if is_reference else str(value) for value, is_reference in values
                                  if isinstance(value, str | int) and not isinstance(value, bool)}


def _is_reference(mapping: Mapping) -> bool:
    """Whether an id is made of the last part of what stands there."""
    def calls(step: Any) -> Iterator[str]:
        if isinstance(step, Call):
            yield step.function
            for argument in step.arguments:
                yield from calls(argument)
    return mapping.expression is None or "reference" in calls(mapping.expression)
