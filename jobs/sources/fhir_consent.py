"""FHIR R4 Consents: their provisions nest without bound, so Python reads them, where the engine runs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pandas as pd
from pyspark.sql import Column
from pyspark.sql import functions as F

from contracts.vocabulary import RejectReason
from jobs.errors import ConsentUnreadable
from jobs.fhir.statements import COLUMNS, Unread, statements

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ROW = ", ".join(f"{name}: {'bigint' if kind == 'timestamp' else kind}" for name, kind in COLUMNS.items())
GIVEN = f"struct<rows: array<struct<{ROW}>>, problem: string>"


def parse(text: Column) -> tuple[Column, Column]:
    """(rows, problem) of a Consent's JSON text: an array of structs with COLUMNS, and reason|column where it gives none."""
    read = F.pandas_udf(_read, GIVEN)(text)  # type: ignore[call-overload]
    rows = F.transform(read["rows"], lambda r: F.struct(*[
        (F.timestamp_micros(r[name]) if kind == "timestamp" else r[name]).alias(name) for name, kind in COLUMNS.items()]))
    return rows, read["problem"]


def _read(texts: pd.Series) -> pd.DataFrame:
    return pd.DataFrame([_one(text) for text in texts], columns=["rows", "problem"])


def _one(text: str | None) -> tuple[list[dict[str, Any]] | None, str | None]:
    try:
        content = json.loads(text or "")
        if not isinstance(content, dict):
            return None, f"{RejectReason.NOT_JSON}|"
        return [{name: _micros(value) for name, value in row.items()} for row in statements(content)], None
    except Unread as error:
        return None, str(error)
    except ConsentUnreadable as error:
        return None, f"{RejectReason.BAD_FORMAT}|{str(error).split(' is not ')[0].removeprefix('Consent.')}"
    except (ValueError, RecursionError):
        return None, f"{RejectReason.NOT_JSON}|"


def _micros(value: Any) -> Any:
    return (value - EPOCH) // (EPOCH.resolution) if isinstance(value, datetime) else value
