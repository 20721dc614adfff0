"""Suites of Great Expectations in files of their own (``extra/<table>.json``): only what a contract cannot say."""

from __future__ import annotations

import json
from typing import Any

import great_expectations.expectations as gxe

from contracts.model import Table
from contracts.quality import RuleError
from contracts.reading import ContractError
from contracts.rules import NAMES_COLUMNS
from expectations import EXTRA
from expectations.rules import made

OURS = ("rule", "columns", "counts")  # What the gate reads of meta; a suite's author says it of nothing.


def expectations(table: Table) -> list[gxe.Expectation]:
    """The expectations of a table's file, as Great Expectations writes suites: type, kwargs, severity, meta.

    Raises ContractError where the file is no suite, or names a column that the table does not have.
    """
    path = EXTRA / f"{table.name}.json"
    if not path.exists():
        return []
    try:
        said = json.loads(path.read_text("utf-8"))["expectations"]
        return [_expectation(entry, table, number) for number, entry in enumerate(said, start=1)]
    except (ValueError, KeyError, TypeError) as error:
        raise ContractError(f"{path}: {error if isinstance(error, RuleError) else 'is no suite'}; write {{\"expectations\": "
                            "[{\"type\": ..., \"kwargs\": {...}, \"severity\": \"critical\" or \"warning\"}]}") from None


def _expectation(entry: dict[str, Any], table: Table, number: int) -> gxe.Expectation:
    kwargs, name = entry["kwargs"], f"extra_{number}"
    known = {column.name for column in table.columns}
    for argument in NAMES_COLUMNS:
        named = kwargs.get(argument) or []
        for column in [named] if isinstance(named, str) else named:
            if column not in known:
                raise RuleError(f"expectation {number} names column {column!r}, which {table.name} does not have", name)
    return made(entry["type"], kwargs, name, severity=entry.get("severity", "critical"),
                meta={**{key: value for key, value in (entry.get("meta") or {}).items() if key not in OURS}, "rule": name})
