"""The reject limit: a batch of which more is set apart than its contract allows stops as a whole."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime

from contracts.model import Source
from contracts.quality import Metric, Must
from contracts.vocabulary import Outcome
from jobs.check import Finding
from jobs.errors import GateFailed
from jobs.ledger import quality
from jobs.ledger.accounts import Entry
from jobs.run.shell import Shell

EXPECTATION, RULE = "expect_quality_metric_to_meet", "reject_limit"  # As a rule of the standard would be kept.


def hold(shell: Shell, source: Source, batch_id: str, entries: Iterable[Entry]) -> None:
    """Keep in the ledger how much of each stream of a batch is rejected. Raises GateFailed where that passes the limit.

    Each stream is held to it, since a stream of few records would be lost among many: one of consents, for example.
    """
    limit, reasons, records = source.reject_limit, dict[str, Counter[str]](), Counter[str]()
    for entry in entries:
        records[entry.table_name] += entry.rows
        reasons.setdefault(entry.table_name, Counter())[entry.reason_code] += entry.rows * (entry.outcome == Outcome.REJECTED)
    found = []
    for stream, rows in sorted(records.items()):
        apart = reasons[stream].total()
        is_met = apart <= max(limit.tolerated, limit.share * rows)
        said = {"metric": Metric.INVALID_VALUES, "columns": [stream], "must": Must.BE_LESS_OR_EQUAL_TO,
                "numbers": [max(100 * limit.share, 100 * limit.tolerated / rows if rows else 100)], "is_percent": True}
        found.append(Finding(EXPECTATION, stream, is_met, rows, apart, json.dumps(said, sort_keys=True), RULE, stops=True))
    quality.write(shell.lake, batch_id, shell.lake.contract(source.raw), found, datetime.now(UTC))
    if broken := [f"{f.rows:,} of {f.of:,} records of {f.columns} ({_pairs(reasons[f.columns])})" for f in found if not f.is_met]:
        raise GateFailed(
            f"{batch_id}: rejected are {'; '.join(broken)}; rejectLimit of {source.id} allows a share of {limit.share:g}, or "
            f"{limit.tolerated} records. Nothing of the batch was written; it waits, and those behind it. Mend the contract, or "
            f"raise its rejectLimit where this is what the source sends, and run `concord conform {source.id}` again")


def _pairs(counts: Counter[str]) -> str:
    return ", ".join(f"{reason} {rows:,}" for reason, rows in counts.most_common() if rows)
