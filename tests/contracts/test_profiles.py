"""Profiles of de-identification: a product that names one is held to it, identifier by identifier; broken profiles are refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from contracts.deidentification import NONE, NotAllowed, profile, refuse_other_treatment
from contracts.load import ContractError, check_files, folders
from contracts.table import Column, Table
from contracts.treatments import LEAVES
from contracts.vocabulary import Treatment
from tests.contracts.broken import OWN, PROFILE

HARBOR = profile("hipaa_safe_harbor", folders())
OPTIONS: dict[str, dict[str, Any]] = {
    "year": {"oldest": 89}, "date_shift": {"max_days": 30, "keep_weekday": True}, "age_band": {"width": 5}, "band": {"edges": [1]}, "area": {"scheme": "us_zip3"},
    "mask": {"keep_last": 1}}
DECLARED = "  - {property: pseudonymDomain, value: engagement}\n"
NAMED = DECLARED + "  - {property: profile, value: hipaa_safe_harbor}\n"
TELLS = {"person_id": "other_unique_identifiers", "birth_year": "dates", "sex_code": "none", "country_code": "none", "region_code": "geography"}


def table(identifier: str | None, treatment: str, **options: Any) -> Table:
    """A table with one column that tells of an identifier under a treatment."""
    return Table(name="product.x", description="x", version="1.0.0", columns=(Column.model_validate({
        "name": "x", "type": LEAVES.get(Treatment(treatment), ("string",))[0], "description": "x", "category": "demographic", "key": 1, "required": True,
        "treatment": treatment, "treatment_options": options or OPTIONS.get(treatment), "identifier": identifier}),))


@pytest.mark.parametrize("identifier", HARBOR.identifiers)
def test_each_identifier_leaves_only_under_what_the_rule_allows(identifier: str) -> None:
    allowed = {str(t) for t in HARBOR.identifiers[identifier]}
    assert allowed <= {"area", "year", "age_band", "pseudonym"}
    for treatment in map(str, Treatment):
        if treatment in allowed:
            refuse_other_treatment(HARBOR, table(identifier, treatment))
            continue
        with pytest.raises(NotAllowed, match=re.escape(f"column x tells of {identifier.replace('_', ' ')} under treatment {treatment}, which profile "
                                                       "hipaa_safe_harbor does not allow; ")):
            refuse_other_treatment(HARBOR, table(identifier, treatment))


def test_what_tells_of_none_is_free_and_what_says_nothing_is_refused() -> None:
    refuse_other_treatment(HARBOR, table(NONE, "keep"))
    for treatment in ("date_shift", "year", "age_band", "area", "pseudonym", "mask"):
        with pytest.raises(NotAllowed, match=f"column x says that it tells of none, but is .* under treatment {treatment}"):
            refuse_other_treatment(HARBOR, table(NONE, treatment))
    for oldest in (None, 90):
        with pytest.raises(NotAllowed, match=r"keeps years of people older than 89; .* asks for treatmentOptions \{oldest: 89\}"):
            refuse_other_treatment(HARBOR, table("dates", "year", oldest=oldest))
    with pytest.raises(NotAllowed, match=r"column x says no identifier; profile hipaa_safe_harbor asks for one of names, .*, none$"):
        refuse_other_treatment(HARBOR, table(None, "keep"))
    with pytest.raises(NotAllowed, match=r"has identifier name \(did you mean names\?\)"):
        refuse_other_treatment(HARBOR, table("name", "keep"))
    with pytest.raises(NotAllowed, match="is cut to areas of scheme postcode2; profile hipaa_safe_harbor asks for us_zip3"):
        refuse_other_treatment(HARBOR, table("geography", "area", scheme="postcode2"))


def test_a_day_tells_of_something_whatever_a_column_says() -> None:
    day = table(NONE, "keep").columns[0].model_copy(update={"type": "date"})
    with pytest.raises(NotAllowed, match="says that it tells of none, but is date under treatment keep"):
        refuse_other_treatment(HARBOR, table(NONE, "keep").model_copy(update={"columns": (day,)}))


def test_what_a_product_treated_counts_in_its_extract() -> None:
    kept = table("dates", "keep")
    refuse_other_treatment(HARBOR, kept, table(None, "year"))
    with pytest.raises(NotAllowed, match="tells of dates under treatment keep"):
        refuse_other_treatment(HARBOR, kept, table(None, "keep"))
    with pytest.raises(NotAllowed, match="keeps years of people older than 89"):
        refuse_other_treatment(HARBOR, kept, table(None, "year", oldest=120))


def contract(folder: Path, left_out: str = "", scheme: str = "us_zip3") -> Path:
    """The contract of patient_profile under the safe harbor, each column but one with its identifier."""
    text = (OWN / PROFILE).read_text("utf-8").replace(DECLARED, NAMED).replace("scheme: postcode2", f"scheme: {scheme}")
    for column, tells in TELLS.items():
        if column != left_out:
            before, after = text.split(f"      - name: {column}\n")
            after = after.replace("        customProperties:\n", f"        customProperties:\n          - {{property: identifier, value: {tells}}}\n", 1)
            text = f"{before}      - name: {column}\n{after}"
    path = folder / PROFILE
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def test_a_product_that_names_a_profile_is_held_to_it(tmp_path: Path) -> None:
    assert check_files([contract(tmp_path)]) == 1


@pytest.mark.parametrize(("column", "scheme", "said"), [
    ("sex_code", "us_zip3", "column sex_code says no identifier"), ("region_code", "us_zip3", "column region_code says no identifier"),
    ("", "postcode2", "asks for us_zip3")])
def test_it_is_refused_where_it_is_not(tmp_path: Path, column: str, scheme: str, said: str) -> None:
    path = contract(tmp_path, column, scheme)
    with pytest.raises(ContractError, match=said) as caught:
        check_files([path])
    line = int(str(caught.value).removeprefix(f"{path}:").partition(":")[0])
    assert (column or "region_code") in path.read_text("utf-8").splitlines()[line - 1]


@pytest.mark.parametrize(("there", "instead", "said"), [
    ("oldest: 89", "oldest: old", r":5: oldest: Input should be a valid integer"),
    ("    Coding.system: keep", "    Coding.system: encrypt", r":\d+: fhir.elements.Coding.system: Input should be 'keep', 'drop', 'pseudonym', 'year', 'area' or 'scrub'"),
    ("    boolean: keep", "    boolean: keep\n    boolean", r":\d+: is not YAML"),
    ("id: hipaa_safe_harbor", "id: other", r":2: id is other, the file is called hipaa_safe_harbor.yaml"),
    ("  ageCodes:", "  ages: []\n  ageCodes:", r":\d+: fhir.ages: Extra inputs are not permitted"),
    ("  names: []", "  none: []\n  names: []", r"identifiers.none is what a column says that tells of none"),
])
def test_a_broken_profile_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: str, instead: str, said: str) -> None:
    text = (OWN / "profiles" / "hipaa_safe_harbor.yaml").read_text("utf-8")
    assert there in text
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "hipaa_safe_harbor.yaml").write_text(text.replace(there, instead, 1), "utf-8")
    with pytest.raises(ContractError, match=said):
        profile("hipaa_safe_harbor", (OWN, tmp_path))
    monkeypatch.setenv("CONCORD_CONTRACTS", str(tmp_path))
    with pytest.raises(ContractError, match=said):
        check_files([])
