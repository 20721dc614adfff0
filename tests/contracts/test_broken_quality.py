"""Rules of quality that cannot be kept are refused where they stand, with what to write instead."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contracts.load import ContractError, catalog, check_files, one
from contracts.quality import CustomRule, LibraryRule, Limit, Must, Reference, Severity, SqlRule
from tests.contracts.broken import GLUCOSE, OBSERVATION, OWN, Case, is_refused, without_rules

TABLE, UNIT, MEAN = "  - name: observation\n", "      - name: unit_code\n", "      - name: mean_mg_dl\n"
GOOD = "severity: warn"


def table(rule: str, pointed: str, *parts: str) -> Case:
    return OBSERVATION, TABLE, f"{TABLE}    quality:\n      - {{{rule}}}\n", pointed, parts


def column(rule: str, pointed: str, *parts: str) -> Case:
    return OBSERVATION, UNIT, f"{UNIT}        quality:\n          - {{{rule}}}\n", pointed, parts


def referring(relationship: str, pointed: str, *parts: str) -> Case:
    return OBSERVATION, UNIT, f"{UNIT}        relationships:\n          - {{{relationship}}}\n", pointed, parts


WARN = "customProperties: [{property: severity, value: warn}]"
REFUSED: dict[str, Case] = {
    "a text": table(f"name: sane, type: text, description: Sane., {GOOD}", "name: sane", "a text", "a metric, a query"),
    "no name": table(f"metric: rowCount, mustBeGreaterThan: 0, {GOOD}", "quality", "write name"),
    "a name in capitals": table(f"name: Rows, metric: rowCount, mustBeGreaterThan: 0, {GOOD}", "name: Rows", "'Rows'", "small letters"),
    "no severity": table("name: some, metric: rowCount, mustBeGreaterThan: 0", "name: some", "reject_row", "reject_batch", "warn"),
    "a strange severity": table("name: some, metric: rowCount, mustBeGreaterThan: 0, severity: error", "name: some", "'error'"),
    "a schedule": table(f"name: some, metric: rowCount, mustBeGreaterThan: 0, schedule: '0 2 * * *', {GOOD}", "name: some", "kept by nobody"),
    "no limit": table(f"name: some, metric: rowCount, {GOOD}", "name: some", "no limit", "mustBe"),
    "two limits": table(f"name: some, metric: rowCount, mustBe: 1, mustNotBe: 2, {GOOD}", "name: some", "mustBe and mustNotBe"),
    "a limit of text": table(f"name: some, metric: rowCount, mustBe: many, {GOOD}", "mustBe: many", "a number"),
    "a range upside down": table(f"name: some, metric: rowCount, mustBeBetween: [3, 1], {GOOD}", "mustBeBetween", "smaller number first"),
    "an unknown metric": column(f"name: some, metric: nullValue, mustBe: 0, {GOOD}", "metric: nullValue", "did you mean nullValues?"),
    "a metric of values at the table": table(f"name: some, metric: nullValues, mustBe: 0, {GOOD}", "name: some", "quality of their column"),
    "a metric of rows at a column": column(f"name: some, metric: rowCount, mustBe: 1, {GOOD}", "name: some", "quality of the table"),
    "a share of all rows": table(f"name: some, metric: rowCount, mustBe: 1, unit: percent, {GOOD}", "unit: percent", "write rows"),
    "a strange argument": column(f"name: some, metric: missingValues, arguments: {{missing: ['']}}, mustBe: 0, {GOOD}", "missing:",
                                 "'missing'", "missingValues"),
    "missing what": column(f"name: some, metric: missingValues, mustBe: 0, {GOOD}", "name: some", "what counts as missing"),
    "valid how": column(f"name: some, metric: invalidValues, mustBe: 0, {GOOD}", "name: some", "validValues", "pattern"),
    "valid in two ways": column(f"name: some, metric: invalidValues, arguments: {{validValues: [a], pattern: b}}, mustBe: 0, {GOOD}",
                                "name: some", "one of them"),
    "duplicates of what": table(f"name: some, metric: duplicateValues, mustBe: 0, {GOOD}", "name: some", "properties: [...]"),
    "duplicates of no column": table(f"name: some, metric: duplicateValues, arguments: {{properties: [unit]}}, mustBe: 0, {GOOD}",
                                     "properties: [unit]", "did you mean unit_code?"),
    "a query of a column that is not there": table(f"name: some, type: sql, query: 'SELECT max(valu) FROM ${{object}}', mustBe: 1, {GOOD}",
                                                   "name: some", "valu", "the table has", "value"),
    "a query of another table": table(f"name: some, type: sql, query: SELECT count(*) FROM identity, mustBe: 1, {GOOD}", "name: some",
                                      "${history}", "relationships"),
    "a query of a file": table(f"name: some, type: sql, query: 'SELECT 1 FROM ${{object}} JOIN delta.`/lake/vault/link`', mustBe: 1, {GOOD}",
                               "name: some", "relationships"),
    "a query that writes": table(f"name: some, type: sql, query: 'DELETE FROM ${{object}}', mustBe: 1, {GOOD}", "name: some", "no single SELECT"),
    "two queries": table(f"name: some, type: sql, query: 'SELECT 1 FROM ${{object}}; SELECT 2', mustBe: 1, {GOOD}", "name: some", "no single"),
    "no SQL": table(f"name: some, type: sql, query: 'SELECT a b c FROM ${{object}}', mustBe: 1, {GOOD}", "name: some", "cannot be asked"),
    "a query of which column": table(f"name: some, type: sql, query: 'SELECT max(${{column}}) FROM ${{object}}', mustBe: 1, {GOOD}", "name: some",
                                     "name the column"),
    "a query of a view of ours": table(
        f"name: some, type: sql, query: 'WITH known_core_identity AS (SELECT count(*) AS n FROM known_core_identity) SELECT n FROM "
        f"known_core_identity, ${{object}}', mustBe: 1, {GOOD}", "name: some", "and beside them only"),
    "a query of a file under another name": table(
        f"name: some, type: sql, query: 'WITH `parquet.``/lake/x``` AS (SELECT 1 AS n) SELECT count(*) FROM ${{object}}, parquet.`/lake/x`', "
        f"mustBe: 1, {GOOD}", "name: some", "and beside them only"),
    "a query of a function that reads": table(
        f"name: some, type: sql, query: 'SELECT count(*) FROM ${{object}}, LATERAL read_files(''/etc/passwd'')', mustBe: 1, {GOOD}",
        "name: some", "and beside them only"),
    "a query with a comment": table(f"name: some, type: sql, query: 'SELECT count(*) FROM ${{object}} -- all', mustBe: 1, {GOOD}", "name: some",
                                    "take it out"),
    "a query of two values": table(f"name: some, type: sql, query: 'SELECT min(value), max(value) FROM ${{object}}', mustBe: 1, {GOOD}",
                                   "name: some", "of one value"),
    "a query in an expectation": table(
        f"name: some, type: custom, engine: great-expectations, {GOOD}, implementation: {{type: unexpected_rows_expectation, "
        "kwargs: {unexpected_rows_query: SELECT 1 FROM vault}}", "name: some", "write type: sql"),
    "a condition of a column that is not there": table(
        f"name: some, type: custom, engine: great-expectations, {GOOD}, implementation: {{type: expect_column_values_to_not_be_null, "
        "kwargs: {column: value, row_condition: \"cod = 'x'\", condition_parser: spark}}", "name: some", "cannot be asked", "cod"),
    "a null among values of an expectation": table(
        f"name: some, type: custom, engine: great-expectations, {GOOD}, implementation: {{type: expect_column_values_to_be_in_set, "
        "kwargs: {column: code, value_set: [a, null]}}", "name: some", "holds null"),
    "a null that is valid": column(f"name: some, metric: invalidValues, arguments: {{validValues: [a, null]}}, mustBe: 0, {GOOD}", "name: some",
                                   "hold null"),
    "a word that YAML takes for another type": column(f"name: some, metric: invalidValues, arguments: {{validValues: [yes, 'no']}}, mustBe: 0, "
                                                      f"{GOOD}", "name: some", "unit_code is string", "quote text"),
    "another engine": table(f"name: some, type: custom, engine: soda, implementation: x, {GOOD}", "name: some", "great-expectations"),
    "no expectation": table(f"name: some, type: custom, engine: great-expectations, implementation: x, {GOOD}", "name: some", "{type:"),
    "an expectation of a column that is not there": table(
        f"name: some, type: custom, engine: great-expectations, {GOOD}, implementation: {{type: expect_column_values_to_not_be_null, "
        "kwargs: {column: unit}}", "column: unit", "'unit'", "did you mean unit_code?"),
    "a row that cannot be told": table("name: some, metric: rowCount, mustBeGreaterThan: 0, severity: reject_row", "name: some",
                                       "which rows break it"),
    "a row of a query": table("name: some, type: sql, query: 'SELECT 1 FROM ${object}', mustBe: 0, severity: reject_row", "name: some",
                              "which rows break it"),
    "a row of a product": (GLUCOSE, MEAN, MEAN + "        quality: [{name: some, metric: nullValues, mustBe: 0, severity: reject_row}]\n",
                           "name: some", ("a core contract",)),
    "a query of a product's history": (
        GLUCOSE, MEAN, MEAN + f"        quality: [{{name: some, type: sql, mustBe: 0, {GOOD}, query: 'SELECT count(*) FROM ${{object}}, "
        "${history}'}]\n", "name: some", ("only core tables", "take it out")),
    "a query of history alone": table(f"name: some, type: sql, query: 'SELECT count(*) FROM ${{history}}', mustBe: 1, {GOOD}", "name: some",
                                      "must read ${object}"),
    "a query of a column that history has not": table(
        f"name: some, type: sql, query: 'SELECT max(h.valu) FROM ${{object}}, ${{history}} AS h', mustBe: 1, {GOOD}", "name: some", "valu"),
    "a reference without severity": referring("to: identity.device_id", "relationships", "severity", "reject_batch or warn"),
    "a reference of three parts": referring(f"to: core.identity.source, {WARN}", "to: core.identity.source", "table.column"),
}


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED.keys())
def test_is_refused_with_its_line_and_what_to_write(case: Case, tmp_path: Path) -> None:
    is_refused(case, tmp_path)


def test_two_rules_of_one_name_are_refused(tmp_path: Path) -> None:
    rule = f"{{name: some, metric: nullValues, mustBe: 0, {GOOD}}}"
    is_refused((OBSERVATION, UNIT, f"{UNIT}        quality: [{rule}, {rule}]\n", "name: some", ("two rules called some",)), tmp_path)


QUALITY = """
    quality:
      - {name: some, metric: rowCount, mustBeGreaterThan: 0, severity: reject_batch}
      - {name: days, type: sql, severity: warn, mustBe: 0, query: "SELECT count_if(code = '{}') FROM ${object};"}
      - name: odd
        type: custom
        engine: great-expectations
        severity: reject_row
        implementation: |
          type: expect_column_values_to_be_between
          kwargs: {column: value, min_value: 0}
    relationships:
      - from: [observation.source, observation.source_person_id]
        to: [identity.source, identity.source_person_id]
        customProperties: [{property: severity, value: warn}]
    properties:
