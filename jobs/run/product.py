"""build: the shell that makes a candidate of a product; nobody reads it before a release pins it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from contracts import ContractError
from contracts.consent_loss import NOTED
from contracts.majors import family
from contracts.model import Product
from contracts.treatments import Year
from contracts.vocabulary import LegalBasis
from jobs.ledger import accounts
from jobs.ledger.accounts import Entry
from jobs.run import consent, consent_loss, pseudonyms, stopped
from jobs.run.shell import Report, Shell, open_shell
from jobs.settings import Settings
from jobs.stages import permit, protect, pseudonymise, scrub, statements, treat
from jobs.stages.use import Use
from jobs.workspace import Workspace, workspace

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


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
            if not is_current(product, held, versions, now) or held["use"] != use:
                frames, entries, until, loss, links = _permitted(shell, product, versions, now, work)
                built = _build(product, frames, work, lambda: scrub.known(links, shell.lake.read(
                    consent.IDENTITY, versions[consent.IDENTITY])))
                rows, made = _protected(shell, product, built, now)
                held = {"contract": product.sha256, "inputs": versions, "as_of": now.isoformat(), "until": until, **loss,
                        "use": use, "accounts": [[stage, *vars(e).values()] for stage, e in (*entries, *made)]}
                version = shell.lake.replace(name, work.keep("protected", rows), note=held)
                shell.report.change(name)
        _account(shell, candidate_id(product.id, version), held, now)
        shell.trail.reads(*versions)
        shell.trail.writes(name, {c.name: list(c.origins) for c in product.table.columns})
        return shell.report


def use_of(shell: Shell, product: Product, now: datetime) -> dict[str, Any]:
    """What permits of a product are decided for and on which terms, as its candidate and its release keep it."""
    return {**consent.document(shell, Use.of(product, now)), "inputs": list(product.inputs),
            "pseudonym_domain": product.pseudonym_domain}


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


def _permitted(shell: Shell, product: Product, versions: dict[str, int], now: datetime,
               work: Workspace) -> tuple[dict[str, DataFrame], list[tuple[str, Entry]], str | None, dict[str, int], DataFrame]:
    """The rows of each input that may go on, with their person_key, the account of what was withheld, until when these
    decisions hold if nobody says anything new, what is noted of the consent-loss report, and the links that were followed."""
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
    return frames, entries, decided.until.isoformat() if decided.until else None, loss, decided.links


def judged(shell: Shell, table: tuple[str, int], decided: consent.Decided,
           legal_basis: LegalBasis) -> tuple[DataFrame, list[Entry]]:
    """The rows of an input table at a version, each with its decision, and their account, which adds up."""
    rows = shell.lake.read(*table)
    rows = statements.current(rows) if table[0] == consent.CONSENT else rows
    applied = permit.apply(rows, decided.links, decided.decisions, legal_basis, shell.catalog.table(table[0]).event_time)
    found = [Entry(table[0], r["outcome"], r["reason_code"], r["rows"], r["people"]) for r in permit.account(applied).collect()]
    accounts.hold(f"{shell.trail.subject}: {table[0]}", rows.count(), found)
    return applied, found


def _build(product: Product, frames: dict[str, DataFrame], work: Workspace, known: Callable[[], DataFrame]) -> Any:
    """The product's exact rows, their texts scrubbed of what is known of their people and of what is recognised, and the
    function that derives columns from protected ones, where it has one."""
    module = _module(product.id)
    built = module.build(**{name.split(".")[1]: frame for name, frame in frames.items()})
    if scrub.texts(product.table.columns):
        built = scrub.apply(built, product.table.columns, known())
    return work.keep("built", built), getattr(module, "derive", None)


def _module(product_id: str) -> Any:
    """A product's code: a major that has none of its own is built like the others of its family."""
    try:
        return importlib.import_module(f"jobs.products.{product_id}")
    except ModuleNotFoundError as error:
        base = family(product_id)[0]
        if base == product_id or error.name != f"jobs.products.{product_id}":
            raise
        return importlib.import_module(f"jobs.products.{base}")


def _protected(shell: Shell, product: Product, made: Any, now: datetime) -> tuple[DataFrame, list[tuple[str, Entry]]]:
    """The rows that may be released and the account of the rest; built = released + suppressed."""
    built, derive = made
    name, count = product.table.name, built.count()
    if not product.is_aggregate:
        domain = str(product.pseudonym_domain)
        pseudonyms.complete(shell, domain, built)
        own = pseudonymise.apply(built, shell.lake.read(pseudonyms.TABLE), domain, pseudonym_column(product))
        rows = treat.apply(own, product.table.columns, pseudonymise.SEED, now.date())
        if lost := treat.lost(own, rows, product.table.columns):
            shell.report.facts.update(nulls_by_treatment=lost)
        entries = [Entry(name, "released", "-", rows.count())]
    else:
        assert product.counts_people is not None and product.minimum_cell is not None
        marked = protect.mark_cells(built, product.counts_people, product.minimum_cell)
        entries = [Entry(name, r["outcome"], "small_cell" if r["outcome"] == "suppressed" else "-", r["rows"])
                   for r in protect.account(marked).collect()]
        _refuse_unweighed(product, built.columns)
        rows = protect.suppress(built, product.counts_people, product.cell_columns, product.minimum_cell, product.rounding,
                                product.dominance)
        rows = derive(rows) if derive else rows
    accounts.hold(product.id, count, entries)
    return rows, [("protect", entry) for entry in entries]


def _refuse_unweighed(product: Product, columns: list[str]) -> None:
    """Raise ContractError where a product asks for dominance and a cell of events does not come with its greatest part."""
    events = [c for c in product.cell_columns if protect.PEOPLE_IN + c in columns]
    missing = [c for c in events if protect.MOST_IN + c not in columns]
    if product.dominance is not None and (missing or not events):
        raise ContractError(f"{product.path} gives a dominance, but jobs/products/{product.id}.py makes no {protect.MOST_IN}"
                            f"{(missing or ['<cell>'])[0]}; make it, or write {{property: dominance, value: null}}")


def pseudonym_column(product: Product) -> str:
    """The column that tells the people of a product apart."""
    return next(c.name for c in product.table.columns if c.treatment == "pseudonym")


def _account(shell: Shell, subject: str, held: dict[str, Any], now: datetime) -> None:
    """Write a candidate's accounts, which its commit carries, unless they are there."""
    if not accounts.of(shell.lake, {subject}):
        accounts.write(shell.lake, subject, [(stage, Entry(*rest)) for stage, *rest in held["accounts"]], now)
    total: dict[str, int] = {}
    for _, _, outcome, _, rows, _ in held["accounts"]:
        total[outcome] = total.get(outcome, 0) + rows
    shell.report.facts.update(candidate=subject, **total)
