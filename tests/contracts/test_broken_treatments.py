"""Broken contracts once more: treatments that are not done, not said in full, or not enough."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.load import ContractError, catalog, one
from contracts.model import Column, Product
from contracts.together import refuse_misfit
from contracts.translate import TranslationError
from contracts.vocabulary import DataCategory, Treatment
from tests.contracts.broken import GLUCOSE, OBSERVATION, OPTIN, OWN, PARTNER, PROFILE, Case, is_refused

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
SEX = """[core.identity.sex_code]
        customProperties:
          - {property: dataCategory, value: %s}
          - {property: treatment, value: %s}"""
OF_PRODUCT = "product.glucose_daily"
SHIFT, OPTIONS = "date_shift", "          - {property: treatmentOptions, value: {%s}}\n"
WHOLE = OPTIONS % "maxDays: 182, keepWeekday: false"
AREA = "value: {scheme: postcode2}"
YEAR, OLDEST = "treatment, value: year}", "          - {property: treatmentOptions, value: {oldest: 89}}\n"


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
    "too few days": (PARTNER, day("keep"), day(SHIFT, OPTIONS % "maxDays: 13, keepWeekday: true"), "treatmentOptions",
                     ("treatmentOptions maxDays: Input should be greater than or equal to 28",)),
    "options of no use": (PARTNER, day("keep"), day("keep", WHOLE), "treatmentOptions", ("treatmentOptions are of no use with treatment keep",)),
    "a type that is not left": (PARTNER, day("keep"), day("year", OPTIONS % "oldest: 89"), "treatment", (
        "treatment year leaves int, but the column is date", "correct physicalType")),
    "a type that is not taken": (PARTNER, day("keep"), day("mask", OPTIONS % "keepLast: 2").replace(": date", ": string"), "name: observed_on", (
        "column observed_on has treatment mask; write one that takes date, which it is in product glucose_daily",)),
    "edges that do not ascend": (PROFILE, YEAR + "\n" + OLDEST, "treatment, value: band}\n" + OPTIONS % "edges: [5, 5]", "treatmentOptions",
                                 ("edges must ascend, for example [70, 180, 250]",)),
    "a scheme that is not known": (PROFILE, AREA, "value: {scheme: zip5}", "treatmentOptions", ("treatmentOptions scheme: Input should be 'us_zip3'",)),
    "what identifies is kept": (PROFILE, YEAR + "\n" + OLDEST, "treatment, value: keep}\n", "name: birth_year", (
        "column birth_year is kept, but comes from core.identity.birth_on, which is identifying", "for example year or area")),
    "dropped": (PROFILE, YEAR + "\n" + OLDEST, "treatment, value: drop}\n", "name: birth_year", ("treatment drop, which is for files; leave the column out",)),
    "where something lives is kept": (PROFILE, "treatment, value: area}\n          - {property: treatmentOptions, value: {scheme: postcode2}}", "treatment, value: keep}",
                                      "name: region_code", ("comes from core.identity.postcode, which is contact",)),
    "no origin": (PROFILE, "        transformSourceObjects: [core.identity.sex_code]\n", "", "name: sex_code",
                  ("column sex_code does not say what it is made of", "transformSourceObjects")),
    "an area of a name": (PROFILE, "[core.identity.postcode]", "[core.identity.family_name]", "name: region_code",
                          ("column region_code cuts core.identity.family_name, which is identifying, to an area",)),
    "a moved date that may not be in the future": (PARTNER, day("keep"), day(SHIFT, WHOLE + "          - {property: notInFuture, value: true}\n"),
                                                   "notInFuture", ("notInFuture cannot hold of a date that is moved",)),
    "a text as it is": (PROFILE, SEX % ("demographic", "keep"), SEX % ("free_text", "keep"), "name: sex_code",
                        ("column sex_code is free_text: it may not leave core as it is; write treatment scrub",)),
    "a text under another treatment": (PROFILE, SEX % ("demographic", "keep"), SEX % ("free_text", "mask") + "\n" + OPTIONS.rstrip("\n") % "keepLast: 1",
                                       "name: sex_code", ("column sex_code is free_text: it may not leave core under treatment mask; write scrub",)),
    "a text that nobody is asked about": (PROFILE, SEX % ("demographic", "keep"), SEX % ("demographic", "scrub"), "name: sex_code",
                                          ("column sex_code is scrubbed, but demographic; write dataCategory free_text",)),
    "a text that must be there": (PROFILE, "physicalType: string\n        transformSourceObjects: " + SEX % ("demographic", "keep"),
                                  "physicalType: string\n        required: true\n        transformSourceObjects: " + SEX % ("free_text", "scrub"),
                                  "name: sex_code", ("column sex_code is scrubbed and required; take required out",)),
    "an image": (PROFILE, "logicalType: string\n        physicalType: string\n        transformSourceObjects: " + SEX % ("demographic", "keep"),
                 "logicalType: string\n        physicalType: binary\n        transformSourceObjects: " + SEX % ("demographic", "keep"), "name: sex_code",
                 ("column sex_code is binary: images and files may not leave core; drop it",)),
    "a band among counts": (OPTIN, "treatment, value: keep}\n", "treatment, value: mask}\n" + OPTIONS % "keepLast: 1", "name: channel_code",
                            ("column channel_code has treatment mask; aggregates have one of keep, aggregate",)),
    "counts among persons": (GLUCOSE, day("keep", base="core.observation").replace("observed_on", "effective_at"),
                             day("aggregate", base="core.observation").replace("observed_on", "effective_at"), "name: observed_on",
                             ("column observed_on has treatment aggregate; rows about persons have one of",)),
}


@pytest.mark.parametrize("name", CASES)
def test_is_refused_with_its_line_and_what_to_write(name: str, tmp_path: Path) -> None:
    is_refused(CASES[name], tmp_path)


def test_a_day_that_one_column_moves_is_told_by_no_other(tmp_path: Path) -> None:
    """Moved in a second product of the same pseudonyms, or beside itself, or by another number of days."""
    known = catalog()
    glucose = known.products["glucose_daily"]
    moved, otherwise = (Column.model_validate({**glucose.table.column("observed_on").model_dump(), "treatment": "date_shift", "treatment_options": {
        "max_days": days, "keep_weekday": False}}) for days in (182, 30))

    def product(name: str, *columns: Column) -> Product:
        rest = [c for c in glucose.table.columns if c.name != "observed_on"]
        return glucose.model_copy(update={"id": name, "table": glucose.table.model_copy(update={
            "name": f"product.{name}", "columns": (*rest, *columns)})})

    def refused(one: Product, *others: Product) -> str:
        with pytest.raises(TranslationError) as caught:
            refuse_misfit(one, known.tables, {p.id: p for p in (one, *others)}, ())
        return str(caught.value)

    kept = glucose.table.column("observed_on").model_copy(update={"name": "first_on"})
    assert "column observed_on of glucose_daily tells of days that column observed_on of moved moves" in refused(product("moved", moved), glucose)
    assert "column first_on of moved tells of days" in refused(product("moved", moved, kept))
    year = Column.model_validate({**kept.model_dump(), "type": "int", "treatment": "year", "treatment_options": {"oldest": 89}})
    assert "column first_on of moved tells of days" in refused(product("moved", moved, year))
    assert "move dates by different treatmentOptions" in refused(product("moved", moved), product("more", otherwise))
    refuse_misfit(product("moved", moved), known.tables, {"more": product("more", moved)}, ())
    elsewhere = product("moved", moved).model_copy(update={"pseudonym_domain": "another"})
    refuse_misfit(elsewhere, known.tables, {"glucose_daily": glucose}, ())


def test_an_extract_moves_no_date_where_its_product_does() -> None:
    known = catalog()
    glucose, partner = known.products["glucose_daily"], known.recipients["glycemia_institute"]
    moved = Column.model_validate({**glucose.table.column("observed_on").model_dump(), "treatment": "date_shift", "treatment_options": {
        "max_days": 182, "keep_weekday": False}})
    product = glucose.model_copy(update={"table": glucose.table.model_copy(update={"columns": (*glucose.table.columns, moved.model_copy(update={
        "name": "first_on", "origins": ()}))})})
    recipient = partner.model_copy(update={"table": partner.table.model_copy(update={"columns": tuple(
        moved if c.name == "observed_on" else c for c in partner.table.columns)})})
    with pytest.raises(TranslationError, match="product glucose_daily moves dates already"):
        refuse_misfit(recipient, known.tables, {"glucose_daily": product}, ())


def test_a_treatment_of_a_core_column_is_refused(tmp_path: Path) -> None:
    text = (OWN / OBSERVATION).read_text("utf-8")
    there = "          - {property: dataCategory, value: identifying}\n"
    assert there in text
    (tmp_path / "core").mkdir()
    path = tmp_path / "core" / "observation.yaml"
    path.write_text(text.replace(there, there + "          - {property: treatment, value: keep}\n", 1), "utf-8")
    with pytest.raises(ContractError, match=r"has a treatment or an identifier, which nothing follows; products and partners have them"):
        one(path)


def test_a_text_is_scrubbed_where_its_people_are_known() -> None:
    """Made of texts alone, in the product; its extract keeps what was scrubbed, and scrubs nothing itself."""
    known = catalog()
    glucose, partner = known.products["glucose_daily"], known.recipients["glycemia_institute"]

    def text(treatment: str, *origins: str) -> Column:
        return Column.model_validate({"name": "text", "type": "string", "description": "A text.", "category": "free_text", "treatment": treatment,
                                      "origins": origins})

    def product(column: Column) -> Product:
        inputs = (*glucose.inputs, "core.message", "core.identity")
        return glucose.model_copy(update={"inputs": inputs, "data_categories": (*glucose.data_categories, DataCategory.FREE_TEXT),
                                          "table": glucose.table.model_copy(update={"columns": (*glucose.table.columns, column)})})

    def refused(held: Column, column: Column) -> str:
        wider = partner.model_copy(update={"table": partner.table.model_copy(update={"columns": (*partner.table.columns, column)})})
        with pytest.raises(TranslationError) as caught:
            refuse_misfit(wider, known.tables, {"glucose_daily": product(held)}, ())
        return str(caught.value)

    scrubbed = text("scrub", "core.message.text")
    refuse_misfit(product(scrubbed), known.tables, {}, ())
    with pytest.raises(TranslationError, match="column text scrubs core.identity.family_name, which is identifying"):
        refuse_misfit(product(text("scrub", "core.message.text", "core.identity.family_name")), known.tables, {}, ())
    kept = text("keep", "product.glucose_daily.text")
    assert "write keep, since product glucose_daily treats it by scrub" in refused(scrubbed, text("scrub", "product.glucose_daily.text"))
    plain = scrubbed.model_copy(update={"category": DataCategory.BEHAVIOURAL, "treatment": Treatment.KEEP})
    assert "but product glucose_daily does not scrub it" in refused(plain, kept)
    wider = partner.model_copy(update={"table": partner.table.model_copy(update={"columns": (*partner.table.columns, kept)})})
    refuse_misfit(wider, known.tables, {"glucose_daily": product(scrubbed)}, ())
