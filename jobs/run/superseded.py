"""superseded: older releases that hold people who do not permit any more are marked, and what took people out is kept."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime
from functools import reduce
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from contracts.model import Product
from jobs.ledger import releases, withdrawals
from jobs.run import consent, gone, past, pseudonyms
from jobs.run.gone import Gone
from jobs.run.shell import Shell

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def mark(shell: Shell, products: Iterable[Product], now: datetime) -> None:
    """Mark the releases before the newest that hold people whom the newest leaves out because they do not permit.

    A marked release stays as it is marked. Withdrawals are written first: a run that was killed in between is made
    good by the next.
    """
    for product in (p for p in products if p.legal_basis.rests_on_consent):
        pins = [pin for pin in releases.of(shell.lake, product.release_group) if pin["product"] == product.id]
        marked = {m["number"] for m in withdrawals.superseded(shell.lake, product.id)}
        found = {pin["number"]: _gone(shell, product, pin, pins[-1]) for pin in pins[:-1]
                 if pin["number"] not in marked and pin["table_version"] != pins[-1]["table_version"]}
        following = {pin["number"]: after for pin, after in pairwise(pins)}
        for table, rows in ((withdrawals.WITHDRAWAL, _withdrawals(shell, product, found, following)),
                            (withdrawals.SUPERSEDED, _marks(product, found, now))):
            if withdrawals.write(shell.lake, table, rows):
                shell.report.change(table)
                shell.trail.writes(table)


def _marks(product: Product, found: dict[int, list[Gone]], now: datetime) -> list[dict[str, Any]]:
    return [{"release_group": product.release_group, "number": number, "product": product.id, "because": str(because),
             "people": people, "at": now}
            for number, people_gone in found.items()
            for because, people in sorted(Counter(g.because for g in people_gone).items())]


def _withdrawals(shell: Shell, product: Product, found: dict[int, list[Gone]],
                 following: dict[int, dict[str, Any]]) -> list[dict[str, Any]]:
    """Each withdrawal with the first release without its person: the one after the last that holds them."""
    last = {g.person_key or g.pseudonym: (number, g) for number in sorted(found) for g in found[number]}
    after: dict[int, list[Gone]] = defaultdict(list)
    for number, person in last.values():
        after[number].append(person)
    return [row for number, people in sorted(after.items()) for row in gone.withdrawals(
        shell, people, product.id, f"{product.release_group}.{following[number]['number']}", "released",
        following[number]["released_at"])]


def _gone(shell: Shell, product: Product, pin: dict[str, Any], newest: dict[str, Any]) -> list[Gone]:
    last = past.pinned(product, newest)
    decided = consent.decide(shell, last.versions, last.use, last.terms)
    same = pin["contract_sha256"] == newest["contract_sha256"]
    basis = gone.Basis(pin["decided_at"], same, (last.use,), last.terms, last.versions)
    return gone.find(shell, _held(shell, product, pin), decided.decisions, basis)


def _held(shell: Shell, product: Product, pin: dict[str, Any]) -> DataFrame:
    """Who is in a release: pseudonym, person_key. An aggregate has no pseudonyms: whoever its rows were made of."""
    if product.is_aggregate:
        then = past.pinned(product, pin)
        decided = consent.decide(shell, then.versions, then.use, then.terms)
        inputs = [shell.lake.read(name, version).select("source", "source_person_id") for name, version in then.inputs.items()]
        people = reduce(lambda a, b: a.unionByName(b), inputs).join(
            decided.links.select("source", "source_person_id", "person_key"), ["source", "source_person_id"], "inner")
        permitted = decided.decisions.where("is_permitted").select("person_key")
        return people.join(permitted, "person_key", "inner").selectExpr("person_key AS pseudonym", "person_key").distinct()
    column = product.table.pseudonym_column
    rows = shell.lake.read(product.table.name, pin["table_version"]).selectExpr(f"{column} AS pseudonym").distinct()
    return rows.join(pseudonyms.named(shell, str(product.pseudonym_domain)), "pseudonym", "left")
