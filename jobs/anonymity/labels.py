"""Labels: rows in which each quasi-identifier is told as its group at the levels that were found."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import and_

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from jobs.anonymity.counts import Counts, coded, codes_of
from jobs.anonymity.groups import Groups
from jobs.anonymity.hierarchies import Hierarchy
from jobs.anonymity.search import Found


def applied(frame: DataFrame, counts: Counts, found: Found) -> DataFrame:
    """The rows that are not suppressed, with their groups' labels in place of quasi-identifiers; other columns, and those that
    are told exactly or not at all, as they are."""
    codes = codes_of(counts.columns)
    told = coded(frame, counts.columns, found.levels)
    if found.groups.is_bad.all():
        return frame.where(F.lit(False))
    kept = frame.sparkSession.createDataFrame(_kept(counts, found.levels, found.groups, codes))
    same = [F.col(code) == F.col(f"kept{code}") for code in codes]
    told = told.join(kept, reduce(and_, same), "left_semi")
    named = {}
    for code, column, level in zip(codes, counts.columns, found.levels, strict=True):
        if not column.hierarchy.is_exact:
            told = told.join(_labels(frame.sparkSession, code, column.hierarchy, level), code, "left")
            named[column.source] = f"label{code}"
    return told.select(*[F.col(named.get(name, name)).alias(name) for name in frame.columns])


def _kept(counts: Counts, levels: Sequence[int], groups: Groups, codes: Sequence[str]) -> pa.Table:
    """The codes of the groups that are not suppressed."""
    first = np.unique(groups.of, return_index=True)[1]
    at = first[~groups.is_bad]
    return pa.table({f"kept{code}": pa.array(column.up(level)[counts.codes[at, place]].astype(np.int32))
                     for place, (code, column, level) in enumerate(zip(codes, counts.columns, levels, strict=True))})


def _labels(spark: SparkSession, code: str, hierarchy: Hierarchy, level: int) -> DataFrame:
    labels = hierarchy.labels[level]
    return spark.createDataFrame(pa.table({code: pa.array(range(len(labels)), pa.int32()),
                                           f"label{code}": pa.array(labels, pa.string())}))
