"""The points of devices/openmhealth_schemas: of the types that contracts name, what should pass is accepted and what
should fail is rejected, by the reason that its file is named after; every word of a closed list is taken."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest

from contracts.load import catalog
from jobs.connectors.records import look
from jobs.run.conform import conform
from jobs.settings import Settings
from tests.external.fhir import Refusal, instant
from tests.external.open_mhealth import GLUCOSE, Case, cases, named_types, other_points
from tests.external.published import needs
from tests.landing import Raw, account, apart, collection, core, land

SOURCE = "adherence_app"
STREAM = catalog().sources[SOURCE].stream("data_points")
# What a file that should fail is called, and the reasons that say the same; the first that fits counts.
REASONS: list[tuple[str, set[str]]] = [
    ("missing-id", {"no_record_id"}), ("missing-header", {"no_record_id"}), ("invalid-header", {"no_record_id"}),
    ("empty-document", {"no_record_id", "missing", "check_failed"}), ("empty-string", {"unknown_code", "bad_format"}),
    ("missing-time-frame", {"check_failed", "missing"}), ("missing-", {"missing"}), ("rxnorm-code-only", {"missing"}),
    ("invalid-creation-date-time-value", {"bad_format"}), ("invalid-user-id", {"wrong_type"}),
    ("invalid-time-", {"check_failed"}), ("time-interval-and-date-time", {"check_failed"}),
    ("invalid-string", {"unknown_code", "bad_format"}), ("invalid-", {"unknown_code"}), ("uppercase-string", {"unknown_code"}),
    ("time-only", {"check_failed", "bad_format"}), ("date-", {"bad_format"}),
    ("start-time-only", {"check_failed"}), ("end-time-only", {"check_failed"}), ("duration-only", {"check_failed"}),
    ("part-of-day-only", {"check_failed"}), ("number-unit", {"unknown_code", "wrong_type"}),
    ("string-value", {"wrong_type"}), ("unit-only", {"missing", "check_failed"}), ("value-only", {"missing", "check_failed"}),
]
pytestmark = needs("devices/openmhealth_schemas")


@dataclass(frozen=True)
class Done:
    """The cases and what became of them, each by its place in the batch."""

    cases: list[Case]
    others: list[Case]
    refusals: dict[int, Refusal]
    rows: dict[str, dict[str, Any]]
    counted: dict[tuple[str, str], int]


@pytest.fixture(scope="module")
def done(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Done:
    settings = Settings(home=tmp_path_factory.mktemp("open_mhealth"), lake="", engine=engine, actor="test")
    known, others = cases(), other_points()
    raws = [Raw(look(STREAM, case.content).record.record_id, case.content, STREAM.name) for case in (*known, *others)]
    batch = land(settings, SOURCE, raws)
    with pytest.MonkeyPatch.context() as patch:
        collection(patch, SOURCE)
        conform(settings, SOURCE)
    refusals = {place: Refusal(reason, str(field)) for (_, place), (reason, field) in apart(settings, SOURCE).items()}
    rows = {r["record_id"]: r for t in ("core.observation", "core.medication_event") for r in core(settings, SOURCE, t)}
    return Done(known, others, refusals, rows, account(settings, batch))


def record_id(case: Case) -> str:
    return f"data_points/{case.point['header']['id']}"


def test_what_should_pass_is_accepted(done: Done) -> None:
    wrong = {case.name: done.refusals[n] for n, case in enumerate(done.cases) if case.should_pass and n in done.refusals}
    assert wrong == {}
    assert done.rows.keys() == {record_id(case) for case in done.cases if case.should_pass}


def test_what_should_fail_is_rejected_with_its_reason(done: Done) -> None:
    failing = {n: case for n, case in enumerate(done.cases) if not case.should_pass}
    assert [case.name for n, case in failing.items() if n not in done.refusals] == []
    expected = {n: next(reasons for word, reasons in REASONS if case.file.startswith(word)) for n, case in failing.items()}
    wrong = {case.name: done.refusals[n] for n, case in failing.items() if done.refusals[n].reason not in expected[n]}
    assert wrong == {}


def test_every_named_type_has_points_of_both_kinds(done: Done) -> None:
    found = Counter((case.point["header"]["schema_id"]["name"], case.should_pass) for case in done.cases
                    if "schema_id" in case.point.get("header", {}))
    assert len(named_types()) >= 2
    assert all(found[kind, passes] > 5 for kind in named_types() for passes in (True, False))


def test_the_row_of_an_accepted_point_is_what_its_body_says(done: Done) -> None:
    for case in done.cases:
        if case.should_pass:
            row, body = done.rows[record_id(case)], case.point["body"]
            frame = body.get("effective_time_frame", {})
            interval = frame.get("time_interval", {})
            said = [frame.get("date_time"), *[interval.get(k) for k in ("start_date_time", "end_date_time", "date")]]
            assert row["effective_at"] == next((instant(text) for text in said if text), None)
            assert row["source_person_id"] == case.point["header"].get("user_id")
            is_glucose = case.point["header"]["schema_id"]["name"] == GLUCOSE
            amount, columns = (body["blood_glucose"], ("value", "unit_code")) if is_glucose else (
                body["dose"], ("dose_value", "dose_unit_code"))
            assert [row[name] for name in columns] == [float(amount["value"]), amount["unit"]]


def test_points_of_other_types_are_set_apart_and_counted(done: Done) -> None:
    first = len(done.cases)
    assert done.others
    assert [done.refusals.get(first + n) for n in range(len(done.others))] == [Refusal("unexpected_type", "None")] * len(done.others)
    assert sum(done.counted.values()) == first + len(done.others) == len(done.refusals) + len(done.rows)
