"""`concord consent-loss`: who is left out of a released product, as a table, as JSON or as a page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from jobs.errors import ConfigurationError
from jobs.settings import Settings


def consent_loss(product: str,
                 release: Annotated[int | None, typer.Option(help="Number of the release; the newest if none.")] = None,
                 out: Annotated[Path | None, typer.Option(help="File that gets the report as a page with plots (HTML).")] = None,
                 as_json: Annotated[bool, typer.Option("--json", help="JSON for machines.")] = False) -> None:
    """How the people in a release of PRODUCT differ from those left out.

    Example: concord consent-loss glucose_daily --out consent-loss.html
    """
    from jobs.run.consent_loss import report

    found = report(Settings(), product, release)
    if out is not None:
        _write(out, found)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    elif out is not None:
        typer.echo(f"consent loss of {product}, release {found['release']}: {out}")
    else:
        _show(found)


def _write(out: Path, found: dict[str, Any]) -> None:
    from jobs.pages.consent_loss import page

    try:
        out.write_text(page(found), encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{out} cannot be written: {error.strerror}; name a file in a folder that is there") from None


def _add(table: Table, name: str, row: dict[str, Any]) -> None:
    from jobs.pages import loss_words as words

    table.add_row(name, words.people(row["people_in"]), words.people(row["people_out"]), words.percent(row["share_in"]),
                  words.percent(row["share_out"]), words.signed(row))


def _show(found: dict[str, Any]) -> None:
    from jobs.pages import loss_words as words

    console = Console(width=None if Console().is_terminal else 140, highlight=False)
    table = Table(title=f"Consent loss of {found['product']}, release {found['release']}", title_justify="left",
                  title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("level")
    for column in ("people in", "left out", "share in", "share left out", "difference"):
        table.add_column(column, justify="right")
    _add(table, "Everyone", words.everyone(found))
    for title, whole, levels in words.attributes(found):
        table.add_row(f"[bold]{title}", "", "", "", "", f"[bold]{words.signed(whole)}")
        for row in levels:
            _add(table, row["level"], row)
    console.print(table)
    for line in (words.headline(found), *words.findings(found)):
        console.print(line, soft_wrap=True, markup=False)
