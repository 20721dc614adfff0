"""Suites in files of their own: read as Great Expectations writes them, refused with the file's name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import expectations
from contracts import ContractError, catalog
from expectations import files
from expectations.derive import suite
from jobs.cli import app
from tests.spec.test_quality import AS_OF

NAME = "core.observation"
BETWEEN = {"type": "expect_column_median_to_be_between", "kwargs": {"column": "value", "min_value": 1, "max_value": 500},
           "severity": "warning", "meta": {"why": "medians move slowly"}}


def written(folder: Path, said: object) -> Path:
    (folder / f"{NAME}.json").write_text(said if isinstance(said, str) else json.dumps(said), "utf-8")
    return folder


def test_a_suite_of_great_expectations_is_added_to_what_the_contract_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = suite(catalog().table(NAME), AS_OF)
    own = {"name": "x", "id": "y", "expectations": [BETWEEN], "meta": {}}
    monkeypatch.setattr(files, "EXTRA", written(tmp_path, own))
    both = suite(catalog().table(NAME), AS_OF)
    added = [e for e in both.expectations if e.configuration.type == BETWEEN["type"]]
    assert len(both.expectations) == len(plain.expectations) + 1 and [e.severity for e in added] == ["warning"]
    assert added[0].meta == {"why": "medians move slowly", "rule": "extra_1"}


@pytest.mark.parametrize(("said", "part"), [
    ("{", "is no suite"), ({"expectation": []}, "is no suite"), ({"expectations": [{"type": "expect_column_values_to_not_be_null"}]}, "is no suite"),
    ({"expectations": [BETWEEN, BETWEEN | {"kwargs": {"column": "valu"}}]}, "expectation 2 names column 'valu'"),
    ({"expectations": [BETWEEN | {"type": "expect_medians"}]}, "expect_medians"),
    ({"expectations": [BETWEEN | {"severity": "nice"}]}, "extra_1 does not say"),
])
def test_what_is_no_suite_is_refused_before_anything_runs(said: object, part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = written(tmp_path, said)
    monkeypatch.setattr(files, "EXTRA", folder)
    monkeypatch.setattr(expectations, "EXTRA", folder)
    monkeypatch.setattr("jobs.cli_contract.EXTRA", folder)
    with pytest.raises(ContractError) as caught:
        suite(catalog().table(NAME), AS_OF)
    assert str(folder / NAME) in str(caught.value) and part in str(caught.value)
    ended = CliRunner().invoke(app, ["contract", "check"])
    assert isinstance(ended.exception, ContractError) and part in str(ended.exception)
