"""`concord replay`: records that were set apart get a new outcome, or a past release is decided once more."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from jobs.cli_explain import AsJson, Product, TokenFile, document
from jobs.errors import ConfigurationError
from jobs.settings import Settings

Source = Annotated[str, typer.Argument(help="The source whose rejected records are taken up again.")]
Reason = Annotated[str, typer.Option(help="With SOURCE: only records with this reason, all their rejected versions.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="With SOURCE: say what would become of them, and write nothing.")]
Release = Annotated[str, typer.Option(help="Instead of SOURCE: GROUP/NUMBER, or the NUMBER alone where that tells which.")]


def add(app: typer.Typer, known: Callable[[str, str, Iterable[str]], None], report: Callable[..., None]) -> None:
    """Give an app the command. ``known`` refuses a name that no contract declares, ``report`` runs and tells a stage."""

    @app.command()
    def replay(source: Source = "", reason: Reason = "", dry_run: DryRun = False, release: Release = "",
               product: Product = "", token_file: TokenFile = None, as_json: AsJson = False) -> None:
        """Take up again what of SOURCE was rejected, after its contract or a parser changed; or decide RELEASE again.

        With SOURCE: each record is conformed by the rules of today. What is newer in core stays, what was deleted since stays
        deleted. Records of people who refused, and do not any more, are taken up too. What today's rules rejected is not.

        With --release: its permits are decided again, and its people and accounts held against them. Standard input is
        {"token": "..."}, with the token of an officer's log-in to Airflow, unless --token-file holds it. Ends with 8 when
        somebody is in the release who was not permitted, or the accounts differ.

        Example: concord replay crm --reason too_long --dry-run

        Example: concord replay --release engagement/3 --token-file token
        """
        if bool(source) == bool(release):
            raise ConfigurationError("name either a SOURCE, whose rejected records are taken up again, or --release, whose "
                                     "permits are decided again; for example `concord replay crm`")
        if (release and (reason or dry_run)) or (source and (product or token_file)):
            raise ConfigurationError("--reason and --dry-run go with SOURCE, --product and --token-file with --release")
        if release:
            _decide(release, product, token_file, as_json)
        else:
            from contracts import catalog

            known("source", source, catalog().sources)
            _take_up(source, reason, dry_run, as_json, report)


def _take_up(source: str, reason: str, dry_run: bool, as_json: bool, report: Callable[..., None]) -> None:
    from jobs.run.replay_rejected import replay as run

    if as_json:
        done = run(Settings(), source, reason or None, dry_run)
        typer.echo(json.dumps({"result": done.result, "changed": done.changed, **done.facts}, default=str))
    else:
        report(lambda: run(Settings(), source, reason or None, dry_run),
               "{rows} records " + ("would be" if dry_run else "are") + " taken up: {outcomes}")


def _decide(release: str, product: str, token_file: Path | None, as_json: bool) -> None:
    from contracts import catalog
    from jobs.answers import show_replay
    from jobs.run.asking import MOST_BYTES, Question
    from jobs.run.past import asked
    from jobs.run.replay import replay as run

    wanted = asked(catalog(), release, product or None)
    question = Question(b"" if token_file else sys.stdin.buffer.read(MOST_BYTES), token_file)
    shown: Callable[[dict[str, Any]], None] = document if as_json else show_replay
    run(Settings(), wanted, question, shown)
