"""OpenLineage events, one for every run of a stage, and the way back from an extract to its sources."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import column_lineage_dataset, schema_dataset
from openlineage.client.serde import Serde

from jobs.lake import Lake
from jobs.settings import Settings

PRODUCER = "https://concord.example/jobs"


def emit(settings: Settings, lake: Lake, stage: str, subject: str, run_id: str, inputs: Iterable[str],
         outputs: dict[str, dict[str, list[str]]], failed: bool, at: datetime) -> None:
    """Append one event to the events file; ``outputs`` maps a table to its columns' origins (table.column)."""
    event = RunEvent(
        eventType=RunState.FAIL if failed else RunState.COMPLETE, eventTime=at.isoformat(),
        run=Run(runId=run_id), job=Job(namespace="concord", name=f"{stage}.{subject}"), producer=PRODUCER,
        inputs=[InputDataset(namespace=_namespace(lake), name=name) for name in inputs],
        outputs=[_output(lake, name, columns) for name, columns in outputs.items()])
    settings.events.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _append(settings.events, json.dumps(Serde.to_dict(event)).encode())


def events(settings: Settings) -> list[dict[str, Any]]:
    """Every event written so far, oldest first; a line that a kill cut off is none."""
    if not settings.events.exists():
        return []
    return [event for line in settings.events.read_bytes().splitlines() if (event := _event(line))]


def _append(path: Path, line: bytes) -> None:
    """Add a line in one write, so that lines of runs side by side do not mix; one that was cut off before it is ended."""
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        start = b"\n" if size and os.pread(descriptor, 1, size - 1) != b"\n" else b""
        content = start + line + b"\n"
        if os.write(descriptor, content) != len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    finally:
        os.close(descriptor)


def _event(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def origins(found: list[dict[str, Any]]) -> dict[str, dict[str, list[str]]]:
    """For each dataset, the origins of its columns (dataset.column), as the events tell."""
    columns: dict[str, dict[str, list[str]]] = {}
    for event in found:
        for output in event.get("outputs", []):
            fields = output.get("facets", {}).get("columnLineage", {}).get("fields", {})
            for name, entry in fields.items():
                into = columns.setdefault(output["name"], {}).setdefault(name, [])
                into.extend(o for o in (f"{i['name']}.{i['field']}" for i in entry["inputFields"]) if o not in into)
    return columns


def way(found: list[dict[str, Any]], dataset: str) -> list[tuple[int, str, str]]:
    """The way from a dataset back to its sources: (depth, column, origin), depth first."""
    columns = origins(found)
    lines: list[tuple[int, str, str]] = []

    def walk(name: str, column: str, depth: int, seen: frozenset[str]) -> None:
        for origin in columns.get(name, {}).get(column, []):
            lines.append((depth, f"{name}.{column}", origin))
            table, field = split(origin)
            if origin not in seen:
                walk(table, field, depth + 1, seen | {origin})

    for column in columns.get(dataset, {}):
        walk(dataset, column, 0, frozenset())
    return lines


def _output(lake: Lake, name: str, columns: dict[str, list[str]]) -> OutputDataset:
    facets: dict[str, Any] = {}
    if columns:
        facets["columnLineage"] = column_lineage_dataset.ColumnLineageDatasetFacet(fields={
            column: column_lineage_dataset.Fields(inputFields=[_field(lake, origin) for origin in sources])
            for column, sources in columns.items() if sources})
        facets["schema"] = schema_dataset.SchemaDatasetFacet(
            fields=[schema_dataset.SchemaDatasetFacetFields(name=column) for column in columns])
    return OutputDataset(namespace=_namespace(lake), name=name, facets=facets)


def _field(lake: Lake, origin: str) -> column_lineage_dataset.InputField:
    table, column = split(origin)
    return column_lineage_dataset.InputField(namespace=_namespace(lake), name=table, field=column)


def split(origin: str) -> tuple[str, str]:
    """An origin as dataset and field: raw.crm + payload.Id, core.observation + value."""
    if ".payload" in origin:
        table, _, rest = origin.partition(".payload")
        return table, "payload" + rest
    table, _, column = origin.rpartition(".")
    return table, column


def _namespace(lake: Lake) -> str:
    return "/".join(lake.root.split("/")[:3]) if "://" in lake.root else "file"
