"""The gate before a write, with what it found kept in the ledger, whatever that is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from contracts.model import Table
from contracts.quality import Reference
from jobs import check
from jobs.ledger import quality
from jobs.run.shell import Shell

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def gate(shell: Shell, subject: str, frame: DataFrame, table: Table, as_of: datetime, needed: frozenset[str] = frozenset(),
         beside: Mapping[str, DataFrame] | None = None, history: DataFrame | None = None) -> None:
    """Check the rows of a subject (batch, candidate, extract) for a table. Raises GateFailed; then nothing may be written.

    ``beside``: rows of other tables that are to be written with these, to which they may refer. ``history``: rows that the
    same source brought before, with which they may be compared.
    """
    _show_referred(shell, table, beside or {})
    check.gate(frame, table, as_of, needed,
               keep=lambda found: quality.write(shell.lake, subject, table, found, datetime.now(UTC)), history=history)


def _show_referred(shell: Shell, table: Table, beside: Mapping[str, DataFrame]) -> None:
    """Make a view of each table that a contract's references name, with what is to be written into it."""
    from expectations.rules import view

    for name in {rule.to_table for rule in table.quality if isinstance(rule, Reference)}:
        columns = sorted({column for rule in table.quality if isinstance(rule, Reference) and rule.to_table == name
                          for column in rule.to_columns})
        known = shell.lake.read(name).select(*columns)
        if name in beside:
            known = known.unionByName(beside[name].select(*columns))
        known.distinct().createOrReplaceTempView(view(name))
