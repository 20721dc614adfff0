"""Commands of `concord`. A stage's command ends with one line of JSON; errors end with a code of a closed table."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated, Any

import structlog
import typer

from contracts import catalog
from contracts.exit_codes import ExitCode
from jobs import (
    cli_access,
    cli_anonymity,
    cli_audit,
    cli_budget,
    cli_consent,
    cli_contract,
    cli_drift,
    cli_explain,
    cli_forget,
    cli_freshness,
    cli_keys,
    cli_link,
    cli_loss,
    cli_media,
    cli_quality,
    cli_read,
    cli_recall,
    cli_reidentify,
    cli_rejected,
    cli_replay,
    cli_retention,
    cli_review,
    cli_scrub,
    cli_suppression,
    cli_table,
    cli_treat,
    cli_where,
    cli_zones,
)
from jobs.ending import ending
from jobs.errors import ConfigurationError
from jobs.settings import Settings

if TYPE_CHECKING:
    from jobs.run.shell import Report

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None,
                  help="Concord unifies scattered patient data lawfully. Every stage of the platform is a command.",
                  epilog="Exit status:  " + "  ".join(f"{int(code)}: {code.__doc__}" for code in ExitCode))
extract_app = typer.Typer(no_args_is_help=True, help="Extracts for partners: prepare, record the approval, deliver, list.")
app.add_typer(cli_audit.app, name="audit")
app.add_typer(cli_consent.app, name="consent")
app.add_typer(cli_contract.app, name="contract")
app.add_typer(extract_app, name="extract")
app.add_typer(cli_zones.app, name="zones")
app.command()(cli_anonymity.anonymity)
app.command()(cli_loss.consent_loss)
app.command()(cli_read.read)
app.command()(cli_read.releases)
app.command()(cli_scrub.scrub)
app.command()(cli_media.strip_media)
app.command()(cli_treat.treat)
app.command()(cli_where.where)

DagRun = Annotated[tuple[str, str], typer.Option("--dag-run", help="DAG id and run id that ask for this.")]


def main() -> None:
    """Run a command; an error of ours becomes one plain message and its exit code. What it writes only its user reads."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    with ending():
        app()


@app.command()
def land(source: str) -> None:
    """Fetch what is new at SOURCE into raw.SOURCE.  Example: concord land adherence_app"""
    from jobs.run.land import land as run

    _known("source", source, catalog().sources)
    _report(lambda: run(Settings(), source), cli_drift.landed)


@app.command()
def conform(source: str) -> None:
    """Turn waiting batches of SOURCE into core rows.  Example: concord conform crm"""
    from jobs.run.conform import conform as run

    _known("source", source, catalog().sources)
    _report(lambda: run(Settings(), source), "{rows} records: {outcomes}")


@app.command()
def screen(source: str) -> None:
    """Look for adverse-event candidates among SOURCE's rows, before any consent.  Example: concord screen social"""
    from jobs.run.screen import screen as run

    _known("source", source, catalog().sources)
    _report(lambda: run(Settings(), source), "{candidates} new candidates")


@app.command()
def purge(source: str) -> None:
    """Purge the envelopes of SOURCE's refused records, the contract's days after they came.  Example: concord purge crm"""
    from jobs.run.purge import purge as run

    _known("source", source, catalog().sources)
    _report(lambda: run(Settings(), source), "{purged} envelopes of refused records are gone")


@app.command()
def resolve() -> None:
    """Link source identities to persons, by the newest model of `concord link train`.  Example: concord resolve"""
    from jobs.run.people import resolve as run

    _report(lambda: run(Settings()), "{identities} identities are {persons} persons, {new_links} links are new, {held} matches "
            "wait for a review")


@app.command()
def build(product: str) -> None:
    """Build a candidate of PRODUCT; nobody reads it before a release.  Example: concord build glucose_daily"""
    from jobs.run.product import build as run

    _known("product", product, catalog().products)
    _report(lambda: run(Settings(), product), "candidate {candidate}")


@app.command()
def release(group: str) -> None:
    """Gate the candidates of GROUP and pin them in one commit.  Example: concord release engagement"""
    from jobs.run.release import release as run

    _known("release group", group, catalog().release_groups())
    _report(lambda: run(Settings(), group), "release {number} of {group}: {rows}")


