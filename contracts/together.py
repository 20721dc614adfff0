"""What only several contracts together show: whether they fit each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from contracts.majors import lost_successor
from contracts.model import Product, Recipient
from contracts.places import near
from contracts.protection import refuse_weak_basis
from contracts.references import lost
from contracts.table import Column, Table
from contracts.translate import TranslationError
from contracts.treatments import TAKES
from contracts.vocabulary import DataCategory, Treatment

IDENTIFIES = (DataCategory.IDENTIFYING, DataCategory.CONTACT, DataCategory.FREE_TEXT)


def refuse_misfit(contract: Any, tables: Mapping[str, Table], products: Mapping[str, Product],
                  recipients: Iterable[Recipient]) -> None:
    """Raise TranslationError unless a contract fits the tables, products and recipients beside it."""
    if isinstance(contract, Product):
        _refuse_strange_inputs(contract, tables)
        if products and (said := lost_successor(contract, products)):
            raise TranslationError(said, "replacedBy")
        _refuse_shared_domain(contract, recipients)
        _refuse_undone_shift([p for p in products.values() if p.id != contract.id], contract)
    elif isinstance(contract, Recipient):
        _refuse_other_than_product(contract, products)
        _refuse_shared_domain(contract, (*products.values(), *recipients))
    elif isinstance(contract, Table) and (wrong := lost(contract, tables)):
        raise TranslationError(str(wrong), *wrong.words)


def _refuse_strange_inputs(product: Product, tables: Mapping[str, Table]) -> None:
    """Only core tables are inputs, since consent is applied to them and nothing else."""
    if not product.inputs:
        raise TranslationError("inputs is empty; name core tables, for example [core.observation]", "inputs")
    for name in product.inputs:
        if not name.startswith("core."):
            raise TranslationError(f"inputs names {name}; only core tables are inputs, for example core.observation: "
                                   "consent is applied to them", "inputs", name)
        if name not in tables:
            raise TranslationError(f"inputs names {name!r}, which no contract declares{near(name, tables)}; name core "
                                   "tables, for example core.observation", "inputs", name)
        if product.inputs.count(name) > 1:
            raise TranslationError(f"inputs names {name} twice; keep one", "inputs", name)
    columns = {f"{name}.{c.name}": c for name in product.inputs for c in tables[name].columns}
    _refuse_strange_origins(product.table, list(columns), "the inputs")
    _refuse_weak_basis(product, columns.values())
    _refuse_bare_origins(product, columns)


def _refuse_other_than_product(recipient: Recipient, products: Mapping[str, Product]) -> None:
    """An extract is made of columns that its product has, and its product of rows about persons."""
    product = products.get(recipient.product)
    if product is None:
        raise TranslationError(f"product names {recipient.product!r}, which no contract declares"
                               f"{near(recipient.product, products)}; there are {', '.join(sorted(products))}",
                               "product", recipient.product)
    if product.is_aggregate:
        persons = sorted(p.id for p in products.values() if not p.is_aggregate)
        raise TranslationError(f"product {product.id} is an aggregate; an extract is made of rows about persons: name one "
                               f"of {', '.join(persons)}", "product", product.id)
    names = [c.name for c in product.table.columns]
    origins = [f"{product.table.name}.{name}" for name in names]
    for column in recipient.table.columns:
        if column.name not in names:
            raise TranslationError(f"{column.name} is no column of product {product.id}{near(column.name, names)}; it has "
                                   f"{', '.join(names)}", "schema", column.name)
        _refuse_other_treatment(product, product.table.column(column.name), column)
    _refuse_strange_origins(recipient.table, origins, f"product {product.id}")
    _refuse_weak_basis(recipient, product.table.columns)


def _refuse_undone_shift(others: Iterable[Product], product: Product) -> None:
    """Dates that are moved in one table of a pseudonym domain stand nowhere in that domain as they are, or moved otherwise."""
    domain = [p for p in others if p.pseudonym_domain == product.pseudonym_domain and not p.is_aggregate]
    columns = [(p, c) for p in (product, *domain) for c in p.table.columns]
    shifted = [(p, c) for p, c in columns if c.treatment is Treatment.DATE_SHIFT]
    moved = {_table_of(origin): (p, c) for p, c in shifted for origin in c.origins}
    options = {c.treatment_options for _, c in shifted}
    for owner, column in columns:
        by = next((moved[_table_of(o)] for o in column.origins if _table_of(o) in moved), None)
        is_day = column.type in ("date", "timestamp") and column.treatment is Treatment.KEEP
        tells = is_day or column.treatment is Treatment.YEAR
        if by and tells:
            raise TranslationError(
                f"column {column.name} of {owner.id} tells of days that column {by[1].name} of {by[0].id} moves for the same "
                f"pseudonyms ({product.pseudonym_domain}), so the one undoes the other; move both, or leave one out",
                "schema", column.name if owner is product else by[1].name)
    if len(options) > 1:
        raise TranslationError(
            f"products of domain {product.pseudonym_domain} move dates by different treatmentOptions, and the difference tells "
            "by how many days; write the same", "schema", *[c.name for p, c in shifted if p is product][:1])


def _table_of(origin: str) -> str:
    return origin.rpartition(".")[0]


def _refuse_other_treatment(product: Product, held: Column, column: Column) -> None:
    """What a product keeps, its extract may treat; what is treated once stays as it is, but has a pseudonym of its own."""
    instead = None
    has_moved = any(c.treatment is Treatment.DATE_SHIFT for c in product.table.columns)
    if has_moved and column.treatment is Treatment.DATE_SHIFT:
        instead = f"keep: product {product.id} moves dates already, and two numbers of days in one table keep no interval"
    elif (held.treatment is Treatment.PSEUDONYM) != (column.treatment is Treatment.PSEUDONYM):
        instead = str(held.treatment)
    elif held.treatment not in (Treatment.KEEP, Treatment.PSEUDONYM) and column.treatment is not Treatment.KEEP:
        instead = f"keep, since product {product.id} treats it by {held.treatment}"
    elif column.treatment is Treatment.SCRUB:
        instead = f"{Treatment.KEEP}, and {Treatment.SCRUB} in product {product.id}: what is known of its people is known there"
    elif column.treatment in TAKES and held.type not in TAKES[column.treatment]:
        instead = f"one that takes {held.type}, which it is in product {product.id}"
    if column.category is DataCategory.FREE_TEXT and held.treatment is not Treatment.SCRUB:
        raise TranslationError(f"column {column.name} is {column.category}, but product {product.id} does not scrub it; drop it",
                               "schema", column.name)
    if instead:
        raise TranslationError(f"column {column.name} has treatment {column.treatment}; write {instead}", "schema", column.name)


def _refuse_bare_origins(product: Product, columns: Mapping[str, Column]) -> None:
    """What comes from a column that identifies people leaves under a treatment, never as it is."""
    for column in product.table.columns if not product.is_aggregate else ():
        if not column.origins:
            raise TranslationError(f"column {column.name} does not say what it is made of; write transformSourceObjects with "
                                   "columns of the inputs", "schema", column.name)
        bare = next((o for o in column.origins if o in columns and columns[o].category in IDENTIFIES), None)
        if column.treatment is Treatment.AREA and bare and columns[bare].category is DataCategory.IDENTIFYING:
            raise TranslationError(f"column {column.name} cuts {bare}, which is identifying, to an area; areas are made of "
                                   "postcodes and codes of regions", "schema", column.name)
        named = next((o for o in column.origins if o in columns and columns[o].category is not DataCategory.FREE_TEXT), None)
        if column.treatment is Treatment.SCRUB and named:
            raise TranslationError(f"column {column.name} scrubs {named}, which is {columns[named].category}; a scrubbed "
                                   f"text is made of columns of category {DataCategory.FREE_TEXT} alone", "schema", column.name)
        if column.treatment is Treatment.KEEP and bare:
            raise TranslationError(f"column {column.name} is kept, but comes from {bare}, which is {columns[bare].category}; "
                                   f"write a treatment, for example {Treatment.YEAR} or {Treatment.AREA}, or drop it",
                                   "schema", column.name)


def _refuse_weak_basis(contract: Product | Recipient, columns: Iterable[Column]) -> None:
    try:
        refuse_weak_basis(contract.legal_basis, (c.category for c in columns))
    except ValueError as error:
        raise TranslationError(str(error), "legalBasis") from None


def _refuse_shared_domain(contract: Product | Recipient, others: Iterable[Product | Recipient]) -> None:
    """Under one domain two readers have the same pseudonyms, so they could link what each was given."""
    for other in others:
        if (other.pseudonym_domain == contract.pseudonym_domain is not None
                and (type(other), other.id) != (type(contract), contract.id)):
            kind = type(other).__name__.lower()
            raise TranslationError(f"pseudonymDomain {contract.pseudonym_domain} is that of {kind} {other.id}: both would "
                                   f"get the same pseudonyms; write one of its own, for example {contract.id}",
                                   "pseudonymDomain", str(contract.pseudonym_domain))


def _refuse_strange_origins(table: Table, known: list[str], owner: str) -> None:
    for column in table.columns:
        for origin in column.origins:
            if origin not in known:
                raise TranslationError(f"origin {origin} of {column.name} is no column of {owner}{near(origin, known)}; "
                                       "write zone.table.column of what it is made from",
                                       "schema", column.name, "transformSourceObjects", origin)
