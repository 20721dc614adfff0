"""`concord read` and `concord releases`: released products for whoever sits at a terminal, through the pin as every reader."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobs.errors import ConfigurationError

if TYPE_CHECKING:
    import polars as pl

    from jobs.read import Released

FORMATS = (".parquet", ".csv", ".ndjson")
SHOWN = 20
Out = Annotated[Path | None, typer.Option(help=f"File that gets the rows, all of them: {', '.join(FORMATS)}.")]
Sql = Annotated[str, typer.Option(help="Query in DuckDB's SQL of the table that is called as the product.")]


def read(product: str, release: Annotated[int | None, typer.Option(help="Number of a release; the newest if none.")] = None,
         sql: Sql = "", limit: Annotated[int, typer.Option(min=0, help="Most rows shown.")] = SHOWN, out: Out = None,
         as_json: Annotated[bool, typer.Option("--json", help="JSON for machines; every row.")] = False) -> None:
    """Read PRODUCT as released, or what a query makes of it. What a reader must know (superseded, not made any more) is told on
    standard error, and with --json in `warnings`.

    Example: concord read glucose_daily --sql "SELECT day, avg(mean_mg_dl) FROM glucose_daily GROUP BY day" --out days.csv
    """
    from jobs.read import RetiredProduct, SupersededRelease, released

    if out is not None and out.suffix not in FORMATS:
        raise ConfigurationError(f"{out} has no format that can be written; let its name end with {', '.join(FORMATS)}")
    with warnings.catch_warnings(record=True) as caught:  # Said below, without Python's place in a file.
        warnings.simplefilter("always")
        found = released(product, release)
    told = list(dict.fromkeys(str(warning.message) for warning in caught
                              if issubclass(warning.category, (RetiredProduct, SupersededRelease))))
    rows = _asked(found, sql) if sql else found.polars()
    for text in told:
        typer.echo(text, err=True)
    if out is not None:
        _write(rows, out)
        typer.echo(f"{len(rows):,} rows of {product}, release {found.release}, in {out}")
    elif as_json:
        typer.echo(json.dumps({"product": product, "release": found.release, "version": found.version,
                               "warnings": told, "rows": rows.to_dicts()}, default=str))
    else:
        _show(rows, limit, f"of {product}, release {found.release}")


def releases(product: Annotated[str, typer.Argument(help="A product; all of them if none.")] = "",
             as_json: Annotated[bool, typer.Option("--json", help="JSON for machines.")] = False) -> None:
    """Every release that can be read, the newest last; NAME@2 is the second major.  Example: concord releases glucose_daily"""
    from jobs.read import pinned

    found = pinned(product or None)
    if as_json:
        typer.echo(json.dumps(found, indent=2, default=lambda moment: moment.isoformat()))
    elif not found:
        typer.echo("no releases yet")
    else:
        _list(found)


def _asked(found: Released, sql: str) -> pl.DataFrame:
    """What a query gives, asked of the released rows and nothing else: no file, no network."""
    import duckdb

    with duckdb.connect(config={"enable_external_access": False}) as connection:
        connection.register(found.product, found.arrow())
        try:
            return connection.sql(sql).pl()
        except duckdb.Error as error:
            raise ConfigurationError(f"the query cannot be asked: {str(error).splitlines()[0]}") from None


def _write(rows: pl.DataFrame, out: Path) -> None:
    match out.suffix:
        case ".parquet":
            rows.write_parquet(out)
        case ".csv":
            rows.write_csv(out)
        case _:
            rows.write_ndjson(out)


def _show(rows: pl.DataFrame, limit: int, of: str) -> None:
    import polars

    with polars.Config(tbl_rows=limit, tbl_cols=-1, tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True,
                       tbl_formatting="NOTHING", tbl_width_chars=160):
        if limit and len(rows):
            typer.echo(str(rows.head(limit)))
    shown = "" if len(rows) <= limit else f", {min(limit, len(rows)):,} of them shown: --limit, or --out FILE for all"
    typer.echo(f"{len(rows):,} rows {of}{shown}")


def _list(found: list[dict[str, Any]]) -> None:
    from jobs.tables import screen, titled

    shown = titled("Releases", "product", "release", "when (UTC)", "contract", "rows", "superseded because of")
    for pin in found:
        shown.add_row(pin["product"], str(pin["release"]), f"{pin['released_at']:%Y-%m-%d %H:%M}", pin["contract_version"],
                      f"{pin['rows']:,}", pin["superseded_because"] or "-")
    screen().print(shown)
