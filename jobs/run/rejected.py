"""rejected: what conform set apart, by reason: never a value of a record, and never whose it is."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from contracts.load import catalog
from contracts.vocabulary import RejectReason
from jobs.errors import ConfigurationError
from jobs.lake import Lake
from jobs.run.rules import rules
from jobs.settings import Settings

ALIKE = ["source", "stream", "reason_code", "field", "contract_version", "is_due"]
PLACE = ["batch_id", "position", "rejected_at"]
Rows = list[dict[str, Any]]


def overview(settings: Settings, source: str | None = None, reason: str | None = None) -> Rows:
    """How many records are set apart for which reason, the most first.

    ``ALIKE``, rows, batches (how many), first_at and last_at (UTC). is_due: other rules than today's rejected them, so that a
    replay takes them up. Raises ConfigurationError for a reason that there is not.
    """
    counted = _apart(settings, source, reason).group_by(ALIKE).aggregate([
        ("batch_id", "count"), ("batch_id", "count_distinct"), ("rejected_at", "min"), ("rejected_at", "max")])
    named = counted.rename_columns([*ALIKE, "rows", "batches", "first_at", "last_at"])
    return named.sort_by([("rows", "descending"), *((name, "ascending") for name in ALIKE)]).to_pylist()


def records(settings: Settings, source: str | None = None, reason: str | None = None) -> Rows:
    """Where each of them lies: ``ALIKE``, batch_id and position in the source's raw table, rejected_at (UTC); newest first."""
    found = _apart(settings, source, reason).select([*ALIKE, *PLACE])
    return found.sort_by([("rejected_at", "descending"), ("batch_id", "ascending"), ("position", "ascending")]).to_pylist()


def _apart(settings: Settings, source: str | None, reason: str | None) -> pa.Table:
    reasons = sorted(str(each) for each in RejectReason)
    if reason is not None and reason not in reasons:
        raise ConfigurationError(f"no reason is called {reason!r}; there are {', '.join(reasons)}")
    contracts = catalog()
    lake = Lake(settings.lake_root, contracts.tables)
    wanted = None if reason is None else pc.field("reason_code") == reason
    read = [*ALIKE[1:-1], "rules_sha256", *PLACE]  # Not the record's id: it may tell whose it is.
    found = []
    for name in sorted(contracts.sources) if source is None else [source]:
        rows = lake.arrow(f"{contracts.sources[name].raw}__rejected", columns=read, filters=wanted)
        due = pc.not_equal(rows["rules_sha256"], rules(contracts.sources[name], contracts.tables))
        found.append(rows.append_column("source", pa.array([name] * rows.num_rows, pa.string())).append_column("is_due", due))
    return pa.concat_tables(found)
