"""`concord zones`: who may read what of the lake."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from jobs.settings import Settings

app = typer.Typer(no_args_is_help=True, help="Zones of the lake: who may read which, and the policy of a bucket.")


@app.command()
def show(as_json: Annotated[bool, typer.Option("--json", help="JSON for machines.")] = False) -> None:
    """Who may read which zone or table, and whether readers on this machine reach the lake.  Example: concord zones show"""
    found = _found(Settings())
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    from jobs.tables import screen, titled

    shown = titled("Who may read what", "zone or table", "readers")
    for row in found["rights"]:
        shown.add_row(row["name"], ", ".join(row["readers"]))
    screen().print(shown)
    typer.echo(f"lake {found['lake']}, readers' group: {found['readers_group'] or 'none'}")
    if found["blocked_at"]:
        typer.echo(f"its members cannot pass {found['blocked_at']}: let them (chmod), or put the lake elsewhere (CONCORD_LAKE)")


@app.command()
def policy(reader: Annotated[list[str], typer.Option(help="ARN of a user or role that reads released products; once for each.")],
           lake: Annotated[str, typer.Option(help="s3://bucket/prefix; CONCORD_LAKE if none.")] = "") -> None:
    """Print the bucket policy of a lake on S3: READER gets released products, and nothing else, whatever else allows it.

    Example: concord zones policy --lake s3://bucket/concord --reader arn:aws:iam::123456789012:role/scientist
    """
    from contracts import catalog
    from jobs.bucket_policy import bucket_policy

    typer.echo(json.dumps(bucket_policy(lake.rstrip("/") or Settings().lake_root, catalog().tables, reader), indent=2))


def _found(settings: Settings) -> dict[str, Any]:
    from pathlib import Path

    from contracts.vocabulary import Zone
    from contracts.zones import PINS, readers
    from jobs.zones import blocked, group_id

    group = group_id(settings.readers_group)
    stops = None if group is None or settings.lake_root.startswith("s3://") else blocked(Path(settings.lake_root), group)
    names = sorted([*(f"{zone}.*" for zone in Zone), *PINS])
    return {"lake": settings.lake_root, "readers_group": settings.readers_group or None, "blocked_at": stops and str(stops),
            "rights": [{"name": name, "readers": list(map(str, readers(name)))} for name in names]}
