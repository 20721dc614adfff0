"""Spread: groups in whose rows the values of a sensitive column are spread otherwise than in all rows, counted from a frame.

Li, Li and Venkatasubramanian, t-Closeness, ICDE 2007. The search knows it of the groups that it made; this is for groups of which
some rows stayed back afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs.anonymity import steps
from jobs.anonymity.counts import in_order
from jobs.anonymity.groups import ROUNDING, distance

VALUE, ROWS = "_value_", "_rows_"


def far(rows: DataFrame, whole: DataFrame, names: Sequence[str], sensitive: str, most: float) -> pa.Table:
    """The groups of rows by ``names`` in which ``sensitive`` is spread further than ``most`` from what it is in ``whole``.

    The rows are some of ``whole``. One row a group, with its values of ``names``.
    """
    found, all_of_them = _counted(rows, names, sensitive), _counted(whole, [], sensitive)
    if not found.num_rows:
        return found.select(list(names))
    kind = whole.schema[sensitive].dataType.typeName()
    is_number = steps.is_number(kind)
    texts = pa.chunked_array([*all_of_them[VALUE].chunks, *found[VALUE].chunks]).combine_chunks().dictionary_encode("encode")
    code = in_order(texts, is_number)
    share = np.bincount(code[:all_of_them.num_rows], weights=all_of_them[ROWS].to_numpy())
    group = found.select(list(names)).to_pandas().groupby(list(names), dropna=False, sort=False).ngroup().to_numpy()
    order = np.lexsort((code[all_of_them.num_rows:], group))
    group, value, times = group[order], code[all_of_them.num_rows:][order], found[ROWS].to_numpy()[order]
    sizes = np.bincount(group, weights=times).astype(np.int64)
    apart = distance(group, value, times, sizes, share / share.sum(), is_number or kind in steps.DATES)
    first = order[np.unique(group, return_index=True)[1]]
    return found.select(list(names)).take(pa.array(first[apart > most + ROUNDING]))


def _counted(frame: DataFrame, names: Sequence[str], sensitive: str) -> pa.Table:
    """Rows by group and value, which is told as text."""
    return frame.groupBy(*names, F.col(sensitive).cast("string").alias(VALUE)).agg(F.count(F.lit(1)).alias(ROWS)).toArrow()
