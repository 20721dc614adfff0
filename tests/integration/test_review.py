"""Matches that wait for people: who may see and decide them, what two officers must agree on, and how a decision is undone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from contracts import catalog
from jobs.errors import ConfigurationError, NotAuthorised
from jobs.lake import Lake
from jobs.run import review
from jobs.run.asking import Question
from jobs.run.people import resolve
from jobs.settings import Settings
from tests import small_lake
from tests.integration.two_releases import OFFICERS, airflow, audit

__all__ = ["airflow"]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, engine: str) -> Settings:
    made = small_lake.settings(tmp_path_factory.mktemp("review"), engine)
    small_lake.hold(small_lake.fill(made, people=2))
    resolve(made)
    return made


@pytest.fixture
def home(prepared: Settings, tmp_path: Path) -> Settings:
    return small_lake.copy(prepared, tmp_path / "home")


def add(lake: Lake, source: str, person: str, row: dict[str, Any], table: str = "core.identity") -> None:
    small_lake.append(lake, table, [{"source": source, "source_person_id": person, **row}], f"{source}.000001")


def lake_of(home: Settings) -> Lake:
    return Lake(home.lake_root, catalog().tables)


def persons(home: Settings) -> dict[str, str]:
    return {row["source_person_id"]: row["person_key"] for row in lake_of(home).arrow("vault.link").to_pylist()}


def said(token: str = OFFICERS, **given: Any) -> Question:
    return Question(json.dumps({"reason": "she called", "token": token, **given}).encode())


def two(one: str, other: str) -> dict[str, Any]:
    sources = {"ada": "crm", "app-user": "adherence_app", "owner": "device_cloud", "person-0": "crm"}
    return {name: {"source": sources[who], "source_person_id": who} for name, who in (("person", one), ("other", other))}


def waiting(home: Settings) -> str:
    found = review.queue(home)
    assert [sorted(row["sources"]) for row in found] == [["adherence_app", "crm"]]
    return str(found[0]["match"])


def test_the_queue_names_nobody(home: Settings) -> None:
    text = json.dumps(review.queue(home), default=str)
    assert waiting(home) in text
    assert not [word for word in ("ada", "app-user", "Lang", "example", *persons(home).values()) if word in text]


def test_an_officer_sees_the_evidence_side_by_side_and_the_audit_keeps_no_value(home: Settings) -> None:
    answers: list[dict[str, Any]] = []
    assert review.show(home, waiting(home), said(), answers.append).result == "done"
    sides = [{each["source"] for each in person} for person in answers[0]["persons"]]
    assert sorted(map(sorted, sides)) == [["adherence_app", "device_cloud"], ["crm"]]
    assert {each["email"] for person in answers[0]["persons"] for each in person} == {"ada@post.example", None}
    assert audit(home)["actor"] == "officer" and "example" not in json.dumps(audit(home), default=str)


@pytest.mark.parametrize("token", ["engineers-token", "nobodys-token", ""])
def test_nobody_else_sees_or_decides(home: Settings, token: str) -> None:
    match = waiting(home)
    with pytest.raises(NotAuthorised):
        review.show(home, match, said(token), lambda _: pytest.fail("told"))
    with pytest.raises(NotAuthorised):
        review.decide(home, "same", match, said(token))
    assert lake_of(home).arrow("vault.decision").num_rows == 0


def test_one_officer_is_enough_where_nobody_said_anything(home: Settings) -> None:
    before = persons(home)
    report = review.decide(home, "same", waiting(home), said())
    assert (report.facts["stands"], report.changed) == ("same", ["vault.decision"])
    assert resolve(home).facts["merged"] > 0
    after = persons(home)
    assert after["ada"] == after["app-user"] == after["owner"] == min(before["ada"], before["app-user"])
    assert {row["evidence"] for row in lake_of(home).arrow("vault.link").to_pylist() if row["source_person_id"] == "ada"} == {"decision"}
    assert review.queue(home) == [] and resolve(home).result == "unchanged"
    assert [(row["kind"], row["identities"]) for row in review.history(home)] in ([("merge", 1)], [("merge", 1), ("merge", 1)])


def test_two_officers_must_agree_where_somebody_said_something(home: Settings) -> None:
    small_lake.append(lake_of(home), "core.consent", [small_lake.statement("ada", "research")])
    match = waiting(home)
    for token in ("officers-token", "officers-token"):  # The same one twice is one.
        assert review.decide(home, "same", match, said(token)).facts["stands"] is None
    assert resolve(home).facts["merged"] == 0
    assert review.queue(home)[0]["said"] == ["officer: same"]
    assert review.decide(home, "same", match, said("admins-token")).facts["stands"] == "same"
    resolve(home)
    assert persons(home)["ada"] == persons(home)["app-user"]


def test_a_different_ends_the_wait_and_stands_against_a_same(home: Settings) -> None:
    match = waiting(home)
    review.decide(home, "different", match, said())
    resolve(home)
    assert review.queue(home) == []
    before = persons(home)
    assert review.decide(home, "same", None, said("admins-token", **two("ada", "app-user"))).facts["stands"] == "different"
    resolve(home)
    assert persons(home) == before


def test_taking_a_decision_back_gives_everybody_their_former_key(home: Settings) -> None:
    before = persons(home)
    review.decide(home, "same", waiting(home), said())
    resolve(home)
    review.decide(home, "different", None, said(**two("owner", "ada")))
    assert resolve(home).facts["split"] > 0
    assert persons(home) == before
    assert {row["kind"] for row in review.history(home)} == {"merge", "split"}


def test_identities_that_a_proof_linked_are_told_apart(home: Settings) -> None:
    before = persons(home)
    review.decide(home, "different", None, said(**two("app-user", "owner")))
    resolve(home)
    after = persons(home)
    assert after["app-user"] != after["owner"] and before["app-user"] in (after["app-user"], after["owner"])
    assert {key: after[key] for key in ("ada", "person-0", "person-1")} == {key: before[key] for key in ("ada", "person-0", "person-1")}


@pytest.mark.parametrize(("match", "given", "words"), [
    ("0000000000000000", {}, "no match of this name"), (None, {}, "either a match, or both"),
    (None, two("ada", "app-user") | {"other": {"source": "crm", "source_person_id": "none"}}, "linked to nobody"),
    (None, two("app-user", "owner"), "one person already"), (None, {**two("ada", "app-user"), "reason": " "}, "say why"),
    (None, {**two("ada", "app-user"), "reason": "x" * 501}, "say why"), (None, {**two("ada", "app-user"), "shoes": 1}, "nothing else belongs")])
def test_what_cannot_be_decided(home: Settings, match: str | None, given: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as refused:
        review.decide(home, "same", match, said(**given))
    assert "ada" not in str(refused.value)
    assert lake_of(home).arrow("vault.decision").num_rows == 0
