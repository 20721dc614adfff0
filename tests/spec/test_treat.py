"""Treatments: what each leaves of a value, as the engine does it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from contracts.protection import ROW_TREATMENTS
from contracts.table import Column
from contracts.vocabulary import Treatment
from jobs.stages import scrub, treat

AGES = [(-1, None), (0, "0-4"), (4, "0-4"), (5, "5-9"), (42, "40-44"), (84, "80-84"), (88, "85-89"), (89, "85-89"), (90, "90+"),
        (117, "90+"), (150, "90+"), (151, None), (None, None)]
SEVENS = [(0, "0-6"), (83, "77-83"), (84, "84-89"), (89, "84-89"), (90, "90+")]  # The last band below 90 is as wide as is left.
ZIPS = [("02139", "021"), ("02139-4307", "021"), ("021394307", "021"), (" 02139 ", "021"), ("03601", "000"), ("69201", "000"), ("09012", "000"), ("96201", "000"), ("55501", "000"), ("02139\n", None),
        ("2139", None), ("SW1A 1AA", None), ("0213", None), ("", None), ("x02139", None), (None, None)]
REGIONS = {"nuts1": [("DE212", "DE2"), ("FRK26", "FRK"), ("DE21", None), ("80331", None), ("de212", None)],
           "nuts2": [("DE212", "DE21"), ("ITC4C", "ITC4")],
           "nuts3": [("DE212", "DE212"), ("ES300", "ES300"), ("DE21A", "DE21A"), ("ELENA", None), ("MARIA", None), ("SW1A1", None), (None, None)]}
GLUCOSE = [(-5.0, "<70"), (69.999, "<70"), (70.0, "[70, 180)"), (179.9, "[70, 180)"), (180.0, "[180, 250.5)"), (250.5, ">=250.5"),
           (1e9, ">=250.5"), (float("nan"), None), (float("inf"), ">=250.5"), (None, None)]
NUMBERS = [("DE89370400440532013000", "***00"), ("A123", "***23"), ("123", "***"), ("12", "***"), ("", "***"), (None, None)]


ON = date(2026, 11, 30)


def column(name: str, type_: str, treatment: str, **options: Any) -> Column:
    """A column under a treatment."""
    return Column.model_validate({"name": name, "type": type_, "description": name, "category": "demographic", "treatment": treatment,
                                  "treatment_options": options or None})


def treated(frame: Any, schema: str, values: list[Any], made: Column) -> list[Any]:
    """What a treatment makes of values, in their order."""
    rows = frame(f"at int, {schema}, date_seed long", [(i, value, 11) for i, value in enumerate(values)])
    at = column("at", "int", "keep")
    if made.treatment is Treatment.SCRUB:
        rows = scrub.apply(rows.selectExpr("*", "'k' AS person_key"), (made,), frame(f"person_key string, {scrub.KNOWN} string", []))
    return [row[made.name] for row in treat.apply(rows, (at, made), "date_seed", ON).orderBy("at").collect()]


@pytest.mark.parametrize(("schema", "cases", "made"), [
    ("age int", AGES, column("age", "string", "age_band", width=5)),
    ("age long", SEVENS, column("age", "string", "age_band", width=7)),
    ("zip string", ZIPS, column("zip", "string", "area", scheme="us_zip3")),
    *[("region string", cases, column("region", "string", "area", scheme=scheme)) for scheme, cases in REGIONS.items()],
    ("value double", GLUCOSE, column("value", "string", "band", edges=[70, 180, 250.5])),
    ("count int", [(0, "<1"), (1, ">=1"), (None, None)], column("count", "string", "band", edges=[1])),
    ("number string", NUMBERS, column("number", "string", "mask", keep_last=2)),
    ("number string", [("A123", "***"), ("", "***"), (None, None)], column("number", "string", "mask", keep_last=0)),
    ("on date", [(date(1937, 12, 31), 1937), (date(2024, 2, 29), 2024), (date(1, 1, 1), 1), (None, None)], column("on", "int", "year", oldest=None)),
    ("on date", [(date(1937, 1, 1), 1937), (date(1936, 12, 31), None), (date(2027, 1, 1), 2027)], column("on", "int", "year", oldest=89)),
], ids=lambda value: value.name if isinstance(value, Column) else "")
def test_what_is_left(frame: Any, schema: str, cases: list[tuple[Any, Any]], made: Column) -> None:
    assert treated(frame, schema, [value for value, _ in cases], made) == [left for _, left in cases]


def test_the_year_of_a_moment_is_that_of_utc(spark: SparkSession, frame: Any) -> None:
    made = treated(frame, "at_ timestamp", [datetime(2023, 12, 31, 23, 59, 59, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC)],
                   column("at_", "int", "year", oldest=None))
    assert made == [2023, 2024]


@pytest.mark.parametrize("keep_weekday", [False, True])
def test_dates_are_moved_by_the_person_s_own_days(frame: Any, keep_weekday: bool) -> None:
    first, second, moment = date(2024, 2, 27), date(2024, 3, 3), datetime(2024, 2, 28, 13, 5, 1, 7, tzinfo=UTC)
    seeds = [0, 1, 7, 360, 365, 2**31 - 1]
    rows = frame("date_seed long, first date, second date, moment timestamp", [(s, first, second, moment) for s in seeds])
    columns = [column("date_seed", "long", "keep"), *[column(n, t, "date_shift", max_days=182, keep_weekday=keep_weekday)
                                                      for n, t in (("first", "date"), ("second", "date"), ("moment", "timestamp"))]]
    moved = {row["date_seed"]: row for row in treat.apply(rows, columns, "date_seed", ON).withColumn(
        "micros", F.unix_micros("moment")).collect()}
    for seed, row in moved.items():
        days = seed % 365 - 182 if not keep_weekday else 7 * (seed % 53 - 26)
        assert row["first"] == first + timedelta(days=days)
        assert row["second"] - row["first"] == second - first
        expected = (moment + timedelta(days=days) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
        assert row["micros"] == expected
        assert not keep_weekday or row["first"].weekday() == first.weekday()
    assert len({row["first"] for row in moved.values()}) > 3


def test_a_day_that_would_leave_the_calendar_is_null(frame: Any) -> None:
    rows = frame("date_seed long, on date, at timestamp", [(0, date(1, 1, 5), datetime(1, 1, 5, tzinfo=UTC)), (364, date(9999, 12, 30), None),
                                                          (364, date(1, 1, 5), datetime(1, 1, 5, tzinfo=UTC))])
    columns = [column(n, t, "date_shift", max_days=182, keep_weekday=False) for n, t in (("on", "date"), ("at", "timestamp"))]
    moved = treat.apply(rows, columns, "date_seed", ON)
    assert [(r.on, r.past) for r in moved.select("on", F.col("at").isNull().alias("past")).collect()] == [
        (None, True), (None, True), (date(1, 7, 6), False)]


def test_a_column_of_another_type_than_is_taken_is_refused(frame: Any) -> None:
    rows = frame("born string, date_seed long", [("1980-05-01", 1)])
    with pytest.raises(treat.Unfit, match=r"^column born is treated by year, which takes date or timestamp; what is built is string$"):
        treat.apply(rows, (column("born", "int", "year", oldest=None),), "date_seed", ON)


def test_what_could_not_be_treated_is_counted(frame: Any) -> None:
    rows = frame("zip string, age int, date_seed long", [("02139", 5, 1), ("SW1A", -3, 1), (None, 200, 1)])
    columns = (column("zip", "string", "area", scheme="us_zip3"), column("age", "string", "age_band", width=10))
    assert treat.lost(rows, treat.apply(rows, columns, "date_seed", ON), columns) == {"zip": 1, "age": 2}


SAMPLES: dict[str, tuple[str, Any, str, dict[str, Any]]] = {
    "date_shift": ("date", date(2024, 2, 27), "date", {"max_days": 30, "keep_weekday": False}), "year": ("date", date(2024, 2, 27), "int", {"oldest": 89}),
    "age_band": ("int", 42, "string", {"width": 5}), "area": ("string", "02139", "string", {"scheme": "us_zip3"}),
    "band": ("double", 5.5, "string", {"edges": [1]}), "mask": ("string", "A123", "string", {"keep_last": 1}),
    "scrub": ("string", "My name is Anna Weber.", "string", {})}


@pytest.mark.parametrize("name", [str(t) for t in ROW_TREATMENTS])
def test_every_treatment_of_rows_is_done(frame: Any, name: str) -> None:
    """What a contract may say of rows about persons changes a value, or leaves it as it is on purpose."""
    type_, value, left, options = SAMPLES.get(name, ("string", "x", "string", {}))
    (made,) = treated(frame, f"it {type_}", [value], column("it", left, name, **options))
    assert (made == value) == (name in ("keep", "pseudonym")) and made is not None


@pytest.mark.parametrize("name", [str(t) for t in Treatment if t not in ROW_TREATMENTS])
def test_a_treatment_that_nothing_does_is_refused(frame: Any, name: str) -> None:
    with pytest.raises(treat.Unfit, match=f"^column it has treatment {name}, which nothing does to rows about persons$"):
        treated(frame, "it string", ["x"], column("it", "string", name))
