"""The products: their rows, case by case, and that they keep to their contracts."""

from __future__ import annotations

import importlib
import inspect
from datetime import UTC, date, datetime
from typing import Any

import pytest
from pyspark.sql import functions as F
from pyspark.sql import types as T

from contracts.load import catalog
from jobs.products import engagement_daily, glucose_daily, optin_rates, patient_profile
from jobs.stages import cells, treat
from jobs.stages.protect import MOST_IN, PEOPLE_IN

OBSERVATION = ("person_key string, value double, unit_code string, effective_at timestamp, status_code string, "
               "code string, source string")
OPTIN = catalog().products["optin_rates"]
MG, MMOL = "mg/dL", "mmol/L"


def at(day: int, hour: int = 12, minute: int = 0, month: int = 3) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


def reading(value: float | None, when: datetime | None = at(1), unit: str = MG, status: str = "final",  # noqa: B008
            code: str = "2339-0", source: str = "app") -> tuple[Any, ...]:
    return (value, unit, when, status, code, source)


# case -> (readings, then per day of March: readings, mean mg/dL, time in range percent)
GLUCOSE: dict[str, tuple[list[tuple[Any, ...]], dict[int, tuple[int, float, float]]]] = {
    "one": ([reading(100)], {1: (1, 100.0, 100.0)}),
    "both ends are in range": ([reading(70), reading(180, at(1, 13))], {1: (2, 125.0, 100.0)}),
    "outside": ([reading(69.9), reading(180.1, at(1, 13)), reading(110, at(1, 14))], {1: (3, 120.0, 100 / 3)}),
    "both ends in mmol/L": ([reading(3.9, unit=MMOL), reading(10.0, at(1, 13), MMOL)],
                            {1: (2, (70.261 + 180.156) / 2, 100.0)}),
    "outside in mmol/L": ([reading(3.8, unit=MMOL), reading(10.1, at(1, 13), MMOL)],
                          {1: (2, (68.459 + 181.958) / 2, 0.0)}),
    "midnight begins the day": ([reading(100, at(1, 23, 59)), reading(200, at(2, 0))],
                                {1: (1, 100.0, 100.0), 2: (1, 200.0, 0.0)}),
    "two sources, one reading": ([reading(100), reading(100, source="device_cloud", code="41653-7")],
                                 {1: (1, 100.0, 100.0)}),
    "one instant, two values": ([reading(100), reading(110, source="device_cloud")], {1: (2, 105.0, 100.0)}),
    "one value, two instants": ([reading(100), reading(100, at(1, 13))], {1: (2, 100.0, 100.0)}),
    "every glucose code": ([reading(100, at(1, n), code=c) for n, c in enumerate(glucose_daily.GLUCOSE_CODES)],
                           {1: (8, 100.0, 100.0)}),
    "every status that counts": ([reading(100, at(1, n), status=s) for n, s in enumerate(
        ["final", "amended", "corrected", "preliminary"])], {1: (4, 100.0, 100.0)}),
    "no status that does not": ([reading(100, at(1, n), status=s) for n, s in enumerate(
        ["entered-in-error", "cancelled", "registered", "unknown"])], {}),
    "heart rate": ([reading(70, code="8867-4", unit="/min")], {}),
    "another unit": ([reading(100, unit="g/L")], {}),
    "no time or no value": ([reading(100, None), reading(None)], {}),
}


def test_glucose_daily(frame: Any) -> None:
    rows = [(case, *r) for case, (readings, _) in GLUCOSE.items() for r in readings]
    got: dict[str, dict[int, Any]] = {case: {} for case in GLUCOSE}
    for r in glucose_daily.build(frame(OBSERVATION, rows)).collect():
        got[r.person_key][r.observed_on.day] = (r.readings, r.mean_mg_dl, r.time_in_range_percent)
        assert r.gmi_percent == pytest.approx(3.31 + 0.02392 * r.mean_mg_dl)
    assert got == {case: {d: (n, pytest.approx(mean), pytest.approx(share)) for d, (n, mean, share) in days.items()}
                   for case, (_, days) in GLUCOSE.items()}


CONSENT = ("source string, source_person_id string, person_key string, purpose_code string, channel_code string, "
           "country_code string, decision_code string, recorded_at timestamp, recipient_id string")
IDENTITY = "source string, source_person_id string, person_key string, country_code string"


def said(decision: str, when: datetime, person: str | None = "p", channel: str | None = "email",
         country: str | None = "DE", identity: str | None = "1", recipient: str | None = None) -> tuple[Any, ...]:
    return (identity, person, channel, country, decision, when, recipient)


