"""The consent-loss report: which attributes are compared, in which levels, and how small a count may be.

It counts people who said no as well, on legitimate interest: who reads a product must see whom it does not show. So it
holds counts above a minimum only, rounded, and lies beside each product that rests on consent, and beside no other.
Levels never come from the people counted: a level that appears with its first person would tell of that person.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from contracts.model import Product, Source
from contracts.table import Table

TEMPLATE = "product.any__consent_loss"
MINIMUM_CELL, ROUNDING = 7, 5  # Where the product's contract says nothing.
NOTED = "consent_loss"  # The key of a candidate's note under which the version of its report stands.
EVERYONE = "everyone"  # The attribute of the totals; ALL is the level of an attribute as a whole.
UNKNOWN, OTHER, SEVERAL = "unknown", "other", "several"
# Age in whole years from which each band begins.
AGE_BANDS = {0: "under 18", 18: "18-29", 30: "30-44", 45: "45-59", 60: "60-74", 75: "75 and over"}
# What conditions are compared by: the ICD-10 categories that a code begins with, and the SNOMED CT concepts that mean them.
# Concepts below these are ``other``: which lie below which is in no code, and no terminology comes with Concord.
CONDITIONS = {
    "type 1 diabetes": (("E10",), ("46635009", "313435000")),
    "type 2 diabetes": (("E11",), ("44054006", "313436004")),
    "diabetes in pregnancy": (("O24",), ("11687002",)),
    "other diabetes": (("E08", "E09", "E12", "E13", "E14"), ("73211009",)),
}
# A condition counts when both its status codes are among these, or not said: who is suspected of one, or had it, has none.
COUNTED = {"clinical_status_code": ("active", "recurrence", "relapse"), "verification_status_code": ("confirmed",)}
CODES = ("icd10_code", "snomed_code")


@dataclass(frozen=True)
class Attribute:
    """What people are compared by: columns of a core table, and the closed list of its levels, ``unknown`` the last.

    ``disagreeing`` is the level of a person of whom several are said.
    """

    name: str
    table: str
    columns: tuple[str, ...]
    levels: tuple[str, ...]
    disagreeing: str = UNKNOWN


def table_of(product: str) -> str:
    """Name of the table that holds a product's report."""
    return TEMPLATE.replace("any", product)


def limits(product: Product) -> tuple[int, int]:
    """(minimum, rounding): counts up to the first are hidden, others are rounded to a multiple of the second."""
    return product.minimum_cell or MINIMUM_CELL, product.rounding or ROUNDING


def attributes(product: Product, tables: Mapping[str, Table], sources: Iterable[Source]) -> tuple[Attribute, ...]:
    """Age band, sex and country; the condition too where the product's contract says that this was reviewed."""
    sexes = tables["core.identity"].column("sex_code").allowed_values or ()
    countries = sorted({country for source in sources for country in source.jurisdictions})
    always = (Attribute("age_band", "core.identity", ("birth_on",), (*AGE_BANDS.values(), UNKNOWN)),
              Attribute("sex", "core.identity", ("sex_code",), (*(s for s in sexes if s != UNKNOWN), UNKNOWN)),
              Attribute("country", "core.identity", ("country_code",), (*countries, OTHER, UNKNOWN)))
    condition = Attribute("condition", "core.condition", (*CODES, *COUNTED),
                          (*CONDITIONS, OTHER, SEVERAL, UNKNOWN), SEVERAL)
    return always if product.condition_review is None else (*always, condition)
