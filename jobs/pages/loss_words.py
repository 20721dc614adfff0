"""A consent-loss report in words: all of it from what is published, hidden counts included."""

from __future__ import annotations

from typing import Any

from contracts.consent_loss import EVERYONE, UNKNOWN
from contracts.table import ALL

Row = dict[str, Any]
TITLES = {"age_band": "Age", "sex": "Sex", "country": "Country", "condition": "Condition"}
NOTABLE, LARGE, MOST_FINDINGS = 0.1, 0.2, 3  # Austin 2009 takes a tenth for the least imbalance to mind; Cohen 1988, 0.2.


def attributes(report: dict[str, Any]) -> list[tuple[str, Row, list[Row]]]:
    """(title, the row of the attribute as a whole, the rows of its levels) of each attribute, in order."""
    rows = [r for r in report["rows"] if r["attribute"] != EVERYONE]
    names = dict.fromkeys(r["attribute"] for r in rows)
    return [(TITLES[name], next(r for r in rows if (r["attribute"], r["level"]) == (name, ALL)),
             [r for r in rows if r["attribute"] == name and r["level"] != ALL]) for name in names]


def everyone(report: dict[str, Any]) -> Row:
    """The row of the totals."""
    return next(r for r in report["rows"] if r["attribute"] == EVERYONE)


def headline(report: dict[str, Any]) -> str:
    """How many people are in and how many are left out."""
    row, few = everyone(report), f"at most {report['minimum_cell']}"
    inside, outside = row["people_in"], row["people_out"]
    if inside and outside:
        total = inside + outside
        return f"About {inside:,} of {total:,} people are in ({percent(inside / total)}), about {outside:,} are left out."
    if inside:
        return f"About {inside:,} people are in; {few} are left out, too few to compare."
    if outside:
        return f"About {outside:,} people are left out; {few} are in, too few to compare."
    return f"{few.capitalize()} people are in and {few} are left out, too few to compare."


def findings(report: dict[str, Any]) -> list[str]:
    """The largest differences of levels, then what could not be compared."""
    told = [(title, row) for title, _, rows in attributes(report) for row in rows if row["standardised_difference"] is not None]
    notable = sorted((pair for pair in told if abs(pair[1]["standardised_difference"]) >= NOTABLE),
                     key=lambda pair: -abs(pair[1]["standardised_difference"]))
    said = [_difference(title, row) for title, row in notable[:MOST_FINDINGS]]
    if not notable and any(row["level"] != UNKNOWN for _, row in told):
        said.append(f"No level that is shown differs by {NOTABLE} or more.")
    return [*said, *_gaps(report)]


def percent(share: float | None) -> str:
    """A share in percent."""
    return "hidden" if share is None else f"{100 * share:.0f} %"


def blur(report: dict[str, Any]) -> str:
    """By how many points of percent the rounding of one count may move a share of each group."""
    row, half = everyone(report), 100 * report["rounding"] / 2
    said = [f"{half / row[key]:.1f} points {name}" for key, name in (("people_in", "in"), ("people_out", "left out")) if row[key]]
    return " and ".join(said) or "nothing, since none is shown"


def people(count: int | None) -> str:
    """A count, or that it is hidden."""
    return "hidden" if count is None else f"{count:,}"


def signed(row: Row) -> str:
    """A row's difference to two digits; with its sign where it has one, which that of a whole attribute has not."""
    difference = row["standardised_difference"]
    if difference is None:
        return "–"
    return f"{difference:.2f}" if row["level"] == ALL else f"{difference:+.2f}".replace("-", "−")


def _difference(title: str, row: Row) -> str:
    return (f"{title} {row['level']}: {percent(row['share_out'])} of the people left out, {percent(row['share_in'])} of the "
            f"people in (standardised difference {signed(row)}).")


def _gaps(report: dict[str, Any]) -> list[str]:
    said, comparable = [], None not in (everyone(report)["people_in"], everyone(report)["people_out"])
    for title, whole, rows in attributes(report):
        shown = [r["level"] for r in rows if None not in (r["people_in"], r["people_out"])]
        if comparable and whole["standardised_difference"] is None:
            said.append(f"{title} is not compared: no level has enough people both in and left out.")
        elif shown == [UNKNOWN]:
            said.append(f"{title} is known of too few people to be compared.")
    if TITLES["condition"] not in [title for title, _, _ in attributes(report)]:
        said.append("Conditions are not compared: the product's contract names no review of that (GDPR article 9(2)(j)).")
    return said
