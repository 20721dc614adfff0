"""Row accounts: what became of the rows of a batch, a candidate or an extract, and that they add up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from jobs.errors import IntegrityError
from jobs.lake import Lake
from jobs.schema import arrow_schema

TABLE = "ledger.account"


@dataclass(frozen=True)
class Entry:
    """How many rows of a table had an outcome, for a reason; ``people`` where the stage counts people."""

    table_name: str
    outcome: str
    reason_code: str
    rows: int
    people: int | None = None


def write(lake: Lake, subject: str, entries: Iterable[tuple[str, Entry]], at: datetime) -> None:
    """Write a subject's whole account, (stage, entry), in one commit, in place of what an earlier try wrote of it."""
    rows = [{"subject": subject, "stage": stage, "table_name": e.table_name, "outcome": e.outcome,
             "reason_code": e.reason_code, "rows": e.rows, "people": e.people, "written_at": at} for stage, e in entries]
    lake.merge_arrow(TABLE, pa.Table.from_pylist(rows, schema=arrow_schema(lake.contract(TABLE))), whole={"subject": subject})


def of(lake: Lake, subjects: set[str]) -> list[dict]:
    """Entries of the named subjects."""
    return [row for row in lake.arrow(TABLE).to_pylist() if row["subject"] in subjects]


def hold(what: str, considered: int, entries: Iterable[Entry]) -> None:
    """Raise IntegrityError unless the rows of the entries add up to what was considered."""
    total = sum(entry.rows for entry in entries)
    if total != considered:
        raise IntegrityError(f"{what}: {considered} rows came in but {total} are accounted for; nothing more was written")
