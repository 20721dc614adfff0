"""`concord link`: which records of a file are one person; and the training of the platform's own model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from jobs.errors import ConfigurationError
from jobs.settings import Settings

if TYPE_CHECKING:
    from jobs.run.shell import Report

Columns = Annotated[Path, typer.Option("--columns", help="YAML: 'record_id: COLUMN' and 'ROLE: COLUMN' pairs.")]
Out = Annotated[Path, typer.Option("--out", help="Where record_id and cluster_id go; CSV or Parquet, by its name.")]
Truth = Annotated[str, typer.Option("--truth", help="Column that says who is who; the links are measured with it.")]
Charts = Annotated[Path | None, typer.Option("--charts", help="Folder for pages with charts of the model; they show no values.")]
Config = Annotated[Path | None, typer.Option("--matching", help="A configuration like contracts/matching.yaml.")]
FILE = "file"


class FileFirst(TyperGroup):
    """A group whose first word is a file, unless it is one of its commands."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the command for files before words that name none."""
        known = not args or args[0] in self.commands or args[0] == "--help"
        return super().parse_args(ctx, args if known else [FILE, *args])


def add(app: typer.Typer, report: Callable[[Callable[[], Report], str], None]) -> None:
    """Give an app the commands. ``report`` runs a stage and says how it ended."""
    group = typer.Typer(no_args_is_help=True, cls=FileFirst, help="Link the records of a table of people, or train the "
                        "platform's model.  Example: concord link people.csv --columns columns.yaml --out links.csv")
    group.command(FILE)(link)

    @group.command()
    def train() -> None:
        """Learn how the identities of all sources match, and keep the model; `concord resolve` scores with the newest.

        Nobody needs to say who is who. Every model is kept under its own name, with the run that made it.

        Example: concord link train
        """
        from jobs.run.train import train as run

        report(lambda: run(Settings()), "model {model} of {identities} identities; a link needs a weight of {least}")

    app.add_typer(group, name="link")


def link(file: Annotated[Path, typer.Argument(help="The table of people: CSV or Parquet.")], columns: Columns,
         out: Out, truth: Truth = "", charts: Charts = None, matching: Config = None,
         as_json: Annotated[bool, typer.Option("--json", help="JSON for machines.")] = False) -> None:
    """Link the records of a table of people: which of them are one person. The word `file` may be left out.

    Roles: given_name, family_name, birth_date, sex, address, postcode, city, country, email, phone, national_id, device_id,
    handle. Those that the table lacks are left out. The model is learned from the table itself; nobody needs to say who is who.

    Example: concord link people.csv --columns columns.yaml --out links.csv --charts charts
    """
    from contracts import matching as configured
    from jobs.matching.file import link as run

    try:
        config, mapped = configured.load(matching or configured.FILE), configured.columns(columns)
    except configured.MatchingError as error:
        raise ConfigurationError(str(error)) from None
    made = run(file, mapped, out, config, lambda text: typer.echo(text, err=True), truth or None, charts)
    if as_json:
        typer.echo(json.dumps(made.document(), indent=2))
        return
    typer.echo(f"{made.records:,} records are {made.people:,} people; {made.matches:,} of {made.pairs:,} pairs match; "
               f"written to {out}")
    for role, why in made.set_aside.items():
        typer.echo(f"  {role}: " + ", ".join(f"{times:,} {reason}" for reason, times in why.items()))
    for when, judged in (("before clustering", made.before), ("after clustering", made.after)):
        if judged:
            typer.echo(f"  {when}: precision {judged.precision:.4f}, recall {judged.recall:.4f}, F1 {judged.f1:.4f} "
                       f"({judged.right:,} of {judged.linked:,} linked pairs right, {judged.true:,} true)")
    for path in made.charts:
        typer.echo(f"  chart: {path}")
