"""What a person is told beside their data, letter by letter of GDPR article 15(1), 15(2) to 15(4) and 20, from the contracts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from contracts.load import Catalog
from contracts.model import Product, Source
from contracts.vocabulary import DataCategory, Zone

Told = dict[str, Any]
PERSONAL = tuple(c for c in DataCategory if c not in (DataCategory.TECHNICAL, DataCategory.AGGREGATED))
STAYS = ("core.identity", "core.contact_point", "core.consent")
CATEGORIES = {
    DataCategory.IDENTIFYING: "What identifies you", DataCategory.CONTACT: "How you can be reached",
    DataCategory.DEMOGRAPHIC: "Sex, country, region, year of birth", DataCategory.HEALTH: "Health",
    DataCategory.BEHAVIOURAL: "What you did, where and when", DataCategory.FREE_TEXT: "Texts, and payloads as sources sent them",
    DataCategory.CONSENT_RECORD: "What you agreed to and refused",
    DataCategory.PSEUDONYMOUS: "Rows that name you by a pseudonym"}
REASONS = {
    "names_others": "It names somebody else, too, and a copy may not infringe upon the rights of others (GDPR article 15(4)).",
    "names_nobody": "An id of yours stands in it, but it does not say whom it is about, so it may be about somebody else.",
    "key_was_shared": "It was made while an identity that is not yours was taken for yours, so it may tell of somebody else."}
RIGHTS = (
    "You may ask for wrong data to be put right (GDPR article 16) and for data to be erased (article 17).",
    "You may ask that data be kept and not used (article 18), and object to what rests on a legitimate interest (article 21).",
    "You may take back a consent at any time; what was done before stays lawful (article 7(3)).",
    "You may take this copy to somebody else: data/, fhir-bundle.json and media/ are made to be read by machines (article 20).")
COMPLAINT = (
    "You may complain to a supervisory authority, in the country where you live, where you work, or where you think that your "
    "rights were infringed (article 77). Who is responsible for your data, and how to reach its data protection officer, says "
    "the letter that this copy came with.")
TRANSFERS = (
    "The contracts of recipients do not say in which country a recipient is; the letter that this copy came with says whether "
    "data left the European Union, and by which safeguards (article 46).")
AUTOMATED = (
    "No decision with legal or similarly significant effects about you is made by a program alone (article 22).",
    "Programs decide which accounts of different systems are yours: verified addresses and bound devices tie them, and a score "
    "of how well names, birth dates and addresses fit. What is likely and not sure is decided by a person. Your links, with "
    "their scores, are in data/vault.link.ndjson.",
    "Programs look through messages and readings for suspected side effects of medicines; a person decides what follows.",
    "Programs decide by your own statements, by purpose, recipient, category and time, which products your rows may be in.")
SAFETY = {"of": "Suspected side effects of medicines", "purposes": ["safety of medicines: they must be followed up and reported"],
          "legal_basis": "legal_obligation", "law": "Directive 2001/83/EC article 107"}
PORTABILITY = (
    "data/*.ndjson has a JSON object a line, with table, version and row; fhir-bundle.json is a FHIR R4 Bundle of those rows "
    "that FHIR has a place for; media/ has what was attached to payloads. manifest.json lists every file with its SHA-256.")


def about(catalog: Catalog, tables: Mapping[str, int], sources: Mapping[str, Mapping[str, int]], recipients: list[Told],
          known: Mapping[str, Any], access: str, at: datetime) -> Told:
    """The document: tables has how many rows were copied of each, sources how many of them came from which source; known tells
    of identities, of what is withheld and of tables that are not given."""
    names = {name for rows in sources.values() for name in rows}
    met = [catalog.sources[name] for name in sorted(names & catalog.sources.keys())]
    products = [p for p in catalog.products.values() if p.table.name in sources or not sources.keys().isdisjoint(p.inputs)]
    return {
        "access": access, "made_at": at,
        "identities": [who | {"system": catalog.sources[who["source"]].name} for who in known["identities"]],
        "15(1)(a) purposes": _purposes(met, products, sources), "15(1)(b) categories": _categories(catalog, sources),
        "15(1)(c) recipients": [_recipient(catalog, told) for told in recipients],
        "15(1)(d) storage": _storage(catalog, met, products, sources), "15(1)(e) rights": RIGHTS, "15(1)(f) complaint": COMPLAINT,
        "15(1)(g) sources": [_source(source, sources) for source in met], "15(1)(h) automated decisions": AUTOMATED,
        "15(2) transfers": TRANSFERS,
        "15(3) copy": dict(sorted(tables.items())),
        "15(4) withheld": [row | {"because": REASONS[row["reason"]]} for row in known["withheld"]],
        "not given": [{"of": name, "because": why} for name, why in sorted(known["not_given"].items())],
        "20 portability": PORTABILITY}


def _purposes(met: Iterable[Source], products: Iterable[Product], sources: Mapping[str, Any]) -> list[Told]:
    """For what, and on which legal basis: what each source collects, and what is made of it."""
    asked = [{"of": f"{s.name} (what it sent)", "legal_basis": str(s.legal_basis), "law": _law(str(s.legal_basis)),
              "purposes": [str(p) for p in (s.refusal.purposes if s.refusal else s.link_purposes)]} for s in met]
    made = [{"of": f"{p.name} ({_part(p, sources)})", "purposes": [str(u) for u in p.purposes], "legal_basis": str(p.legal_basis),
             "law": p.basis_reason or _law(str(p.legal_basis))} for p in products]
    return [*asked, *made, *([SAFETY] if "safety.candidate" in sources else [])]


def _part(product: Product, sources: Mapping[str, Any]) -> str:
    """What part a person has in a product."""
    if product.is_aggregate:
        return "numbers of people"
    return "rows about you" if product.table.name in sources else "no row about you"


def _law(basis: str) -> str:
    match basis:
        case "consent":
            return "GDPR article 6(1)(a)"
        case "explicit_consent":
            return "GDPR articles 6(1)(a) and 9(2)(a)"
        case "legitimate_interest":
            return "GDPR article 6(1)(f)"
        case _:
            return "GDPR article 6(1)(c)"


def _categories(catalog: Catalog, sources: Mapping[str, Any]) -> list[Told]:
    """Which kinds of data, and in which tables."""
    tables = {name: catalog.tables[name] for name in sources if name in catalog.tables}
    found = [(category, sorted(name for name, table in tables.items() if any(c.category is category for c in table.columns)))
             for category in PERSONAL]
    return [{"category": str(category), "means": CATEGORIES[category], "tables": names} for category, names in found if names]


def _recipient(catalog: Catalog, told: Told) -> Told:
    """A recipient by the name of its contract, where it has one still."""
    recipient = catalog.recipients.get(told["recipient"])
    named = (recipient.name, recipient.description) if recipient else (told["recipient"], None)
    return {**told, "recipient": named[0], "what_for": named[1]}


def _storage(catalog: Catalog, met: Iterable[Source], products: Iterable[Product], sources: Mapping[str, Any]) -> list[Told]:
    """How long, or what decides it."""
    rows = [{"of": f"{s.name} (what it sent)", "days": s.retention_days, "since": "the day it was received"} for s in met]
    rows += [{"of": p.name, "days": p.retention_days, "since": "its release; the newest release stays"}
             for p in products if p.table.name in sources]
    if any(name in sources for name in STAYS):
        rows.append({"of": "Who you are, how you can be reached, what you agreed to and refused", "days": None,
                     "since": "kept until you ask for it to be erased: without it nobody could honour a no"})
    if any(catalog.tables[name].zone is Zone.VAULT for name in sources if name in catalog.tables):
        rows.append({"of": "Which accounts are yours", "days": None, "since": "kept as long as the accounts are known"})
    if "safety.candidate" in sources:
        rows.append({"of": "Suspected side effects of medicines", "days": None,
                     "since": "kept as the law asks, after an erasure, too (GDPR article 17(3)(b))"})
    return rows


def _source(source: Source, sources: Mapping[str, Mapping[str, int]]) -> Told:
    return {"source": source.name, "what": source.description, "rows": sum(rows.get(source.id, 0) for rows in sources.values())}
