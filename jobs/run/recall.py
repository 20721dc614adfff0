"""recall: tell a recipient whom to delete from the extracts it was delivered, because they do not permit it any more."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from contracts.model import Recipient
from jobs import keys
from jobs.delivery import upload
from jobs.files import Files
from jobs.ledger import erasures, extracts, withdrawals
from jobs.run import consent, entitled, gone, pseudonyms
from jobs.run.delivered import folder, has_expired
from jobs.run.gone import Gone
from jobs.run.shell import Report, Shell, open_shell
from jobs.settings import Settings
from jobs.stages import recall as stage
from jobs.stages.extract import DATA, MANIFEST, sign
from jobs.stages.use import Use

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@dataclass(frozen=True)
class Delivered:
    """An extract that the recipient has: its ledger entry, its address, its manifest, its pseudonyms and our copy of it."""

    entry: dict[str, Any]
    destination: str
    manifest: dict[str, Any]
    pseudonyms: list[str]
    files: Files


def recall(settings: Settings, recipient_id: str) -> Report:
    """Issue a recall for every delivered extract that holds people who permit it no longer and were not recalled yet.

    Nobody needs to approve it. A notice is kept here first, then delivered, and only then written into the ledger: a
    run that was killed is made good by the next, with the same notice. An extract that expired is not recalled: the
    recipient had to delete it. Raises SourceUnavailable when the recipient's store does not answer, IntegrityError
    when our copy of an extract is not what left.
    """
    with open_shell(settings, "recall", recipient_id, with_engine=True) as shell:
        recipient, now = shell.catalog.recipients[recipient_id], datetime.now(UTC)
        versions = consent.versions(shell)
        shell.trail.reads(extracts.DISPATCH, extracts.DELIVERY, *versions)
        issued: dict[str, int] = {}
        for delivered in standing(shell, recipient, now):
            who = _Who(shell, stage.terms(recipient, delivered.manifest), versions, now)
            while notice := _next(shell, delivered, who, now):
                _issue(shell, recipient, delivered, who, notice)
                issued[delivered.entry["extract_id"]] = issued.get(delivered.entry["extract_id"], 0) + len(notice["delete"])
        shell.report.facts.update(recipient=recipient_id, recalled=issued, people=sum(issued.values()))
        return shell.report


class _Who:
    """Who of a list of pseudonyms is gone, under the terms of one extract."""

    def __init__(self, shell: Shell, recipient: Recipient, versions: dict[str, int], now: datetime) -> None:
        product = shell.catalog.products[recipient.product]
        self.shell, self.recipient, self.versions, self.now = shell, recipient, versions, now
        self.uses = Use.by(recipient, product, now), Use.of(product, now)

    def gone(self, names: list[str], since: datetime) -> list[Gone]:
        """Those of the pseudonyms who are not permitted any more, who were at ``since``."""
        terms = consent.Terms.of(self.shell.catalog, self.uses[-1])
        basis = gone.Basis(since, True, self.uses, terms, self.versions)
        return gone.find(self.shell, self._held(names), self._decisions, basis)

    @cached_property
    def _decisions(self) -> DataFrame:
        return entitled.decisions(self.shell, self.recipient, self.versions, self.now)

    def _held(self, names: list[str]) -> DataFrame:
        given = self.shell.lake.spark.createDataFrame(pa.table({"pseudonym": pa.array(names, pa.string())}))
        return given.join(pseudonyms.named(self.shell, str(self.recipient.pseudonym_domain)), "pseudonym", "left")


def standing(shell: Shell, recipient: Recipient, now: datetime) -> Iterator[Delivered]:
    """What the recipient was sent, or may have been, and may still have."""
    column = recipient.table.pseudonym_column
    for entry in extracts.sent(shell.lake, recipient.id):
        extract_id = entry["extract_id"]
        files = Files(folder(shell.settings, recipient, extract_id))
        held = {name: files.read(name) for name in (MANIFEST, DATA)}
        if has_expired(held[MANIFEST], entry["manifest_sha256"], now):
            continue
        body, rows = stage.delivered(extract_id, entry["manifest_sha256"], held, erasures.copies(shell.lake, extract_id))
        names = pc.unique(pq.read_table(io.BytesIO(rows), columns=[column])[column]).to_pylist()
        yield Delivered(entry, entry["destination"], body, names, files)


def _next(shell: Shell, delivered: Delivered, who: _Who, now: datetime) -> dict[str, Any] | None:
    """The next notice to be issued, kept in our copy of the extract; None when nobody is to be recalled.

    A notice that a killed run left there is the next.
    """
    issued = withdrawals.recalls(shell.lake, delivered.entry["extract_id"])
    number = max((row["number"] for row in issued), default=0) + 1
    name, signature = stage.names(number)
    content = delivered.files.read(name) or b""
    if not stage.is_signed(content, delivered.files.read(signature), keys.public_key(shell.settings.keys)):
        left = not_recalled(shell, delivered)
        found = who.gone(left, _let_in_at(delivered)) if left else []
        if not found:
            return None
        content = stage.notice(delivered.manifest, delivered.entry["manifest_sha256"], number,
                               [g.pseudonym for g in found], [g.because for g in found], now)
        delivered.files.write(name, content)
        delivered.files.write(signature, sign(content, keys.signing_key(shell.settings.keys)))
    return dict(json.loads(content))


def not_recalled(shell: Shell, delivered: Delivered) -> list[str]:
    """The pseudonyms of an extract that no issued notice names, as far as our copy of the notice is what the ledger says."""
    told = set[str]()
    erased = erasures.copies(shell.lake, delivered.entry["extract_id"])
    for row in withdrawals.recalls(shell.lake, delivered.entry["extract_id"]):
        name = stage.names(row["number"])[0]
        content = delivered.files.read(name) or b""
        if hashlib.sha256(content).hexdigest() == erased.get(name, row["notice_sha256"]):
            told.update(json.loads(content)["delete"])
    return [p for p in delivered.pseudonyms if p not in told]


def _issue(shell: Shell, recipient: Recipient, delivered: Delivered, who: _Who, notice: dict[str, Any]) -> None:
    """Deliver a notice beside the extract, the signature first, then write it and its withdrawals into the ledger."""
    extract_id, number = notice["extract_id"], notice["number"]
    name, signature = stage.names(number)
    files = {n: delivered.files.read(n) or b"" for n in (name, signature)}
    upload(recipient, delivered.destination, files, last=name)
    at = datetime.now(UTC)
    withdrawn = gone.withdrawals(shell, who.gone(notice["delete"], _let_in_at(delivered)), recipient.product,
                                 f"{extract_id}.{number}", "recalled", at)
    entry = {"extract_id": extract_id, "number": number, "notice_sha256": hashlib.sha256(files[name]).hexdigest(),
             "people": len(notice["delete"]), "destination": f"{delivered.destination}/{name}", "issued_at": at}
    for table, rows in ((withdrawals.WITHDRAWAL, withdrawn), (withdrawals.RECALL, [entry])):
        if withdrawals.write(shell.lake, table, rows):
            shell.report.change(table)
            shell.trail.writes(table)


def _let_in_at(delivered: Delivered) -> datetime:
    """The moment as of which the people of an extract were found to permit it."""
    return datetime.fromisoformat(delivered.manifest["consent_snapshot"]["as_of"])
