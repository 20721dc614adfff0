"""The page of `concord freshness`: a line of time for each promise, in one file of HTML with no script and nothing to fetch."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from contracts.service_levels import span
from jobs.tables import age, minute

MOST_SHOWN = 50
MEANINGS = (
    ("latency", "of a source, from when a batch was received, or a run was to fetch it, to when it is in core; of a product, "
                "from when what it is made of changed to the release that has it; of a column, how old its newest value may be"),
    ("frequency", "of a source, between two answers (one that brings nothing new is an answer); of a product, between two looks "
                  "that found the release to be what would be made then"),
    ("timeToDetect", "from when a batch was received to when it was screened for adverse events"),
    ("timeToRepair", "from a withdrawal to the first release without the person"),
    ("timeToNotify", "from a withdrawal to the recall that tells the partner"))
SAID = {"late": "late since {}", "kept": "kept", "none": "nothing yet"}


def page(found: dict[str, Any], days: int) -> str:
    """The page of what ``jobs.run.freshness.overview`` gives, over the last days; every text is escaped."""
    environment = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined,
                              trim_blocks=True, lstrip_blocks=True)
    now: datetime = found["at"]
    start, breaches = now - timedelta(days=days), found["breaches"]
    lines = [(row["subject"], _line(row, breaches, start, now)) for row in found["levels"]]
    shown = breaches[::-1][:MOST_SHOWN]
    return environment.get_template("freshness.html").render(page={
        "at": minute(now), "headline": headline(found), "first": f"{start:%d %b}", "last": "now",
        "subjects": [(subject, [line for _, line in those]) for subject, those in groupby(lines, key=lambda pair: pair[0])],
        "breaches": [_row(row, now) for row in shown], "left_out": len(breaches) - len(shown), "meanings": MEANINGS})


def headline(found: dict[str, Any]) -> str:
    """What matters, in a sentence."""
    begun = [row for row in found["levels"] if row["state"] != "none"]
    late = [row for row in begun if row["state"] == "late"]
    if not late:
        return f"All {len(begun)} promises are kept." if begun else "Nothing has begun yet that a promise is about."
    first = min(late, key=lambda row: row["since"])
    are, longest = ("is", "") if len(late) == 1 else ("are", "the longest, ")
    return (f"{len(late)} of {len(begun)} promises {are} late, {first['promise']} of {first['subject']} {longest}since "
            f"{minute(first['since'])}.")


def _line(row: dict[str, Any], breaches: list[dict[str, Any]], start: datetime, now: datetime) -> dict[str, Any]:
    its = [b for b in breaches if (b["subject"], b["promise"]) == (row["subject"], row["promise"])]
    bars = [_bar(breach, start, now) for breach in its if (breach["closed_at"] or now) > start]
    return {"promise": row["promise"], "within": span(timedelta(seconds=row["promised_seconds"])), "age": age(row["age_seconds"]),
            "state": row["state"], "said": SAID[row["state"]].format(minute(row["since"])), "bars": bars,
            "told": "; ".join(bar["said"] for bar in bars) or "never late"}


def _bar(breach: dict[str, Any], start: datetime, now: datetime) -> dict[str, Any]:
    begun, ended, whole = max(breach["due_at"], start), breach["closed_at"] or now, now - start
    came = f"to {minute(breach['closed_at'])}" if breach["closed_at"] else "and not yet there"
    return {"left": round(100 * ((begun - start) / whole), 2), "width": round(100 * ((ended - begun) / whole), 2),
            "said": f"late from {minute(breach['due_at'])} {came}"}


def _row(breach: dict[str, Any], now: datetime) -> dict[str, Any]:
    return {"subject": breach["subject"], "promise": breach["promise"], "due": minute(breach["due_at"]),
            "came": minute(breach["closed_at"]) if breach["closed_at"] else None, "noticed_by": breach["noticed_by"],
            "late": age(((breach["closed_at"] or now) - breach["due_at"]).total_seconds())}
