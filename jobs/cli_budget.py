"""`concord budget`: what is spent of privacy budgets."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Annotated, Any

import typer

from jobs.settings import Settings

Product = Annotated[str, typer.Argument(help="A product; all of them with noisy counts if none.")]
Json = Annotated[bool, typer.Option("--json", help="JSON for machines.")]


def add(app: typer.Typer, known: Callable[[str, str, Iterable[str]], None]) -> None:
    """Give an app the command. ``known`` refuses a name that no contract declares."""

    @app.command()
    def budget(product: Product = "", as_json: Json = False) -> None:
        """What is spent of privacy budgets (epsilon) of products whose contracts say differentialPrivacy; when there is room.

        Example: concord budget
        """
        from contracts import catalog
        from jobs.run.budget import overview

        if product:
            known("product", product, catalog().products)
        found = overview(Settings(), product or None)
        if as_json:
            typer.echo(json.dumps(found, indent=2, default=lambda moment: moment.isoformat()))
        elif not found:
            typer.echo(f"{product} has no differentialPrivacy in its contract" if product else
                       "no product has differentialPrivacy in its contract")
        else:
            _show(found)


def _show(found: list[dict[str, Any]]) -> None:
    from jobs.tables import screen, titled

    shown = titled("Privacy budgets (epsilon)", "product", "a candidate", "spent", "budget", "days", "left", "delta",
                   "candidates paid for", "room for another (UTC)")
    for row in found:
        shown.add_row(row["product"], f"{row['epsilon']:g}", f"{row['spent']:g}", f"{row['budget']:g}", f"{row['period_days']}",
                      f"{row['left']:g}", f"{row['delta']:g}", f"{row['candidates']}", f"{row['room_at']:%Y-%m-%d %H:%M}")
    screen().print(shown)
