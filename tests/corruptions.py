"""Seeded corruptions of good batches: eight kinds of what goes wrong between a source and us, in strengths drawn by the seed.

Left out is what nobody could see in the data: one plausible value in place of another; a usual field emptied, or names swapped in
most rows, in a first load, which has nothing to be compared with; a file of the community or the study that ends between two
records; a lost day of a stream with a handful of records a day; the two times of an opt-in, which are equal in nearly all.
"""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from contracts import catalog
from contracts.model import Stream
from jobs.connectors.object_drop import _Bad, _unpacked
from tests.deliveries import Case, World, as_csv, raw, read_csv, read_ndjson
from tests.landing import Raw
from tests.payloads import Path, content, day_of, get, is_alive, named, put, version

KINDS = ("nulls", "duplicates", "shifted units", "swapped columns", "truncated files", "future dates", "duplicated days", "lost days")
GLUCOSE, TIME = ("body", "blood_glucose"), ("body", "effective_time_frame", "date_time")
IDS: dict[str, Path] = {"data_points": ("header", "id"), "Observation": ("id",), "Condition": ("id",), "posts": ("id",),
                        "contacts": ("Id",), "optins": ("Id",), "cases": ("Id",), "emails": ("Id",), "members": ("member_id",),
                        "participants": ("participant_id",)}


def corrupted(kind: str, world: World, roll: random.Random) -> Case:
    """A good batch corrupted in one way of a kind."""
    made = {"nulls": nulls, "duplicates": duplicates, "shifted units": units, "swapped columns": swapped,
            "truncated files": truncated, "future dates": future, "duplicated days": days_twice, "lost days": days_lost}[kind]
    return replace(made(world, roll), kind=kind)


# Source, stream, field, whether conform needs it.
NULLS: list[tuple[str, str, Path, bool]] = [
    ("adherence_app", "data_points", ("header", "user_id"), True), ("adherence_app", "data_points", (*GLUCOSE, "value"), True),
    ("adherence_app", "data_points", (*GLUCOSE, "unit"), True), ("adherence_app", "data_points", ("body", "effective_time_frame"), True),
    ("adherence_app", "data_points", ("body", "dose", "value"), True), ("adherence_app", "data_points", ("header", "creation_date_time"), True),
    ("device_cloud", "Observation", ("valueQuantity", "value"), True), ("device_cloud", "Observation", ("valueQuantity", "code"), True),
    ("device_cloud", "Observation", ("code",), True), ("device_cloud", "Observation", ("subject",), False),
    ("device_cloud", "Observation", ("effectiveDateTime",), False), ("device_cloud", "Observation", ("issued",), False),
    ("device_cloud", "Observation", ("device",), False), ("crm", "contacts", ("FirstName",), False), ("crm", "contacts", ("LastName",), False),
    ("crm", "contacts", ("Birthdate",), False), ("crm", "contacts", ("Email",), False), ("crm", "contacts", ("MailingCountryCode",), False),
    ("crm", "emails", ("EmailAddress",), True), ("crm", "optins", ("DataUsePurpose__c",), True), ("crm", "optins", ("PrivacyConsentStatus",), True),
    ("crm", "optins", ("ContactPointType",), False), ("crm", "optins", ("CaptureDate",), True), ("crm", "optins", ("Country__c",), False),
    ("crm", "cases", ("ContactId",), False), ("community", "members", ("username",), False), ("community", "members", ("email",), False),
    ("community", "consents", ("answer",), True), ("community", "consents", ("form",), False), ("study", "participants", ("birth_date",), False),
    ("study", "participants", ("family_name",), False), ("study", "participants", ("postcode",), False),
    ("study", "consents", ("decision",), True), ("study", "consents", ("given_by",), True), ("study", "consents", ("form",), False),
    ("social", "posts", ("content",), True), ("social", "posts", ("account",), True), ("social", "posts", ("language",), False)]


