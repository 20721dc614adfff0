"""Learning: the model of the identities of all sources, to be stored."""

from __future__ import annotations

import duckdb
import numpy as np
import pyarrow as pa

from contracts.matching import Matching
from jobs.matching import pairs
from jobs.matching.cleaning import run
from jobs.matching.clusters import threshold
from jobs.matching.judging import lowest
from jobs.matching.model import linker, score, weight
from jobs.matching.profiles import PROFILE, ROLES
from jobs.matching.records import prepare
from jobs.matching.stored import Stored, frequencies
from jobs.matching.training import train


def learn(raw: pa.Table, matching: Matching) -> Stored:
    """A model of the profiles of identities (``profiles.PROFILE``), learned without labels.

    Raises ConfigurationError where there are fewer than two.
    """
    connection = duckdb.connect()
    connection.register("given", raw.cast(PROFILE))
    run(connection, f"create table raw as select row_number() over (order by name) - 1 as unique_id, name as record_id, "
                    f"{', '.join(ROLES)} from given")
    records = prepare(connection, ROLES, matching)
    pairs.find(records, matching)
    model = train(records, matching)
    scored = score(linker(records, matching, model), lowest=lowest(model))
    found = connection.sql(f"select {weight(model)} as weight from {scored}").fetchnumpy()
    weights = np.asarray(found["weight"], dtype=np.float64)
    rules = tuple(pairs.fitting(records, matching))
    return Stored(model, threshold(weights, matching.precision_of_links), rules, frequencies(records))
