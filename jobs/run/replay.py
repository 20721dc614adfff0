"""replay: decide the permits of a past release again, and hold the release and its accounts against them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from jobs.errors import IntegrityError
from jobs.ledger import accounts, erasures
from jobs.ledger.accounts import Entry
from jobs.run import asking, consent, past, pseudonyms
from jobs.run.asking import Question
from jobs.run.past import Asked, Pinned
from jobs.run.product import candidate_id, judged
from jobs.run.shell import Report, Shell, open_shell
from jobs.settings import Settings
from jobs.stages import replay as stage

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


def replay(settings: Settings, wanted: Asked, question: Question, tell: Callable[[dict[str, Any]], None]) -> Report:
    """Recompute the permits of a release from its pinned versions and its moment, and tell ``tell`` the counts.

    Raises NotAuthorised unless an officer asks, ConsentUnreadable when a pinned version is not there any more, and, once
    all is told, IntegrityError when somebody is in the release whom no permit allows, or the accounts differ by more than
    the rows of people who were forgotten since.
    """
    with open_shell(settings, "replay", wanted.subject, with_engine=True) as shell:
        asking.authorised(shell, question, asking.Asked)
        pins = past.find(shell.lake, shell.catalog, wanted)
        shell.trail.reads(*consent.TABLES, *[p.product.table.name for p in pins])
        products = [_product(shell, pinned) for pinned in pins]
        tell({"release": f"{wanted.group}/{wanted.number}", "asked_by": shell.trail.proved_actor, "products": products})
        wrong = [p["product"] for p in products if not p["agrees"]]
        if wrong:
            raise IntegrityError(f"release {wanted.number} of {wanted.group} is not what its permits allow: {', '.join(wrong)}")
        shell.report.is_answer = True
        shell.report.facts.update(release=wanted.number, group=wanted.group, products=[p["product"] for p in products])
        return shell.report


def _product(shell: Shell, pinned: Pinned) -> dict[str, Any]:
    """Counts of one product, and whether the release agrees with them."""
    decided = consent.decide(shell, pinned.versions, pinned.use, pinned.terms)
    entries = [entry for table in pinned.inputs.items()
               for entry in judged(shell, table, decided, pinned.use.legal_basis)[1]]
    subject = candidate_id(pinned.product.id, pinned.pin["table_version"])
    held = {Entry(**{f.name: row[f.name] for f in fields(Entry)})
            for row in accounts.of(shell.lake, {subject}) if row["stage"] == "permit"}
    people = None
    if pinned.pseudonym_domain and pinned.pseudonym_epoch:
        names = pseudonyms.of(shell, pinned.pseudonym_domain, pinned.pseudonym_epoch)
        people = _people(shell, pinned, decided.decisions, names)
    lost = {table: erasures.lost_of(shell.lake, table, version) for table, version in pinned.inputs.items()}
    erased = _erased(held, set(entries), lost)
    is_account_equal = erased is not None
    return {"product": pinned.product.id, "legal_basis": str(pinned.use.legal_basis), "decided_at": pinned.use.as_of,
            "people": people, "permitted_rows": sum(e.rows for e in entries if e.outcome == "permitted"),
            "withheld_rows": sum(e.rows for e in entries if e.outcome == "withheld"), "erased_rows": erased or 0,
            "is_account_equal": is_account_equal,
            "agrees": is_account_equal and not (people and people["not_permitted"])}


def _erased(held: set[Entry], now: set[Entry], lost: dict[str, int]) -> int | None:
    """How many rows of an account are not there any more because people were forgotten; None where the accounts differ in another
    way: somebody is counted who was not, or more is missing than versions of the tables lost."""
    was = {(e.table_name, e.outcome, e.reason_code): e for e in held}
    left = {(e.table_name, e.outcome, e.reason_code): e for e in now}
    missing: Counter[str] = Counter()
    for key in was.keys() | left.keys():
        before, after = was.get(key), left.get(key, Entry(*key, rows=0, people=0))
        if before is None or after.rows > before.rows or (after.people or 0) > (before.people or 0):
            return None
        if after.rows == before.rows and after.people != before.people:
            return None
        missing[key[0]] += before.rows - after.rows
    if any(rows > lost.get(table, 0) for table, rows in missing.items()):
        return None
    return missing.total()


def _people(shell: Shell, pinned: Pinned, decisions: DataFrame, names: DataFrame) -> dict[str, int]:
    released = shell.lake.read(pinned.product.table.name, pinned.pin["table_version"])
    column = released[pinned.pseudonym_column].alias("pseudonym")
    counts: dict[str, int] = stage.compare(decisions, names, released.select(column)).collect()[0].asDict()
    return counts
