"""build: the shell that makes a candidate of a product; nobody reads it before a release pins it."""

from __future__ import annotations

import importlib
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from contracts.consent_loss import NOTED
from contracts.majors import family
from contracts.model import Product
from contracts.treatments import Year
from contracts.vocabulary import LegalBasis
from jobs.lake import Lake
from jobs.ledger import accounts
from jobs.ledger.accounts import Entry
from jobs.run import aggregate, consent, consent_loss, differencing, epochs, pseudonyms, stopped
from jobs.run.shell import Report, Shell, open_shell
from jobs.settings import Settings
from jobs.stages import permit, pseudonymise, scrub, statements, treat
from jobs.stages.use import Use
from jobs.workspace import Workspace, workspace

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

ACCOUNTS = "accounts"  # The key of a note under which the account of a candidate stands.


def build(settings: Settings, product_id: str) -> Report:
    """Build a candidate, unless the same contract was built from the same table versions and time changed no consent since.

    Nothing is built before every input is there. Raises IntegrityError when rows are unaccounted for, KeysUnreadable
    when pseudonyms cannot be made, ConsentUnreadable when consent is not there any more or cannot be read.
    """
    with open_shell(settings, "build", product_id, with_engine=True) as shell:
        product = shell.catalog.products[product_id]
        versions = {name: shell.lake.version(name) for name in dict.fromkeys((*product.inputs, *consent.TABLES))}
        name, now = product.table.name, datetime.now(UTC)
        waiting = [n for n, version in versions.items() if version < 0]
        if waiting and shell.lake.version(name) <= 0:
            shell.report.facts.update(waiting_for=waiting)
            return shell.report
        version = shell.lake.version(name)
        held = shell.lake.note(name, version)
        use = use_of(shell, product, now)
        with workspace(shell.settings.lake_root, name, shell.lake.spark) as work:  # Cleared where there is nothing to do, too.
            if not (is_current(product, held, versions, now) and held["use"] == use
                    and differencing.stands(shell, product, version, held)):
                frames, entries, until, loss, known = _permitted(shell, product, versions, now, work)
                rows, made, told = _protected(shell, product, (frames, known), use, work, now)
                held = {"contract": product.sha256, "inputs": versions, "as_of": now.isoformat(), "until": until, **loss,
                        "use": use, **_noted(shell, product, told, [*entries, *made])}
                version = shell.lake.replace(name, work.keep("protected", rows), note=held)
                shell.report.change(name)
        _account(shell, product, candidate_id(product.id, version), held, now)
        differencing.account(shell, product, candidate_id(product.id, version), held, now)
        shell.trail.reads(*versions)
        shell.trail.writes(name, {c.name: list(c.origins) for c in product.table.columns})
        return shell.report


def use_of(shell: Shell, product: Product, now: datetime) -> dict[str, Any]:
    """What permits of a product are decided for and on which terms, as its candidate and its release keep it."""
    domain = product.pseudonym_domain
    return {**consent.document(shell, Use.of(product, now)), "inputs": list(product.inputs), "pseudonym_domain": domain,
            "pseudonym_epoch": epochs.newest(shell.lake, domain) if domain else None}


def is_current(product: Product, note: dict[str, Any], versions: dict[str, int], now: datetime) -> bool:
    """Whether a candidate with that note is what a build would make now: same contract, inputs and consents, and nobody who has
    since grown too old for their year to be told."""
    aged = any(isinstance(c.treatment_options, Year) and c.treatment_options.oldest is not None for c in product.table.columns)
    of_another_year = aged and datetime.fromisoformat(note.get("as_of", now.isoformat())).year != now.year
    lapsed = note.get("until") is not None and datetime.fromisoformat(note["until"]) <= now
    told = not product.legal_basis.rests_on_consent or NOTED in note
    return note.get("contract") == product.sha256 and note.get("inputs") == versions and told and not (lapsed or of_another_year)


def candidate_id(product: str, version: int) -> str:
    """The name under which a candidate's accounts are kept."""
    return f"product.{product}@{version}"


def _noted(shell: Shell, product: Product, told: differencing.Told | None, entries: list[tuple[str, Entry]]) -> dict[str, Any]:
    """What a candidate's commit says of its account, until the ledger has it. Readers may read a commit, so that of an aggregate,
    which would tell how many people its inputs have and how many cells are too small, is in the vault."""
    said = {ACCOUNTS: [[stage, *vars(e).values()] for stage, e in entries]}
    return said if told is None else differencing.keep(shell, product, told, said)


def account_of(lake: Lake, product: Product, note: dict[str, Any]) -> list[tuple[str, Entry]]:
    """The account, (stage, entry), of the candidate with that note."""
    held = lake.note(differencing.table_of(product.id), note[differencing.NOTED]) if product.is_aggregate else note
    return [(stage, Entry(*rest)) for stage, *rest in held[ACCOUNTS]]