def nulls(world: World, roll: random.Random) -> Case:
    """A field emptied: one that is needed in 1 to 100 % of the records that have it, a usual one in 30 to 100 %."""
    source, stream, path, is_needed = roll.choice(NULLS)
    share = 10 ** roll.uniform(-2, 0) if is_needed else roll.uniform(0.3, 1)
    empty = roll.choice((None, "")) if path[-1] not in ("effective_time_frame", "code", "subject", "device", "form", "account") else None

    def change(said: Any) -> None:
        put(said, path, empty)
    return _changed(_batch(world, source, roll), stream, path, share, roll, change, f"{stream}.{named(path)}")


def duplicates(world: World, roll: random.Random) -> Case:
    """2 to 50 % of the records once more: as they are, under other ids, or (readings) those of the day before under other ids."""
    source, stream = roll.choice((("adherence_app", "data_points"), ("device_cloud", "Observation"), ("crm", "contacts"), ("crm", "optins"),
                                  ("crm", "cases"), ("crm", "emails"), ("community", "members"), ("study", "participants"),
                                  ("social", "posts"), ("device_cloud", "Condition")))
    case = world.first(source) if stream == "Condition" else _batch(world, source, roll)
    share, way = 10 ** roll.uniform(-1.7, -0.3), roll.choice(("same id", "other id", "other id", "from before"))
    pool = [r for r in case.records if r.stream == stream and not r.is_deleted and get(content(r), IDS[stream]) and is_alive(r)]
    if way == "from before" and stream in ("data_points", "Observation"):
        before = world.sources.batch(source, world.day - 1, world.day)
        pool = [r for r in before if r.stream == stream and is_alive(r) and not r.is_deleted]
    taken = roll.sample(pool, max(1, round(share * len(pool))))
    copies = [r if way == "same id" else _renamed(source, r, f"{n}") for n, r in enumerate(taken)]
    start = len(case.records)
    return replace(case, name=f"{stream}, {way}, {share:.0%}, {case.name}", records=[*case.records, *copies],
                   hit=frozenset(range(start, start + len(copies))), notes={"same id": way == "same id"})


def units(world: World, roll: random.Random) -> Case:
    """Numbers of one unit under the name of another, in 1 to 100 % of the readings or doses."""
    share, way = 10 ** roll.uniform(-2, 0), roll.randrange(7)
    source = "device_cloud" if way in (4, 5) else roll.choice(("adherence_app", "device_cloud"))
    case, (box, label) = _batch(world, source, roll), (((*GLUCOSE,), "unit") if source == "adherence_app" else (("valueQuantity",), "code"))
    stream = "data_points" if source == "adherence_app" else "Observation"

    def is_in(unit: str) -> Callable[[Any], bool]:
        return lambda said: get(said, (*box, label)) == unit

    def scaled(factor: float) -> Callable[[Any], None]:
        return lambda said: put(said, (*box, "value"), round(get(said, (*box, "value")) * factor, 1))

    match way:
        case 0 | 1:
            return _changed(case, stream, box, share, roll, scaled(1 / 18.016), "mmol/L numbers as mg/dL", is_in("mg/dL"))
        case 2:
            return _changed(case, stream, box, share, roll, scaled(18.016), "mg/dL numbers as mmol/L", is_in("mmol/L"))
        case 3:
            return _changed(case, stream, box, share, roll, scaled(0.01), "g/L numbers as mg/dL", is_in("mg/dL"))
        case 4 | 5:
            other = roll.choice(("mmol/L", "kg", "mm[Hg]"))
            return _changed(case, stream, box, share, roll, lambda said: put(said, (*box, label), other), f"mg/dL labelled {other}", is_in("mg/dL"))
    app, dose = _batch(world, "adherence_app", roll), ("body", "dose")
    if roll.random() < 0.5:
        return _changed(app, "data_points", dose, share, roll, lambda said: put(said, (*dose, "value"), get(said, (*dose, "value")) / 100),
                        "mL numbers as units of insulin", lambda said: get(said, (*dose, "unit")) == "U")
    strength = ("body", "medication", "strength", 0, "value")
    return _changed(app, "data_points", dose, share, roll, lambda said: put(said, (*dose, "value"), get(said, strength)), "mg numbers as tablets",
                    lambda said: get(said, (*dose, "unit")) == "tablet" and get(said, strength) > 60)


