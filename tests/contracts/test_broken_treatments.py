"""Broken contracts once more: treatments that are not done, not said in full, or not enough."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contracts.broken import GLUCOSE, OPTIN, PARTNER, PROFILE, Case, is_refused

KEPT_DAY = """        logicalType: date
        physicalType: date
        required: true
        primaryKey: true
        primaryKeyPosition: 2
        transformSourceObjects: [%s.observed_on]
        customProperties:
          - {property: dataCategory, value: health}
          - {property: treatment, value: %s}
"""
OF_PRODUCT = "product.glucose_daily"
SHIFT, OPTIONS = "date_shift", "          - {property: treatmentOptions, value: {%s}}\n"
WHOLE = OPTIONS % "maxDays: 182, keepWeekday: false"
AREA = "value: {scheme: postcode2}"
YEAR = "treatment, value: year}"


def day(treatment: str, options: str = "", base: str = OF_PRODUCT) -> str:
    """The partner's column observed_on under a treatment."""
    return KEPT_DAY % (base, treatment) + options


CASES: dict[str, Case] = {
    "no options": (PARTNER, day("keep"), day(SHIFT), "treatment", (
        "treatment date_shift needs treatmentOptions", "{property: treatmentOptions, value: {maxDays: 182, keepWeekday: false}}")),
    "options that are not said in full": (PARTNER, day("keep"), day(SHIFT, OPTIONS % "maxDays: 30"), "treatmentOptions", (
        "treatmentOptions keepWeekday: Field required", "{maxDays: 182, keepWeekday: false}")),
    "options misspelt": (PARTNER, day("keep"), day(SHIFT, OPTIONS % "maxDays: 30, keepWeekday: true, weeks: 2"), "treatmentOptions",
                         ("treatmentOptions weeks: Extra inputs are not permitted",)),
    "too few days": (PARTNER, day("keep"), day(SHIFT, OPTIONS % "maxDays: 1, keepWeekday: true"), "treatmentOptions",
                     ("treatmentOptions maxDays: Input should be greater than or equal to 7",)),
    "options of no use": (PARTNER, day("keep"), day("keep", WHOLE), "treatmentOptions", ("treatmentOptions are of no use with treatment keep",)),
    "a type that is not left": (PARTNER, day("keep"), day("year"), "treatment", (
        "treatment year leaves int, but the column is date", "correct physicalType")),
    "a type that is not taken": (PARTNER, day("keep"), day("mask", OPTIONS % "keepLast: 2").replace(": date", ": string"), "name: observed_on", (
        "column observed_on has treatment mask; write one that takes date, which it is in product glucose_daily",)),
    "edges that do not ascend": (PROFILE, YEAR + "\n", "treatment, value: band}\n" + OPTIONS % "edges: [5, 5]", "treatmentOptions",
                                 ("edges must ascend, for example [70, 180, 250]",)),
    "a scheme that is not known": (PROFILE, AREA, "value: {scheme: zip5}", "treatmentOptions", ("treatmentOptions scheme: Input should be 'us_zip3'",)),
    "what identifies is kept": (PROFILE, YEAR, "treatment, value: keep}", "name: birth_year", (
        "column birth_year is kept, but comes from core.identity.birth_on, which is identifying", "for example year or area")),
    "dropped": (PROFILE, YEAR, "treatment, value: drop}", "name: birth_year", ("treatment drop, which is for files; leave the column out",)),
    "a band among counts": (OPTIN, "treatment, value: keep}\n", "treatment, value: mask}\n" + OPTIONS % "keepLast: 1", "name: channel_code",
                            ("column channel_code has treatment mask; aggregates have one of keep, aggregate",)),
    "counts among persons": (GLUCOSE, day("keep", base="core.observation").replace("observed_on", "effective_at"),
                             day("aggregate", base="core.observation").replace("observed_on", "effective_at"), "name: observed_on",
                             ("column observed_on has treatment aggregate; rows about persons have one of",)),
}


@pytest.mark.parametrize("name", CASES)
def test_is_refused_with_its_line_and_what_to_write(name: str, tmp_path: Path) -> None:
    is_refused(CASES[name], tmp_path)
