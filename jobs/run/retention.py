"""retention: what is past its contract's days is removed, zone by zone, and what must stay is told with what keeps it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from contracts.model import HONOURING, Product, Source
from jobs.errors import Overdue
from jobs.ledger import accounts, batches, releases, replays
from jobs.ledger import retention as ledger
from jobs.run import life, pins, screen, undeclared, whereabouts
from jobs.run.shell import Report, Shell, open_shell
from jobs.settings import Settings
from jobs.turn import turn

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

POINTERS = ("rejected", "refused", "replayed")


@dataclass(frozen=True)
class Due:
    """What of a table is to go: how many rows, and what removes them; what stays all the same, what keeps it, and whether
    somebody has to do something about it: a release keeps its rows for its own time."""

    rows: int
    remove: Callable[[], None]
    oldest: Callable[[], datetime | None]
    kept: Callable[[], tuple[int, str | None, bool]]


@dataclass(frozen=True)
class Scope:
    """What of a table a contract speaks of, and how many days it allows. ``due`` says what was past them at a moment: what came
    before the first of two times, as it was known at the second (both aware)."""

    table: str
    of: str
    days: int
    due: Callable[[datetime, datetime], Due]


@dataclass(frozen=True)
class Past:
    """What of a source was past its days at a moment, as conditions on batch_id; ``fresh``: batches that were not; None: none."""

    landed: str
    replayed: str
    fresh: str | None
    waiting: list[dict[str, Any]]


def retention(settings: Settings, tell: Callable[[dict[str, Any]], None], dry_run: bool = False,
              grace_hours: int = pins.GRACE_HOURS) -> Report:
    """Remove what is past its retention, and tell ``tell`` what went, the oldest that is left, and what is overdue.

    Payloads and core rows go by the day their batch landed and their source's ``retentionDays``; releases by the day they
    were made and their product's, the newest never. What tells who said no, and safety candidates, stay. Files of versions
    that nothing needs go ``grace_hours`` after the rows. With ``dry_run`` nothing is written. Once all is done and told, raises
    what stopped a source or product (the others go on; outside development a contract without a review that holds is among
    it, since an edit of its days would remove for good), or Overdue where more than a release keeps something.
    """
    with open_shell(settings, "retention", "all", with_engine=True) as shell:
        now, found, failed = datetime.now(UTC), list[dict[str, Any]](), dict[str, Exception]()
        for product in shell.catalog.products.values():
            _each(_releases(shell, product, now, dry_run), product.id, found, failed)
        kept = pins.standing(shell.lake, shell.catalog)
        for source in shell.catalog.sources.values():
            _each(_source(shell, source, kept, now, dry_run), source.id, found, failed)
        files = pins.sweep(shell.lake, shell.catalog, kept, grace_hours, dry_run=dry_run)
        if not dry_run:
            whereabouts.prune(settings, shell.lake, shell.catalog)
        kinds = {"unreadable": [str(pin) for pin in kept.lost], "undeclared": undeclared.find(shell.lake, shell.catalog, kept)}
        tell({"at": now.isoformat(timespec="seconds"), "dry_run": dry_run, "tables": found, "files": files, **kinds,
              "failed": {name: type(error).__name__ for name, error in failed.items()}})
        shell.report.facts.update(rows=sum(row["rows"] for row in found), files=files, dry_run=dry_run, failed=len(failed),
                                  overdue=sum(row["overdue"] > 0 for row in found), **{k: len(v) for k, v in kinds.items()})
        for error in failed.values():
            raise error
        _refuse_late(found, kinds["unreadable"], kinds["undeclared"])
        return shell.report


def _each(rows: Iterator[dict[str, Any]], name: str, found: list[dict[str, Any]], failed: dict[str, Exception]) -> None:
    """What was done for a source or product, up to where it failed: the others do not wait for it."""
    try:
        found.extend(rows)
    except Exception as error:
        failed[name] = error


def _refuse_late(found: list[dict[str, Any]], unreadable: list[str], unknown: list[str]) -> None:
    """Raise Overdue where somebody has to do something."""
    late = [f"{row['table_name']} of {row['scope']} ({row['kept_by']})" for row in found if row["is_late"]]
    said = [f"kept past their retention: {', '.join(late)}; conform what waits, finish the replay, or correct retentionDays in "
            "the contracts"] if late else []
    if unreadable:
        said.append(f"cannot be read any more, so their rows were not counted: {', '.join(unreadable)}; put the table's "
                    "_delta_log back from a copy, or let the release go by its product's retentionDays")
    if unknown:
        said.append(f"no contract declares, so none says how long it stays: {', '.join(unknown)}; put the contract back, or take "
                    "away what nobody needs")
    if said:
        raise Overdue("\n".join(said))


def _source(shell: Shell, source: Source, standing: pins.Standing, now: datetime, dry_run: bool) -> Iterator[dict[str, Any]]:
    """The payloads of a source and the core rows made of them; nothing is conformed or taken up again meanwhile."""
    lake = shell.lake
    if not lake.exists(source.raw):
        return
    if not dry_run:
        life.refuse_unreviewed(shell.settings, lake, f"sources/{source.id}")
    with turn(shell.settings.home / "turns", f"conform.{source.id}"):
        number, begun = replays.last(lake, source.id)
        held = f"replay {replays.replay_id(source.id, number)}" if begun is not None else None
        scopes = [Scope(source.raw, source.id, source.retention_days, partial(_payloads, shell, source, held))]
        scopes += [Scope(table, source.id, source.retention_days, partial(_core_rows, shell, source, table, standing, held))
                   for table in source.tables if table not in HONOURING and lake.exists(table)]
        # What a killed run was at is finished before more goes, as later scopes were counted beside it.
        for scope in scopes if held is None else ():
            yield from _finish(shell, scope, now, dry_run)
        for scope in scopes:
            yield _done(shell, scope, now, dry_run)


def _past(shell: Shell, source: Source, before: datetime, at: datetime) -> Past:
    every = [batch for batch in batches.of(shell.lake, source.id) if _aware(batch["landed_at"]) <= at]
    old = [batch for batch in every if _aware(batch["landed_at"]) < before]
    waiting = [b for b in old if b["conformed_at"] is None or _aware(b["conformed_at"]) > at]
    through = max((b["batch_id"] for b in old if b not in waiting), default="")
    ended = replays.finished(shell.lake)
    replayed = max((name for name in replays.of(source.id, ended) if _aware(ended[name]) < before), default="")
    newer = [batch["batch_id"] for batch in every if batch not in old]
    return Past(f"batch_id <= '{through}'", f"batch_id BETWEEN '{source.id}.replay-' AND '{replayed}'",
                f"batch_id BETWEEN '{min(newer)}' AND '{max(newer)}'" if newer else None, waiting)


def _payloads(shell: Shell, source: Source, held: str | None, before: datetime, at: datetime) -> Due:
    """Envelopes and the pointers to them. What was set apart is screened first: reporting is a legal duty."""
    lake, past = shell.lake, _past(shell, source, before, at)
    count = lake.read(source.raw).where(past.landed).count()

    def remove() -> None:
        screen.find(shell, source)
        for name in (*filter(lake.exists, (f"{source.raw}__{kind}" for kind in POINTERS)), source.raw):
            lake.purge(name, lake.read(name).where(past.landed))
            shell.report.change(name)

    def kept() -> tuple[int, str | None, bool]:
        by = [held] if held and count else [f"batch {batch['batch_id']}" for batch in past.waiting]
        rows = (count if held else 0) + sum(batch["rows"] for batch in past.waiting)
        return rows, by[0] if by else None, rows > 0
    return Due(0 if held else count, remove, lambda: _oldest(shell, lake.read(source.raw)), kept)


def _core_rows(shell: Shell, source: Source, table: str, standing: pins.Standing, held: str | None, before: datetime,
               at: datetime) -> Due:
    """Rows of a core table that the source did not deliver again since; a release may keep an older version that holds them."""
    lake, past = shell.lake, _past(shell, source, before, at)

    def of(frame: DataFrame) -> DataFrame:
        found = frame.where(f"source = '{source.id}' AND ({past.landed} OR {past.replayed})")
        if past.fresh is None:
            return found
        return found.join(lake.read(source.raw).where(past.fresh).select("record_id").distinct(), "record_id", "left_anti")
    rows = of(lake.read(table))
    count = rows.count()

    def remove() -> None:
        from pyspark.sql import functions as F

        lake.merge(table, rows.withColumn("is_gone", F.lit(True)), gone="is_gone")
        shell.report.change(table)

    def kept() -> tuple[int, str | None, bool]:
        if held and count:
            return count, held, True
        for pin in standing.of(table):
            if pinned := of(lake.read(pin.table, pin.version)).count():
                return pinned, pin.by, False
        return 0, None, False
    return Due(0 if held else count, remove, lambda: _oldest(shell, lake.read(table).where(f"source = '{source.id}'")), kept)


def _releases(shell: Shell, product: Product, now: datetime, dry_run: bool) -> Iterator[dict[str, Any]]:
    """The releases of a product but for the newest; nothing is released meanwhile."""
    scope = Scope(product.table.name, product.id, product.retention_days, partial(_pinned, shell, product))
    if not dry_run:
        life.refuse_unreviewed(shell.settings, shell.lake, f"products/{product.id}")
    with turn(shell.settings.home / "turns", f"release.{product.release_group}"):
        yield from _finish(shell, scope, now, dry_run)
        yield _done(shell, scope, now, dry_run)


def _pinned(shell: Shell, product: Product, before: datetime, at: datetime) -> Due:
    lake, group = shell.lake, product.release_group

    def standing() -> list[dict[str, Any]]:
        return [pin for pin in releases.of(lake, group) if pin["product"] == product.id]
    every = [pin for pin in standing() if _aware(pin["released_at"]) <= at]
    old = [pin for pin in every if _aware(pin["released_at"]) < before]
    gone, newest = [pin for pin in old if pin is not every[-1]], [pin for pin in old if pin is every[-1]]

    def remove() -> None:
        releases.unpin(lake, gone)
        shell.report.change(releases.TABLE)
    kept = (newest[0]["rows"], f"release {group}/{newest[0]['number']}, the newest", False) if newest else (0, None, False)
    return Due(sum(pin["rows"] for pin in gone), remove, lambda: next((pin["released_at"] for pin in standing()), None),
               lambda: kept)


def _finish(shell: Shell, scope: Scope, now: datetime, dry_run: bool) -> Iterator[dict[str, Any]]:
    """Complete what a killed run began, as of when it did: what it counted went, unless it is still there."""
    last = ledger.last(shell.lake, scope.table, scope.of)
    if dry_run or last is None or last["at"] is not None:
        return
    before = _aware(last["before_at"])
    due = scope.due(before, before + timedelta(days=scope.days))
    done = _removed(shell, scope, {**last, "rows": due.rows or last["rows"]}, due, now)
    yield {**done, "days": scope.days, "is_late": False}  # What is late now is told after it.


def _done(shell: Shell, scope: Scope, now: datetime, dry_run: bool) -> dict[str, Any]:
    """Remove what is due and write it into the ledger, or what is overdue where that changed."""
    before, kind = now - timedelta(days=scope.days), scope.table.split(".")[0]
    last = ledger.last(shell.lake, scope.table, scope.of) or {"number": 0, "overdue": 0, "kept_by": None, "at": now}
    due = scope.due(before, now)
    row = {"table_name": scope.table, "scope": scope.of, "number": last["number"] + 1, "before_at": before, "zone": kind,
           "rows": due.rows, "oldest_at": None, "overdue": 0, "kept_by": None, "at": None}
    shell.trail.reads(scope.table)
    if due.rows and not dry_run:
        return {**_removed(shell, scope, row, due, now), "days": scope.days}
    overdue, by, is_late = due.kept()
    row |= {"overdue": overdue, "kept_by": by, "oldest_at": due.oldest(), "at": now}
    is_news = last["at"] is not None and (overdue, by) != (last["overdue"], last["kept_by"])
    if is_news and not dry_run:  # An entry that was begun is the last until it is finished.
        ledger.write(shell.lake, row)
        shell.report.change(ledger.TABLE)
    return {**row, "days": scope.days, "is_late": is_late}


def _removed(shell: Shell, scope: Scope, row: dict[str, Any], due: Due, now: datetime) -> dict[str, Any]:
    """How much is written first, then the rows go and are accounted for, then that they went."""
    ledger.write(shell.lake, row)
    due.remove()
    accounts.write(shell.lake, f"{scope.table}@{scope.of}.{row['number']}", [("retention", accounts.Entry(
        scope.table, "removed", "past_retention", row["rows"]))], now)
    overdue, by, is_late = due.kept()
    done = {**row, "overdue": overdue, "kept_by": by, "oldest_at": due.oldest(), "at": now}
    ledger.write(shell.lake, done)
    shell.report.change(ledger.TABLE)
    return {**done, "is_late": is_late}


def _aware(at: datetime) -> datetime:
    """A time of the ledger, which is UTC."""
    return at.replace(tzinfo=UTC)


def _oldest(shell: Shell, rows: DataFrame) -> datetime | None:
    """When the oldest batch landed, or replay ended, that rows came with."""
    from pyspark.sql import functions as F

    known = {**{row["batch_id"]: row["landed_at"] for row in shell.lake.arrow(batches.TABLE).to_pylist()},
             **replays.finished(shell.lake)}
    found = [row["batch_id"] for row in rows.select(F.col("batch_id")).distinct().collect()]
    return min((known[name] for name in found if name in known), default=None)
