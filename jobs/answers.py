"""Answers about past releases for the terminal."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rich.console import Console
from rich.markup import escape

from jobs.tables import screen, titled

Answer = dict[str, Any]
SHOWN = ("source", "record_id", "purpose_code", "recipient_id", "decision_code", "recorded_at", "valid_from_at", "valid_to_at")


def show_explanation(answer: Answer) -> None:
    """Print why a person is in a release or out of it."""
    console = screen()
    console.print(f"Release {answer['release']} of {_moment(answer['released_at'])}, asked by {answer['asked_by']}", markup=False)
    for product in answer["products"]:
        console.print()
        console.print(f"{product['product']}: {_verdict(product)}", markup=False)
        if product["is_in_release"] is not None:
            for title, known in (("as known then", product["then"]), ("as true now", product["now"])):
                _show_decision(console, title, known)


def show_replay(answer: Answer) -> None:
    """Print the counts of a replay."""
    people = ("considered", "permitted", "released", "not_permitted", "without_rows")
    numbers = (*people, "permitted_rows", "withheld_rows")
    found = titled(f"Permits of release {answer['release']}, decided again for {answer['asked_by']}", "product", *numbers,
                  "accounts", "agrees", numbers=numbers)
    for row in answer["products"]:
        counted = [f"{row['people'][name]:,}" if row["people"] else "-" for name in people]
        found.add_row(row["product"], *counted, f"{row['permitted_rows']:,}", f"{row['withheld_rows']:,}",
                      "equal" if row["is_account_equal"] else "DIFFERENT", "yes" if row["agrees"] else "NO")
    screen().print(found)


def _verdict(product: Answer) -> str:
    basis = product["legal_basis"]
    if product["is_in_release"] is None and product["then"]["reason_code"] == basis:
        return f"rests on {basis} and holds no person's row, only counts of people"
    if not product["agrees"]:
        return f"INTEGRITY ERROR: the release holds rows of this person, but the decision was {product['then']['reason_code']}"
    if product["is_in_release"]:
        return "in the release"
    if product["is_in_release"] is None:
        return "holds no person's row, only counts of people who permit it"
    return "out of the release" + (": permitted, but it has no row of this person" if product["then"]["is_permitted"] else "")


def _show_decision(console: Console, title: str, known: Answer) -> None:
    said = (f"{title} ({_moment(known['as_of'])}): {'permitted' if known['is_permitted'] else 'withheld'}, "
            f"{known['reason_code']}; {known['identities']} identities")
    if not known["statements"]:
        console.print(f"{said}; no statements", markup=False)
        return
    found = titled(said, *[name.removesuffix("_code").removesuffix("_id") for name in SHOWN], "fate", "decides")
    for row in known["statements"]:
        found.add_row(*[_moment(v) if isinstance(v, datetime) else escape(str(v or "-")) for v in (row[name] for name in SHOWN)],
                      row["fate_code"], "yes" if row["decides"] else "")
    console.print(found)


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