SWAPPED: list[tuple[str, str, Path, Path]] = [
    ("adherence_app", "data_points", (*GLUCOSE, "value"), (*GLUCOSE, "unit")), ("adherence_app", "data_points", TIME, ("header", "creation_date_time")),
    ("device_cloud", "Observation", ("effectiveDateTime",), ("issued",)), ("device_cloud", "Observation", ("subject",), ("device",)),
    ("device_cloud", "Condition", ("onsetDateTime",), ("recordedDate",)), ("crm", "contacts", ("FirstName",), ("LastName",)),
    ("crm", "contacts", ("FirstName",), ("LastName",)), ("crm", "contacts", ("MailingPostalCode",), ("MailingCity",)),
    ("crm", "contacts", ("Email",), ("MobilePhone",)), ("crm", "optins", ("EffectiveFrom",), ("EffectiveTo",)),
    ("crm", "cases", ("CreatedDate",), ("FirstResponseAt__c",)), ("community", "members", ("email",), ("username",)),
    ("community", "consents", ("answered_at",), ("expires_at",)), ("study", "participants", ("given_name",), ("family_name",)),
    ("study", "participants", ("birth_date",), ("enrolled_at",)), ("study", "consents", ("valid_from",), ("valid_to",)),
    ("study", "consents", ("data_from",), ("data_to",)), ("study", "consents", ("purpose",), ("decision",)),
    ("social", "posts", ("content",), ("language",)), ("adherence_app", "users", ("given_name",), ("family_name",))]


def swapped(world: World, roll: random.Random) -> Case:
    """Two columns in each other's place, in 15 to 100 % of the records that have both; of a first load in less than half."""
    source, stream, one, other = roll.choice(SWAPPED)
    is_first = stream in ("Condition", "users")
    share = roll.uniform(0.15, 0.45) if stream == "users" else 1.0 if roll.random() < 0.4 else roll.uniform(0.15, 1)

    def change(said: Any) -> None:
        here, there = get(said, one), get(said, other)
        put(said, one, there)
        put(said, other, here)
    case = world.first(source) if is_first else _batch(world, source, roll)
    return _changed(case, stream, one, share, roll, change, f"{stream}.{named(one)} and {named(other)}", lambda said: get(said, other) is not None)


