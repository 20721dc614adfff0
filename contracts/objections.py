"""What a reviewer would object to in a contract that Concord can hold: lawful perhaps, but for a person to judge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from contracts.load import KINDS, Catalog, catalog, folders, one
from contracts.model import Product, Recipient, Source
from contracts.reading import text, yaml_of
from contracts.table import Column, Table
from contracts.vocabulary import LegalBasis, Purpose

LEAST_CROWD = 5
MOST_LINKED_PERCENT = 10


@dataclass(frozen=True)
class Objection:
    """What a reviewer would say and what to write instead; ``words`` lead to its line."""

    said: str
    instead: str
    words: tuple[str, ...]


def found(paths: Sequence[Path], today: date) -> Iterator[tuple[Path, int, Objection]]:
    """The objections to contract files that are sound, each with its file and line; to every known one when none is named."""
    every = [path for root in folders() for kind in KINDS for path in sorted((root / kind).glob("*.yaml"))]
    read = {path: one(path) for path in paths or every}
    known = catalog()
    known = replace(known, products=known.products | {c.id: c for c in read.values() if isinstance(c, Product)},
                    sources=known.sources | {c.id: c for c in read.values() if isinstance(c, Source)})
    for path, contract in read.items():
        for objection in objections(contract, known, today):
            yield path, yaml_of(path, text(path))[1].line(*objection.words), objection


def objections(contract: Any, known: Catalog, today: date) -> Iterator[Objection]:
    """The objections to a source, product or recipient beside the other contracts; none to anything else."""
    match contract:
        case Source():
            yield from _of_source(contract, known.tables)
        case Product():
            yield from _of_product(contract, known)
        case Recipient():
            yield from _of_recipient(contract, known.products, today)


def _of_source(source: Source, tables: Mapping[str, Table]) -> Iterator[Objection]:
    special = sorted({f"{feed.table}.{mapping.column}" for feed in source.feeds for mapping in feed.mappings
                      if tables[feed.table].column(mapping.column).category.is_special})
    if special and source.legal_basis is not LegalBasis.EXPLICIT_CONSENT:
        yield Objection(f"{source.legal_basis} is no ground to take in data about health ({special[0]}; GDPR article 9)",
                        f"write {{property: legalBasis, value: {LegalBasis.EXPLICIT_CONSENT}}} if people gave it, or take out "
                        "what brings such data", ("legalBasis",))


def _of_product(product: Product, known: Catalog) -> Iterator[Objection]:
    read = [column for name in product.inputs for column in known.tables[name].columns]
    if Purpose.BRAND_COMMUNICATION in product.purposes:
        yield from _marketing([*product.table.columns, *read])
    yield from _small("minimumCell", product.minimum_cell)
    sources = [source for source in known.sources.values() if set(source.tables) & set(product.inputs)]
    longest = max((source.retention_days for source in sources), default=product.retention_days)
    if not product.is_aggregate and product.retention_days > longest:
        yield Objection(f"retentionDays {product.retention_days} keeps rows about persons longer than any source of its inputs",
                        f"write {{property: retentionDays, value: {longest}}} or less", ("retentionDays",))
    if product.legal_basis.rests_on_consent:
        for purpose in product.purposes:
            if sources and not any(purpose in source.link_purposes for source in sources):
                yield Objection(f"purpose {purpose} is in linkPurposes of no source of its inputs, so nobody's identities are "
                                "joined for it", "take it out of purposes, or have it agreed with the sources and add it to "
                                "their linkPurposes", ("purposes", str(purpose)))


def _of_recipient(recipient: Recipient, products: Mapping[str, Product], today: date) -> Iterator[Objection]:
    if Purpose.BRAND_COMMUNICATION in recipient.purposes:
        yield from _marketing(recipient.table.columns)
    if recipient.anonymity.k < LEAST_CROWD:
        yield Objection(f"anonymity k {recipient.anonymity.k} hides nobody: so few people are known to one another",
                        f"write k: {LEAST_CROWD} or more", ("anonymity", "k"))
    if recipient.max_linked_percent > MOST_LINKED_PERCENT:
        yield Objection(f"maxLinkedPercent {recipient.max_linked_percent:g} lets recipients who pool their extracts tell whose "
                        "pseudonyms are one person's", f"write {{property: maxLinkedPercent, value: {MOST_LINKED_PERCENT}}} or "
                        "less, and treat columns until it holds", ("maxLinkedPercent",))
    left = (date.fromisoformat(recipient.agreement_expires_on) - today).days
    if left < recipient.expires_after_days:
        when = "has ended" if left < 0 else f"ends in {left} days"
        yield Objection(f"agreement {recipient.agreement} {when}, and an extract is kept for {recipient.expires_after_days}",
                        "have it renewed and write its new day into agreementExpiresOn, or shorten expiresAfterDays",
                        ("agreementExpiresOn",))
    if (end := products[recipient.product].retirement) and end.on < date.fromisoformat(recipient.agreement_expires_on):
        other = end.replaced_by or "another product"
        yield Objection(f"product {recipient.product} is made until {end.on} only, and agreement {recipient.agreement} runs on",
                        f"name {other}, as agreed with the recipient", ("product", recipient.product))
    # Research is compatible with whatever data were collected for (GDPR article 5(1)(b)).
    for purpose in sorted({*recipient.purposes} - {*products[recipient.product].purposes, Purpose.RESEARCH}):
        yield Objection(f"purpose {purpose} is none that product {recipient.product} is made for, so outside what its people "
                        "were told", "name purposes of the product, or another product", ("purposes", str(purpose)))


def _marketing(columns: Sequence[Column]) -> Iterator[Objection]:
    special = next((column for column in columns if column.category.is_special), None)
    if special:
        purpose = Purpose.BRAND_COMMUNICATION
        yield Objection(f"{purpose} would use data about health (column {special.name}): marketing by what somebody suffers from",
                        f"take {purpose} out of purposes, or the columns and inputs about health out of the contract; both "
                        "together need a reviewer who names the law", ("purposes", str(purpose)))


def _small(key: str, number: int | None) -> Iterator[Objection]:
    if number is not None and number < LEAST_CROWD:
        yield Objection(f"{key} {number} hides nobody: so few people are known to one another",
                        f"write {{property: {key}, value: {LEAST_CROWD}}} or more", (key,))
