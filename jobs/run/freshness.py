"""freshness: how the service levels and duties of contracts are kept, and since when they are not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from contracts.life import environment, may_run
from contracts.load import Catalog, catalog
from jobs.breaches import Missed, Row, Standing, to_write
from jobs.errors import ConfigurationError
from jobs.lake import Lake
from jobs.ledger import freshness as ledger
from jobs.run.shell import Report, open_shell
from jobs.run.standings import Seen, standings
from jobs.settings import Settings

Rows = list[Row]
CANDIDATE = "safety.candidate"
RUN_BY = {"source": "land", "product": "build", "recipient": "recall"}


def record(settings: Settings, missed: Sequence[Missed] = ()) -> Report:
    """Write down each breach once, and when what was due came. ``missed``: deadlines that Airflow saw pass.

    What nobody promises any more is closed, and a deadline of it is told as ``not_promised``, not written down. Raises
    ConfigurationError for a deadline of what no contract, run or breach ever was about.
    """
    with open_shell(settings, "freshness", "all", with_engine=False) as shell:
        now, lake = datetime.now(UTC), shell.lake
        seen, held = Seen(lake), ledger.of(lake)
        found = _standings(settings, seen, shell.catalog, now)
        promised = {(standing.subject, standing.level.name) for standing in found}
        left = [notice for notice in missed if (notice.subject, notice.promise) not in promised]
        _refuse_unknown(left, shell.catalog, seen, held)
        rows = _changes(found, held, ledger.looked_at(seen.runs), now, missed)
        if ledger.write(lake, rows):
            shell.report.change(ledger.TABLE)
        shell.trail.writes(ledger.TABLE)
        shell.report.facts.update(not_promised=[f"{notice.subject} {notice.promise}" for notice in left])
        shell.report.facts.update(looked_at=now.isoformat(), late=sum(row["closed_at"] is None for row in _merged(held, rows)),
                                  breaches=[f"{row['subject']} {row['promise']}" for row in rows if row["closed_at"] is None])
        return shell.report


def overview(settings: Settings) -> dict[str, Any]:
    """As of now, without writing: ``levels``, a row for each promise, and ``breaches``, as the ledger would have them.

    levels: subject, promise, driver, promised_seconds, age_seconds (of what is waited for; 0 where nothing is), state (kept,
    late, or none: nothing has begun that it is about, or it never ran), since (when it was due, where late), last_kept_at.
    candidates: how many adverse-event candidates there are, and of how many, and until when at first, the clocks to triage and
    to report run.
    """
    contracts = catalog()
    lake, now = Lake(settings.lake_root, contracts.tables), datetime.now(UTC)
    seen, held = Seen(lake), ledger.of(lake)
    found = _standings(settings, seen, contracts, now)
    rows = _merged(held, _changes(found, held, ledger.looked_at(seen.runs), now, ()))
    return {"at": now, "levels": [_level(standing, rows, now) for standing in found], "breaches": rows,
            "candidates": _candidates(lake, now)}


def _standings(settings: Settings, seen: Seen, contracts: Catalog, now: datetime) -> list[Standing]:
    """How the promises of contracts that may run here, today, stand."""
    where = environment(settings.environment)
    return standings(seen, contracts, lambda contract: may_run(contract, where, now.date()))


def _candidates(lake: Lake, now: datetime) -> dict[str, Any]:
    """Clocks that run; of those that ran out nobody can tell here whether somebody heeded them."""
    rows = lake.arrow(CANDIDATE, columns=["triage_due_at", "report_due_at"]).to_pylist()
    told: dict[str, Any] = {"found": len(rows)}
    for clock in ("triage", "report"):
        running = [row[f"{clock}_due_at"] for row in rows if row[f"{clock}_due_at"] > now]
        told |= {f"{clock}_clocks": len(running), f"next_{clock}_due_at": min(running, default=None)}
    return told


def _level(standing: Standing, rows: Iterable[Row], now: datetime) -> dict[str, Any]:
    level = standing.level
    since = min((row["due_at"] for row in rows if _is_of(row, standing) and row["closed_at"] is None), default=None)
    state = "late" if since else "kept" if standing.spans or standing.kept else "none"
    return {"subject": standing.subject, "promise": level.name, "driver": level.driver, "contract_version": standing.version,
            "promised_seconds": level.within.total_seconds(), "age_seconds": standing.age(now).total_seconds(),
            "state": state, "since": since, "last_kept_at": max(standing.kept, default=None)}


def _changes(found: Iterable[Standing], held: Rows, looked_at: datetime | None, now: datetime, missed: Sequence[Missed]) -> Rows:
    rows: Rows = []
    promised = set()
    for standing in found:
        promised.add((standing.subject, standing.level.name))
        notices = [notice for notice in missed if (notice.subject, notice.promise) == (standing.subject, standing.level.name)]
        rows += to_write(standing, [row for row in held if _is_of(row, standing)], looked_at, now, notices)
    left = [row for row in held if (row["subject"], row["promise"]) not in promised and row["closed_at"] is None]
    return rows + [{**row, "closed_at": now} for row in left]


def _merged(held: Rows, rows: Rows) -> Rows:
    found = {(row["subject"], row["promise"], row["due_at"]): row for row in (*held, *rows)}
    return sorted(found.values(), key=lambda row: (row["due_at"], row["subject"], row["promise"]))


def _is_of(row: Row, standing: Standing) -> bool:
    return (row["subject"], row["promise"]) == (standing.subject, standing.level.name)


def _refuse_unknown(left: Iterable[Missed], contracts: Catalog, seen: Seen, held: Rows) -> None:
    """What a contract, a run or a breach is about was promised once."""
    known = {*(f"{kind}.{name}" for kind in ("source", "product", "recipient") for name in getattr(contracts, f"{kind}s")),
             *(f"{kind}.{name}" for kind, stage in RUN_BY.items() for name in seen.subjects(stage)),
             *(row["subject"] for row in held)}
    for notice in left:
        if notice.subject not in known:
            raise ConfigurationError(f"no contract promises {notice.promise} of {notice.subject}; `concord freshness` shows what "
                                     "is promised")
