"""The gate before a write, with what it found kept in the ledger, whatever that is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from contracts.model import Table
from jobs import check
from jobs.ledger import quality
from jobs.run.shell import Shell

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def gate(shell: Shell, subject: str, frame: DataFrame, table: Table, as_of: datetime,
         needed: frozenset[str] = frozenset()) -> None:
    """Check the rows of a subject (batch, candidate, extract) for a table. Raises GateFailed; then nothing may be written."""
    check.gate(frame, table, as_of, needed,
               keep=lambda found: quality.write(shell.lake, subject, table, found, datetime.now(UTC)))
