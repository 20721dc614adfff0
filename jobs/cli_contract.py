"""`concord contract`: whether contracts are sound, and what a new version of one changes."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from contracts import ContractError
from contracts.compare import Change, between
from contracts.majors import family
from expectations import EXTRA
from jobs.cli_review import TokenFile, question
from jobs.errors import ConfigurationError
from jobs.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Contracts: check them, compare their versions, review them.")


@app.command()
def check(paths: Annotated[list[Path] | None, typer.Argument(help="Contract files; all when none.")] = None,
          strict: Annotated[bool, typer.Option("--strict", help="Exit with 3 where a reviewer would object.")] = False,
          as_json: Annotated[bool, typer.Option("--json", help="JSON for machines.")] = False) -> None:
    """Check contracts: Concord's rules, the JSON schema of the Open Data Contract Standard, and the suites made of them.

    What no rule forbids but a reviewer would object to is told with what to write instead.

    Example: concord contract check contracts/sources/crm.yaml
    """
    from contracts.load import check_files
    from contracts.objections import found

    count = check_files(paths or [])
    _check_suites(paths or [])
    objected = list(found(paths or [], datetime.now(UTC).date()))
    if as_json:
        told = [{"file": str(path), "line": line, "said": it.said, "instead": it.instead} for path, line, it in objected]
        typer.echo(json.dumps({"checked": count, "objections": told}, indent=2))
    else:
        for path, line, it in objected:
            typer.echo(f"{path}:{line}: a reviewer would object: {it.said}; {it.instead}")
        typer.echo(f"{count} contracts are sound" + (f"; a reviewer would object to {len(objected)} things" if objected else ""))
    if strict and objected:
        raise ContractError(f"a reviewer would object to {len(objected)} things; without --strict that is only told")


def _check_suites(paths: list[Path]) -> None:
    """Raise ContractError where rules are no expectations of Great Expectations, or a file of expectations/extra is no suite.

    Great Expectations takes seconds to import, so only what is said in its words is tried.
    """
    from contracts.load import catalog, one
    from contracts.quality import CustomRule

    known = catalog()
    every = [*known.tables.values(), *(recipient.table for recipient in known.recipients.values())]
    named = [one(path) for path in paths]
    tables = [t for found in named for t in (found if isinstance(found, list) else [getattr(found, "table", None)]) if t]
    for table in tables if paths else every:
        if (EXTRA / f"{table.name}.json").exists() or any(isinstance(rule, CustomRule) for rule in table.quality):
            from expectations.derive import suite

            suite(table, datetime.now(UTC))


@app.command()
def review(contract: Annotated[str, typer.Argument(help="Kind and id (products/glucose_daily), an id, or the file.")],
           approve: Annotated[bool | None, typer.Option("--approve/--refuse", help="What you decide.")] = None,
           remarks: Annotated[str, typer.Option(help="What you say to it; a refusal needs it.")] = "",
           instead: Annotated[str, typer.Option(help="How to make a refused contract lawful.")] = "",
           token_file: TokenFile = None) -> None:
    """Approve or refuse CONTRACT as it is now; an edit voids it, unless it is of comments, order of
    keys or status alone.

    Standard input is {"token": "..."}, with the token of an officer's log-in to Airflow (POST /auth/token), unless
    --token-file holds it. The newest review of what the contract says counts. Outside development only contracts with an
    approval run.

    Example: concord contract review products/glucose_daily --approve --remarks "DPIA 14, no objections" --token-file token
    """
    from jobs.run.contract_review import review as run

    if approve is None:
        raise ConfigurationError("say --approve or --refuse")
    found = run(Settings(), contract, approve, remarks, instead, question(token_file, is_needed=False)).facts
    typer.echo(f"{found['reviewer']} {found['decision']} {found['contract']} {found['version']} ({found['fingerprint'][:12]})")


@app.command()
def status(as_json: Annotated[bool, typer.Option("--json", help="JSON for machines.")] = False) -> None:
    """Every contract: its status, its review, whether it runs here (CONCORD_ENVIRONMENT) with all contracts that it reads, and
    which products end soon.

    A review is valid, void (the contract was edited since), refused, none, or altered (not as the platform signed it).

    Example: concord contract status --json
    """
    from contracts.life import environment
    from jobs.run.contract_review import status as run
    from jobs.tables import screen, titled

    found = run(Settings())
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    where = environment(Settings().environment)
    table = titled(f"Contracts: {len(found)}, in {where}", "contract", "version", "status", "review", "by", "on", "runs")
    for row in found:
        day = (row["reviewed_at"] or "-")[:10]
        table.add_row(row["contract"], row["version"], row["status"], row["review"], escape(row["reviewer"] or "-"), day,
                      "yes" if row["runs"] else "no")
    screen().print(table)
    for row in found:
        if row["edited"]:
            typer.echo(f"{row['contract']}: edited since: {row['edited']}")
        if row["notice"]:
            typer.echo(row["notice"])
        if row["review"] == "refused":
            typer.echo(f"{row['contract']}: refused: {row['remarks']}; to make it lawful: {row['instead']}")


@app.command()
def diff(old: Annotated[Path, typer.Argument(help="The contract as it was, in a folder called like its kind (products/ ...).")],
         new: Annotated[Path, typer.Argument(help="The contract as it shall be.")],
         as_json: Annotated[bool, typer.Option("--json", help="JSON for machines.")] = False) -> None:
    """What NEW changes of OLD: whom a change breaks, and the version number it needs.

    A change that breaks readers gives them other values than they were promised; one that breaks sources sets records
    apart that are sound so far. Such a change needs a new major version, any other a higher number; a product's new major
    lives beside the old one (NAME_v2.yaml), and may be NEW here. Exits with 3 where NEW's version is too low. A file in a
    whole tree of contracts is read beside those of its tree; words of closed vocabularies are this installation's on both
    sides.

    Example: concord contract diff ../main/contracts/core/consent.yaml contracts/core/consent.yaml
    """
    found = between(old, new, datetime.now(UTC).date())
    if as_json:
        typer.echo(json.dumps({"old": found.old, "new": found.new, "needed": found.needed, "beside": found.beside,
                               "changes": [asdict(change) for change in found.changes]}, indent=2))
    else:
        _show(found.changes)
    if found.beside:
        raise ContractError(f"{new}: {_why(found.changes, False)} a new major must live beside it until its readers have moved. "
                            f"Keep this file as it was; write the new contract into {found.beside}.yaml (id and schema name "
                            f"{found.beside}, version {family(found.beside)[1]}.0.0); and say here until when it is made: "
                            f"status: deprecated and {{property: retirement, value: {{date: ..., replacedBy: {found.beside}}}}}")
    if found.needed:
        raise ContractError(f"{new}: version is {found.new}; {_why(found.changes, found.new == found.old)} "
                            f"write version: {found.needed} or higher")
    if not as_json and found.changes:
        typer.echo(f"version {found.old} to {found.new}: enough")


def _why(found: list[Change], is_same: bool) -> str:
    broken = sum(change.breaks is not None for change in found)
    if broken:
        return f"{broken} of {len(found)} changes break readers or sources, so"
    return "the contract changed, so" if is_same else "versions only rise, so"


def _show(found: list[Change]) -> None:
    from jobs.tables import screen, titled

    if not found:
        typer.echo("nothing changed that Concord reads")
        return
    table = titled(f"Changes: {len(found)}", "breaks", "where", "before", "after")
    for change in found:
        table.add_row(change.breaks or "-", *map(escape, (change.place, change.before, change.after)))
    screen().print(table)
