"""What people are compared by follows from the contracts."""

from __future__ import annotations

from contracts import catalog, consent_loss
from contracts.consent_loss import SEVERAL, attributes
from contracts.table import Column, Table
from contracts.vocabulary import DataCategory


def conditions(**of_the_code: object) -> Table:
    code = Column(name="code", type="string", description="Code.", category=DataCategory.HEALTH, treatment=None, **of_the_code)
    return Table(name="core.condition", description="Conditions.", version="1.0.0", columns=(
        code.model_copy(update={"name": "record_id", "key": 1, "required": True}), code))


def test_attributes_and_levels_come_from_contracts() -> None:
    contracts = catalog()
    found = {a.name: a.levels for a in attributes(contracts.tables, contracts.sources.values())}
    assert found == {"age_band": ("under 18", "18-29", "30-44", "45-59", "60-74", "75 and over", "unknown"),
                     "sex": ("male", "female", "other", "unknown"),
                     "country": ("DE", "ES", "FR", "GB", "IT", "other", "unknown")}
    allowed = set(contracts.table(consent_loss.table_of("glucose_daily")).column("attribute").allowed_values or ())
    assert allowed == {*found, "condition", consent_loss.EVERYONE}


def test_a_core_table_of_conditions_joins_by_itself() -> None:
    contracts = catalog()
    for column, levels in ((conditions(allowed_values=("E11", "I10")), ("E11", "I10", SEVERAL, "unknown")),
                           (conditions(), ("known", SEVERAL, "unknown"))):
        joined = attributes({**contracts.tables, "core.condition": column}, ())[-1]
        assert (joined.name, joined.table, joined.column, joined.levels) == ("condition", "core.condition", "code", levels)
        assert joined.disagreeing == SEVERAL


def test_every_product_on_consent_has_a_table_for_its_report_and_no_other() -> None:
    contracts = catalog()
    for product in contracts.products.values():
        name = consent_loss.table_of(product.id)
        assert (name in contracts.tables) == product.legal_basis.rests_on_consent
    assert consent_loss.TEMPLATE not in contracts.tables
    assert contracts.table("product.glucose_daily__consent_loss").name == "product.glucose_daily__consent_loss"
