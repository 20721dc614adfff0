"""Where a person is: every version, release and extract that holds them, and no other, told to an officer once the audit has it."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from contracts import catalog
from jobs import cli_where
from jobs.cli import app
from jobs.errors import ConfigurationError, IntegrityError, LakeError, NotAuthorised
from jobs.ledger import audit as ledger
from jobs.ledger import releases
from jobs.run import pins, whereabouts
from jobs.run.asking import Question
from jobs.run.forget import forget
from jobs.run.maintain import maintain
from jobs.run.where import where
from jobs.schema import arrow_schema
from jobs.settings import Settings
from jobs.turn import turn
from jobs.whereabouts import TABLE, cursor, index, names
from tests import small_lake
from tests.integration import test_forget
from tests.integration.airflow_stand_in import Users
from tests.integration.two_releases import GLUCOSE, GROUP, OFFICERS, airflow, audit, home, prepared
from tests.landing import lake_of as lake

__all__ = ["airflow", "home", "prepared"]
NEW = "f" * 32
Answer = dict[str, Any]


def asked(person: str | None = "person-3", source: str = "crm", reason: str = "asked by letter", token: str = OFFICERS) -> Question:
    named = {"person": {"source": source, "source_person_id": person}} if person else {}
    return Question(json.dumps({**named, "reason": reason, "token": token}).encode())


def told(home: Settings, person: str = "person-3", source: str = "crm") -> Answer:
    answers: list[Answer] = []
    where(home, asked(person, source), answers.append)
    return answers[0]


def versions(answer: Answer) -> dict[str, list[int]]:
    """Which versions an answer names, but for the commitments, to which each question adds one."""
    return {row["table"]: row["versions"] for row in answer["tables"] if row["table"] != "vault.commitment"}


def naive(home: Settings, words: set[str]) -> dict[str, list[int]]:
    """The versions of every table about persons that have one of some values, by reading them all."""
    found: dict[str, list[int]] = {}
    for name in set(index.kept(catalog())) - {"vault.commitment"}:
        for version in range(len(lake(home).history(name))):
            try:
                rows = lake(home).arrow(name, version).to_pylist()
            except OSError:  # Swept.
                continue
            if any(words & {str(value) for value in row.values()} for row in rows):
                found.setdefault(name, []).append(version)
    return found


def words(home: Settings, person: str = "person-3") -> set[str]:
    key, pseudonyms = test_forget.person(home, person)
    return {person, f"crm/{person}", key, *pseudonyms}


def change_link(home: Settings, person: str, key: str) -> None:
    """Give an identity another key, as a resolve writes it."""
    held = lake(home).arrow("vault.link").to_pylist()
    row = next(r for r in held if r["source_person_id"] == person)
    schema = arrow_schema(catalog().tables["vault.change"])
    filled: dict[pa.DataType, Any] = {pa.string(): "x", pa.float64(): 0.0, pa.bool_(): True, pa.int64(): 1}
    said = {"source": "crm", "source_person_id": person, "from_key": row["person_key"], "to_key": key}
    change = {f.name: said.get(f.name, filled.get(f.type, datetime(2026, 11, 1, tzinfo=UTC))) for f in schema}
    lake(home).append_arrow("vault.change", pa.Table.from_pylist([change], schema=schema))
    link = arrow_schema(catalog().tables["vault.link"])
    lake(home).replace_arrow("vault.link", pa.Table.from_pylist([{**r, "person_key": key} if r is row else r for r in held], schema=link))


@pytest.mark.parametrize("person", ["person-0", "person-3", "no-data"])
def test_every_version_that_holds_a_person_is_told_and_no_other(home: Settings, person: str) -> None:
    answer = told(home, person)
    assert versions(answer) == naive(home, words(home, person))
    held = {row["table"]: row["versions"] for row in answer["tables"]}
    assert held.keys() >= {"core.identity", "vault.link", "vault.person"} and held["vault.commitment"] == [1], "of this question"
    assert not any(row["is_shared"] for row in answer["tables"])


def test_releases_are_told_and_whether_they_are_superseded(home: Settings) -> None:
    every = [f"{GROUP}/{n}" for n in (1, 2)]
    stays, left = told(home)["releases"], told(home, "person-0")["releases"]
    assert ([r["release"] for r in stays] == every and [r["release"] for r in left] == every[:1]) or GLUCOSE not in left[-1]["products"]
    assert stays[0]["is_superseded"] and not stays[1]["is_superseded"]
    held = {r["release"]: r["products"] for r in left}
    for pin in releases.every(lake(home)):
        name = f"product.{pin['product']}"
        if names.columns(catalog().tables[name]):
            rows = lake(home).arrow(name, pin["table_version"])["person_id"].to_pylist()
            is_in = bool(words(home, "person-0") & set(rows))
            assert is_in == (pin["product"] in held.get(f"{GROUP}/{pin['number']}", [])), pin


def test_who_left_the_newest_version_is_not_current(home: Settings) -> None:
    rows = {row["table"]: row["is_current"] for row in told(home, "person-0")["tables"]}
    assert rows["core.identity"] and not rows[f"product.{GLUCOSE}"]


def test_what_was_written_since_is_brought_in_first(home: Settings) -> None:
    """As after a kill between a table's commit and the index's."""
    told(home)
    before = lake(home).version("core.observation")
    small_lake.append(lake(home), "core.observation", [
        {"source_person_id": "late-comer", "code": "2339-0", "value": 1.0, "unit_code": "mg/dL", "effective_at": small_lake.START,
         "status_code": "final"}])
    assert versions(told(home, "late-comer")) == {"core.observation": [before + 1]}
    assert versions(told(home))["core.observation"][-1] == before + 1


def test_a_stage_keeps_it_and_steps_aside_for_another_run(home: Settings) -> None:
    small_lake.append(lake(home), "core.identity", [{"source_person_id": "late-comer", "country_code": "DE"}])
    with turn(home.home / "turns", whereabouts.NAME):
        maintain(home)
    assert not cursor.is_complete(lake(home), cursor.through(lake(home)))
    maintain(home)
    assert cursor.is_complete(lake(home), cursor.through(lake(home)))
    assert versions(told(home, "late-comer"))


def test_care_of_files_changes_nothing_but_what_can_be_read(home: Settings) -> None:
    for _ in range(20):
        lake(home).append_arrow("vault.person", lake(home).arrow("vault.person").slice(0, 0))
        small_lake.append(lake(home), "core.identity", [{"source_person_id": "filler", "country_code": "DE"}])
    assert maintain(home, grace_hours=0).facts["joined"] > 0
    assert versions(told(home)) == naive(home, words(home))


def test_versions_whose_files_are_gone_are_not_told(home: Settings) -> None:
    before = versions(told(home))["core.identity"]
    lake(home).replace_arrow("core.identity", lake(home).arrow("core.identity"))
    lake(home).replace_arrow("core.identity", lake(home).arrow("core.identity"))
    lake(home).sweep("core.identity", (), hours=0)
    after = versions(told(home))
    assert after == naive(home, words(home)) and after["core.identity"] == [before[-1] + 2]


def test_the_index_forgets_who_is_in_nothing_that_can_be_read(home: Settings) -> None:
    rows = lake(home).arrow("core.contact_point").slice(0, 0)
    small_lake.append(lake(home), "core.contact_point", [
        {"source_person_id": "passer-by", "system_code": "email", "value": "a@post.example", "is_verified": True}])
    assert versions(told(home, "passer-by"))
    lake(home).replace_arrow("core.contact_point", rows)
    maintain(home, grace_hours=0)
    assert told(home, "passer-by")["tables"] == []
    assert not [r for r in lake(home).arrow(TABLE).to_pylist() if "passer-by" in r["identity"]]
    assert versions(told(home)) == naive(home, words(home))


def test_after_an_erasure_nothing_is_found_and_others_are_where_they_were(home: Settings, airflow: Users) -> None:
    before = versions(told(home, "person-4"))
    assert told(home)["tables"]
    forget(home, test_forget.asked("person-3"))
    assert told(home) == {"asked_by": "officer", "identities": 1, "tables": [], "releases": [], "extracts": []}
    after = versions(told(home, "person-4"))
    assert after == naive(home, words(home, "person-4"))
    swept = {name: [v for v in before[name] if v not in after[name]] for name in before}
    kept = pins.standing(lake(home), catalog())
    assert not [(n, v) for n, gone in swept.items() for v in gone if v in kept.versions(n)]
    assert "person-3" not in str(lake(home).arrow(TABLE).to_pylist())


def test_an_erasure_before_the_index_ever_was_is_like_one_after(home: Settings, airflow: Users) -> None:
    shutil.rmtree(lake(home).path(TABLE))
    forget(home, test_forget.asked("person-3"))
    assert not told(home)["tables"] and versions(told(home, "person-4")) == naive(home, words(home, "person-4"))


def test_a_person_merged_yesterday_is_found_by_both_keys(home: Settings) -> None:
    both = words(home) | words(home, "person-4")
    change_link(home, "person-4", test_forget.person(home, "person-3")[0])
    first, second = told(home, "person-4"), told(home, "person-3")
    assert versions(first) == versions(second) and first["releases"] == second["releases"] and first["identities"] == 2
    assert versions(first) == naive(home, both) and not any(row["is_shared"] for row in first["tables"])


def test_after_a_split_what_stands_under_a_shared_key_is_marked(home: Settings) -> None:
    key, pseudonyms = test_forget.person(home, "person-3")
    change_link(home, "no-data", key)
    change_link(home, "no-data", NEW)
    answer = told(home, "no-data")
    shared = {row["table"]: row["is_shared"] for row in answer["tables"]}
    assert answer["identities"] == 1 and shared[f"product.{GLUCOSE}"] and not shared["core.identity"]
    assert versions(answer)[f"product.{GLUCOSE}"] == naive(home, pseudonyms)[f"product.{GLUCOSE}"]
    assert not any(row["is_shared"] for row in told(home, "person-3")["tables"] if row["table"] != f"product.{GLUCOSE}")


def test_what_says_that_another_identity_had_a_key_of_theirs_is_about_the_other(home: Settings) -> None:
    key, _ = test_forget.person(home, "person-3")
    change_link(home, "person-4", key)
    change_link(home, "no-data", key)
    change_link(home, "no-data", NEW)
    found = versions(told(home, "no-data"))["vault.change"]
    assert found == naive(home, {"no-data"})["vault.change"] and min(found) > min(versions(told(home, "person-4"))["vault.change"])


def test_a_match_that_waits_for_a_review_is_another_person(home: Settings) -> None:
    small_lake.hold(lake(home))
    small_lake.released(home)
    answer = told(home, "ada")
    assert answer["identities"] == 1 and "vault.held" in versions(answer)
    assert told(home, "app-user", "adherence_app")["identities"] == 2


def test_nobody_known_is_nowhere(home: Settings) -> None:
    assert told(home, "nobody-knows-them") == {"asked_by": "officer", "identities": 1, "tables": [], "releases": [], "extracts": []}


@pytest.mark.parametrize(("given", "error", "match"), [
    (asked(token="engineers-token"), NotAuthorised, "with that of an officer"), (asked(token=""), NotAuthorised, "nobody proved who asks"),
    (asked(None), ConfigurationError, "name a person"), (asked(reason=" "), ConfigurationError, "say why"),
    (asked(reason="x" * 501), ConfigurationError, "in 1 to 500 characters"), (asked(source="crmm"), ConfigurationError, "there are adherence_app"),
    (Question(b'{"person": "person-3"}'), ConfigurationError, "is not of the form")])
def test_what_is_refused_is_told_nothing(home: Settings, given: Question, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match) as refused:
        where(home, given, lambda _: pytest.fail("told"))
    assert "person-3" not in str(refused.value) and "crmm" not in str(refused.value)
    assert (audit(home)["stage"], audit(home)["result"]) == ("where", "failed")


def test_the_audit_has_it_before_and_names_nobody(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    told(home)
    entry = audit(home)
    assert (entry["stage"], entry["result"], entry["actor"]) == ("where", "done", "officer")
    assert json.loads(entry["detail"])["reason"] == "asked by letter" and not [w for w in words(home) if w in str(entry)]
    monkeypatch.setattr(ledger, "enter", lambda *_: (_ for _ in ()).throw(LakeError("the ledger cannot be written")))
    with pytest.raises(LakeError, match="the ledger cannot be written"):
        where(home, asked(), lambda _: pytest.fail("told"))


def test_files_that_are_missing_stop_it(home: Settings) -> None:
    told(home)
    small_lake.append(lake(home), "core.identity", [{"source_person_id": "late-comer", "country_code": "DE"}])
    folder = small_lake.Path(lake(home).path("core.identity"))
    max(folder.glob("*.parquet"), key=lambda path: path.stat().st_mtime_ns).unlink()
    with pytest.raises(IntegrityError, match=r"core\.identity: files of its newest version are missing"):
        where(home, asked(), lambda _: pytest.fail("told"))


@pytest.mark.parametrize(("given", "said"), [([], ""), ([3], "3"), ([0, 1, 2, 5, 7, 8], "0-2, 5, 7-8")])
def test_versions_are_short(given: list[int], said: str) -> None:
    assert cli_where.spans(given) == said


def test_the_command(home: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("CONCORD_HOME", str(home.home))
    monkeypatch.delenv("CONCORD_LAKE", raising=False)

    def run(*more: str, given: Question) -> str:
        done = CliRunner().invoke(app, ["where", *more], input=given.content, catch_exceptions=False)
        assert done.exit_code == 0
        return done.stdout

    answer = json.loads(run("--json", given=asked()))
    assert versions(answer) == versions(told(home)) and "person-3" not in str(answer)
    said = run(given=asked())
    assert "core.identity" in said and f"{GROUP}/2" in said and "person-3" not in said
    assert "no version of any table" in run(given=asked("nobody-knows-them"))


