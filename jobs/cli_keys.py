"""`concord keys`: make the keys of this installation, and rotate those that pseudonyms are made with."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobs.settings import Settings

if TYPE_CHECKING:
    from jobs.run.asking import Question
    from jobs.run.shell import Report

Domain = Annotated[str, typer.Argument(help="The pseudonymDomain of products or of a partner; `concord keys list` has them.")]
Old = Annotated[int, typer.Argument(min=1, help="The old epoch, by its number.")]
TokenFile = Annotated[Path | None, typer.Option(help="File with the API token alone, which only you may read (mode 0600).")]


def add(app: typer.Typer, report: Callable[[Callable[[], Report], str | Callable[[dict[str, Any]], str]], None]) -> None:
    """Give an app the commands. ``report`` runs a stage and says how it ended."""
    group = typer.Typer(no_args_is_help=True, help="Keys of this installation, and the epochs of those that make pseudonyms.")
    group.command("create")(create)
    group.command("list")(epochs)

    @group.command("rotate")
    def rotate(domain: Domain, token_file: TokenFile = None) -> None:
        """Begin a new epoch of DOMAIN: all its pseudonyms are made by a new key from now on. An officer's act.

        Standard input is {"token": "..."}, with the token of an officer's log-in to Airflow (POST /auth/token); --token-file may
        hold the token instead. Products of the domain are built anew and released together; recalls, withdrawals and
        `concord reidentify` know the pseudonyms of both epochs until the old one is retired.

        Example: concord keys rotate glycemia_institute --token-file token
        """
        from jobs.run.key_epochs import rotate as run

        report(lambda: run(Settings(), domain, _question(token_file)), _rotated)

    @group.command("retire")
    def retire(domain: Domain, epoch: Old, token_file: TokenFile = None) -> None:
        """Destroy the key and the pseudonyms of an old EPOCH of DOMAIN, for good. An officer's act.

        Nobody can tell afterwards whose they were. Refused while a release that can be read, or an extract that a partner has
        or may be sent, holds them. Backups of the folder of keys and of the lake must go, too. Standard input as for `rotate`.

        Example: concord keys retire glycemia_institute 1 --token-file token
        """
        from jobs.run.key_epochs import retire as run

        report(lambda: run(Settings(), domain, epoch, _question(token_file)),
               "epoch {epoch} of {domain} is gone, its key and its pseudonyms")

    app.add_typer(group, name="keys")


def create() -> None:
    """Make the master secret and the signing key, once, readable by this user only.

    CONCORD_MASTER says where the master secret is: file (in the folder of keys), secretsmanager:NAME (a secret of AWS), or
    kms:KEY (a data key in the folder of keys that this key of AWS KMS wraps); AWS by the credentials that boto3 finds.

    Example: CONCORD_MASTER=kms:alias/concord concord keys create
    """
    from jobs import keys

    settings = Settings()
    made = keys.create(settings.keys, settings.master)
    typer.echo(f"keys {'created' if made else 'were already there'} in {settings.keys}")


def epochs(as_json: Annotated[bool, typer.Option("--json", help="JSON for machines.")] = False) -> None:
    """Epochs of each domain's key: the newest makes pseudonyms, a bridge lives beside it.  Example: concord keys list --json"""
    from jobs.run.key_epochs import overview
    from jobs.tables import screen, titled

    found = overview(Settings())
    if as_json:
        typer.echo(json.dumps(found, indent=2, default=lambda moment: moment.isoformat()))
        return
    table = titled("Epochs of pseudonym domains", "domain", "epoch", "state", "pseudonyms", "salt", "begun (UTC)", "by",
                   "retired (UTC)", "by")
    for row in found:
        salt = "there" if row["has_salt"] else "-"
        table.add_row(row["domain"], str(row["epoch"] or "-"), row["state"], f"{row['people']:,}", salt, _day(row["started_at"]),
                      row["started_by"] or "-", _day(row["retired_at"]), row["retired_by"] or "-")
    screen().print(table)


def _rotated(facts: dict[str, Any]) -> str:
    return f"epoch {facts['epoch']} of {facts['domain']} began; made anew by it next: {', '.join(facts['again'])}"


def _day(moment: Any) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else "-"


def _question(token_file: Path | None) -> Question:
    from jobs.run.asking import MOST_BYTES, Question

    return Question(sys.stdin.buffer.read(MOST_BYTES), token_file)
