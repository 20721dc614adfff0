"""Tables for the terminal."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

LINKS = "links wrong / missed"


def show(found: dict[str, Any]) -> None:
    """Print a summary as tables, with the lines that query the released products and tell whom they leave out."""
    console = screen()
    console.print(_sources(found))
    console.print(_products(found))
    console.print(_extracts(found))
    console.print(f"{found['persons']:,} persons behind all source identities; {found['safety_candidates']:,} adverse-event "
                  "candidates in safety.candidate")
    for line in withdrawals(found["withdrawals"]):
        console.print(line, soft_wrap=True)
    console.print(f"The lake lies in {found['lake']}", soft_wrap=True)
    for line in queries(found):
        console.print(f"  {line}", soft_wrap=True, markup=False)
    for product in (p["product"] for p in found["products"] if p["release"] and p["rests_on_consent"]):
        console.print(f"Whom {product} leaves out: concord consent-loss {product} --out consent-loss.html", soft_wrap=True)


def queries(found: dict[str, Any]) -> list[str]:
    """One line each for pandas, Polars and DuckDB that reads a released version; nothing when nothing is released.

    Polars reads for all three: a Python that read through Arrow and delta-rs may abort at its end (apache/arrow 39862).
    """
    released = [p for p in found["products"] if p["release"]]
    if not released:
        return []
    wanted = {p["product"]: p for p in released}
    one = wanted.get("glucose_daily", released[0])
    read = f"polars.read_delta({one['path']!r}, version={one['version']})"
    return [f"pandas:  import polars; {read}.to_pandas()",
            f"Polars:  import polars; {read}",
            f"DuckDB:  import duckdb, polars; duckdb.from_arrow({read}.to_arrow())"]


def withdrawals(found: dict[str, Any]) -> list[str]:
    """How many withdrawals reached something and how long that took, and what they left behind; a line each."""
    lines = []
    for effect, said in (("said_to_released", "out of the release"), ("said_to_recalled", "recalled from an extract")):
        spread = found[effect]
        if spread["count"]:
            lines.append(f"{said} {_span(spread['p50_seconds'])} (p50), {_span(spread['p99_seconds'])} (p99) after it was said")
    releases = len({(mark["release_group"], mark["number"]) for mark in found["superseded"]})
    return [f"Withdrawals that took effect: {found['withdrawals']:,}; superseded releases: {releases:,}; "
            f"recalls: {len(found['recalls']):,}", *[f"  {line}" for line in lines]]


def _span(seconds: float) -> str:
    """A time in the largest unit of which there are at least two: 41 s, 3.2 min, 5.1 h, 12.0 days."""
    for unit, size in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"


def age(seconds: float) -> str:
    """A time in the largest unit of which there is at least one: 41 s, 3.2 min, 5.1 h, 12.0 d; a dash for none."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s" if seconds > 0 else "-"


def minute(moment: datetime | None) -> str:
    """A moment to the minute; a dash for none."""
    return f"{moment:%Y-%m-%d %H:%M}" if moment else "-"


def screen() -> Console:
    """Where tables are printed: as wide as the terminal, or wide enough for a file."""
    return Console(width=None if Console().is_terminal else 140, highlight=False)


def titled(title: str, *columns: str, numbers: tuple[str, ...] = ()) -> Table:
    """An empty table with its columns; those in ``numbers`` stand to the right."""
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in numbers else "left", overflow="fold")
    return table


def _sources(found: dict[str, Any]) -> Table:
    counts = ("landed", "accepted", "superseded", "duplicate", "deletion", "refused", "rejected", "waiting", "replayed")
    table = titled("What became of every record", "source", *counts, "rejected because", numbers=counts)
    for row in found["sources"]:
        table.add_row(row["source"], *[f"{row[c]:,}" for c in counts], _pairs(row["reasons"]))
    return table


def _products(found: dict[str, Any]) -> Table:
    counts = ("considered", "permitted", "withheld", "built", "suppressed", "released")
    table = titled("What became of every row", "product", "release", *counts, LINKS, "withheld because", numbers=(*counts, LINKS))
    for row in found["products"]:
        if row["release"]:
            table.add_row(row["product"], str(row["release"]), *[f"{row[c]:,}" for c in counts], _rates(row),
                          _pairs(row["withheld_by"]))
        else:
            table.add_row(row["product"], "none yet", *[""] * (len(counts) + 2))
    return table


def _rates(row: dict[str, Any]) -> str:
    """The links of a product's people that are expected to be wrong and missing."""
    rates = (row["false_match_rate"], row["missed_match_rate"])
    return "-" if None in rates else " / ".join(f"{rate:.2%}" for rate in rates)


def _extracts(found: dict[str, Any]) -> Table:
    table = titled("What left the house", "extract", "rows", "withheld", "suppressed", "asked by", "decided by", "delivered to",
                    "manifest", "expires", numbers=("rows", "withheld", "suppressed"))
    for row in found["extracts"]:
        decided = f"{row['approver'] or '-'} ({row['decision']})"
        table.add_row(row["extract"], f"{row['rows']:,}", f"{row['withheld']:,}", f"{row['suppressed']:,}", row["requester"],
                      decided, row["delivered_to"] or "not delivered", row["manifest_sha256"][:12], str(row["expires_at"])[:10])
    return table


def _pairs(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {n:,}" for name, n in sorted(counts.items(), key=lambda p: -p[1]))
