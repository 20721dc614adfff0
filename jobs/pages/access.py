"""The page of `concord access`: what is held of a person, for them to read, in one file of HTML that fetches and runs nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from contracts.load import Catalog
from contracts.vocabulary import DataCategory
from jobs.access.copy import Copied, name_of
from jobs.tables import minute

LONGEST = 300  # Signs of a value that are shown; the file has all of it.
EXTRACT = "Rows that were passed on"
LAST = ("source_person_id", "record_id")  # Behind what somebody wants to read, as all that is technical.
NOT_SHOWN = ("batch_id", "payload_sha256", "contract_version", "sha256", "run_id", "position")


def page(said: Mapping[str, Any], tables: Mapping[str, Copied], files: Iterable[Mapping[str, Any]], catalog: Catalog) -> str:
    """The page of what ``jobs.access.said.about`` tells and of the first rows of each table; every text is escaped."""
    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined,
                              trim_blocks=True, lstrip_blocks=True)
    shown = [_table(name, copied, catalog) for name, copied in sorted(tables.items())]
    return environment.get_template("access.html").render(page={
        "at": minute(said["made_at"]), "headline": headline(tables, said), "said": said, "tables": shown, "files": list(files)})


def headline(tables: Mapping[str, Copied], said: Mapping[str, Any]) -> str:
    """What there is, in a sentence."""
    rows, sources = sum(copied.rows for copied in tables.values()), len(said["15(1)(g) sources"])
    withheld = sum(row["count"] for row in said["15(4) withheld"])
    left = f" {withheld:,} were left out, since they are about others, too." if withheld else ""
    are, systems = "record" if rows == 1 else "records", "system" if sources == 1 else "systems"
    return f"{rows:,} {are} about you, from {sources} {systems}.{left}"


def _table(name: str, copied: Copied, catalog: Catalog) -> dict[str, Any]:
    """A table with those columns in which one of the first rows has anything, the technical ones last."""
    declared = catalog.tables.get(name)
    there = [c for c in (copied.shown[0] if copied.shown else {})
             if c not in NOT_SHOWN and any(row.get(c) is not None for row in copied.shown)]
    behind = {c.name for c in declared.columns if c.category is DataCategory.TECHNICAL or c.name in LAST} if declared else set()
    columns = sorted(there, key=lambda name: name in behind and name != "source")
    versions = ", ".join(map(str, sorted(copied.versions))) or None
    return {"name": name, "description": declared.description if declared else EXTRACT, "rows": copied.rows,
            "left_over": copied.left_over, "file": name_of(name), "versions": versions, "columns": columns,
            "cells": [[cell(row.get(column)) for column in columns] for row in copied.shown]}


def cell(value: Any) -> str:
    """A value as it is read: moments to the minute, truth in words, long texts cut."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case datetime():
            return minute(value)
        case date():
            return value.isoformat()
        case float():
            return f"{value:.10g}"
    text = str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} ..."