JAN, MAR = at(9, month=1), at(1)
# case (its purpose) -> statements, then rows: channel, country, month, asked, opted in, withdrawn
OPTINS: dict[str, tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]] = {
    "yes": ([said("permit", MAR)], [("email", "DE", 3, 1, 1, 0)]),
    "no": ([said("deny", MAR)], [("email", "DE", 3, 1, 0, 0)]),
    "asked": ([said("asked", MAR)], [("email", "DE", 3, 1, 0, 0)]),
    "asked, yes, asked": ([said("asked", JAN), said("permit", MAR), said("asked", at(2))],
                          [("email", "DE", 1, 1, 1, 0)]),
    "withdrawn": ([said("permit", JAN), said("deny", MAR)], [("email", "DE", 1, 1, 0, 1)]),
    "withdrawn, seen late": ([said("deny", MAR), said("permit", JAN)], [("email", "DE", 1, 1, 0, 1)]),
    "changed to yes": ([said("deny", JAN), said("permit", MAR)], [("email", "DE", 1, 1, 1, 0)]),
    "both in one instant": ([said("permit", MAR), said("deny", MAR)], [("email", "DE", 3, 1, 0, 0)]),
    "two channels": ([said("permit", MAR), said("deny", MAR, channel=None)],
                     [("email", "DE", 3, 1, 1, 0), ("none", "DE", 3, 1, 0, 0)]),
    "one person, two identities": ([said("permit", JAN), said("deny", MAR, identity="2")],
                                   [("email", "DE", 1, 1, 0, 1)]),
    "nobody linked": ([said("permit", MAR, None), said("permit", MAR, None, identity="2")],
                      [("email", "DE", 3, 2, 2, 0)]),
    "about a recipient": ([said("permit", MAR, recipient="lab")], []),
    "the country of the first": ([said("permit", JAN, country="FR"), said("permit", MAR)],
                                 [("email", "FR", 1, 1, 1, 0)]),
    "the country of the person": ([said("permit", MAR, country=None)], [("email", "AT", 3, 1, 1, 0)]),
    "no country": ([said("permit", MAR, "q", country=None)], [("email", "ZZ", 3, 1, 1, 0)]),
    "the country of nobody linked": ([said("permit", MAR, None, country=None, identity="7")],
                                     [("email", "IT", 3, 1, 1, 0)]),
    "two people": ([said("permit", MAR), said("deny", MAR, "q")], [("email", "DE", 3, 2, 1, 0)]),
    "names nobody": ([said("permit", MAR, None, identity=None)], []),
}


def test_optin_rates(frame: Any) -> None:
    consent = frame(CONSENT, [("crm", i, person, case, channel, country, decision, when, to)
                              for case, (statements, _) in OPTINS.items()
                              for i, person, channel, country, decision, when, to in statements])
    identity = frame(IDENTITY, [("crm", "1", "p", "CH"), ("app", "2", "p", "AT"), ("app", "3", "p", None),
                                ("crm", "7", None, "IT"), ("crm", "8", None, None)])
    got: dict[str, list[Any]] = {case: [] for case in OPTINS}
    for r in cells.count(optin_rates.build(consent, identity), OPTIN.table.key, "asked", OPTIN.cell_columns).collect():
        assert r.month.day == 1
        got[r.purpose_code].append((r.channel_code, r.country_code, r.month.month, r.asked, r.opted_in, r.withdrawn))
    assert {case: sorted(rows) for case, rows in got.items()} == {case: rows for case, (_, rows) in OPTINS.items()}


def test_optin_rates_derived(frame: Any) -> None:
    protected = frame("asked long, opted_in long", [(100, 80), (100, 75), (10, 10), (50, None), (0, None), (15, 10)])
    got = [(r.optin_rate_percent, r.meets_goal) for r in optin_rates.derive(protected).collect()]
    assert got == [(80.0, True), (75.0, False), (100.0, True), (None, None), (None, None),
                   (pytest.approx(66.6667, abs=1e-4), False)]


MESSAGE = ("channel_code string, record_id string, source_person_id string, person_key string, posted_at timestamp, "
           "is_from_brand boolean, reply_to_id string, source string")
INTERACTION = ("channel_code string, kind_code string, source_person_id string, person_key string, "
               "occurred_at timestamp, answered_at timestamp, source string")


def post(name: str, who: str | None, when: datetime, to: str | None = None, brand: bool = False,
         person: str | None = None, source: str = "social") -> tuple[Any, ...]:
    return (name, who, person, when, brand, to, source)


