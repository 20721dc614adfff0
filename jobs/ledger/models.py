"""Models of matching: kept in the vault, the newest is used."""

from __future__ import annotations

from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from jobs.errors import ConfigurationError
from jobs.lake import Lake
from jobs.matching.stored import Stored
from jobs.schema import arrow_schema

MODEL, FREQUENCY = "vault.model", "vault.frequency"


def keep(lake: Lake, stored: Stored, identities: int, run_id: str, now: datetime) -> None:
    """Keep a model. Its frequencies are written first, so that a model that is there is whole."""
    counted = stored.frequencies.append_column("model_id", pa.array([stored.id] * stored.frequencies.num_rows, pa.string()))
    lake.merge_arrow(FREQUENCY, counted, whole={"model_id": stored.id})
    row = {"model_id": stored.id, "parameters": stored.text(), "identities": identities, "run_id": run_id, "trained_at": now}
    lake.merge_arrow(MODEL, pa.Table.from_pylist([row], schema=arrow_schema(lake.contract(MODEL))))


def identities(lake: Lake, model_id: str) -> int:
    """How many identities a model was trained on."""
    return int(lake.arrow(MODEL, filters=pc.field("model_id") == model_id)["identities"][0].as_py())


def newest(lake: Lake) -> Stored | None:
    """The model that was trained last, None where none was. Raises ConfigurationError for one that cannot be used."""
    rows = lake.arrow(MODEL).sort_by([("trained_at", "ascending"), ("model_id", "ascending")]).to_pylist()
    if not rows:
        return None
    counted = lake.arrow(FREQUENCY, filters=pc.field("model_id") == rows[-1]["model_id"])
    try:
        stored = Stored.parse(rows[-1]["parameters"], counted.select(["role", "value", "times"]))
    except ValueError as error:
        raise ConfigurationError(f"{MODEL}: {error}; train one anew with `concord link train`") from None
    if stored.id != rows[-1]["model_id"]:
        raise ConfigurationError(f"{MODEL}: the newest model is not the one that was trained; train one anew with "
                                 "`concord link train`")
    return stored
