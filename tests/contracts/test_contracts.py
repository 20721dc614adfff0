"""Every contract of Concord: it loads, it follows the standard's schema, and privacy is said, never assumed."""

from __future__ import annotations

import json
from importlib import resources

import jsonschema
import pydantic
import pytest
import yaml

from contracts import anonymity, jurisdictions, model
from contracts.expressions import parse
from contracts.load import KINDS, TABLE_KINDS, catalog, check_files, folders
from contracts.standard import violations
from contracts.vocabulary import DataCategory

FILES = sorted(p for kind in (*TABLE_KINDS, *KINDS) for p in (folders()[0] / kind).glob("*.yaml"))
# What decides about privacy, by the model that says it; each must be written, if only as null.
PRIVACY = {
    model.Column: {"category", "treatment"},
    model.Source: {"retention_days", "legal_basis", "jurisdictions", "link_purposes"},
    jurisdictions.Jurisdiction: {"age_of_majority", "age_of_digital_consent", "lapses_after_days", "source"},
    model.Product: {"purposes", "data_categories", "legal_basis", "basis_reason", "pseudonym_domain", "counts_people",
                    "minimum_cell", "rounding", "cell_columns", "dominance", "totals", "differential_privacy", "differencing", "retention_days", "inputs"},
    model.Recipient: {"product", "purposes", "legal_basis", "agreement", "agreement_version", "agreement_expires_on",
                      "pseudonym_domain", "anonymity", "hierarchies", "max_linked_percent", "approvers", "delivery", "expires_after_days"},
}
# Fields with a default: none of them widens what may be done with data.
HARMLESS = {
    model.Column: {"required", "key", "allowed_values", "pattern", "minimum", "maximum", "max_length", "not_in_future",
                   "event_time", "derived", "origins", "treatment_options", "identifier"},  # which must be there where the treatment has some
    model.Stream: {"version", "deleted", "items", "cursor", "since", "revisit_days"},
    model.Mapping: {"required", "expression", "reads"}, model.Feed: {"when", "checks", "parse"},
    model.Source: {"tags", "service_levels", "refusal", "reject_limit"},  # refusal must be there where consents are
    model.Product: {"tags", "service_levels", "retirement", "profile"}, model.Recipient: {"tags", "service_levels", "profile"},
    model.Contract: {"tags", "service_levels"}, model.Table: {"quality"},
}


def test_every_contract_is_sound() -> None:
    assert check_files([]) == len(FILES) >= 17
    contracts = catalog()
    assert {*contracts.sources, *contracts.products, *contracts.recipients} <= {p.stem for p in FILES}
    assert all(contracts.table(name).columns for name in contracts.tables)


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_follows_the_schema_that_the_standard_ships(path: object) -> None:
    data = yaml.safe_load(path.read_text("utf-8"))  # type: ignore[attr-defined]
    assert list(violations(data)) == []
    assert list(violations({**data, "version": 1, "strange": True}))


def test_the_one_thing_forgiven_is_a_property_without_a_logical_type() -> None:
    """The shipped schema is of 3.2 and takes such a property for a map; see tests/external for 3.1's own schema."""
    schema = json.loads(resources.files("open_data_contract_standard").joinpath("schema.json").read_text("utf-8"))
    validator = jsonschema.validators.validator_for(schema)(schema)
    found = [e for path in FILES for e in validator.iter_errors(yaml.safe_load(path.read_text("utf-8")))]
    assert {e.message for e in found} == {"'map' is a required property"}
    assert all("logicalType" not in e.instance for e in found)


def models() -> list[type[pydantic.BaseModel]]:
    return [m for m in (*vars(model).values(), anonymity.Sensitive) if isinstance(m, type) and issubclass(m, model.Frozen) and m is not model.Frozen]


@pytest.mark.parametrize("kind", models(), ids=lambda m: m.__name__)
def test_no_field_that_concerns_privacy_has_a_default(kind: type[pydantic.BaseModel]) -> None:
    """A new field with a default must be added to HARMLESS by somebody who thought about it."""
    with_default = {name for name, field in kind.model_fields.items() if not field.is_required()}
    assert with_default == (HARMLESS.get(kind) or HARMLESS.get(kind.__base__, set()) or with_default & {"tags"})
    assert PRIVACY.get(kind, set()) <= kind.model_fields.keys() - with_default


@pytest.mark.parametrize("kind", models(), ids=lambda m: m.__name__)
def test_models_are_frozen_and_refuse_what_they_do_not_know(kind: type[pydantic.BaseModel]) -> None:
    assert kind.model_config["frozen"] and kind.model_config["extra"] == "forbid"


def test_the_properties_that_the_rules_give() -> None:
    contracts = catalog()
    for product in contracts.products.values():
        assert product.legal_basis.rests_on_consent or product.is_aggregate
        categories = {c.category for c in product.table.columns}
        assert not categories & {DataCategory.IDENTIFYING, DataCategory.CONTACT, DataCategory.FREE_TEXT}
    assert all(r.pseudonym_domain not in {p.pseudonym_domain for p in contracts.products.values()}
               for r in contracts.recipients.values())
    for source in contracts.sources.values():
        for feed in source.feeds:
            needed = {c.name for c in contracts.tables[feed.table].columns if c.required}
            made = {m.column for m in feed.mappings}
            own = {"source", "record_id", "batch_id", "payload_sha256", "contract_version", "version_at", "part",
                   "known_at"}
            assert needed <= made | own, f"{source.id}.{feed.name} never fills {needed - made - own}"
    assert parse("text(payload.id)").paths()[0].json_path == "$.id"
