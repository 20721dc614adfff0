"""`concord freshness`: how the service levels and duties that contracts promise are kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from contracts.exit_codes import ExitCode
from contracts.service_levels import span
from jobs.errors import ConfigurationError
from jobs.settings import Settings
from jobs.tables import age, minute, screen, titled

MOST_SHOWN = 20
AsJson = Annotated[bool, typer.Option("--json", help="JSON for machines; every breach.")]
Check = Annotated[bool, typer.Option("--check", help="End with 9 where a promise is late now, for what watches the platform.")]
Out = Annotated[Path | None, typer.Option(help="File that gets a page with a line of time for each promise (HTML).")]
Days = Annotated[int, typer.Option(min=1, max=3650, help="With --out: how many days back.")]
MissedBy = Annotated[tuple[str, str, str, str] | None, typer.Option(
    "--missed", metavar="SUBJECT PROMISE ASKED DUE", help="A deadline of Airflow that passed: whose promise, since when a run "
    "was to keep it, and until when (ISO 8601).")]


def add(app: typer.Typer, report: Callable[..., None]) -> None:
    """Give an app the commands. ``report`` runs and tells a stage."""
    freshness = typer.Typer(invoke_without_command=True, rich_markup_mode=None)
    app.add_typer(freshness, name="freshness")

    @freshness.callback()
    def show(context: typer.Context, check: Check = False, as_json: AsJson = False, out: Out = None, days: Days = 30) -> None:
        """How each source, product and partner keeps what its contract promises (slaProperties), and when it did not.

        Read from the ledgers as of now; Airflow is not asked, so that one that does not run is noticed too. A source that
        answered with nothing new is fresh.

        Example: concord freshness --check    concord freshness --out freshness.html
        """
        if context.invoked_subcommand is None:
            _show(check, as_json, out, days)

    @freshness.command()
    def record(missed: MissedBy = None) -> None:
        """Write down what is late now and what came since (ledger.freshness). The DAG `freshness` does it every hour.

        Example: concord freshness record
        """
        from jobs.breaches import Missed
        from jobs.run.freshness import record as run

        notices = [Missed(missed[0], missed[1], _moment(missed[2]), _moment(missed[3]))] if missed else []
        report(lambda: run(Settings(), notices), "{late} promises are late; new: {breaches}")


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(f"{text!r} is no moment; write for example 2026-11-02T02:15:00+00:00") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _show(check: bool, as_json: bool, out: Path | None, days: int) -> None:
    from jobs.run.freshness import overview

    found = overview(Settings())
    if out is not None:
        _write(out, found, days)
    if as_json:
        typer.echo(json.dumps(found, indent=2, default=lambda moment: moment.isoformat()))
    elif out is not None:
        typer.echo(f"freshness of the last {days} days: {out}")
    else:
        _table(found)
        _breaches(found["breaches"])
        _candidates(found["candidates"])
    late = [f"{row['promise']} of {row['subject']}" for row in found["levels"] if row["state"] == "late"]
    if check and late:
        typer.echo(f"concord: {len(late)} promises are late: {', '.join(late)}", err=True)
        raise typer.Exit(int(ExitCode.LATE))


def _write(out: Path, found: dict[str, Any], days: int) -> None:
    from jobs.pages.freshness import page

    try:
        out.write_text(page(found, days), encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{out} cannot be written: {error.strerror}; name a file in a folder that is there") from None


def _table(found: dict[str, Any]) -> None:
    shown = titled("What contracts promise, as of now", "of", "promise", "within", "age", "state", "late since (UTC)",
                   "last kept (UTC)", numbers=("within", "age"))
    for row in found["levels"]:
        state = {"late": "[bold red]late[/]", "none": "nothing yet"}.get(row["state"], row["state"])
        shown.add_row(row["subject"], row["promise"], span(timedelta(seconds=row["promised_seconds"])), age(row["age_seconds"]),
                      state, minute(row["since"]), minute(row["last_kept_at"]))
    screen().print(shown)


def _candidates(told: dict[str, Any]) -> None:
    if told["found"]:
        clocks = [f"{told[f'{name}_clocks']:,} are due to be {done}, the first by {minute(told[f'next_{name}_due_at'])}"
                  for name, done in (("triage", "looked at within 24 h"), ("report", "reported, if serious, within 15 days"))
                  if told[f"{name}_clocks"]]
        typer.echo("; ".join([f"Adverse-event candidates: {told['found']:,}", *clocks])
                   + ". What was decided about them is kept elsewhere.")


def _breaches(rows: list[dict[str, Any]]) -> None:
    if not rows:
        typer.echo("No promise was ever broken since somebody looks.")
        return
    shown = titled(f"Broken promises: {len(rows):,}, the newest first", "of", "promise", "due (UTC)", "came (UTC)", "late by",
                   "noticed by", numbers=("late by",))
    now = datetime.now(UTC)
    for row in rows[::-1][:MOST_SHOWN]:
        came, late = row["closed_at"], ((row["closed_at"] or now) - row["due_at"]).total_seconds()
        shown.add_row(row["subject"], row["promise"], minute(row["due_at"]), minute(came) if came else "not yet", age(late),
                      row["noticed_by"])
    screen().print(shown)
    if len(rows) > MOST_SHOWN:
        typer.echo(f"{len(rows) - MOST_SHOWN:,} older: --json")
