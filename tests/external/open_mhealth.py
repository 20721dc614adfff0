"""The should-pass and should-fail files of devices/openmhealth_schemas as data points of the types that a contract names.

A file of a type is a body; files of the header, of the data point and of the parts of a body (a time frame, a unit) are
put into the place they have in a body that should pass, and so is every word of the schemas' closed lists.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.load import catalog
from tests.external.published import files, read_json

Point = dict[str, Any]
SETS, SCHEMAS = "devices/openmhealth_schemas/test-data", "devices/openmhealth_schemas/schema/omh"
GLUCOSE, DOSE = "blood-glucose", "single-medication-dose-taken"
START = "2013-02-05T07:25:00Z"
CREATED = "2024-12-31T00:00:00Z"  # Behind every time of the published bodies.


@dataclass(frozen=True)
class Case:
    """A data point with the published file it was made of, and whether that file should pass."""

    name: str
    file: str
    point: Point
    should_pass: bool

    @property
    def content(self) -> bytes:
        """The point as a source sends it."""
        return json.dumps(self.point).encode()


def named_types() -> list[str]:
    """The types of data points that the app's contract names."""
    calls = [feed.when for feed in catalog().sources["adherence_app"].feeds if feed.stream == "data_points"]
    return sorted(str(name) for call in calls if call for name in call.arguments[1:])


def cases() -> list[Case]:
    """All data points of the named types, each with an id of its own."""
    made = [case for kind in named_types() for case in (*_bodies(kind), *_headers(kind), *_points(kind), *_parts(kind), *_words(kind))]
    return [Case(c.name, c.file, _with_id(c.point, f"point-{number}"), c.should_pass) for number, c in enumerate(made)]


def other_points() -> list[Case]:
    """Data points of a type that no contract names, as they were published."""
    return [_case("as it is", path, {**(point := read_json(path)), "header": {**point["header"], "id": f"other-{n}"}})
            for n, path in enumerate(files(f"{SETS}/omh/data-point/*/shouldPass/*.json"))]


def _with_id(point: Point, name: str) -> Point:
    header = point.get("header")
    return {**point, "header": {**header, "id": name}} if header and "id" in header else point


def _case(place: str, path: Path, point: Point) -> Case:
    return Case(f"{place}: {'/'.join(path.parts[-5:])}", path.stem, point, path.parent.name == "shouldPass")


def _header(kind: str, version: str) -> Point:
    return {"id": "", "creation_date_time": CREATED, "user_id": "user1432",
            "schema_id": {"namespace": "omh", "name": kind, "version": version},
            "acquisition_provenance": {"source_name": "app", "modality": "sensed"}}


def _body(kind: str) -> tuple[str, Point]:
    """The newest version of a type, and a body of it that should pass."""
    path = files(f"{SETS}/omh/{kind}/*/shouldPass/*.json")[-1]
    return path.parts[-3], {k: v for k, v in read_json(path).items() if not k.startswith("temporal")}


def _bodies(kind: str) -> Iterator[Case]:
    for path in files(f"{SETS}/omh/{kind}/*/should*/*.json"):
        yield _case(kind, path, {"header": _header(kind, path.parts[-3]), "body": read_json(path)})


def _headers(kind: str) -> Iterator[Case]:
    version, body = _body(kind)
    for path in files(f"{SETS}/omh/header/*/should*/*.json"):
        header = read_json(path)
        schema = {"schema_id": {"namespace": "omh", "name": kind, "version": version}} if "schema_id" in header else {}
        yield _case(kind, path, {"header": header | schema, "body": body | _frame({"date_time": START})})


def _points(kind: str) -> Iterator[Case]:
    """The data points that should fail, as points of the type; what is left of them is as it was published."""
    version, _ = _body(kind)
    for path in files(f"{SETS}/omh/data-point/*/shouldFail/*.json"):
        point = read_json(path)
        if "header" in point:
            point["header"]["schema_id"] = {"namespace": "omh", "name": kind, "version": version}
        yield _case(kind, path, point)


def _frame(part: Any) -> Point:
    return {"effective_time_frame": part}


def _interval(part: Any) -> Point:
    return _frame({"time_interval": part})


def _in_unit(part: Any, unit: str) -> Point:
    """An amount in another unit, where it has one: any text is a unit as such."""
    return {**part, "unit": unit} if isinstance(part.get("unit"), str) else dict(part)


EVERYWHERE: dict[str, Callable[[Any], Point]] = {
    "*/time-frame": _frame, "*/time-interval": _interval, "omh/date-time": lambda part: _frame({"date_time": part}),
    "omh/part-of-day": lambda part: _interval({"date": START[:10], "part_of_day": part}),
    "omh/duration-unit-value": lambda part: _interval({"start_date_time": START, "duration": part}),
}
# As numbers with a unit -3.2 and 10 should pass; as a dose or as the glucose of somebody alive they are refused: of those
# files only the bad ones are taken.
PARTS: dict[str, dict[str, Callable[[Any], Point]]] = {
    GLUCOSE: {**EVERYWHERE, "omh/unit-value/*/shouldFail": lambda part: {"blood_glucose": _in_unit(part, "mg/dL")},
              "omh/specimen-source": lambda part: {"specimen_source": part},
              "omh/blood-specimen-type": lambda part: {"blood_specimen_type": part},
              "omh/descriptive-statistic": lambda part: {"descriptive_statistic": part},
              "omh/temporal-relationship-to-meal": lambda part: {"temporal_relationship_to_meal": part},
              "omh/temporal-relationship-to-sleep": lambda part: {"temporal_relationship_to_sleep": part}},
    DOSE: {**EVERYWHERE, "omh/unit-value/*/shouldFail": lambda part: {"dose": _in_unit(part, "tablet")},
           "omh/medication": lambda part: {"medication": part},
           "omh/medication-dose-unit": lambda part: {"dose": {"value": 1, "unit": part}}},
}
# Parts of older bodies: name and first number of the part's version, and the version of the body that takes it.
VERSIONS = {("blood-specimen-type", "1"): "1.0", ("specimen-source", "1"): "2.0"}


def _parts(kind: str) -> Iterator[Case]:
    newest, body = _body(kind)
    for pattern, place in PARTS.get(kind, EVERYWHERE).items():
        for path in files(f"{SETS}/{pattern}/*.json" if "should" in pattern else f"{SETS}/{pattern}/*/should*/*.json"):
            version = VERSIONS.get((path.parts[-4], path.parts[-3][0]), newest)
            yield _case(kind, path, {"header": _header(kind, version), "body": body | place(read_json(path))})


def _words(kind: str) -> Iterator[Case]:
    """Every word of the schemas' closed lists, where the part stands."""
    newest, body = _body(kind)
    for pattern, place in PARTS.get(kind, EVERYWHERE).items():
        part = pattern.split("/")[1]
        for path in files(f"{SCHEMAS}/{part}-[0-9].x.json"):
            header = _header(kind, VERSIONS.get((part, path.stem[-3]), newest))
            for word in read_json(path).get("enum", []):
                yield Case(f"{kind}: {word!r} of {path.name}", path.stem, {"header": header, "body": body | place(word)}, True)