@extract_app.command("prepare")
def extract_prepare(recipient: str, dag_run: DagRun) -> None:
    """Make the files and the signed manifest for RECIPIENT, for a DAG run that a logged-in user triggered.

    Example: concord extract prepare glycemia_institute --dag-run extract_glycemia_institute manual__2026-11-02
    """
    from jobs.run.extract import prepare

    _known("recipient", recipient, catalog().recipients)
    _report(lambda: prepare(Settings(), recipient, dag_run), "extract {extract_id}: {rows} rows")


@extract_app.command("record")
def extract_record(extract_id: str, dag_run: DagRun) -> None:
    """Write into our ledger who answered the approval task of a DAG run.

    Example: concord extract record glycemia_institute-1f0c --dag-run extract_glycemia_institute manual__2026-11-02
    """
    from jobs.run.extract import record

    _report(lambda: record(Settings(), extract_id, dag_run), "extract {extract_id} {decision} by {approver}")


@extract_app.command("deliver")
def extract_deliver(extract_id: str) -> None:
    """Deliver an approved extract to its recipient's bucket.  Example: concord extract deliver glycemia_institute-1f0c"""
    from jobs.run.extract import deliver

    _report(lambda: deliver(Settings(), extract_id), "extract {extract_id} delivered to {destination}")


@extract_app.command("list")
def extract_list(as_json: Annotated[bool, typer.Option("--json", help="JSON for machines.")] = False) -> None:
    """Every extract, the newest last, and how far it is.  Example: concord extract list --json"""
    from jobs.lake import Lake
    from jobs.ledger import extracts

    found = extracts.overview(Lake(Settings().lake_root, catalog().tables))
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    elif not found:
        typer.echo("no extracts yet")
    else:
        for e in found:
            typer.echo(f"{e['extract']}  for {e['recipient']}, release {e['release']}, {e['rows']} rows: {e['state']}")


@app.command()
def summary(as_json: Annotated[bool, typer.Option("--json", help="JSON for machines.")] = False) -> None:
    """What became of every record and row, and what left the house.  Example: concord summary --json"""
    from jobs.run.summary import summary as run
    from jobs.tables import show

    found = run(Settings())
    if as_json:
        typer.echo(json.dumps(found, indent=2, default=str))
    else:
        show(found)


@app.command()
def lineage(extract_id: Annotated[str, typer.Argument(help="An extract, or a table such as product.glucose_daily.")],
            as_json: Annotated[bool, typer.Option("--json", help="JSON for machines.")] = False) -> None:
    """The way of an extract's columns back to the payloads of the sources.  Example: concord lineage glycemia_institute-1f0c"""
    from jobs.run.way import lineage as run

    found = run(Settings(), extract_id)
    if as_json:
        typer.echo(json.dumps([{"depth": d, "column": c, "from": o} for d, c, o in found], indent=2))
    else:
        for depth, column, origin in found:
            typer.echo(f"{'  ' * depth}{column}  <-  {origin}")


app.command()(cli_explain.explain)


@app.command()
def engine(port: Annotated[int, typer.Option(help="Port on loopback; 0 picks a free one.")] = 0,
           ready_file: Annotated[str, typer.Option(help="File that gets the engine's address.")] = "") -> None:
    """Serve Sail, the embedded engine, on loopback until stopped.  Example: concord engine --port 15002"""
    from jobs.engine import serve

    serve(port, ready_file or None)


def _known(kind: str, name: str, there: Iterable[str]) -> None:
    """Raise ConfigurationError for a name that no contract declares."""
    if name not in (names := sorted(there)):
        raise ConfigurationError(f"no {kind} is called {name!r}; there are {', '.join(names) or 'none yet'}")


def _report(run: Callable[[], Report], said: str | Callable[[dict[str, Any]], str]) -> None:
    report = run()
    facts: dict[str, Any] = report.facts
    if report.result == "unchanged":
        typer.echo("nothing new")
    else:
        typer.echo(said.format(**facts) if isinstance(said, str) else said(facts))
    typer.echo(json.dumps({"result": report.result, "changed": report.changed, **facts}, default=str))


cli_link.add(app, _report)
cli_review.add(app, _report)
cli_reidentify.add(app, _report)
cli_keys.add(app, _report)
cli_forget.add(app, _report)
cli_suppression.add(app, _report)
cli_access.add(app, _report)
cli_recall.add(app, _known, _report)
cli_rejected.add(app, _known)
cli_replay.add(app, _known, _report)
cli_retention.add(app, _report)
cli_drift.add(app, _known)
cli_budget.add(app, _known)
cli_quality.add(app, _known)
cli_table.add(app, _known, _report)
cli_freshness.add(app, _report)
