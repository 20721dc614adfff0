"""The JSON schema of the Open Data Contract Standard, as its own package ships it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Any


def violations(data: Any) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Where a contract does not follow the schema: its path in the YAML, and what is wrong."""
    for error in sorted(_validator().iter_errors(data), key=lambda e: [str(s) for s in e.absolute_path]):
        if error.validator == "required" and "then" in error.schema_path and "logicalType" not in error.instance:
            continue  # Schema 3.2 takes a property without logicalType for a map; the standard lets it be left out.
        expected = error.schema.get("description", "") if isinstance(error.schema, dict) else ""
        yield tuple(error.absolute_path), error.message + (f"; expected: {expected}" if expected else "")


@cache
def _validator() -> Any:
    import jsonschema

    schema = json.loads(resources.files("open_data_contract_standard").joinpath("schema.json").read_text("utf-8"))
    return jsonschema.validators.validator_for(schema)(schema)
