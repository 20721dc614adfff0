"""What people are compared by follows from the contracts."""

from __future__ import annotations

from contracts import catalog, consent_loss
from contracts.consent_loss import CODES, COUNTED, SEVERAL, attributes


def test_attributes_and_levels_come_from_contracts() -> None:
    contracts = catalog()
    product = contracts.products["glucose_daily"]
    found = {a.name: a.levels for a in attributes(product, contracts.tables, contracts.sources.values())}
    assert found == {"age_band": ("under 18", "18-29", "30-44", "45-59", "60-74", "75 and over", "unknown"),
                     "sex": ("male", "female", "other", "unknown"),
                     "country": ("DE", "ES", "FR", "GB", "IT", "other", "unknown"),
                     "condition": ("type 1 diabetes", "type 2 diabetes", "diabetes in pregnancy", "other diabetes", "other",
                                   "several", "unknown")}
    allowed = set(contracts.table(consent_loss.table_of(product.id)).column("attribute").allowed_values or ())
    assert allowed == {*found, consent_loss.EVERYONE}


def test_the_condition_is_compared_only_where_the_contract_says_it_was_reviewed() -> None:
    contracts = catalog()
    product = contracts.products["glucose_daily"]
    condition = attributes(product, contracts.tables, ())[-1]
    assert (condition.name, condition.table, condition.disagreeing) == ("condition", "core.condition", SEVERAL)
    unreviewed = product.model_copy(update={"condition_review": None})
    assert [a.name for a in attributes(unreviewed, contracts.tables, ())] == ["age_band", "sex", "country"]


def test_what_is_compared_is_in_core() -> None:
    contracts = catalog()
    for attribute in attributes(contracts.products["glucose_daily"], contracts.tables, ()):
        assert {c.name for c in contracts.table(attribute.table).columns} >= {*attribute.columns}
    for name, values in COUNTED.items():
        assert set(values) <= set(contracts.table("core.condition").column(name).allowed_values or ())
    families = [code for known in consent_loss.CONDITIONS.values() for codes in known for code in codes]
    assert len(set(families)) == len(families) and set(CODES) < set(attributes(
        contracts.products["glucose_daily"], contracts.tables, ())[-1].columns)


def test_every_product_on_consent_has_a_table_for_its_report_and_no_other() -> None:
    contracts = catalog()
    for product in contracts.products.values():
        name = consent_loss.table_of(product.id)
        assert (name in contracts.tables) == product.legal_basis.rests_on_consent
    assert consent_loss.TEMPLATE not in contracts.tables
    assert contracts.table("product.glucose_daily__consent_loss").name == "product.glucose_daily__consent_loss"
