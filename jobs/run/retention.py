"""retention: what is past its contract's days is removed, zone by zone, and what must stay is told with what keeps it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from contracts.model import HONOURING, Product, Source
from jobs.errors import Overdue
from jobs.ledger import accounts, batches, releases, replays
from jobs.ledger import retention as ledger
from jobs.run import pins, screen
from jobs.run.shell import Report, Shell, open_shell
from jobs.settings import Settings
from jobs.turn import turn

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

POINTERS = ("rejected", "refused", "replayed")


@dataclass(frozen=True)
class Scope:
    """What of a table a contract speaks of, how many days it allows, and until when what came is past them (aware)."""

    table: str
    of: str
    days: int
    before: datetime


@dataclass(frozen=True)
class Due:
    """What of a scope is to go: how many rows, and what removes them; what stays all the same, and what keeps it."""

    rows: int
    remove: Callable[[], None]
    oldest: Callable[[], datetime | None]
    kept: Callable[[], tuple[int, str | None]]


def retention(settings: Settings, tell: Callable[[dict[str, Any]], None], dry_run: bool = False,
              grace_hours: int = pins.GRACE_HOURS) -> Report:
    """Remove what is past its retention, and tell ``tell`` what went, the oldest that is left, and what is overdue.

    Payloads and core rows go by the day their batch landed and their source's ``retentionDays``; releases by the day they
    were made and their product's, the newest never. What tells who said no, and safety candidates, stay. Files of versions
    that nothing needs go ``grace_hours`` after the rows. With ``dry_run`` nothing is written. Raises Overdue once all is done
    and told.
    """
    with open_shell(settings, "retention", "all", with_engine=True) as shell:
        now = datetime.now(UTC)
        found = [row for product in shell.catalog.products.values() for row in _releases(shell, product, now, dry_run)]
        found += [row for source in shell.catalog.sources.values() for row in _source(shell, source, now, dry_run)]
        files = pins.sweep(shell.lake, shell.catalog, grace_hours, dry_run=dry_run)
        tell({"at": now.isoformat(timespec="seconds"), "dry_run": dry_run, "tables": found, "files": files})
        overdue = [f"{row['table_name']} of {row['scope']} ({row['kept_by']})" for row in found if row["overdue"]]
        shell.report.facts.update(rows=sum(row["rows"] for row in found), files=files, overdue=len(overdue), dry_run=dry_run)
        if overdue:
            raise Overdue(f"kept past their retention: {', '.join(overdue)}; conform what waits, finish the replay, or correct "
                          "retentionDays in the contracts")
        return shell.report


def _source(shell: Shell, source: Source, now: datetime, dry_run: bool) -> Iterator[dict[str, Any]]:
    """The payloads of a source and the core rows made of them; nothing is conformed or taken up again meanwhile."""
    lake, before = shell.lake, now - timedelta(days=source.retention_days)
    if not lake.exists(source.raw):
        return
    with turn(shell.settings.home / "turns", f"conform.{source.id}"):
        old = [batch for batch in batches.of(lake, source.id) if batch["landed_at"].replace(tzinfo=UTC) < before]
        through = max((b["batch_id"] for b in old if b["conformed_at"] is not None), default="")
        replayed = max((name for name, at in replays.finished(lake).items()
                        if name.startswith(f"{source.id}.") and at.replace(tzinfo=UTC) < before), default="")
        waiting = [batch for batch in old if batch["conformed_at"] is None]
        number, begun = replays.last(lake, source.id)
        held = f"replay {replays.replay_id(source.id, number)}" if begun is not None else None
        landed = f"batch_id <= '{through}'"
        raw = Scope(source.raw, source.id, source.retention_days, before)
        yield _done(shell, raw, _payloads(shell, source, landed, waiting, held), now, dry_run)
        rows = f"source = '{source.id}' AND ({landed} OR batch_id BETWEEN '{source.id}.replay-' AND '{replayed}')"
        for table in source.tables:
            if table not in HONOURING and lake.exists(table):
                scope = Scope(table, source.id, source.retention_days, before)
                yield _done(shell, scope, _core_rows(shell, scope, rows, held), now, dry_run)


def _payloads(shell: Shell, source: Source, landed: str, waiting: list[dict[str, Any]], held: str | None) -> Due:
    """Envelopes and the pointers to them. What was set apart is screened first: reporting is a legal duty."""
    lake = shell.lake
    rows = lake.read(source.raw).where(landed)
    count = rows.count()

    def remove() -> None:
        screen.find(shell, source)
        for name in (*filter(lake.exists, (f"{source.raw}__{kind}" for kind in POINTERS)), source.raw):
            lake.purge(name, lake.read(name).where(landed))
            shell.report.change(name)

    def kept() -> tuple[int, str | None]:
        by = [held] if held and count else [f"batch {batch['batch_id']}" for batch in waiting]
        return (count if held else 0) + sum(batch["rows"] for batch in waiting), by[0] if by else None
    return Due(0 if held else count, remove, lambda: _oldest(shell, lake.read(source.raw)), kept)


def _core_rows(shell: Shell, scope: Scope, condition: str, held: str | None) -> Due:
    """Rows of a core table; a release may keep an older version that holds them."""
    lake = shell.lake
    rows = lake.read(scope.table).where(condition)
    count = rows.count()

    def remove() -> None:
        from pyspark.sql import functions as F

        lake.merge(scope.table, rows.withColumn("is_gone", F.lit(True)), gone="is_gone")
        shell.report.change(scope.table)

    def kept() -> tuple[int, str | None]:
        if held and count:
            return count, held
        for pin in reversed([p for p in pins.standing(lake, shell.catalog) if p.table == scope.table]):
            if pinned := lake.read(pin.table, pin.version).where(condition).count():
                return pinned, pin.by
        return 0, None
    return Due(0 if held else count, remove, lambda: _oldest(
        shell, lake.read(scope.table).where(f"source = '{scope.of}'")), kept)


def _releases(shell: Shell, product: Product, now: datetime, dry_run: bool) -> Iterator[dict[str, Any]]:
    """The releases of a product but for the newest; nothing is released meanwhile."""
    lake, group = shell.lake, product.release_group
    scope = Scope(product.table.name, product.id, product.retention_days, now - timedelta(days=product.retention_days))

    def standing() -> list[dict[str, Any]]:
        return [pin for pin in releases.of(lake, group) if pin["product"] == product.id]

    with turn(shell.settings.home / "turns", f"release.{group}"):
        every = standing()
        old = [pin for pin in every if pin["released_at"].replace(tzinfo=UTC) < scope.before]
        gone, newest = [pin for pin in old if pin is not every[-1]], [pin for pin in old if pin is every[-1]]

        def remove() -> None:
            releases.unpin(lake, gone)
            shell.report.change(releases.TABLE)

        kept = (newest[0]["rows"], f"release {group}/{newest[0]['number']}, the newest") if newest else (0, None)
        yield _done(shell, scope, Due(sum(pin["rows"] for pin in gone), remove, lambda: next(
            (pin["released_at"] for pin in standing()), None), lambda: kept), now, dry_run)


def _done(shell: Shell, scope: Scope, due: Due, now: datetime, dry_run: bool) -> dict[str, Any]:
    """Remove what is due and write it into the ledger: how much, then the rows go, then that they went.

    A run that was killed in between is completed by the next: what it counted went, unless it is still there.
    """
    last = ledger.last(shell.lake, scope.table, scope.of) or {"number": 0, "rows": 0, "overdue": 0, "kept_by": None, "at": now}
    begun = last["at"] is None
    row = {"table_name": scope.table, "scope": scope.of, "number": last["number"] + (not begun), "before_at": scope.before,
           "zone": scope.table.split(".")[0], "rows": due.rows or (last["rows"] if begun else 0), "oldest_at": None,
           "overdue": 0, "kept_by": None, "at": None}
    if row["rows"] and not dry_run:
        ledger.write(shell.lake, row)
        due.remove()
        accounts.write(shell.lake, f"{scope.table}@{scope.of}.{row['number']}", [("retention", accounts.Entry(
            scope.table, "removed", "past_retention", row["rows"]))], now)
    row["overdue"], row["kept_by"] = due.kept()
    row |= {"oldest_at": due.oldest(), "at": now}
    if not dry_run and (begun or row["rows"] or (row["overdue"], row["kept_by"]) != (last["overdue"], last["kept_by"])):
        ledger.write(shell.lake, row)
        shell.report.change(ledger.TABLE)
    shell.trail.reads(scope.table)
    return {**row, "days": scope.days}


def _oldest(shell: Shell, rows: DataFrame) -> datetime | None:
    """When the oldest batch landed, or replay ended, that rows came with."""
    from pyspark.sql import functions as F

    known = {**{row["batch_id"]: row["landed_at"] for row in shell.lake.arrow(batches.TABLE).to_pylist()},
             **replays.finished(shell.lake)}
    found = [row["batch_id"] for row in rows.select(F.col("batch_id")).distinct().collect()]
    return min((known[name] for name in found if name in known), default=None)
