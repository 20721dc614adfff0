"""Answers about past releases for the terminal."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rich.console import Console
from rich.markup import escape

from contracts.vocabulary import LegalBasis
from jobs.tables import screen, titled

Answer = dict[str, Any]
SHOWN = {"source": "source", "record": "record_id", "purpose": "purpose_code", "recipient": "recipient_id",
         "channel": "channel_code", "said": "decision_code", "recorded (UTC)": "recorded_at", "from": "valid_from_at",
         "until": "valid_to_at"}


def show_explanation(answer: Answer) -> None:
    """Print why a person is in a release or out of it."""
    console = screen()
    head = f"Release {answer['release']} of {_text(answer['released_at'])} UTC, asked by {answer['asked_by']}"
    console.print(head, markup=False)
    for product in answer["products"]:
        console.print()
        console.print(f"{product['product']}: {_verdict(product)}", markup=False)
        if LegalBasis(product["legal_basis"]).rests_on_consent:
            for title, known in (("as known then", product["then"]), ("as true now", product["now"])):
                _show_decision(console, title, known)


def show_replay(answer: Answer) -> None:
    """Print the counts of a replay."""
    people = ("considered", "permitted", "released", "not_permitted", "without_rows")
    numbers = (*people, "permitted_rows", "withheld_rows", "erased_rows")
    found = titled(f"Permits of release {answer['release']}, decided again for {answer['asked_by']}", "product", *numbers,
                  "accounts", "agrees", numbers=numbers)
    for row in answer["products"]:
        counted = [f"{row['people'][name]:,}" if row["people"] else "-" for name in people]
        rows = [f"{row[name]:,}" for name in numbers[len(people):]]
        found.add_row(row["product"], *counted, *rows, "equal" if row["is_account_equal"] else "DIFFERENT",
                      "yes" if row["agrees"] else "NO")
    screen().print(found)


def show_evidence(answer: Answer) -> None:
    """Print the two persons of a match side by side, a column an identity."""
    console, (one, other) = screen(), answer["persons"]
    weight = "no model compared them" if answer["weight"] is None else f"weight {answer['weight']:.1f} bits"
    console.print(f"Match {answer['match']}, {weight}, {answer['reason']}; shown to {answer['asked_by']}", markup=False)
    if answer["is_about_consent"]:
        console.print("One of them said something about a purpose: two officers must agree that they are the same person.")
    sides = [*((f"one: {each['source']}", each) for each in one), *((f"other: {each['source']}", each) for each in other)]
    found = titled("Evidence", "", *(title for title, _ in sides))
    for role in (name for name in one[0] if name != "source"):
        if any(each[role] for _, each in sides):
            found.add_row(role, *[escape(_text(each[role])) for _, each in sides])
    console.print(found)


def _verdict(product: Answer) -> str:
    if product["is_in_release"] is None:
        return f"rests on {product['legal_basis']} and holds no person's row, only counts of people"
    if not product["agrees"]:
        return f"INTEGRITY ERROR: the release holds rows of this person, but the decision was {product['then']['reason_code']}"
    if product["is_in_release"]:
        return "in the release"
    return "out of the release" + (": permitted, but it has no row of this person" if product["then"]["is_permitted"] else "")


def _show_decision(console: Console, title: str, known: Answer) -> None:
    verdict = "permitted" if known["is_permitted"] else f"withheld, {known['reason_code']}"
    said = f"{title} ({_text(known['as_of'])} UTC): {verdict}; source identities: {known['identities']}"
    if not known["statements"]:
        console.print(f"{said}; no statements", markup=False)
        return
    found = titled(said, *SHOWN, "fate", "decides")
    for row in known["statements"]:
        found.add_row(*[escape(_text(row[name])) for name in SHOWN.values()], row["fate_code"], "yes" if row["decides"] else "")
    console.print(found)


def _text(value: datetime | str | None) -> str:
    """A value for the terminal, which a source's own text must not steer."""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in value or "-")