def call(who: str | None, when: datetime, answered: datetime | None = None, kind: str = "question",
         person: str | None = None) -> tuple[Any, ...]:
    return (kind, who, person, when, answered, "crm")


# case (its channel) -> posts, interactions, then per day: people, mentions, complaints, answers, median minutes
ENGAGEMENT: dict[str, tuple[list[tuple[Any, ...]], list[tuple[Any, ...]], dict[int, tuple[Any, ...]]]] = {
    "a post": ([post("1", "a", at(1))], [], {1: (1, 1, 0, 0, None)}),
    "the brand alone": ([post("1", "b", at(1), brand=True)], [], {}),
    "an answered post": ([post("2", "a", at(1)), post("3", "b", at(1, 13), "2", True)], [], {1: (1, 1, 0, 1, 60.0)}),
    "the first answer counts": ([post("4", "a", at(1)), post("5", "b", at(1, 14), "4", True),
                                 post("6", "b", at(1, 12, 20), "4", True)], [], {1: (1, 1, 0, 1, 20.0)}),
    "somebody else's reply": ([post("7", "a", at(1)), post("8", "c", at(1, 13), "7")], [], {1: (2, 2, 0, 0, None)}),
    "an answer to another source's post": ([post("9", "a", at(1)), post("10", "b", at(1, 13), "9", True, source="web")],
                                           [], {1: (1, 1, 0, 0, None)}),
    "an answer on the next day": ([post("11", "a", at(1)), post("12", "b", at(2), "11", True)], [],
                                  {1: (1, 1, 0, 1, 1440.0)}),
    "an answer before the post": ([post("13", "a", at(1)), post("14", "b", at(1, 11), "13", True)], [],
                                  {1: (1, 1, 0, 1, 0.0)}),
    "calls": ([], [call("a", at(1), at(1, 12, 10)), call("a", at(1, 13), kind="complaint"), call("b", at(2))],
              {1: (1, 1, 1, 1, 10.0), 2: (1, 1, 0, 0, None)}),
    "an even median": ([], [call("a", at(1), at(1, 12, m)) for m in (1, 2, 5, 59)], {1: (1, 4, 0, 4, 3.5)}),
    "an odd median": ([], [call("a", at(1), at(1, 12, m)) for m in (1, 5, 59)], {1: (1, 3, 0, 3, 5.0)}),
    "one person, two sources": ([post("15", "a", at(1), person="p")], [call("z", at(1), person="p")],
                                {1: (1, 2, 0, 0, None)}),
    "one name, two sources": ([post("16", "a", at(1))], [call("a", at(1))], {1: (2, 2, 0, 0, None)}),
    "names nobody": ([post("17", None, at(1))], [call(None, at(1))], {1: (0, 2, 0, 0, None)}),
}


def test_engagement_daily(frame: Any) -> None:
    message = frame(MESSAGE, [(case, *p) for case, (posts, _, _) in ENGAGEMENT.items() for p in posts])
    interaction = frame(INTERACTION, [(case, *c) for case, (_, calls, _) in ENGAGEMENT.items() for c in calls])
    got: dict[str, dict[int, Any]] = {case: {} for case in ENGAGEMENT}
    for r in engagement_daily.build(message, interaction).collect():
        got[r.channel_code][r.day.day] = (r.people, r.mentions, r.complaints, r.answers, r.median_answer_minutes)
    assert got == {case: days for case, (_, _, days) in ENGAGEMENT.items()}


def test_what_one_person_has_of_a_day_s_events(frame: Any) -> None:
    posts = [("app", str(n), who, None, at(1), False, None, "social") for n, who in enumerate("aaab")] + [
        ("app", str(n), None, None, at(1), False, None, "social") for n in range(9, 14)]
    calls = [("app", "complaint", who, None, at(1), at(1, 13) if who == "c" else None, "crm") for who in "ccd"]
    row, = engagement_daily.build(frame(MESSAGE, posts), frame(INTERACTION, calls)).collect()
    assert (row.people, row.mentions, row.complaints, row.answers) == (4, 9, 3, 2)
    assert (row.people_in_mentions, row.people_in_complaints, row.people_in_answers) == (2, 2, 1)
    assert (row.most_in_mentions, row.most_in_complaints, row.most_in_answers) == (5, 2, 2), "who is not named is one"


def test_engagement_daily_derived(frame: Any) -> None:
    protected = frame("answers long, median_answer_minutes double", [(10, 12.5), (10, 12.49), (None, 12.0), (10, 0.0)])
    got = [r.median_answer_minutes for r in engagement_daily.derive(protected).collect()]
    assert got == [13.0, 12.0, None, 0.0]


