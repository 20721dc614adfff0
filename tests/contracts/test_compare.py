"""What a new version of a contract changes, whom that breaks, and which number it needs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from contracts import ContractError, compare
from contracts.compare import between, needed
from contracts.exit_codes import ExitCode
from contracts.model import Feed, Mapping, Product, Recipient, Source, Stream
from contracts.table import Column, Table

ROOT = Path(__file__).resolve().parents[2] / "contracts"
SAYS_WHICH = {"id", "version", "path", "sha256"}
IN_PARTS = {Source: {"streams", "feeds"}, Product: {"table"}, Recipient: {"table"}, Table: {"columns", "version", "name"},
            Feed: {"name", "mappings"}, Mapping: {"column"}, Stream: {"name"}, Column: {"name"}}
JUDGED = {Source: compare.SOURCE, Product: compare.PRODUCT, Recipient: compare.RECIPIENT, Table: compare.TABLE, Feed: compare.FEED,
          Mapping: compare.MAPPING, Stream: compare.STREAM, Column: compare.COLUMN}


@pytest.mark.parametrize("model", JUDGED)
def test_every_field_of_a_contract_has_a_judge(model: type) -> None:
    says_which = SAYS_WHICH if model in (Source, Product, Recipient) else set()
    assert set(model.model_fields) == JUDGED[model].keys() | IN_PARTS[model] | says_which  # type: ignore[attr-defined]


def edited(tmp_path: Path, name: str, *edits: tuple[str, str]) -> tuple[Path, Path]:
    """A contract as it is, and edited."""
    old, new = ROOT / name, tmp_path / "new" / name
    text = old.read_text("utf-8")
    for before, after in edits:
        assert before in text
        text = text.replace(before, after, 1)
    new.parent.mkdir(parents=True)
    new.write_text(text, "utf-8")
    return old, new


OBSERVATION, PRODUCT, CRM = "core/observation.yaml", "products/glucose_daily.yaml", "sources/crm.yaml"
UNIT = "logicalTypeOptions: {maxLength: 40}"
NEW_COLUMN = ("""
      - name: method_code
        description: How it was measured.
        logicalType: string
        physicalType: string
        required: %s
        customProperties:
          - {property: dataCategory, value: health}
      - name: unit_code""")


@pytest.mark.parametrize(("contract", "before", "after", "place", "breaks"), [
    (OBSERVATION, UNIT, "logicalTypeOptions: {maxLength: 20}", "core.observation.unit_code.maxLength", "sources"),
    (OBSERVATION, UNIT, "logicalTypeOptions: {maxLength: 80}", "core.observation.unit_code.maxLength", None),
    (OBSERVATION, "description: UCUM unit.", "description: Unit.", "core.observation.unit_code.description", None),
    (OBSERVATION, "logicalTypeOptions: {pattern: '^[0-9]{1,7}-[0-9]$'}\n", "logicalTypeOptions: {pattern: '^[0-9]+$'}\n",
     "core.observation.code.pattern", "sources"),
    (OBSERVATION, "\n      - name: unit_code", NEW_COLUMN % "true", "core.observation.method_code", "sources"),
    (OBSERVATION, "\n      - name: unit_code", NEW_COLUMN % "false", "core.observation.method_code", None),
    (OBSERVATION, "physicalType: double\n        required: true", "physicalType: double\n        required: false",
     "core.observation.value.required", "readers"),
    (OBSERVATION, "- name: status_code", "- name: state_code", "core.observation.status_code", "readers"),
    (PRODUCT, "retentionDays, value: 1825", "retentionDays, value: 30", "retentionDays", "readers"),
    (PRODUCT, "retentionDays, value: 1825", "retentionDays, value: 2000", "retentionDays", None),
    (PRODUCT, "pseudonymDomain, value: ", "pseudonymDomain, value: other_", "pseudonymDomain", "readers"),
    (PRODUCT, "minimum: 10, maximum: 1000", "minimum: 20, maximum: 1000", "product.glucose_daily.mean_mg_dl.minimum", None),
    (PRODUCT, "status: active", "status: retired", "status", "readers"),
    ("products/engagement_daily.yaml", "value: [core.message, core.interaction]", "value: [core.message]", "inputs", "readers"),
    ("products/optin_rates.yaml", "value: [core.consent, core.identity]", "value: [core.consent, core.identity, core.message]",
     "inputs", None),
    ("platform/ledger.yaml", "logicalTypeOptions: {minimum: 0}", "logicalTypeOptions: {minimum: 1}", "ledger.account.rows.minimum",
     "sources"),
    (OBSERVATION, "preliminary, final", "preliminary, early, final", "core.observation.status_code.allowedValues", "readers"),
    (OBSERVATION, "preliminary, final", "final", "core.observation.status_code.allowedValues", "sources"),
    (CRM, "purgeAfterDays: ", "purgeAfterDays: 1", "refusal", "readers"),
])
def test_a_change_and_whom_it_breaks(tmp_path: Path, contract: str, before: str, after: str, place: str,
                                     breaks: str | None) -> None:
    found = between(*edited(tmp_path, contract, (before, after)))
    assert (place, breaks) in [(c.place, c.breaks) for c in found.changes]
    assert found.needed == ("2.0.0" if breaks else "1.0.1") and found.old == found.new == "1.0.0"


def test_what_did_not_change_needs_nothing(tmp_path: Path) -> None:
    for contract in (OBSERVATION, PRODUCT, CRM, "recipients/glycemia_institute.yaml", "platform/ledger.yaml"):
        assert between(ROOT / contract, ROOT / contract) == compare.Comparison("1.0.0", "1.0.0", None, [])


def test_what_breaks_somebody_comes_first_and_names_what_is_mapped_otherwise(tmp_path: Path) -> None:
    old, new = edited(tmp_path, CRM, ("purpose: People, ", "purpose: All people, "),
                      ("text(payload.MailingCity)", "'first(text(payload.MailingCity), text(payload.OtherCity))'"))
    found = between(old, new).changes
    assert [c.breaks for c in found] == sorted((c.breaks for c in found), key=lambda b: b is None)
    mapped = next(c for c in found if c.place.endswith(".expression"))
    assert (mapped.before, mapped.after) == ("text(payload.MailingCity)",
                                              "first(text(payload.MailingCity), text(payload.OtherCity))")
    assert mapped.breaks == "readers" and found[-1].place == "description"


@pytest.mark.parametrize(("old", "new", "breaks", "lacks"), [
    ("1.2.3", "2.0.0", True, None), ("1.2.3", "1.3.0", True, "2.0.0"), ("1.2.3", "1.2.4", False, None),
    ("1.2.3", "1.2.3", False, "1.2.4"), ("2.0.0", "1.9.9", False, "2.0.1"), ("1.10.0", "1.9.0", False, "1.10.1")])
def test_the_number_that_is_needed(old: str, new: str, breaks: bool, lacks: str | None) -> None:
    assert needed(old, new, [compare.Change("x", "a", "b", "readers" if breaks else None)]) == lacks


def test_a_version_that_falls_back_is_refused_without_any_change() -> None:
    assert needed("1.1.0", "1.0.0", []) == "1.1.1" and needed("1.1.0", "1.1.0", []) is None


def concord(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "jobs", "contract", "diff", *words], capture_output=True, text=True, check=False)


def test_the_command_says_what_and_which_number(tmp_path: Path) -> None:
    old, new = edited(tmp_path, PRODUCT, ("retentionDays, value: 1825", "retentionDays, value: 30"))
    refused = concord(str(old), str(new))
    assert refused.returncode == ExitCode.CONTRACT and "retentionDays" in refused.stdout
    assert "write version: 2.0.0 or higher" in refused.stderr
    new.write_text(new.read_text("utf-8").replace("version: 1.0.0", "version: 2.0.0", 1), "utf-8")
    answered = concord(str(old), str(new), "--json")
    assert answered.returncode == 0
    assert json.loads(answered.stdout) == {"old": "1.0.0", "new": "2.0.0", "needed": None, "changes": [
        {"place": "retentionDays", "before": "1825", "after": "30", "breaks": "readers"}]}


def test_two_contracts_are_no_versions_of_one_another(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="is no version of"):
        between(ROOT / PRODUCT, ROOT / CRM)
    old, new = edited(tmp_path, OBSERVATION, ("version: 1.0.0", "version: draft"))
    with pytest.raises(ContractError, match="no semantic version; write three numbers"):
        between(old, new)
    old, new = edited(tmp_path / "broken", PRODUCT, ("legalBasis, value: ", "legalBasis, value: no_"))
    with pytest.raises(ContractError, match=r"glucose_daily\.yaml:\d+"):
        between(old, new)
