"""Who stands behind a pseudonym: one officer asks, another one is told, once, and the ledger has it before."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from typer.testing import CliRunner

from contracts import catalog
from contracts.vocabulary import ReversalPurpose
from jobs.cli import app
from jobs.errors import ConfigurationError, LakeError, NotAuthorised
from jobs.lake import Lake
from jobs.run import commitments, reidentify
from jobs.run.asking import Question
from jobs.settings import Settings
from jobs.stages.own_keys import own_key
from tests.integration.airflow_stand_in import Users
from tests.integration.two_releases import airflow, audit, home, prepared

__all__ = ["airflow", "home", "prepared"]

DOMAIN, WHY = "engagement", ReversalPurpose.SAFETY_FOLLOW_UP
OFFICER, ADMIN, ENGINEER = "officers-token", "admins-token", "engineers-token"


def lake(home: Settings) -> Lake:
    return Lake(home.lake_root, catalog().tables)


def pseudonym(home: Settings, person: str = "person-3") -> str:
    key = next(r["person_key"] for r in lake(home).arrow("vault.link").to_pylist() if r["source_person_id"] == person)
    return next(r["pseudonym"] for r in lake(home).arrow("vault.pseudonym").to_pylist() if (r["domain"], r["person_key"]) == (DOMAIN, key))


def said(name: str, token: str = OFFICER, reason: str = "a report of harm") -> Question:
    return Question(json.dumps({"pseudonym": name, "reason": reason, "token": token}).encode())


def asked(home: Settings, **more: Any) -> str:
    return str(reidentify.request(home, DOMAIN, WHY, said(pseudonym(home), **more)).facts["reversal"])


def answers(home: Settings, reversal: str, question: Question) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    reidentify.tell(home, reversal, question, found.append)
    return found


def refused(home: Settings, reversal: str, question: Question, match: str, error: type[Exception] = NotAuthorised) -> None:
    """Nothing is told, and nothing is kept of having told it."""
    before = lake(home).arrow(reidentify.TABLE).to_pylist() if lake(home).exists(reidentify.TABLE) else []
    with pytest.raises(error, match=match):
        reidentify.tell(home, reversal, question, lambda _: pytest.fail("told"))
    assert (lake(home).arrow(reidentify.TABLE).to_pylist() if before else []) == before


def test_another_officer_is_told_once(home: Settings) -> None:
    reversal = asked(home)
    row, = lake(home).arrow(reidentify.TABLE).to_pylist()
    assert (row["reversal_id"], row["domain"], row["purpose_code"], row["reason"], row["requested_by"], row["told_to"]) == (
        reversal, DOMAIN, "safety_follow_up", "a report of harm", "officer", None)
    answer, = answers(home, reversal, said(pseudonym(home), ADMIN))
    assert answer == {"reversal": reversal, "domain": DOMAIN, "purpose": "safety_follow_up", "requested_by": "officer", "told_to": "admin",
                      "identities": [{"source": "crm", "source_person_id": "person-3"}]}
    row, = lake(home).arrow(reidentify.TABLE).to_pylist()
    assert row["told_to"] == "admin" and row["told_at"] >= row["requested_at"]
    entry = audit(home)
    assert (entry["stage"], entry["subject"], entry["actor"], entry["result"]) == ("reidentify.tell", reversal, "admin", "done")
    refused(home, reversal, said(pseudonym(home), ADMIN), "was answered to admin; ask anew")


def test_neither_the_pseudonym_nor_the_person_is_kept(home: Settings) -> None:
    name = pseudonym(home)
    answers(home, asked(home), said(name, ADMIN))
    kept = json.dumps([lake(home).arrow(table).to_pylist() for table in (reidentify.TABLE, "ledger.audit")], default=str)
    kept += home.events.read_text("utf-8")
    key = next(r["person_key"] for r in lake(home).arrow("vault.link").to_pylist() if r["source_person_id"] == "person-3")
    assert not [text for text in (name, key, "person-3") if text in kept]


@pytest.mark.parametrize(("token", "match"), [
    (OFFICER, "officer made request .*, so another officer must take the answer"), (ENGINEER, "Officer|Airflow"),
    ("nobodys-token", "Airflow"), ("", "nobody proved who asks")])
def test_who_asked_and_who_is_no_officer_are_told_nothing(home: Settings, token: str, match: str) -> None:
    refused(home, asked(home), said(pseudonym(home), token), match)


def test_an_engineer_asks_for_nobody(home: Settings, airflow: Users) -> None:
    airflow.may_read_users.add("engineer")
    with pytest.raises(NotAuthorised, match="engineer has none of the roles"):
        asked(home, token=ENGINEER)
    assert not lake(home).exists(reidentify.TABLE) or lake(home).arrow(reidentify.TABLE).num_rows == 0


def test_a_request_is_about_one_pseudonym_and_ends(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    reversal = asked(home)
    refused(home, reversal, said(pseudonym(home, "person-4"), ADMIN), "is about another pseudonym")
    refused(home, "0" * 16, said(pseudonym(home), ADMIN), "no request is called that", ConfigurationError)
    monkeypatch.setattr(reidentify, "VALID", timedelta(0))
    refused(home, reversal, said(pseudonym(home), ADMIN), "is older than 0 days; ask anew")


@pytest.mark.parametrize(("domain", "name", "reason", "match"), [
    ("engagment", None, "x", r"no domain is called 'engagment' \(did you mean engagement\?\)"), (DOMAIN, "f" * 32, "x", "is no pseudonym of domain"),
    (DOMAIN, "person-3", "x", "is no pseudonym of domain"), ("glycemia_institute", None, "x", "is no pseudonym of domain glycemia_institute"),
    (DOMAIN, None, "  ", "say why, in 1 to 500 characters"), (DOMAIN, None, "x" * 501, "say why, in 1 to 500 characters")])
def test_what_cannot_be_asked_is_said_and_not_repeated(home: Settings, domain: str, name: str | None, reason: str, match: str) -> None:
    name = name or pseudonym(home)
    with pytest.raises(ConfigurationError, match=match) as failed:
        reidentify.request(home, domain, WHY, said(name, reason=reason))
    assert name not in str(failed.value) and not lake(home).exists(reidentify.TABLE)


def test_an_identity_that_stays_apart_is_found_by_the_key_of_its_own(home: Settings) -> None:
    link = next(r for r in lake(home).arrow("vault.link").to_pylist() if r["source_person_id"] == "person-3")
    own = own_key(link["person_key"], "crm", "person-3")
    pseudonyms = lake(home).arrow("vault.pseudonym")
    lake(home).append_arrow("vault.pseudonym", pseudonyms.slice(0, 1).set_column(2, pseudonyms.schema.field(2), [[own]]).set_column(
        3, pseudonyms.schema.field(3), [["a" * 32]]))
    domain = pseudonyms["domain"][0].as_py()
    reversal = str(reidentify.request(home, domain, WHY, said("a" * 32)).facts["reversal"])
    assert answers(home, reversal, said("a" * 32, ADMIN))[0]["identities"] == [{"source": "crm", "source_person_id": "person-3"}]


def test_it_fails_closed(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    reversal, name = asked(home), pseudonym(home)
    with monkeypatch.context() as patch:
        patch.setattr(Lake, "merge_arrow", lambda *_, **__: (_ for _ in ()).throw(LakeError("the ledger cannot be written")))
        refused(home, reversal, said(name, ADMIN), "the ledger cannot be written", LakeError)
    lake(home).replace_arrow(commitments.TABLE, lake(home).arrow(commitments.TABLE).slice(0, 0))
    refused(home, reversal, said(name, ADMIN), "about somebody who was forgotten since")


def test_a_pseudonym_of_somebody_who_was_merged_is_not_asked_about(home: Settings) -> None:
    name, links = pseudonym(home), lake(home).arrow("vault.link")
    rows = [{**row, "person_key": "a" * 32} if row["source_person_id"] == "person-3" else row for row in links.to_pylist()]
    lake(home).replace_arrow("vault.link", links.from_pylist(rows, links.schema))
    with pytest.raises(ConfigurationError, match="was merged with another one since; ask with a newer pseudonym"):
        reidentify.request(home, DOMAIN, WHY, said(name))


def test_the_commands(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONCORD_HOME", str(home.home))
    monkeypatch.delenv("CONCORD_LAKE", raising=False)

    def run(*words: str, given: Question | None = None) -> str:
        done = CliRunner().invoke(app, ["reidentify", *words], input=given.content if given else None, catch_exceptions=False)
        assert done.exit_code == 0
        return done.stdout

    name = pseudonym(home)
    told = run("request", "--domain", DOMAIN, "--purpose", "data_subject_request", given=said(name))
    reversal = lake(home).arrow(reidentify.TABLE)["reversal_id"][0].as_py()
    assert f"concord reidentify tell {reversal}" in told and name not in told
    assert run("tell", reversal, given=said(name, ADMIN)) == "crm  person-3\n"
    row, = json.loads(run("list", "--json"))
    assert (row["purpose_code"], row["told_to"]) == ("data_subject_request", "admin") and name not in str(row)
    assert "a report of harm" in " ".join(run("list").split()) and datetime.now(UTC).strftime("%Y") in run("list")
