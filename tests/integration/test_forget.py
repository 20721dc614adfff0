"""People are forgotten: no zone, version or file has a byte of theirs, and everything else stays as it was."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import polars
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyspark.sql import SparkSession

from contracts import catalog
from jobs.errors import ConfigurationError, IntegrityError, NotAuthorised
from jobs.ledger import erasures, releases
from jobs.run.asking import Question
from jobs.run.explain import explain
from jobs.run.forget import forget
from jobs.run.past import Asked
from jobs.run.release import release
from jobs.run.replay import replay
from jobs.settings import Settings
from tests import small_lake
from tests.acceptance.canary import holding
from tests.integration.airflow_stand_in import Users
from tests.integration.two_releases import GLUCOSE, GROUP, OFFICERS, airflow, home, prepared, question
from tests.landing import lake_of as lake

__all__ = ["airflow", "home", "prepared"]


def asked(*people: str, reason: str = "asked by letter", token: str = OFFICERS) -> Question:
    persons = [{"source": "crm", "source_person_id": name} for name in people]
    return Question(json.dumps({"persons": persons, "reason": reason, "token": token}).encode())


def person(home: Settings, name: str) -> tuple[str, set[str]]:
    """The key and the pseudonyms of a person."""
    key = next(r["person_key"] for r in lake(home).arrow("vault.link").to_pylist() if r["source_person_id"] == name)
    return key, {r["pseudonym"] for r in lake(home).arrow("vault.pseudonym").to_pylist() if r["person_key"] == key}


def released(home: Settings) -> list[dict[str, Any]]:
    return [pin for pin in releases.of(lake(home), GROUP) if pin["product"] == GLUCOSE]


def contents(rows: pa.Table) -> list[str]:
    """Rows as texts, in the order of the texts."""
    return sorted(str(sorted(row.items())) for row in rows.to_pylist())


def rows(home: Settings, version: int, name: str = f"product.{GLUCOSE}") -> list[dict[str, Any]]:
    return lake(home).arrow(name, version).sort_by("person_id").to_pylist()


def test_nothing_of_a_person_is_left_in_any_version(home: Settings, airflow: Users, spark: SparkSession) -> None:
    key, names = person(home, "person-3")
    before = {pin["table_version"]: rows(home, pin["table_version"]) for pin in released(home)}
    inputs = {(name, version): contents(lake(home).arrow(name, version)) for pin in released(home)
              for name, version in json.loads(pin["inputs"]).items()}
    report = forget(home, asked("person-3"))
    assert report.facts["found"] == 0 and report.facts["unknown"] == 0 and report.facts["rows"] > 0
    assert holding(home.home, [b"person-3", key.encode(), *(name.encode() for name in names)], ()) == []
    for version, held in before.items():
        stay = [row for row in held if row["person_id"] not in names]
        assert 0 < len(stay) < len(held) and rows(home, version) == stay
        found = polars.read_delta(lake(home).path(f"product.{GLUCOSE}"), version=version)
        assert sorted(found["person_id"]) == sorted(row["person_id"] for row in stay)
    theirs = ("person-3", key)
    for (name, version), held in inputs.items():
        stay = [row for row in held if not any(f"'{value}'" in row for value in theirs)]
        assert contents(lake(home).arrow(name, version)) == stay, name
        assert contents(lake(home, spark).read(name, version).toArrow()) == stay, name
    assert {name for (name, _), held in inputs.items() if any("'person-3'" in row for row in held)} >= {"core.observation", "vault.link"}
    entry = erasures.every(lake(home))[-1]
    assert (entry["people"], entry["unknown"], entry["reason"], entry["requested_by"]) == (1, 0, "asked by letter", "officer")
    assert entry["ended_at"] and entry["rows"] == report.facts["rows"]


def test_others_are_explained_as_before(home: Settings, airflow: Users) -> None:
    def told() -> list[Any]:
        answers: list[Any] = []
        for number in (1, 2):
            explain(home, Asked(GROUP, number, GLUCOSE), question("person-0"), answers.append)
        return [answer["products"][0]["then"] for answer in answers]
    before = told()
    forget(home, asked("person-3"))
    assert told() == before


def test_a_replay_counts_what_is_missing_as_erased_and_nothing_else(home: Settings, airflow: Users) -> None:
    def replayed(number: int) -> dict[str, Any]:
        answers: list[dict[str, Any]] = []
        assert replay(home, Asked(GROUP, number, GLUCOSE), question(None), answers.append).result == "done"
        return answers[0]["products"][0]
    before = [replayed(number) for number in (1, 2)]
    assert [row["erased_rows"] for row in before] == [0, 0]
    forget(home, asked("person-3"))
    for number, was in zip((1, 2), before, strict=True):
        row = replayed(number)
        assert (row["erased_rows"], row["is_account_equal"], row["agrees"]) == (4, True, True)
        assert row["permitted_rows"] == was["permitted_rows"] - 4 and row["people"]["permitted"] == was["people"]["permitted"] - 1
    forget(home, asked("person-5"))
    assert replayed(1)["erased_rows"] == 8
    told = lake(home).arrow(erasures.INPUTS)
    lake(home).replace_arrow(erasures.INPUTS, told.filter(pc.field("erasure") != 2))
    with pytest.raises(IntegrityError, match="is not what its permits allow"):
        replayed(1)


def test_a_release_right_after_it_waits_for_the_next_build(home: Settings, airflow: Users) -> None:
    forget(home, asked("person-3"))
    report = release(home, GROUP)
    assert (report.result, report.facts["waiting_for"]) == ("unchanged", [GLUCOSE, "patient_profile"])
    small_lake.released(home)
    assert len(released(home)) == 3


def test_what_is_built_next_is_without_them(home: Settings, airflow: Users) -> None:
    forget(home, asked("person-3", "person-5"))
    small_lake.released(home)
    _, names = person(home, "person-4")
    newest = rows(home, released(home)[-1]["table_version"])
    assert {row["person_id"] for row in newest} & names and len({row["person_id"] for row in newest}) == 12 - 2 - 1


@pytest.mark.parametrize(("given", "error", "match"), [
    (asked("person-3", token="engineers-token"), NotAuthorised, "with that of an officer"),
    (asked("person-3", token=""), NotAuthorised, "nobody proved who asks"),
    (asked(), ConfigurationError, "name whom to forget"),
    (asked("person-3", reason=" "), ConfigurationError, "say why"),
    (Question(b'{"person": "person-3"}'), ConfigurationError, "is not of the form"),
])
def test_what_is_refused_forgets_nobody(home: Settings, airflow: Users, given: Question, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match) as refused:
        forget(home, given)
    assert "person-3" not in str(refused.value)
    assert person(home, "person-3") and not erasures.every(lake(home))


def test_of_somebody_unknown_nothing_is_found(home: Settings, airflow: Users) -> None:
    sizes = {name: lake(home).arrow(name).num_rows for name in _core()}
    report = forget(home, asked("nobody-knows-them"))
    assert (report.facts["people"], report.facts["unknown"], report.facts["rows"]) == (1, 1, 0)
    assert {name: lake(home).arrow(name).num_rows for name in _core()} == sizes
    assert not erasures.suppressions(lake(home)), "an id that may be mistaken keeps nobody out"


def test_a_request_twice_finds_nothing_the_second_time(home: Settings, airflow: Users) -> None:
    forget(home, asked("person-3"))
    report = forget(home, asked("person-3"))
    assert (report.facts["rows"], report.facts["changed"], report.facts["unknown"], report.facts["found"]) == (0, 0, 1, 0)


def _core() -> Iterable[str]:
    return (name for name, table in catalog().tables.items() if name in ("core.identity", "core.consent", "core.observation"))
