"""In which passes people were forgotten, and whom no source brings back."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from jobs.lake import Lake
from jobs.schema import arrow_schema

TABLE, SUPPRESSED, RELEASES = "ledger.erasure", "ledger.suppression", "ledger.erased_release"
INPUTS, COPIES, REQUESTS = "ledger.erased_input", "ledger.erased_copy", "ledger.erasure_request"


def every(lake: Lake) -> list[dict[str, Any]]:
    """Every pass, oldest first; one whose ``ended_at`` is null is under way, or was killed."""
    return sorted(lake.arrow(TABLE).to_pylist(), key=lambda row: row["number"])


def write(lake: Lake, row: dict[str, Any]) -> None:
    """Write a pass, in place of what was written of it."""
    lake.merge_arrow(TABLE, pa.Table.from_pylist([row], schema=arrow_schema(lake.contract(TABLE))))


def suppress(lake: Lake, references: Iterable[tuple[str, str]], erasure: int, at: datetime) -> None:
    """Keep that these (source, reference) are not to come back; of one that is out already what is there stays."""
    out = {row["reference"] for row in suppressions(lake) if row["lifted_at"] is None}
    write_suppressions(lake, [{"reference": reference, "source": source, "erasure": erasure, "since_at": at}
                              for source, reference in sorted(set(references)) if reference not in out])


def write_suppressions(lake: Lake, rows: list[dict[str, Any]]) -> None:
    """Write suppressions, in place of what was written of them."""
    if rows:
        lake.merge_arrow(SUPPRESSED, pa.Table.from_pylist(rows, schema=arrow_schema(lake.contract(SUPPRESSED))))


def mark(lake: Lake, erasure: int, lost: Iterable[tuple[str, int, str, int]]) -> None:
    """Keep that products of releases (release_group, number, product, rows) lost rows in a pass."""
    rows = [{"release_group": group, "number": number, "product": product, "erasure": erasure, "rows": count}
            for group, number, product, count in lost]
    if rows:
        lake.merge_arrow(RELEASES, pa.Table.from_pylist(rows, schema=arrow_schema(lake.contract(RELEASES))))


def mark_inputs(lake: Lake, erasure: int, lost: Iterable[tuple[str, int, int]]) -> None:
    """Keep that versions of tables that releases rest on (table, version, rows) lost rows in a pass."""
    rows = [{"table_name": table, "version": version, "erasure": erasure, "rows": count} for table, version, count in lost]
    if rows:
        lake.merge_arrow(INPUTS, pa.Table.from_pylist(rows, schema=arrow_schema(lake.contract(INPUTS))))


def lost_of(lake: Lake, table: str, version: int) -> int:
    """How many rows a version of a table has lost since, because people were forgotten."""
    rows = lake.arrow(INPUTS, filters=(pc.field("table_name") == table) & (pc.field("version") == version))
    return sum(rows["rows"].to_pylist())


def lost(lake: Lake, pin: dict[str, Any]) -> int:
    """How many rows a product of a release has lost since it was pinned, because people were forgotten."""
    wanted = (pc.field("release_group") == pin["release_group"]) & (pc.field("number") == pin["number"])
    rows = lake.arrow(RELEASES, filters=wanted & (pc.field("product") == pin["product"]))
    return sum(rows["rows"].to_pylist())


def keep_copy(lake: Lake, extract_id: str, name: str, sha256: str, erasure: int) -> None:
    """Keep what our copy of a file of an extract is, now that people were taken out of it."""
    row = {"extract_id": extract_id, "name": name, "sha256": sha256, "erasure": erasure}
    lake.merge_arrow(COPIES, pa.Table.from_pylist([row], schema=arrow_schema(lake.contract(COPIES))))


def copies(lake: Lake, extract_id: str) -> dict[str, str]:
    """SHA-256 of our copies of an extract's files that people were taken out of, by name."""
    rows = lake.arrow(COPIES, filters=pc.field("extract_id") == extract_id).to_pylist()
    return {row["name"]: row["sha256"] for row in rows}


def suppressions(lake: Lake, source: str | None = None) -> list[dict[str, Any]]:
    """The last suppression of each reference, of one source or of any; one with a ``lifted_at`` holds no more."""
    of = None if source is None else pc.field("source") == source
    rows = sorted(lake.arrow(SUPPRESSED, filters=of).to_pylist(), key=lambda row: row["erasure"])
    return list({row["reference"]: row for row in rows}.values())


def requests(lake: Lake) -> list[dict[str, Any]]:
    """Every list of people who asked to be forgotten, oldest first."""
    return sorted(lake.arrow(REQUESTS).to_pylist(), key=lambda row: row["listed_at"])


def request(lake: Lake, name: str) -> dict[str, Any] | None:
    """One list, by its digest."""
    return next((row for row in requests(lake) if row["list"] == name), None)


def write_request(lake: Lake, row: dict[str, Any]) -> None:
    """Write a list, in place of what was written of it."""
    lake.merge_arrow(REQUESTS, pa.Table.from_pylist([row], schema=arrow_schema(lake.contract(REQUESTS))))
