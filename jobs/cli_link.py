"""`concord link`: which records of a file are one person."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from jobs.errors import ConfigurationError

Columns = Annotated[Path, typer.Option("--columns", help="YAML: 'record_id: COLUMN' and 'ROLE: COLUMN' pairs.")]
Out = Annotated[Path, typer.Option("--out", help="Where record_id and cluster_id go; CSV or Parquet, by its name.")]
Truth = Annotated[str, typer.Option("--truth", help="Column that says who is who; the links are measured with it.")]
Charts = Annotated[Path | None, typer.Option("--charts", help="Folder for pages with charts of the model; they show no values.")]
Config = Annotated[Path | None, typer.Option("--matching", help="A configuration like contracts/matching.yaml.")]


def link(file: Annotated[Path, typer.Argument(help="The table of people: CSV or Parquet.")], columns: Columns,
         out: Out, truth: Truth = "", charts: Charts = None, matching: Config = None,
         as_json: Annotated[bool, typer.Option("--json", help="JSON for machines.")] = False) -> None:
    """Link the records of a table of people: which of them are one person.

    Roles: given_name, family_name, birth_date, sex, address, postcode, city, email, phone, national_id. Those that the
    table lacks are left out. The model is learned from the table itself; nobody needs to say who is who.

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