"""


def test_what_the_standard_says_is_read(tmp_path: Path) -> None:
    path = tmp_path / OBSERVATION
    path.parent.mkdir()
    text = without_rules(OBSERVATION).replace("\n    properties:\n", QUALITY, 1).replace(
        UNIT, f"{UNIT}        quality: [{{id: unit_known, metric: missingValues, arguments: {{missingValues: [null, '']}}, unit: percent, "
              "mustBeLessThan: 5, severity: warn}]\n")
    path.write_text(text, "utf-8")
    common = {"description": "", "column": None}
    assert one(path)[0].quality == (
        LibraryRule(**common, name="some", severity=Severity.REJECT_BATCH, metric="rowCount", is_percent=False,
                    limit=Limit(must=Must.BE_GREATER_THAN, numbers=(0,))),
        SqlRule(**common, name="days", severity=Severity.WARN, query="SELECT count_if(code = '{{}}') FROM {batch}",
                limit=Limit(must=Must.BE, numbers=(0,))),
        CustomRule(**common, name="odd", severity=Severity.REJECT_ROW, expectation="expect_column_values_to_be_between",
                   kwargs={"column": "value", "min_value": 0}),
        LibraryRule(**{**common, "column": "unit_code"}, name="unit_known", severity=Severity.WARN, metric="missingValues", is_percent=True,
                    limit=Limit(must=Must.BE_LESS_THAN, numbers=(5,)), values=(None, "")),
        Reference(**common, name="source_source_person_id_in_identity", severity=Severity.WARN, columns=("source", "source_person_id"),
                  to_table="core.identity", to_columns=("source", "source_person_id")))


@pytest.mark.parametrize(("to", "parts"), [
    ("identities.source", ("core.reading name identities.source", "did you mean core.identity?")),
    ("identity.sex_cod", ("core.reading name identity.sex_cod", "did you mean sex_code?"))])
def test_a_reference_to_what_is_not_there_is_refused(to: str, parts: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / OBSERVATION
    path.parent.mkdir()
    path.write_text((OWN / OBSERVATION).read_text("utf-8").replace(TABLE, TABLE.replace("observation", "reading")).replace(
        UNIT, f"{UNIT}        relationships: [{{to: {to}, {WARN}}}]\n"), "utf-8")
    with pytest.raises(ContractError, match=r"observation.yaml:(\d+): ") as caught:
        check_files([path])
    assert all(part in str(caught.value) for part in parts)
    assert to in path.read_text("utf-8").splitlines()[int(str(caught.value).split(":")[1]) - 1]


@pytest.mark.parametrize(("limit", "holds", "breaks"), [
    ({"mustBe": 2}, [2], [1, 3]), ({"mustNotBe": 2}, [1, 3], [2]), ({"mustBeGreaterThan": 2}, [3], [2, 1]),
    ({"mustBeGreaterOrEqualTo": 2}, [2, 3], [1]), ({"mustBeLessThan": 2}, [1], [2, 3]), ({"mustBeLessOrEqualTo": 2}, [1, 2], [3]),
    ({"mustBeBetween": [1, 3]}, [1, 2, 3], [0, 4]), ({"mustNotBeBetween": [1, 3]}, [0, 4], [1, 2, 3])])
def test_limits_compare_as_the_standard_says(limit: dict, holds: list[int], breaks: list[int]) -> None:
    (must, numbers), = limit.items()
    said = Limit(must=must, numbers=tuple(numbers) if isinstance(numbers, list) else (numbers,))
    assert all(said.holds(n) for n in holds)
    assert not any(said.holds(n) for n in breaks)


def test_an_own_contract_of_many_rules_is_refused_for_one_of_them(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"observation.yaml:\d+: query of days cannot be asked"):
        path = tmp_path / OBSERVATION
        path.parent.mkdir()
        path.write_text(without_rules(OBSERVATION).replace(
            "\n    properties:\n", QUALITY.replace("count_if(code", "count_if(cod"), 1), "utf-8")
        check_files([path])


UNASKABLE = f"quality: [{{name: some, type: sql, query: 'SELECT max(valu) FROM ${{object}}', mustBe: 1, {GOOD}}}]\n"


@pytest.mark.parametrize("look", [one, lambda path: check_files([path]), lambda _: check_files([])], ids=["read", "checked", "all in force"])
def test_queries_of_contracts_in_force_are_looked_at(look: Callable[[Path], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever only loads them does not wait for it: they are refused again before they are asked."""
    path = tmp_path / "core" / "reading.yaml"
    path.parent.mkdir()
    path.write_text(without_rules(OBSERVATION).replace("id: observation\n", "id: reading\n", 1).replace(
        TABLE, TABLE.replace("observation", "reading") + f"    {UNASKABLE}", 1), "utf-8")
    monkeypatch.setenv("CONCORD_CONTRACTS", str(tmp_path))
    assert "core.reading" in catalog().tables
    with pytest.raises(ContractError, match=r"reading.yaml:\d+: query of some cannot be asked"):
        look(path)


@pytest.mark.parametrize("look", [one, lambda path: check_files([path])], ids=["read", "checked"])
def test_queries_of_a_product_are_looked_at(look: Callable[[Path], Any], tmp_path: Path) -> None:
    path = tmp_path / GLUCOSE
    path.parent.mkdir()
    path.write_text((OWN / GLUCOSE).read_text("utf-8").replace(MEAN, f"{MEAN}        {UNASKABLE}", 1), "utf-8")
    with pytest.raises(ContractError, match=r"glucose_daily.yaml:\d+: query of some cannot be asked"):
        look(path)