def truncated(world: World, roll: random.Random) -> Case:
    """A file or page cut within a record, or a batch that ends early with 10 to 85 % of its records."""
    way = roll.choice(("ndjson", "csv", "gzip", "early", "early", "early"))
    if way == "early":
        case = _batch(world, roll.choice(("adherence_app", "device_cloud")), roll)
        kept = roll.uniform(0.1, 0.85)
        stream = "data_points" if case.source == "adherence_app" else "Observation"
        mine = sorted((r for r in case.records if r.stream == stream and not r.is_deleted), key=version)
        lost = {id(r) for r in mine[round(kept * len(mine)):]}
        records = [r for r in case.records if id(r) not in lost]
        return replace(case, name=f"{stream} ends early, {kept:.0%} kept, {case.name}", records=records, hit=frozenset())
    source = "study" if way == "csv" else "community"
    stream = catalog().sources[source].stream(roll.choice(("members" if source == "community" else "participants", "consents")))
    case = _batch(world, source, roll)
    mine, others = [r for r in case.records if r.stream == stream.name], [r for r in case.records if r.stream != stream.name]
    file = _file(stream, mine, way)
    place = int(len(file) * roll.uniform(0.2, 0.98))
    while file[place - 1:place] in (b"\n", b"\r") or file[place:place + 1] in (b"\n", b"\r"):
        place -= 1
    name = f"{source}.{stream.name}, {way} cut at {place / len(file):.0%}"
    if way == "gzip":
        try:
            list(_unpacked([gzip.compress(file)[:place // 8]]))
        except _Bad:
            return replace(case, name=name, is_refused=True)
        return replace(case, name=name)
    left = (read_csv if way == "csv" else read_ndjson)(stream, file[:place])
    return replace(case, name=name, records=[*others, *left], hit=frozenset([len(others) + len(left) - 1]))


FUTURE: list[tuple[str, str, Path]] = [
    ("adherence_app", "data_points", TIME), ("adherence_app", "data_points", ("header", "creation_date_time")),
    ("adherence_app", "data_points", ("header", "modified_date_time")), ("device_cloud", "Observation", ("effectiveDateTime",)),
    ("device_cloud", "Observation", ("issued",)), ("device_cloud", "Observation", ("meta", "lastUpdated")), ("social", "posts", ("created_at",)),
    ("crm", "optins", ("CaptureDate",)), ("crm", "cases", ("CreatedDate",)), ("crm", "contacts", ("Birthdate",)),
    ("community", "consents", ("answered_at",)), ("community", "members", ("born_on",)), ("study", "consents", ("signed_at",)),
    ("study", "participants", ("birth_date",)), ("study", "participants", ("updated_at",))]


def future(world: World, roll: random.Random) -> Case:
    """A time after the batch was received, by an hour to ten years, in 1 to 100 %; or (readings) some hours after their recording."""
    source, stream, path = roll.choice(FUTURE)
    case, share = _batch(world, source, roll), 10 ** roll.uniform(-2, 0)
    ahead = timedelta(hours=10 ** roll.uniform(0, 4.94))
    is_zone = path in (TIME, ("effectiveDateTime",)) and roll.random() < 0.4
    hours = roll.choice((1, 2, 5))

    def change(said: Any) -> None:
        text = get(said, path)
        moment = datetime.fromisoformat(text) + timedelta(hours=hours) if is_zone else case.at + ahead
        later = (case.at + max(ahead, timedelta(days=2))).date()
        put(said, path, moment.isoformat(timespec="seconds") if len(text) > 10 else later.isoformat())
    name = f"{stream}.{named(path)} " + (f"{hours} h later" if is_zone else f"{ahead.total_seconds() / 3600:,.0f} h ahead")
    return _changed(case, stream, path, share, roll, change, name)


def days_twice(world: World, roll: random.Random) -> Case:
    """60 to 100 % of a day's readings, doses or posts again as those of another day: beside them or in their place."""
    source = roll.choice(("adherence_app", "adherence_app", "device_cloud", "device_cloud", "social"))
    stream, path = {"adherence_app": ("data_points", TIME), "device_cloud": ("Observation", ("effectiveDateTime",)),
                    "social": ("posts", ("created_at",))}[source]
    way = "a week" if source == "social" else roll.choice(("yesterday", "a week", "first load"))
    case = world.first(source) if way == "first load" else world.next(source, 7 if way == "a week" else 1)
    day = (world.sources.at(world.day) - timedelta(days=1)).date() if way != "a week" else case.at.date() - timedelta(days=roll.randint(3, 6))
    pool = world.sources.batch(source, world.day - 2, world.day) if way == "yesterday" else case.records
    of_day = [r for r in pool if r.stream == stream and day_of(r, path) == str(day)]
    share, ahead, is_instead = roll.uniform(0.6, 1), 1 if way == "yesterday" else roll.choice((-1, 1, 2)), roll.random() < 0.5
    if way == "first load":
        ahead = -abs(ahead) - roll.randint(0, 4)
    copies = [_shifted(_renamed(source, r, "again"), path, ahead) for r in roll.sample(of_day, round(share * len(of_day)))]
    other = str(day + timedelta(days=ahead))
    kept = [r for r in case.records if not (is_instead and r.stream == stream and day_of(r, path) == other)]
    return replace(case, name=f"{stream}, {share:.0%} {'in place of' if is_instead else 'beside'} day {ahead:+}, {case.name}",
                   records=[*kept, *copies], hit=frozenset(range(len(kept), len(kept) + len(copies))))


def days_lost(world: World, roll: random.Random) -> Case:
    """One or two days without readings within a batch or between two, or the last one or two days of a batch."""
    source = roll.choice(("adherence_app", "adherence_app", "device_cloud", "device_cloud", "social"))
    stream, path = {"adherence_app": ("data_points", TIME), "device_cloud": ("Observation", ("effectiveDateTime",)),
                    "social": ("posts", ("created_at",))}[source]
    way, many = roll.choice(("middle", "middle", "between", "last", "first load", "first load, last")), roll.choice((1, 1, 2))
    case = world.first(source) if way.startswith("first") else world.next(source, 1 + many if way == "between" else 7)
    end = case.at.date()
    if way.endswith("last"):
        limit = (case.at - timedelta(days=many)).isoformat()
        records = [r for r in case.records if r.stream != stream or version(r) <= limit]
    else:
        back = {"middle": roll.randint(2, 5), "between": many + 1, "first load": roll.randint(3, 9)}[way]
        gone = {str(end - timedelta(days=back - n)) for n in range(many)}
        records = [r for r in case.records if r.stream != stream or day_of(r, path) not in gone]
    return replace(case, name=f"{stream}, {many} lost, {way}, {case.name}", records=records)


def _batch(world: World, source: str, roll: random.Random) -> Case:
    return world.next(source, 7 if source == "social" else roll.choice((1, 1, 3)))


def _changed(case: Case, stream: str, path: Path, share: float, roll: random.Random, change: Callable[[Any], None], name: str,
             is_wanted: Callable[[Any], bool] = lambda _: True) -> Case:
    """A share of the records of a stream that have a field, one at least, changed."""
    contract = catalog().sources[case.source].stream(stream)
    fit = [n for n, r in enumerate(case.records) if r.stream == stream and not r.is_deleted
           and get(said := content(r), path) not in (None, "") and is_wanted(said)]
    hit = roll.sample(fit, min(len(fit), max(1, round(share * len(fit)))))
    records = list(case.records)
    for n in hit:
        change(said := content(records[n]))
        records[n] = raw(contract, said)
    return replace(case, name=f"{name}, {share:.0%} ({len(hit)}), {case.name}", records=records, hit=frozenset(hit))


def _renamed(source: str, record: Raw, mark: str) -> Raw:
    said, stream = content(record), catalog().sources[source].stream(record.stream)
    name = str(get(said, IDS[record.stream]))
    put(said, IDS[record.stream], name[::-1] + mark)
    return raw(stream, said)


def _shifted(record: Raw, path: Path, days: int) -> Raw:
    """A record some days later, when it was recorded too."""
    said = content(record)
    for place in (path, ("header", "creation_date_time"), ("header", "modified_date_time"), ("issued",), ("meta", "lastUpdated")):
        text = get(said, place)
        if text is not None:
            put(said, place, (datetime.fromisoformat(text) + timedelta(days=days)).isoformat())
    return Raw(record.record_id, said, record.stream)


def _file(stream: Stream, records: list[Raw], way: str) -> bytes:
    said = [content(r) for r in records]
    if way == "csv":
        return as_csv(said, list(said[0]))
    return b"".join(r.content + b"\n" for r in records)


def roll(seed: int) -> random.Random:
    """What a case is drawn by."""
    return random.Random(seed)  # noqa: S311  # nothing secret