def _permitted(shell: Shell, product: Product, versions: dict[str, int], now: datetime,
               work: Workspace) -> tuple[dict[str, DataFrame], list[tuple[str, Entry]], str | None, dict[str, int], DataFrame]:
    """The rows of each input that may go on, with their person_key, the account of what was withheld, until when these
    decisions hold if nobody says anything new, what is noted of the consent-loss report, and what is known of people by
    the links that were followed."""
    use = Use.of(product, now)
    if use.legal_basis.rests_on_consent:
        stopped.refuse(shell)
    decided = consent.decide(shell, versions, use, with_until=True)
    decided = replace(decided, decisions=work.keep("decisions", decided.decisions))
    frames: dict[str, DataFrame] = {}
    entries: list[tuple[str, Entry]] = []
    for name in product.inputs:
        applied, found = judged(shell, (name, versions[name]), decided, product.legal_basis)
        entries.extend(("permit", entry) for entry in found)
        frames[name] = applied.where("is_permitted").drop("is_permitted", "reason_code")
    loss = consent_loss.write(shell, product, versions, decided.links, decided.decisions, now)
    known = scrub.known(decided.links, shell.lake.read(consent.IDENTITY, versions[consent.IDENTITY]))
    return frames, entries, decided.until.isoformat() if decided.until else None, loss, known


def judged(shell: Shell, table: tuple[str, int], decided: consent.Decided,
           legal_basis: LegalBasis) -> tuple[DataFrame, list[Entry]]:
    """The rows of an input table at a version, each with its decision, and their account, which adds up."""
    rows = shell.lake.read(*table)
    rows = statements.current(rows) if table[0] == consent.CONSENT else rows
    applied = permit.apply(rows, decided.links, decided.decisions, legal_basis, shell.catalog.table(table[0]).event_time)
    found = [Entry(table[0], r["outcome"], r["reason_code"], r["rows"], r["people"]) for r in permit.account(applied).collect()]
    accounts.hold(f"{shell.trail.subject}: {table[0]}", rows.count(), found)
    return applied, found


def _module(product_id: str) -> Any:
    """A product's code: a major that has none of its own is built like the others of its family."""
    try:
        return importlib.import_module(f"jobs.products.{product_id}")
    except ModuleNotFoundError as error:
        base = family(product_id)[0]
        if base == product_id or error.name != f"jobs.products.{product_id}":
            raise
        return importlib.import_module(f"jobs.products.{base}")


def _protected(shell: Shell, product: Product, permitted: tuple[dict[str, DataFrame], DataFrame], use: dict[str, Any],
               work: Workspace, now: datetime) -> tuple[DataFrame, list[tuple[str, Entry]], differencing.Told | None]:
    """The rows that may be released, the account of the rest, and of an aggregate what is kept of whom it counts; built =
    released + suppressed.

    permitted: the rows of each input, and what is known of people, of which texts are scrubbed.
    """
    frames, known = permitted
    module, inputs = _module(product.id), {name.split(".")[1]: frame for name, frame in frames.items()}
    if product.is_aggregate:
        candidate = candidate_id(product.id, shell.lake.version(product.table.name) + 1)
        rows, entries, told = aggregate.made(shell, product, module, inputs, candidate, work, now)
        return rows, [("protect", entry) for entry in entries], told
    built, epoch = module.build(**inputs), (use["pseudonym_domain"], use["pseudonym_epoch"])
    if scrub.texts(product.table.columns):
        built = scrub.apply(built, product.table.columns, known)
    built = work.keep("built", built)
    pseudonyms.complete(shell, *epoch, built)
    own = pseudonymise.apply(built, pseudonyms.of(shell, *epoch), product.table.pseudonym_column)
    rows = treat.apply(own, product.table.columns, pseudonymise.SEED, now.date())
    if lost := treat.lost(own, rows, product.table.columns):
        shell.report.facts.update(nulls_by_treatment=lost)
    entry = Entry(product.table.name, "released", "-", rows.count())
    accounts.hold(product.id, built.count(), [entry])
    return rows, [("protect", entry)], None


def _account(shell: Shell, product: Product, subject: str, note: dict[str, Any], now: datetime) -> None:
    """Write a candidate's account, which was kept with its commit, unless it is there."""
    if not accounts.of(shell.lake, {subject}):
        accounts.write(shell.lake, subject, account_of(shell.lake, product, note), now)
    total: dict[str, int] = {}
    for entry in accounts.of(shell.lake, {subject}):
        total[entry["outcome"]] = total.get(entry["outcome"], 0) + entry["rows"]
    shell.report.facts.update(candidate=subject, **total)
