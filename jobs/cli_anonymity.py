"""`concord anonymity`: rows of a file about persons, generalised until nobody stands alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobs.errors import ConfigurationError
from jobs.settings import Settings

if TYPE_CHECKING:
    from jobs.anonymity.file import Anonymised

FEWEST = 2


def anonymity(
        file: Annotated[Path, typer.Argument(help="The rows: CSV with a header, Parquet or JSON lines (.ndjson, .jsonl).")],
        quasi: Annotated[str, typer.Option("--quasi", help="Quasi-identifiers, by commas: what others may know of a person.")],
        k: Annotated[int, typer.Option("--k", min=FEWEST, help="Rows that every group must have; people, with --person.")],
        person: Annotated[str, typer.Option("--person", help="Column that says whose a row is, where people have many.")] = "",
        sensitive: Annotated[str, typer.Option("--sensitive", help="Sensitive columns, by commas, for --l and --t.")] = "",
        diverse: Annotated[int, typer.Option("--l", min=0, help="Distinct values of each that every group must have.")] = 0,
        close: Annotated[float, typer.Option("--t", min=0, max=1, help="How far their spread in a group may be from that in "
                                             "all rows, 0 to 1.")] = 1,
        suppress: Annotated[float, typer.Option("--suppress", min=0, max=100, help="Percent of rows that may be left out.")] = 5,
        hierarchies: Annotated[Path | None, typer.Option("--hierarchies", help="Folder with COLUMN.csv files as ARX has them: "
                                                         "value;level 1;level 2;...")] = None,
        out: Annotated[Path | None, typer.Option("--out", help="Where the anonymous rows go; CSV or Parquet.")] = None,
        as_json: Annotated[bool, typer.Option("--json", help="JSON for machines.")] = False) -> None:
    """Make rows about persons k-anonymous, at the least loss: each quasi-identifier gets one level of its hierarchy.

    Where people have many rows, name the column that tells them apart by --person: who knows one row of a person finds k people.
    Without a hierarchy numbers become bands, dates months, years and decades, codes of one length their beginnings. What is
    shown is the optimum: no other levels lose less. Columns that identify by themselves are not looked at: take them out.

    Example: concord anonymity people.csv --quasi age,postcode,sex --k 5 --sensitive diagnosis --l 2 --out anonymous.parquet
    """
    from jobs.anonymity.file import Asked, anonymise, refuse_output, write
    from jobs.anonymity.groups import Privacy
    from jobs.engine import session

    columns, of = _names(quasi, "--quasi"), _names(sensitive, "--sensitive") if sensitive else ()
    _refuse_contradiction(columns, of, person, diverse, close)
    privacy = Privacy(k, dict.fromkeys(of, diverse) if diverse else {}, dict.fromkeys(of, close) if close < 1 else {})
    asked = Asked(columns, privacy, suppress, hierarchies, person or None)
    if out:
        refuse_output(file, out)
    with session(Settings().engine) as spark:
        made, rows = anonymise(spark, file, asked, lambda text: typer.echo(text, err=True))
        if out:
            write(rows, out)
    typer.echo(json.dumps(made.document(), indent=2)) if as_json else _show(made, out)


def _refuse_contradiction(columns: tuple[str, ...], of: tuple[str, ...], person: str, diverse: int, close: float) -> None:
    if of and not diverse and close == 1:
        raise ConfigurationError("--sensitive names columns, but neither --l nor --t says what is asked of them; write one")
    if not of and (diverse or close < 1):
        raise ConfigurationError("--l and --t are about sensitive columns; name them with --sensitive")
    if both := [name for name in of if name in columns]:
        raise ConfigurationError(f"{both[0]} is both a quasi-identifier and sensitive; take it out of one of them")
    if person in (*columns, *of):
        raise ConfigurationError(f"--person {person} tells every person apart, so it is neither a quasi-identifier nor sensitive")


def _names(said: str, option: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in said.split(",") if name.strip())
    if not names or len(set(names)) < len(names):
        raise ConfigurationError(f"{option} names {'a column twice' if names else 'no column'}; write each once, by commas")
    return names


def _show(made: Anonymised, out: Path | None) -> None:
    from jobs.tables import screen, titled

    said: dict[str, Any] = made.document()
    shown = titled("Levels", "quasi-identifier", "level", "of", "groups")
    for name, level in said["levels"].items():
        shown.add_row(name, str(level["level"]), str(level["of"]), f"{level['groups']:,}")
    screen().print(shown)
    risk, left = said["prosecutor_risk"], made.rows - said["suppressed"]
    if not left:
        typer.echo(f"none of {made.rows:,} rows is left: all are suppressed")
        return
    typer.echo(f"{left:,} of {made.rows:,} rows in {said['groups']:,} groups of at least {said['smallest_group']:,}"
               f"{' people' if made.asked.person else ''}; {said['suppressed']:,} suppressed")
    typer.echo(f"prosecutor risk: {risk['average']:.2%} on average, {risk['maximum']:.2%} at most")
    typer.echo(f"loss {said['loss']:.1%} (0 %: as it was, 100 %: nothing is told); {said['looked_at']:,} of "
               f"{said['nodes']:,} combinations of levels were looked at")
    if out:
        typer.echo(f"written to {out}")
