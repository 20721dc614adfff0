"""Explaining and replaying past releases: who is in, who is out, by which statements, and what contradicts itself."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from contracts import catalog
from jobs import cli, cli_explain
from jobs.answers import SHOWN, show_explanation
from jobs.errors import ConfigurationError, ConsentUnreadable, IntegrityError, LakeError
from jobs.lake import Lake
from jobs.ledger import accounts, releases
from jobs.run.asking import Question
from jobs.run.explain import explain
from jobs.run.past import Asked, asked
from jobs.run.product import candidate_id
from jobs.run.replay import replay
from jobs.settings import Settings
from tests import small_lake
from tests.integration.two_releases import (
    AFTER,
    BEFORE,
    FIRST,
    GLUCOSE,
    GROUP,
    SECOND,
    airflow,
    audit,
    home,
    prepared,
    question,
    told,
)

__all__ = ["airflow", "home", "prepared"]


def fates(known: dict[str, Any]) -> list[tuple[str, str, str, bool]]:
    return sorted((s["purpose_code"], s["decision_code"], s["fate_code"], s["decides"]) for s in known["statements"])


def test_in_then_and_out_now(home: Settings) -> None:
    (answer,) = told(home, FIRST)
    assert (answer["product"], answer["is_in_release"], answer["agrees"]) == (GLUCOSE, True, True)
    then, now = answer["then"], answer["now"]
    assert (then["is_permitted"], then["reason_code"], then["identities"]) == (True, "permitted", 1)
    assert fates(then) == [("adherence_monitoring", "permit", "counts", True), ("decision_support", "permit", "counts", True),
                           ("research", "permit", "other_purpose", False), ("research", "permit", "other_purpose", False)]
    assert (now["is_permitted"], now["reason_code"]) == (False, "denied")
    assert fates(now)[:3] == [("adherence_monitoring", "deny", "counts", True), ("adherence_monitoring", "permit", "superseded", False),
                              ("decision_support", "permit", "counts", False)]
    stored = Lake(home.lake_root, catalog().tables).arrow("core.consent").to_pylist()
    names = {s["record_id"] for s in stored if s["source_person_id"] == "person-0"}
    assert {s["record_id"] for s in now["statements"]} == names
    (pin,) = [p for p in releases.of(Lake(home.lake_root, catalog().tables), GROUP) if p["number"] == 1 and p["product"] == GLUCOSE]
    assert then["as_of"] == pin["decided_at"] < now["as_of"]


def test_out_of_the_next_release(home: Settings) -> None:
    (answer,) = told(home, SECOND)
    assert (answer["is_in_release"], answer["agrees"], answer["then"]["reason_code"]) == (False, True, "denied")
    (other,) = told(home, SECOND, "person-1")
    assert (other["is_in_release"], other["then"]["reason_code"]) == (True, "permitted")


def test_what_a_person_said_elsewhere_counts_since_they_are_known_to_be_one(home: Settings) -> None:
    lake = Lake(home.lake_root, catalog().tables)
    links = lake.arrow("vault.link")
    other = next(row for row in links.to_pylist() if row["source_person_id"] == "person-2")
    other |= {"source": "other", "source_person_id": "77", "evidence": "email"}
    lake.append_arrow("vault.link", links.from_pylist([other], schema=links.schema))
    said = {**small_lake.statement("77", "decision_support", decision="deny"), "source": "other", "recorded_at": BEFORE}
    small_lake.append(lake, "core.consent", [said])
    for source, person, then in (("crm", "person-2", "permitted"), ("other", "77", "no_identity")):
        answers: list[dict[str, Any]] = []
        asking = {"person": {"source": source, "source_person_id": person}, "token": "officers-token"}
        explain(home, SECOND, Question(json.dumps(asking).encode()), answers.append)
        (answer,) = answers[0]["products"]
        assert (answer["then"]["reason_code"], answer["now"]["reason_code"], answer["now"]["identities"]) == (then, "denied", 2)
        assert [(s["source"], s["fate_code"]) for s in answer["now"]["statements"] if s["decides"]] == [("other", "counts")]


@pytest.mark.parametrize(("person", "reason"), [("no-data", "nothing_known"), ("stranger", "no_identity")])
def test_people_of_whom_little_is_known(home: Settings, person: str, reason: str) -> None:
    (answer,) = told(home, FIRST, person)
    assert (answer["is_in_release"], answer["then"]["reason_code"], answer["then"]["statements"]) == (False, reason, [])
    assert answer["now"]["reason_code"] == reason


def test_all_products_of_a_release_and_those_that_hold_no_person(home: Settings) -> None:
    answers = {a["product"]: a for a in told(home, Asked(GROUP, 1))}
    assert set(answers) == set(catalog().products)
    assert (answers["patient_profile"]["is_in_release"], answers["patient_profile"]["then"]["reason_code"]) == (True, "permitted")
    for name in set(answers) - {GLUCOSE, "patient_profile"}:
        assert (answers[name]["is_in_release"], answers[name]["then"]["reason_code"]) == (None, "legitimate_interest")
        assert answers[name]["then"]["statements"] == []


def test_a_use_is_what_the_release_was_decided_for_whatever_the_contract_says_today(home: Settings, monkeypatch) -> None:
    product = catalog().products[GLUCOSE]
    changed = product.model_copy(update={"purposes": ("patient_education",)})
    monkeypatch.setitem(catalog().products, GLUCOSE, changed)
    (answer,) = told(home, FIRST)
    assert (answer["purposes"], answer["then"]["reason_code"]) == (["adherence_monitoring", "decision_support"], "permitted")
    assert answer["now"]["reason_code"] == "nothing_known"


def test_replay_gives_the_release(home: Settings) -> None:
    for number, permitted in ((1, 12), (2, 11)):
        answers: list[dict[str, Any]] = []
        assert replay(home, Asked(GROUP, number), question(None), answers.append).result == "done"
        found = {p["product"]: p for p in answers[0]["products"]}
        assert found[GLUCOSE]["people"] == {"considered": 13, "permitted": permitted, "released": permitted, "not_permitted": 0,
                                            "without_rows": 0}
        assert {p["is_account_equal"] and p["agrees"] for p in found.values()} == {True}
        assert (found[GLUCOSE]["permitted_rows"], found[GLUCOSE]["withheld_rows"]) == (4 * permitted, 48 - 4 * permitted)
        assert {name for name, p in found.items() if p["people"] is None} == set(catalog().products) - {GLUCOSE, "patient_profile"}


def test_a_release_that_holds_somebody_without_a_permit_is_said(home: Settings) -> None:
    """The first table version, pinned as if it had been decided from what people said later, with the accounts of that."""
    lake = Lake(home.lake_root, catalog().tables)
    first, second = (next(p for p in releases.of(lake, GROUP) if (p["number"], p["product"]) == (n, GLUCOSE)) for n in (1, 2))
    wrong = {**second, "table_version": first["table_version"]}
    releases.pin(lake, GROUP, 3, [{k: v for k, v in wrong.items() if k not in ("release_group", "number", "released_at")}], AFTER)
    held = accounts.of(lake, {candidate_id(GLUCOSE, second["table_version"])})
    accounts.write(lake, candidate_id(GLUCOSE, first["table_version"]), [
        (row["stage"], accounts.Entry(**{f.name: row[f.name] for f in fields(accounts.Entry)})) for row in held], AFTER)
    answers: list[dict[str, Any]] = []
    third = Asked(GROUP, 3, GLUCOSE)
    with pytest.raises(IntegrityError, match="holds rows of this person in glucose_daily"):
        explain(home, third, question(), answers.append)
    assert (answers[0]["products"][0]["is_in_release"], answers[0]["products"][0]["agrees"]) == (True, False)
    assert (audit(home)["result"], audit(home)["actor"]) == ("failed", "officer")
    with pytest.raises(IntegrityError, match="not what its permits allow: glucose_daily"):
        replay(home, third, question(None), answers.append)
    assert (answers[1]["products"][0]["people"]["not_permitted"], answers[1]["products"][0]["is_account_equal"]) == (1, True)
    (other,) = told(home, third, "person-1")
    assert other["agrees"]


def test_a_release_whose_account_was_altered_is_said(home: Settings) -> None:
    lake = Lake(home.lake_root, catalog().tables)
    rows = lake.arrow("ledger.account")
    altered = [{**row, "people": 1} if row["stage"] == "permit" and "glucose" in row["subject"] else row for row in rows.to_pylist()]
    lake.merge_arrow("ledger.account", rows.from_pylist(altered, schema=rows.schema))
    answers: list[dict[str, Any]] = []
    with pytest.raises(IntegrityError, match="not what its permits allow"):
        replay(home, FIRST, question(None), answers.append)
    assert (answers[0]["products"][0]["is_account_equal"], answers[0]["products"][0]["people"]["not_permitted"]) == (False, 0)


def test_text_of_a_source_does_not_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    known = {"as_of": AFTER, "is_permitted": False, "reason_code": "denied", "identities": 1, "statements": [
        dict.fromkeys(SHOWN.values()) | {"record_id": "[red]\x1b[2J", "fate_code": "counts", "decides": True}]}
    show_explanation({"release": "engagement/1", "released_at": AFTER, "asked_by": "officer", "products": [
        {"product": GLUCOSE, "legal_basis": "explicit_consent", "is_in_release": True, "agrees": False, "then": known, "now": known}]})
    said = capsys.readouterr().out
    assert "INTEGRITY ERROR" in said and "[red]" in said and "\x1b" not in said


def test_a_consent_table_that_is_not_there_any_more_is_no_answer(home: Settings) -> None:
    for path in Path(home.lake_root, "core", "consent").glob("*.parquet"):
        path.unlink()
    for ask in (explain, replay):
        with pytest.raises(ConsentUnreadable):
            ask(home, FIRST, question(), lambda _: pytest.fail("told"))


def test_releases_that_there_are_not(home: Settings) -> None:
    with pytest.raises(LakeError, match=r"no release 9 of glucose_daily; released are: 1, 2"):
        explain(home, Asked(GROUP, 9, GLUCOSE), question(), lambda _: pytest.fail("told"))
    assert asked(catalog(), "engagement/3", None) == Asked(GROUP, 3) == asked(catalog(), "3", None)
    assert asked(catalog(), "3", GLUCOSE) == Asked(GROUP, 3, GLUCOSE) == asked(catalog(), "engagement/3", GLUCOSE)
    for release_, product in (("", None), ("x", None), ("other/1", None), ("engagement/", None), ("engagement/-1", None),
                              ("1", "NOSUCH"), ("engagement/²", None)):
        with pytest.raises(ConfigurationError):
            asked(catalog(), release_, product)


@pytest.mark.parametrize("as_json", [False, True])
def test_the_commands_print_what_was_asked(home: Settings, monkeypatch, capsys, as_json: bool) -> None:
    monkeypatch.setattr(cli_explain, "Settings", lambda: home)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(question().content)))
    cli_explain.explain("engagement/2", as_json=as_json)
    said = capsys.readouterr().out
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(question(None).content)))
    monkeypatch.setenv("CONCORD_HOME", str(home.home))
    cli.app(["replay", "--release", "engagement/2", *(["--json"] if as_json else [])], standalone_mode=False)
    counted = capsys.readouterr().out
    if as_json:
        assert json.loads(said)["products"][0]["then"]["reason_code"] and json.loads(counted)["products"][0]["agrees"]
    else:
        for words in ("asked by officer", "glucose_daily: out of the release", "as known then", "withheld, denied", "superseded",
                      "as true now", "optin_rates: rests on legitimate_interest and holds no person's row"):
            assert words in said
        assert "Permits of release engagement/2" in counted and "equal" in counted
    assert "person-0" not in said + counted
