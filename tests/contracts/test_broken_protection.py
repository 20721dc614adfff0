"""Broken contracts again: those that would let people be seen, linked or used without their yes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contracts.broken import GLUCOSE, OPTIN, PARTNER, Case, is_refused

DERIVED = "          - {property: derived, value: true}\n"
KEPT_HEALTH = "          - {property: dataCategory, value: health}\n          - {property: treatment, value: keep}\n"
TOTALS = "totals, value: [channel_code]"
NO_NOISE = "differentialPrivacy, value: null"
NOISE = "differentialPrivacy, value: {epsilon: 1, delta: 1.0e-7, cellsPerPerson: 2, budget: 2, periodDays: 30}"
CELLS = "value: [asked, opted_in, withdrawn]"
COMPARED = "value: {people: 8, levels: {month: [quarter, year]}}"

DOMAINS: dict[str, Case] = {
    "domain of a product": (PARTNER, "pseudonymDomain, value: glycemia_institute", "pseudonymDomain, value: engagement", "pseudonymDomain",
                            ("pseudonymDomain engagement is that of product glucose_daily", "for example glycemia_institute")),
    "domain of a recipient": (GLUCOSE, "pseudonymDomain, value: engagement", "pseudonymDomain, value: glycemia_institute", "pseudonymDomain",
                              ("pseudonymDomain glycemia_institute is that of recipient glycemia_institute",)),
}
AGGREGATES: dict[str, Case] = {
    "count that is no cell": (OPTIN, CELLS, "value: [asked, opted_in]", "name: withdrawn",
                              ("column withdrawn is an aggregate but neither in cellColumns nor derived", "{property: derived, value: true}")),
    "derived column that is not said to be": (OPTIN, DERIVED, "", "name: optin_rate_percent", ("column optin_rate_percent is an aggregate but",)),
    "no cells": (OPTIN, CELLS, "value: []", "cellColumns", ("cellColumns is empty", "for example [asked]")),
    "no rounding": (OPTIN, "{property: rounding, value: 5}", "{property: rounding, value: null}", "rounding", ("rounding is null", "for example 5")),
    "rounding to ones": (OPTIN, "{property: rounding, value: 5}", "{property: rounding, value: 1}", "rounding",
                         ("rounding: Input should be greater than or equal to 2",)),
    "number that is kept": (OPTIN, "logicalType: string\n        physicalType: string", "logicalType: integer\n        physicalType: long",
                            "name: channel_code", ("column channel_code is a number and kept", "treatment aggregate")),
    "cell that is no count": (OPTIN, "logicalType: integer\n        physicalType: long", "logicalType: number\n        physicalType: double",
                              "name: asked", ("column asked is a cell column but double", "physicalType: long")),
    "cell that is kept": (OPTIN, CELLS, "value: [asked, opted_in, withdrawn, month]", "name: month",
                          ("column month is a cell column but", "treatment aggregate")),
    "cell said to be derived": (OPTIN, "value: aggregate}\n", "value: aggregate}\n" + DERIVED, "name: asked",
                                ("column asked is a cell column and derived", "take one out")),
    "derived but required": (OPTIN, "logicalType: number\n", "required: true\n        logicalType: number\n", "name: optin_rate_percent",
                             ("column optin_rate_percent is derived and required", "null where too few")),
    "derived but kept": (OPTIN, "treatment, value: keep}\n", "treatment, value: keep}\n" + DERIVED, "name: channel_code",
                         ("column channel_code is derived but its treatment is keep",)),
    "derived in rows about persons": (GLUCOSE, KEPT_HEALTH, KEPT_HEALTH + DERIVED, "name: observed_on",
                                      ("column observed_on is derived", "only an aggregate")),
    "derived in an extract": (PARTNER, KEPT_HEALTH, KEPT_HEALTH + DERIVED, "name: observed_on", ("column observed_on is derived",)),
    "pseudonym among counts": (OPTIN, "treatment, value: keep}", "treatment, value: pseudonym}", "name: channel_code",
                               ("column channel_code is a pseudonym: an aggregate has none",)),
    "minimum cell for rows about persons": (GLUCOSE, "minimumCell, value: null", "minimumCell, value: 7", "minimumCell",
                                            ("minimumCell is only for aggregates", "null")),
    "dominance for rows about persons": (GLUCOSE, "dominance, value: null", "dominance, value: 0.8", "dominance", ("dominance is only for aggregates", "null")),
    "dominance in percent": (OPTIN, "dominance, value: null", "dominance, value: 80", "dominance", ("dominance: Input should be less than 1",)),
    "no word on dominance": (OPTIN, "  - {property: dominance, value: null}\n", "", "", ("dominance is missing",)),
    "totals for rows about persons": (GLUCOSE, "totals, value: []", "totals, value: [observed_on]", "totals", ("totals is only for aggregates", "[]")),
    "no word on totals": (OPTIN, f"  - {{property: {TOTALS}}}\n", "", "", ("totals is missing",)),
    "totals over what is no column": (OPTIN, TOTALS, "totals, value: [channel]", "totals", ("totals names channel, which is no column",)),
    "totals over a column twice": (OPTIN, TOTALS, "totals, value: [channel_code, channel_code]", "totals", ("totals names channel_code twice", "keep one")),
    "totals over dates": (OPTIN, TOTALS, "totals, value: [month]", "totals", ("totals names month, which is no text of the key", "says all there")),
    "totals over a cell": (OPTIN, TOTALS, "totals, value: [asked]", "totals", ("totals names asked, which is no text of the key",)),
    "totals over a vocabulary": (OPTIN, TOTALS, "totals, value: [purpose_code]", "totals",
                                 ("says all there, which is not in allowedValues of purpose_code", "as a list")),
    "totals beside a pattern": (OPTIN, TOTALS, "totals, value: [country_code]", "totals",
                                ("says all there, which the pattern of country_code does not match", "'^(all|...)$'")),
    "noise for rows about persons": (GLUCOSE, NO_NOISE, NOISE, "differentialPrivacy", ("differentialPrivacy is only for aggregates", "null")),
    "no word on noise": (OPTIN, "  - {property: differentialPrivacy, value: null}\n", "", "", ("differentialPrivacy is missing",)),
    "noise beside differencing": (OPTIN, f"{TOTALS}}}\n  - {{property: {NO_NOISE}", f"totals, value: []}}\n  - {{property: {NOISE}", "differencing", ("differencing stands beside differentialPrivacy: noise is itself what protects",)),
    "noise beside totals": (OPTIN, NO_NOISE, NOISE, "differentialPrivacy", ("differentialPrivacy stands beside totals", "{property: totals, value: []}")),
    "noise that costs more than there is": (OPTIN, NO_NOISE, NOISE.replace("budget: 2", "budget: 0.5"), "differentialPrivacy",
                                            ("epsilon 1 is more than budget 0.5",)),
    "noise without a bound of cells": (OPTIN, NO_NOISE, NOISE.replace("cellsPerPerson: 2, ", ""), "differentialPrivacy", ("cellsPerPerson",)),
    "noise with much in one in a thousand": (OPTIN, NO_NOISE, NOISE.replace("1.0e-7", "0.001"), "differentialPrivacy", ("delta: Input should be less than or equal",)),
    "differencing for rows about persons": (GLUCOSE, "differencing, value: null", "differencing, value: {people: 8, levels: {}}", "differencing",
                                            ("differencing is only for aggregates", "null")),
    "no differencing": (OPTIN, COMPARED, "value: null", "differencing", ("differencing is null", "{people: 8, levels: {month: [quarter, year]}}")),
    "no word on differencing": (OPTIN, f"  - {{property: differencing, {COMPARED}}}\n", "", "", ("differencing is missing",)),
    "fewer people than a cell": (OPTIN, "people: 8", "people: 7", "differencing", ("lets 7 people be told", "people: 8 or more")),
    "no levels of a date": (OPTIN, "{month: [quarter, year]}", "{}", "differencing", ("gives levels for nothing", "the dates of the key are month")),
    "levels of what is no date": (OPTIN, "{month: [quarter, year]}", "{month: [], country_code: [year]}", "differencing",
                                  ("gives levels for month, country_code",)),
    "a level that there is not": (OPTIN, "[quarter, year]", "[decade]", "differencing", ("differencing", "'week', 'month', 'quarter' or 'year'")),
    "cells for rows about persons": (GLUCOSE, "cellColumns, value: []", "cellColumns, value: [readings]", "cellColumns",
                                     ("cellColumns is only for aggregates", "[]")),
}
INPUTS: dict[str, Case] = {
    "a category that nobody is asked about": (GLUCOSE, KEPT_HEALTH, KEPT_HEALTH.replace("health", "behavioural"), "name: observed_on", (
        "column observed_on is behavioural, which dataCategories does not name", "add behavioural to dataCategories")),
    **{f"input of {name}": (GLUCOSE, "[core.observation]", f"[core.observation, {name}]", name, (f"inputs names {name}", "only core tables"))
       for name in ("safety.candidate", "vault.link", "ledger.release", "raw.crm", "product.optin_rates")},
    "no inputs": (GLUCOSE, "inputs, value: [core.observation]", "inputs, value: []", "inputs", ("inputs is empty", "core.observation")),
    "inputs that are no list": (GLUCOSE, "inputs, value: [core.observation]", "inputs, value: core.observation", "inputs", ("inputs: Input should be a valid tuple",)),
    "an input twice": (GLUCOSE, "inputs, value: [core.observation]", "inputs, value: [core.observation, core.observation]", "inputs",
                       ("inputs names core.observation twice; keep one",)),
    "origin that is no column": (GLUCOSE, "core.observation.source_person_id", "core.observation.source_persn_id", "source_persn_id",
                                 ("origin core.observation.source_persn_id of person_id", "did you mean core.observation.source_person_id?")),
    "origin outside of the inputs": (GLUCOSE, "core.observation.source_person_id", "core.identity.source_person_id", "core.identity",
                                     ("origin core.identity.source_person_id of person_id is no column of the inputs",)),
    "origin that its product lacks": (PARTNER, "product.glucose_daily.readings", "product.glucose_daily.reading", "glucose_daily.reading",
                                      ("origin product.glucose_daily.reading of readings", "did you mean product.glucose_daily.readings?")),
}
PSEUDONYMS: dict[str, Case] = {
    "none": (GLUCOSE, "treatment, value: pseudonym}", "treatment, value: keep}", "schema", ("has 0 columns with treatment pseudonym", "exactly one")),
    "two": (GLUCOSE, KEPT_HEALTH, KEPT_HEALTH.replace("keep", "pseudonym"), "schema",
            ("has 2 columns with treatment pseudonym (person_id, observed_on)",)),
    "none in an extract": (PARTNER, "treatment, value: pseudonym}", "treatment, value: keep}", "schema",
                           ("glycemia_institute has 0 columns with treatment pseudonym",)),
    "treated otherwise than in its product": (PARTNER, KEPT_HEALTH, KEPT_HEALTH.replace("keep", "aggregate"), "name: observed_on",
                                              ("column observed_on has treatment aggregate", "rows about persons have one of keep, pseudonym, date_shift")),
    "extract of an aggregate": (PARTNER, "product, value: glucose_daily", "product, value: optin_rates", "optin_rates",
                                ("product optin_rates is an aggregate", "rows about persons", "glucose_daily")),
}
REVIEW = "conditionReview, value: "
BASES: dict[str, Case] = {
    "conditions of a product without health": (OPTIN, REVIEW + "null", REVIEW + "2026-09-14 by us", "conditionReview",
                                               ("conditionReview is only for a product whose dataCategories hold health", "null")),
    "a review of nothing": (GLUCOSE, REVIEW + '"', REVIEW + "' '}  # ", "conditionReview", ("conditionReview: String should match",)),
    "no word on conditions": (OPTIN, "  - {property: conditionReview, value: null}\n", "", "", ("conditionReview", "null")),
    "health under plain consent": (GLUCOSE, "value: explicit_consent}", "value: consent}", "legalBasis",
                                   ("legalBasis consent is not enough for health", "legalBasis, value: explicit_consent")),
    "health among a product's inputs": (OPTIN, "[core.consent, core.identity]", "[core.consent, core.identity, core.medication_event]",
                                        "legalBasis", ("legalBasis legitimate_interest is not enough for health",)),
    "health among an aggregate's categories": (OPTIN, "dataCategories, value: [consent_record]", "dataCategories, value: [health]",
                                               "legalBasis", ("legalBasis legitimate_interest is not enough for health",)),
    "health to a partner under plain consent": (PARTNER, "value: explicit_consent}", "value: consent}", "legalBasis",
                                                ("legalBasis consent is not enough for health",)),
}
CASES = {f"{kind}: {name}": case for kind, cases in (
    ("domain", DOMAINS), ("aggregate", AGGREGATES), ("input", INPUTS), ("pseudonym", PSEUDONYMS), ("basis", BASES)) for name, case in cases.items()}


@pytest.mark.parametrize("name", CASES)
def test_is_refused_with_its_line_and_what_to_write(name: str, tmp_path: Path) -> None:
    is_refused(CASES[name], tmp_path)
