"""Rules of quality that compare a batch with what its source brought before: what they stop, and what is only chance."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from contracts import catalog
from contracts.quality import HISTORY, SqlRule
from jobs.schema import ddl

AS_OF = datetime(2030, 3, 1, 2, tzinfo=UTC)
Rows = list[dict[str, Any]]


def posts(a_day: int, days: int, lost: Sequence[int] = ()) -> Rows:
    """So many posts on each of the last days before the check (day 1 is the last whole one), none on those that are lost."""
    moments = [AS_OF - timedelta(days=day, hours=2, minutes=37 * n + 11 * day, seconds=n % 59 + 1) + timedelta(days=1)
               for day in range(1, days + 1) if day not in lost for n in range(a_day)]
    return [{"record_id": f"posts/{n}", "source_person_id": f"a{n}", "posted_at": at, "version_at": at, "text": f"Text {n}"}
            for n, at in enumerate(moments)]


def again(rows: Rows, many: int, days: int) -> Rows:
    """Some of the rows once more under other ids, days later."""
    return [*rows, *({**row, "record_id": f"{row['record_id']}-again", "posted_at": row["posted_at"] + timedelta(days=days)}
                     for row in rows[:many])]


def members(first: int, many: int, **said: Any) -> Rows:
    """People of a community, from a number on, each with an account name, an address and a birth date; ``said`` is of all."""
    return [{"record_id": f"members/{n}", "source_person_id": str(n), "handle": f"name{n}", "email": f"name{n}@example.org",
             "birth_on": date(1960, 1, 1) + timedelta(days=n), **said} for n in range(first, first + many)]


def copies(rows: Rows, many: int) -> Rows:
    """The rows, and some of them once more under other ids."""
    return [*rows, *({**row, "record_id": f"{row['record_id']}-again"} for row in rows[:many])]


def at(rows: Rows, newest: int, oldest: int = 99) -> Rows:
    """Those of some days, by how many days before the check they were posted."""
    return [r for r in rows if newest <= (AS_OF - r["posted_at"]).days < oldest]


ADDRESSES = {"email": None, "handle": "name@example.org"}
# Table, rule, the batch, what came before, and whether the rule is met.
CASES: dict[str, tuple[str, str, Rows, Rows, bool]] = {
    "a day of none where 12 are usual": ("message", "no_day_missing", posts(12, 25, lost=[9]), [], False),
    "one of none where 8 are": ("message", "no_day_missing", posts(8, 25, lost=[9]), [], True),
    "none lost": ("message", "no_day_missing", posts(12, 25), [], True),
    "lost in a week after others": ("message", "no_day_missing", at(posts(12, 35, [4]), 0, 7), at(posts(12, 35), 7), False),
    "lost before, and taken then": ("message", "no_day_missing", at(posts(12, 35), 0, 7), at(posts(12, 35, [20]), 7), True),
    "a newest day that has just begun": ("message", "no_day_missing", 
        [*posts(12, 25), {**posts(1, 1)[0], "record_id": "posts/new", "posted_at": AS_OF + timedelta(days=1)}], [], True),
    "nothing of the last two days": ("message", "as_much_as_before", at(posts(12, 35), 2, 7), at(posts(12, 35), 7), False),
    "nothing of the last day of few": ("message", "as_much_as_before", at(posts(6, 35), 1, 7), at(posts(6, 35), 7), True),
    "half a day's posts twice": ("message", "no_day_twice", again(posts(12, 7), 6, -1), [], False),
    "a few posts twice": ("message", "no_day_twice", again(posts(12, 7), 5, -1), [], True),
    "members twice": ("identity", "each_person_once", copies(members(50, 46), 4), members(0, 50), False),
    "members of before under other ids": ("identity", "each_person_once", [*members(50, 40), *({**m, "record_id": f"{m['record_id']}-x"}
                                          for m in members(0, 4))], members(0, 50), False),
    "members once": ("identity", "each_person_once", members(50, 46), members(0, 50), True),
    "authors, who have a row a post": ("identity", "each_person_once", copies(members(0, 40, email=None, birth_on=None), 30), [], True),
    "addresses as account names": ("identity", "columns_in_their_place", [*members(0, 40), *members(40, 10, **ADDRESSES)], [], False),
    "account names of a network": ("identity", "columns_in_their_place", members(0, 50, **ADDRESSES, birth_on=None), [], True),
    "most addresses empty, of few": ("identity", "as_complete_as_before", members(30, 20, email=""), members(0, 25), False),
    "two empty of five": ("identity", "as_complete_as_before", [*members(30, 3), *members(33, 2, email=None)], members(0, 40), True),
    "a hundredth of nobody": ("identity", "as_complete_as_before", [*members(5000, 990), *members(5990, 10, email=None)],
                              members(0, 5000), False),
    "a hundredth as ever": ("identity", "as_complete_as_before", [*members(5000, 990), *members(5990, 10, email=None)],
                            [*members(0, 4950), *members(4950, 50, email=None)], True),
}


def frame(spark: SparkSession, table: str, rows: Rows) -> DataFrame:
    columns = ("record_id", "source_person_id", "version_at", *(("posted_at", "text") if table == "message" else ("handle", "email", "birth_on")))
    types = ddl(catalog().table(f"core.{table}"))
    given = spark.createDataFrame([tuple(row.get(c) for c in columns) for row in rows], ", ".join(f"{c} {types[c]}" for c in columns))
    return given.selectExpr(*[c if c in columns else f"CAST(NULL AS {kind}) AS {c}" for c, kind in types.items()])


@pytest.mark.parametrize("name", CASES)
def test_a_batch_is_stopped_or_taken(spark: SparkSession, name: str) -> None:
    table, rule, rows, before, is_met = CASES[name]
    said = next(r for r in catalog().table(f"core.{table}").quality if r.name == rule)
    assert isinstance(said, SqlRule)
    frame(spark, table, rows).createOrReplaceTempView("the_batch")
    frame(spark, table, before).createOrReplaceTempView(HISTORY)
    asked = said.at(AS_OF).query.format(batch="the_batch")
    found = spark.sql(f"SELECT value, {said.limit.sql('value')} AS is_met FROM ({asked}) AS measured(value)").collect()
    assert all(row["is_met"] for row in found) is is_met, [row["value"] for row in found]
