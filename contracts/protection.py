"""What a product and an extract must say so that nobody is seen, linked or used without their yes.

Every function raises ValueError; the first words of its text lead to the line that is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from contracts import differencing
from contracts.aggregates import refuse_unfit_aggregate
from contracts.table import Column, Table
from contracts.vocabulary import DataCategory, LegalBasis, Purpose, Treatment

if TYPE_CHECKING:
    from contracts.model import Product, Recipient

# What is done to columns of tables, and to those of rows about persons.
OF_TABLES = tuple(t for t in Treatment if t not in (Treatment.DROP, Treatment.REJECT))
ROW_TREATMENTS = tuple(t for t in OF_TABLES if t is not Treatment.AGGREGATE)


def refuse_unlawful_product(product: Product) -> None:
    """Its purposes and legal basis, and how its columns are protected."""
    _refuse_no_purpose(product.purposes)
    is_safe = product.is_aggregate and product.minimum_cell and product.basis_reason
    if not product.legal_basis.rests_on_consent and not is_safe:
        raise ValueError(f"legalBasis {product.legal_basis} is only for aggregates: give minimumCell and basisReason "
                         "and set pseudonymDomain to null, or rest the product on consent")
    categories = (*product.data_categories, *(c.category for c in product.table.columns))
    refuse_weak_basis(product.legal_basis, categories)
    _refuse_idle_review(product)
    _refuse_leaking_columns(product.table)
    _refuse_kept_text(product)
    _refuse_unasked_categories(product)
    if product.is_aggregate:
        _refuse_other_treatments(product.table, (Treatment.KEEP, Treatment.AGGREGATE, Treatment.PSEUDONYM), "aggregates")
        refuse_unfit_aggregate(product)
        differencing.refuse_unfit(product)
    else:
        _refuse_what_only_aggregates_have(product)


def refuse_unlawful_recipient(recipient: Recipient) -> None:
    """Its purposes, legal basis and approvers, and its columns."""
    if not recipient.legal_basis.rests_on_consent:
        raise ValueError("legalBasis of an extract must be consent or explicit_consent")
    if not recipient.approvers:
        raise ValueError("approvers is empty; name at least one governance officer's Airflow user")
    _refuse_no_purpose(recipient.purposes)
    refuse_weak_basis(recipient.legal_basis, (c.category for c in recipient.table.columns))
    _refuse_leaking_columns(recipient.table)
    _refuse_unfit_rows(recipient.table)


def refuse_weak_basis(basis: LegalBasis, categories: Iterable[DataCategory]) -> None:
    """Data of a special category need explicit consent (GDPR article 9)."""
    special = next((c for c in categories if c.is_special), None)
    if special and basis is not LegalBasis.EXPLICIT_CONSENT:
        raise ValueError(f"legalBasis {basis} is not enough for {special} data; write {{property: legalBasis, value: "
                         f"{LegalBasis.EXPLICIT_CONSENT}}}, or take out the columns and inputs that hold them")


def _refuse_idle_review(product: Product) -> None:
    """Conditions of people who said no are compared only beside a product that is about health and rests on consent."""
    if product.condition_review is not None and not any(c.is_special for c in product.data_categories):
        raise ValueError("conditionReview is only for a product whose dataCategories hold health, which then rests on explicit "
                         "consent; write {property: conditionReview, value: null}")


def _refuse_leaking_columns(table: Table) -> None:
    """Every column says its treatment, and none identifies."""
    for column in table.columns:
        if column.treatment is None:
            raise ValueError(f"column {column.name} has no treatment; write one of {', '.join(OF_TABLES)}")
        if column.type == "binary":
            raise ValueError(f"column {column.name} is binary: images and files may not leave core; drop it")
        if column.category in (DataCategory.IDENTIFYING, DataCategory.CONTACT):
            raise ValueError(f"column {column.name} is {column.category}: it may not leave core; drop it")
        _refuse_bare_text(column)


def _refuse_kept_text(product: Product) -> None:
    text = next((c for c in product.table.columns if (c.category, c.treatment) == (DataCategory.FREE_TEXT, Treatment.KEEP)), None)
    if text:
        raise ValueError(f"column {text.name} is {text.category}: it may not leave core as it is; write treatment "
                         f"{Treatment.SCRUB}, or drop it")


def _refuse_bare_text(column: Column) -> None:
    """A text leaves core scrubbed, and is null where it is withheld. (That a kept one of an extract is scrubbed in its product
    shows where both are read.)"""
    is_scrubbed = column.treatment is Treatment.SCRUB
    if column.category is DataCategory.FREE_TEXT and column.treatment not in (Treatment.SCRUB, Treatment.KEEP):
        raise ValueError(f"column {column.name} is {column.category}: it may not leave core under treatment {column.treatment}; "
                         f"write {Treatment.SCRUB}, or drop it")
    if is_scrubbed and column.category is not DataCategory.FREE_TEXT:
        raise ValueError(f"column {column.name} is scrubbed, but {column.category}; write dataCategory "
                         f"{DataCategory.FREE_TEXT}, so that people are asked about it")
    if is_scrubbed and column.required:
        raise ValueError(f"column {column.name} is scrubbed and required; take required out: a text in a language that is not "
                         "known is withheld")


def _refuse_other_treatments(table: Table, known: Iterable[Treatment], what: str) -> None:
    """Only treatments that are applied to such a table: a word that nothing follows would be a promise nobody keeps."""
    words = list(known)
    for column in table.columns:
        if column.treatment in (Treatment.DROP, Treatment.REJECT):
            raise ValueError(f"column {column.name} has treatment {column.treatment}, which is for files; leave the column out")
        if column.treatment not in words:
            raise ValueError(f"column {column.name} has treatment {column.treatment}; {what} have one of {', '.join(words)}")


def _refuse_unasked_categories(product: Product) -> None:
    """People are asked about the categories that a product names: a no to another one would not be honoured."""
    for column in product.table.columns if product.legal_basis.rests_on_consent else ():
        if column.category.is_asked and column.category not in product.data_categories:
            raise ValueError(f"column {column.name} is {column.category}, which dataCategories does not name, so nobody is asked "
                             f"about it; add {column.category} to dataCategories, or drop the column")


def _refuse_no_purpose(purposes: tuple[Purpose, ...]) -> None:
    if not purposes:
        raise ValueError("purposes is empty; name at least one of " + ", ".join(Purpose))


def _refuse_what_only_aggregates_have(product: Product) -> None:
    for key, value, none in (("countsPeople", product.counts_people, "null"), ("minimumCell", product.minimum_cell, "null"),
                             ("rounding", product.rounding, "null"), ("dominance", product.dominance, "null"),
                             ("cellColumns", product.cell_columns, "[]"), ("totals", product.totals, "[]"),
                             ("differencing", product.differencing, "null"),
                             ("differentialPrivacy", product.differential_privacy, "null")):
        if value:
            raise ValueError(f"{key} is only for aggregates; write {none}, or set pseudonymDomain to null")
    _refuse_unfit_rows(product.table)


def _refuse_unfit_rows(table: Table) -> None:
    _refuse_other_treatments(table, ROW_TREATMENTS, "rows about persons")
    _refuse_other_than_one_pseudonym(table)
    shifts = {c.treatment_options for c in table.columns if c.treatment is Treatment.DATE_SHIFT}
    if len(shifts) > 1:
        raise ValueError(f"schema of {table.name.split('.')[1]} moves the dates of one column otherwise than those of another, "
                         "so intervals between them would not stay; write the same maxDays and keepWeekday")


def _refuse_other_than_one_pseudonym(table: Table) -> None:
    for column in table.columns:
        if column.derived:
            raise ValueError(f"column {column.name} is derived; only an aggregate has such columns, take it out")
    names = [c.name for c in table.columns if c.treatment is Treatment.PSEUDONYM]
    if len(names) != 1:
        named = f" ({', '.join(names)})" if names else ""
        raise ValueError(f"schema of {table.name.split('.')[1]} has {len(names)} columns with treatment pseudonym{named}; "
                         "rows about persons have exactly one")
