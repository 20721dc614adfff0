"""Protect: counts too small to hide a person in do not leave.

Every function here marks, counts or changes rows; released + suppressed = built holds for each marked frame.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

MARK, REASON = "is_released", "reason_code"
SMALL, COMPLEMENTARY = "small_cell", "complementary"
PEOPLE_IN, MOST_IN, HIDDEN = "people_in_", "most_in_", "hidden_"
BEHIND = (PEOPLE_IN, MOST_IN, HIDDEN)  # What comes beside a cell to be judged by, and does not leave.


def mark_cells(rows: DataFrame, counts_people: str, minimum: int) -> DataFrame:
    """An aggregate's rows + is_released and reason_code: whether the row counts more than ``minimum`` people (column
    counts_people) and, where totals hide more (hidden_<counts_people>), is none of these."""
    is_crowd = F.coalesce(F.col(counts_people) > minimum, F.lit(False))
    is_shown = is_crowd & ~F.col(HIDDEN + counts_people) if HIDDEN + counts_people in rows.columns else is_crowd
    reason = F.when(is_shown, F.lit("-")).when(is_crowd, F.lit(COMPLEMENTARY)).otherwise(F.lit(SMALL))
    return rows.withColumn(MARK, is_shown).withColumn(REASON, reason)


def suppress(rows: DataFrame, counts_people: str, cell_columns: Sequence[str], minimum: int, rounding: int | None,
             dominance: float | None = None) -> DataFrame:
    """An aggregate's rows that may leave, their counts coarsened.

    Rows that count at most ``minimum`` people vanish. In those that stay, each cell column of at most ``minimum``
    becomes null, 0 included: beside a published total a 0 says of everybody in it what they did not do, and a 0 that
    turns null in the next release would show that the first person came. The rest is rounded to the nearest multiple
    of ``rounding``, half up. A cell that counts events, not people, comes with the people behind it in a column of its
    name and ``people_in_`` before it, which the minimum is asked of too and which does not leave: nine complaints of one
    person are no crowd. Where ``dominance`` is given, it also comes with the most of it that one person has, in a column
    ``most_in_<cell>``, which does not leave either: a cell of which one person has more than that share becomes null, for
    they would know nearly all about the others, and everybody nearly all about them ((1, k) rule, Hundepool et al.,
    Statistical Disclosure Control, 2012). A cell is null, too, where totals would tell one of few people otherwise (column
    ``hidden_<cell>``, of ``totalled.settled``). Columns that are not counts must be derived from the result, not from exact
    counts.
    """
    kept = mark_cells(rows, counts_people, minimum).where(F.col(MARK)).drop(MARK, REASON)
    cells, behind = {counts_people, *cell_columns}, {c for c in rows.columns if c.startswith(BEHIND)}

    def cell(name: str) -> Column:
        is_crowd = F.col(PEOPLE_IN + name if PEOPLE_IN + name in behind else name) > minimum
        if dominance is not None and MOST_IN + name in behind:
            is_crowd &= F.col(MOST_IN + name) <= F.col(name) * dominance
        if HIDDEN + name in behind:
            is_crowd &= ~F.col(HIDDEN + name)
        return F.when(is_crowd, _coarse(F.col(name), minimum, rounding)).alias(name)

    return kept.select(*[cell(c) if c in cells else F.col(c) for c in rows.columns if c not in behind])


def account(marked: DataFrame) -> DataFrame:
    """How many rows of a marked frame were released and suppressed: outcome, reason_code where there is one, rows."""
    outcome = F.when(F.col(MARK), F.lit("released")).otherwise(F.lit("suppressed"))
    reason = [F.col(REASON)] if REASON in marked.columns else []
    return marked.groupBy(outcome.alias("outcome"), *reason).agg(F.count(F.lit(1)).alias("rows"))


def _coarse(count: Column, minimum: int, rounding: int | None) -> Column:
    rounded = count if rounding is None else count + rounding // 2 - (count + rounding // 2) % rounding
    return F.when(count > minimum, rounded.cast("long"))
