"""What releases lost because people were forgotten: rows of their products, and of the versions that their decisions rest on."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa

from jobs.erasure.traces import Traces
from jobs.errors import NotErased
from jobs.ledger import erasures, releases
from jobs.run.pins import Standing
from jobs.run.shell import Shell


def count(shell: Shell, found: Traces, pinned: Standing, tables: list[str]) -> None:
    """Keep how many rows each pinned version of some tables has, where a pass that was killed did not do so before it began."""
    for pin in pinned.pins:
        name = f"{pin.table}@{pin.version}"
        if pin.table in tables and name not in found.pinned:
            found.pinned[name] = _rows(shell, pin.table, pin.version)


def mark(shell: Shell, erasure: int, found: Traces, tables: list[str]) -> int:
    """Write down what was lost, as far as no earlier pass told it: how many products of releases lost rows. What is pinned has
    the rows of now then; the plan is to keep that before the pass ends, so that no other pass tells it again."""
    lost = []
    for name, rows in found.pinned.items():
        table, version = name.rsplit("@", 1)
        found.pinned[name] = _rows(shell, table, int(version))
        lost += [(table, int(version), gone)] if (gone := rows - found.pinned[name]) > 0 else []
    erasures.mark_inputs(shell.lake, erasure, lost)
    return _mark_releases(shell, erasure, tables)


def _mark_releases(shell: Shell, erasure: int, tables: list[str]) -> int:
    lake, told = shell.lake, Counter[tuple[str, int, str]]()
    for row in lake.arrow(erasures.RELEASES).to_pylist():
        told[row["release_group"], row["number"], row["product"]] += row["rows"] * (row["erasure"] != erasure)
    lost = []
    for pin in releases.every(lake):
        where = (pin["release_group"], pin["number"], pin["product"])
        if (name := f"product.{pin['product']}") in tables:
            rows = pin["rows"] - _rows(shell, name, pin["table_version"]) - told[where]
            lost += [(*where, rows)] if rows > 0 else []
    erasures.mark(lake, erasure, lost)
    return len(lost)


def _rows(shell: Shell, table: str, version: int) -> int:
    try:
        return int(shell.lake.arrow(table, version, columns=[]).num_rows)
    except (pa.ArrowInvalid, OSError) as error:
        raise NotErased(f"a file of version {version} of {table} cannot be read ({type(error).__name__}); restore it, and run "
                        "`concord forget` again") from None
