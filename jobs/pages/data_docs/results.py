"""Results and suites of Great Expectations, made again from what the ledger keeps of a check."""

from __future__ import annotations

import json
from typing import Any

from great_expectations import ExpectationSuite, RunIdentifier
from great_expectations.core import ExpectationSuiteValidationResult, ExpectationValidationResult
from great_expectations.data_context.types.resource_identifiers import ExpectationSuiteIdentifier, ValidationResultIdentifier
from great_expectations.exceptions import GreatExpectationsError
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

import expectations.metric  # noqa: F401  # Great Expectations knows an expectation of ours once it is imported.
from jobs.check import AS_OF
from jobs.errors import IntegrityError

Check = dict[str, Any]
Row = dict[str, Any]


def key(check: Check) -> ValidationResultIdentifier:
    """By what the store of results knows a check."""
    return ValidationResultIdentifier(
        expectation_suite_identifier=ExpectationSuiteIdentifier(name=check["table_name"]),
        run_id=RunIdentifier(run_name=check["subject"], run_time=check["checked_at"]), batch_identifier=check["table_name"])


def suite(check: Check, rows: list[Row]) -> ExpectationSuite:
    """What a check asked. Raises IntegrityError where this Great Expectations does not know an expectation any more."""
    made = ExpectationSuite(name=check["table_name"])
    for row in rows:
        try:
            made.add_expectation_configuration(_configuration(row, check))
        except (GreatExpectationsError, ValueError, TypeError):
            raise IntegrityError(f"{row['expectation']} of {check['subject']} for {check['table_name']} is none that this "
                                 "version of Great Expectations knows; choose another table, or fewer checks") from None
    return made


def result(check: Check, rows: list[Row]) -> ExpectationSuiteValidationResult:
    """What became of it: counts, never a value."""
    met = sum(row["is_met"] for row in rows)
    return ExpectationSuiteValidationResult(
        success=met == len(rows), suite_name=check["table_name"], results=[_result(row, check) for row in rows],
        statistics={"evaluated_expectations": len(rows), "successful_expectations": met,
                    "unsuccessful_expectations": len(rows) - met, "success_percent": 100 * met / len(rows)},
        meta={"run_id": key(check).run_id,
              "batch_spec": {"data_asset_name": check["subject"], "contract_version": check["contract_version"],
                             "rows": check["rows"]}})


def _result(row: Row, check: Check) -> ExpectationValidationResult:
    rows, broken = row["rows"], row["broken"]
    found: dict[str, Any] = {}
    if rows is None and broken is not None:
        found = {"observed_value": f"{broken:,} rows"}
    elif broken is not None:
        found = {"observed_value": f"{broken:,} of {rows:,} rows", "element_count": rows, "unexpected_count": broken,
                 "unexpected_percent": 100 * broken / rows if rows else 0}
    return ExpectationValidationResult(success=row["is_met"], expectation_config=_configuration(row, check), result=found,
                                       exception_info={"raised_exception": False, "exception_message": None,
                                                       "exception_traceback": None})


def _configuration(row: Row, check: Check) -> ExpectationConfiguration:
    kwargs = json.loads(row["configuration"])
    moments = [name for name, value in kwargs.items() if value == AS_OF]
    return ExpectationConfiguration(
        type=row["expectation"], kwargs=kwargs | dict.fromkeys(moments, check["checked_at"]), severity=row["severity_code"],
        description=f"values must not lie after {AS_OF}" if moments else None,
        meta={"columns": row["columns"], "rule": ": ".join(said for said in (row["rule"], row.get("description")) if said)})
