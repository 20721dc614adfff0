"""The expectation suite of a table, derived from its contract: structure, nulls, keys, values, patterns, ranges, rules."""

from __future__ import annotations

from datetime import datetime

import great_expectations as gx
import great_expectations.expectations as gxe

from contracts.model import Column, Table
from contracts.quality import RuleError, SqlRule
from contracts.queries import refuse_unaskable
from contracts.reading import ContractError
from expectations import files
from expectations.rules import rule


def suite(table: Table, as_of: datetime, extra_required: frozenset[str] = frozenset()) -> gx.ExpectationSuite:
    """The suite of a table; nothing marked ``notInFuture`` may lie after ``as_of`` (UTC).

    ``extra_required`` names columns that this use of the table needs although the table does not. Raises ContractError where
    a rule cannot be asked or is none that Great Expectations knows, or a file of ``extra/`` is no suite.
    """
    refuse_unaskable(table)
    made: list[gxe.Expectation] = [
        gxe.ExpectTableColumnsToMatchSet(column_set=[c.name for c in table.columns], exact_match=True)]
    if len(table.key) == 1:
        made.append(gxe.ExpectColumnValuesToBeUnique(column=table.key[0]))
    elif table.key:
        made.append(gxe.ExpectCompoundColumnsToBeUnique(column_list=list(table.key)))
    for column in table.columns:
        made.extend(_column(column, as_of, column.name in extra_required))
    try:
        for said in table.quality:
            made.extend(rule(said.at(as_of) if isinstance(said, SqlRule) else said))
    except RuleError as error:
        raise ContractError(f"contract of {table.name}: {error}") from None
    return gx.ExpectationSuite(name=table.name, expectations=[*made, *files.expectations(table)])


def _column(column: Column, as_of: datetime, needed: bool) -> list[gxe.Expectation]:
    name = column.name
    made: list[gxe.Expectation] = []
    if column.required or needed:
        made.append(gxe.ExpectColumnValuesToNotBeNull(column=name))
    if column.allowed_values is not None:
        made.append(gxe.ExpectColumnValuesToBeInSet(column=name, value_set=list(column.allowed_values)))
    if column.pattern is not None:
        made.append(gxe.ExpectColumnValuesToMatchRegex(column=name, regex=column.pattern))
    if column.max_length is not None:
        made.append(gxe.ExpectColumnValueLengthsToBeBetween(column=name, max_value=column.max_length))
    if column.minimum is not None or column.maximum is not None:
        made.append(gxe.ExpectColumnValuesToBeBetween(column=name, min_value=column.minimum, max_value=column.maximum))
    if column.not_in_future:
        latest = as_of.date() if column.type == "date" else as_of
        made.append(gxe.ExpectColumnValuesToBeBetween(column=name, max_value=latest))
    return made
