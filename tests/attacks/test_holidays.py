"""Days that were moved, moved back: who knows that people report less at weekends and on public holidays looks for that pattern."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import holidays
import numpy as np
import pyarrow as pa
import pytest

from contracts.table import Column
from contracts.treatments import DateShift
from jobs.stages import pseudonymise, treat

PEOPLE, DAYS, START = 200, 730, date(2024, 1, 1)
MOST = 182
USUAL = 0.9  # The share of days on which somebody reports.
DAY_OFF = 0.87  # And at weekends and on holidays.
FREE = holidays.country_holidays("DE", years=range(2020, 2030))
FIRST = (START - date(1970, 1, 1)).days
CALENDAR = np.array([day.weekday() >= 5 or day in FREE for day in (START + timedelta(days=n) for n in range(-1000, DAYS + 1000))])


def is_free(days: np.ndarray) -> np.ndarray:
    """For days since 1970, whether they are a weekend or a holiday."""
    return CALENDAR[days - FIRST + 1000]


def reported(day_off: float) -> np.ndarray:
    """Who reports when: people x days."""
    roll = np.random.default_rng(3).random((PEOPLE, DAYS))
    return roll < np.where(is_free(np.arange(DAYS) + FIRST), day_off, USUAL)


def moved(spark: Any, said: np.ndarray, seeds: np.ndarray, options: DateShift) -> list[np.ndarray]:
    """What leaves of each person: their days (since 1970), moved by the treatment itself."""
    who, when = np.nonzero(said)
    rows = spark.createDataFrame(pa.table({
        "person": who, "day": pa.array((when + FIRST).astype("int32"), pa.date32()), pseudonymise.SEED: seeds[who]}))
    columns = [Column.model_construct(name="person", treatment="keep", treatment_options=None),
               Column.model_construct(name="day", treatment="date_shift", treatment_options=options)]
    left = treat.apply(rows, columns, pseudonymise.SEED, START).toArrow()
    people, days = left["person"].to_numpy(), left["day"].cast("int32").to_numpy()
    return [days[people == person] for person in range(PEOPLE)]


def candidates(options: DateShift) -> np.ndarray:
    step = 7 if options.keep_weekday else 1
    return np.arange(-(options.max_days // step), options.max_days // step + 1) * step


def evidence(left: np.ndarray, shifts: np.ndarray, day_off: float, knows_window: bool = False) -> np.ndarray:
    """The log likelihood of each shift, for somebody who knows how seldom people report on free days.

    left: the moved days of a person. Between the first and the last of them each day has a reading or has none. Who knows the
    window of the study, too, leaves out shifts by which a day would lie outside of it.
    """
    span = np.arange(left.min(), left.max() + 1)
    told, off = (np.log([day_off / USUAL, (1 - day_off) / (1 - USUAL)])[np.where(np.isin(span, left), 0, 1)],
                 is_free(np.arange(span[0] - MOST, span[-1] + MOST + 1)))
    scores = np.correlate(off.astype(float), told, mode="valid")[MOST - shifts]
    is_outside = (span[0] - shifts < FIRST) | (span[-1] - shifts >= FIRST + DAYS)
    return scores - 1000.0 * (knows_window & is_outside)


def seeds(is_shared: bool = False) -> np.ndarray:
    made = pseudonymise.digest_with_seeds(bytes(range(32)), [str(n) for n in range(PEOPLE)])[1]
    return np.repeat(made[:1], PEOPLE) if is_shared else made


def true_shifts(numbers: np.ndarray, options: DateShift) -> np.ndarray:
    shifts = candidates(options)
    return shifts[numbers % len(shifts)]


def found(spark: Any, options: DateShift, day_off: float, knows_window: bool = False) -> float:
    """The share of people whose shift is the likeliest one."""
    numbers, shifts = seeds(), candidates(options)
    left = moved(spark, reported(day_off), numbers, options)
    best = [shifts[evidence(days, shifts, day_off, knows_window).argmax()] for days in left]
    return float((np.array(best) == true_shifts(numbers, options)).mean())


DAILY, WEEKLY = DateShift(max_days=MOST, keep_weekday=False), DateShift(max_days=MOST, keep_weekday=True)
TINY = DateShift.model_construct(max_days=1, keep_weekday=False)  # Which no contract can say.


@pytest.mark.parametrize("options", [DAILY, WEEKLY], ids=["any day", "weekday kept"])
def test_a_few_reports_less_on_free_days_tell_nobodys_shift(spark: Any, options: DateShift) -> None:
    """Three in a hundred less: no better than chance and four points, which is eight people of two hundred."""
    assert found(spark, options, DAY_OFF) <= 1 / len(candidates(options)) + 0.04


def test_a_shift_of_a_day_would_be_found(spark: Any) -> None:
    assert found(spark, TINY, DAY_OFF) >= 1 / 3 + 0.2


@pytest.mark.parametrize("options", [DAILY, WEEKLY], ids=["any day", "weekday kept"])
def test_who_never_reports_on_free_days_is_found(spark: Any, options: DateShift) -> None:
    """Moving days does not hide people whose days follow the calendar: DESIGN.md says so, and whoever writes a contract must know."""
    assert found(spark, options, 0.02) >= 0.95


def test_who_knows_when_a_study_began_and_ended_finds_those_who_were_in_it_throughout(spark: Any) -> None:
    assert found(spark, DAILY, DAY_OFF, knows_window=True) >= 0.9


def test_one_shift_for_all_would_be_found_by_pooling_what_all_report(spark: Any) -> None:
    """Why each person has a number of their own: what tells of nobody alone tells of all together."""
    numbers, shifts = seeds(is_shared=True), candidates(DAILY)
    left = moved(spark, reported(DAY_OFF), numbers, DAILY)
    pooled = np.sum([evidence(days, shifts, DAY_OFF) for days in left], axis=0)
    assert shifts[pooled.argmax()] == true_shifts(numbers, DAILY)[0]
    own = moved(spark, reported(DAY_OFF), seeds(), DAILY)
    pooled = np.sum([evidence(days, shifts, DAY_OFF) for days in own], axis=0)
    assert (true_shifts(seeds(), DAILY) == shifts[pooled.argmax()]).mean() <= 0.03
