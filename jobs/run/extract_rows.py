"""The rows of an extract: those whose people permit it, as its recipient may see them, looked at beside what went out before."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from contracts.model import Recipient
from jobs.ledger import accounts, erasures
from jobs.ledger.accounts import Entry
from jobs.run import entitled, linkage, pseudonyms
from jobs.run.gated import gate
from jobs.run.shell import Shell
from jobs.stages import extract as stage
from jobs.stages import permit, protect, pseudonymise, treat
from jobs.stages.anonymise import RELEASED, Anonymous, anonymise, left, refuse_small, whole_groups
from jobs.workspace import Workspace

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

TOLD_APART = "told_apart"


def make(shell: Shell, recipient: Recipient, extract_id: str, pin: dict[str, Any], snapshot: dict[str, int], epoch: int,
         now: datetime, work: Workspace) -> tuple[pa.Table, dict[str, Any]]:
    """The rows a recipient may have of a release, under its own pseudonyms, accounted and gated, and what its manifest says of
    them. Raises NotAnonymous, Linkable, GateFailed, IntegrityError; nothing is made then."""
    entries, permitted = _permitted(shell, recipient, extract_id, pin, snapshot, now, work)
    product, column = shell.catalog.products[recipient.product], recipient.table.pseudonym_column
    pseudonyms.complete(shell, recipient.pseudonym_domain, epoch, permitted)
    own = pseudonymise.apply(permitted, pseudonyms.of(shell, recipient.pseudonym_domain, epoch), column)
    treated = work.keep("treated", treat.apply(own, recipient.table.columns, pseudonymise.SEED, now.date()))
    found = anonymise(treated, recipient, column)
    schema = stage.schema(recipient, product, found.said.get("levels", {}))
    anonymous = work.keep("anonymous", found.rows)
    refuse_small(anonymous, recipient, column, treated)
    beside = work.keep("beside", linkage.over_time(shell, recipient, schema, anonymous, now))
    told = work.keep("told", whole_groups(beside, recipient, column, treated))
    apart = _apart(f"extract.{recipient.id}", found, told)
    accounts.hold(extract_id, sum(e.rows for e in entries if e.outcome == "permitted"), apart)
    made = told.where(protect.MARK).drop(protect.MARK)
    refuse_small(made, recipient, column, treated)
    gate(shell, extract_id, made, recipient.table, now)
    accounts.hold(f"{extract_id} under its own pseudonyms", made.count(), [e for e in apart if e.outcome == "released"])
    linked = linkage.facts(shell, recipient, linkage.beside_others(shell, recipient, schema, made, now, work))
    accounts.write(shell.lake, extract_id, [*(("permit", e) for e in entries), *(("protect", e) for e in apart)], now)
    anonymity = {**found.said, **left(made, recipient, column),
                 TOLD_APART: sum(entry.rows for entry in apart if entry.reason_code == TOLD_APART)}
    return made.toArrow(), {"schema": schema, "anonymity": anonymity, "linked": linked,
                            "pseudonym_domain": recipient.pseudonym_domain, "pseudonym_epoch": epoch}


def _permitted(shell: Shell, recipient: Recipient, extract_id: str, pin: dict[str, Any], snapshot: dict[str, int],
               now: datetime, work: Workspace) -> tuple[list[Entry], DataFrame]:
    """The account of a release's rows, and those whose people permit the recipient, with person_key. Consent is decided once.

    The release may have pseudonyms of any epoch that lives.
    """
    product = shell.catalog.products[recipient.product]
    released = shell.lake.read(product.table.name, pin["table_version"])
    vault = pseudonyms.named(shell, str(product.pseudonym_domain))
    column = product.table.pseudonym_column
    rows = released.join(vault.select("person_key", vault["pseudonym"].alias(column)), column, "inner").drop(column)
    judged = work.keep("judged", rows.join(entitled.decisions(shell, recipient, snapshot, now), "person_key", "inner"))
    entries = [Entry(product.table.name, r["outcome"], r["reason_code"], r["rows"], r["people"])
               for r in permit.account(judged.selectExpr("*", "'-' AS source", "'-' AS source_person_id")).collect()]
    if erased := erasures.lost(shell.lake, pin):
        entries.append(Entry(product.table.name, "erased", "forgotten", erased))
    accounts.hold(extract_id, pin["rows"], entries)
    return entries, judged.where("is_permitted")


def _apart(table: str, found: Anonymous, told: DataFrame) -> list[Entry]:
    """What stays, as its group is too small or too few were told of in its way before, and what leaves (``told`` is marked)."""
    small = [Entry(table, "suppressed", reason, number) for reason, number in found.account.items() if reason != RELEASED]
    later = [Entry(table, r["outcome"], TOLD_APART if r["outcome"] == "suppressed" else RELEASED, r["rows"])
             for r in protect.account(told).collect()]
    return small + later