SPARK_TYPES = {"int": T.IntegerType(), "string": T.StringType(), "long": T.LongType(), "double": T.DoubleType(), "date": T.DateType(),
               "boolean": T.BooleanType(), "timestamp": T.TimestampType()}


def test_what_each_person_adds_to_engagement(frame: Any) -> None:
    """Who is not named is nobody among the people; the number beside the median is another when a delay is."""
    posts = [("c", *post("1", "a", at(1))), ("c", *post("2", None, at(1))), ("c", *post("3", "b", at(1, 13), "1", True))]
    later = [*posts[:2], ("c", *post("3", "b", at(1, 14), "1", True))]
    early, late = ({r.person: r for r in engagement_daily.members(frame(MESSAGE, rows), frame(INTERACTION, [])).collect()} for rows in (posts, later))
    counts = {who and who[-1]: (r.people, r.mentions, r.complaints, r.answers) for who, r in early.items()}
    assert counts == {"a": (1, 1, 0, 1), None: (0, 1, 0, 0)}
    assert early[None].median_answer_minutes == 0 != early[next(filter(None, early))].median_answer_minutes
    assert early[next(filter(None, early))].median_answer_minutes != late[next(filter(None, late))].median_answer_minutes


def test_to_derive_again_changes_nothing(frame: Any) -> None:
    """Cells that stay as they were are put beside derived columns once more."""
    engaged = engagement_daily.derive(frame("answers long, median_answer_minutes double", [(10, 12.5), (None, 3.2), (10, None)]))
    assert engagement_daily.derive(engaged).collect() == engaged.collect()
    rates = optin_rates.derive(frame("asked long, opted_in long", [(20, 15), (20, None), (15, 20)]))
    assert optin_rates.derive(rates).collect() == rates.collect()
    assert [r.optin_rate_percent for r in rates.collect()] == [75.0, None, None], "counts of two releases may not fit"


@pytest.mark.parametrize("product", ["glucose_daily", "optin_rates", "engagement_daily", "patient_profile"])
def test_products_keep_to_their_contracts(frame: Any, product: str) -> None:
    contract, module = catalog().products[product], importlib.import_module(f"jobs.products.{product}")
    inputs = [f"core.{name}" for name in inspect.signature(module.build).parameters]
    assert tuple(inputs) == contract.inputs
    frames = [frame(", ".join(f"{c.name} {c.type.replace('long', 'bigint')}" for c in catalog().table(name).columns)
                    + ", person_key string", []) for name in inputs]
    built = module.build(*frames)
    if contract.is_aggregate and cells.PERSON in built.columns:
        built = cells.count(built, contract.table.key, contract.counts_people, contract.cell_columns)
    built = module.derive(built) if hasattr(module, "derive") else built
    built = treat.apply(built.withColumnRenamed("person_key", "person_id").withColumn("seed", F.lit(0)), contract.table.columns,
                        "seed", date(2026, 1, 1)) if not contract.is_aggregate else built
    assert {f.name: f.dataType for f in built.schema.fields if not f.name.startswith((PEOPLE_IN, MOST_IN))} == {
        c.name: SPARK_TYPES[c.type] for c in contract.table.columns}
    assert built.collect() == []


def test_patient_profile(frame: Any) -> None:
    identity = ("source string, record_id string, version_at timestamp, birth_on date, sex_code string, country_code string, "
                "postcode string, person_key string")
    old, new = date(1951, 2, 3), date(1953, 4, 5)
    rows = [("crm", "1", at(1), old, "female", None, "80331", "p"), ("app", "9", at(2), new, None, "DE", None, "p"),
            ("crm", "2", at(3), old, "male", "FR", "75001", "q"), ("app", "8", at(3), new, "female", "ES", "28001", "q"),
            ("crm", "3", None, old, None, None, None, "r"), ("app", "7", None, None, None, None, None, "r"),
            ("crm", "5", at(5), None, None, "DE", "80331", "s"), ("app", "6", at(6), None, None, "US", "02139", "s"),
            ("crm", "4", at(4), old, "male", "IT", "00100", None)]
    built = {r.person_key: tuple(r)[1:] for r in patient_profile.build(frame(identity, rows)).collect()}
    assert built == {"p": (new, "female", "DE", None), "q": (old, "male", "FR", "75001"), "r": (old, None, None, None),
                     "s": (None, None, "US", None)}


def test_the_month_is_a_date(frame: Any) -> None:
    rows = optin_rates.build(frame(CONSENT, [("crm", "1", "p", "research", None, None, "asked", MAR, None)]),
                             frame(IDENTITY, []))
    assert rows.first().month == date(2026, 3, 1)
