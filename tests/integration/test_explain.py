"""Explaining and replaying past releases: what is told, to whom alone, and that nothing of the person stays behind."""

from __future__ import annotations

import io
import json
import shutil
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from contracts import catalog
from contracts.exit_codes import ExitCode
from jobs import cli_explain
from jobs.errors import ConfigurationError, ConsentUnreadable, IntegrityError, LakeError, NotAuthorised, SourceUnavailable
from jobs.lake import Lake
from jobs.ledger import releases
from jobs.run.asking import Question
from jobs.run.explain import explain
from jobs.run.past import Asked, asked
from jobs.run.product import build
from jobs.run.release import release
from jobs.run.replay import replay
from jobs.settings import Settings
from tests import small_lake
from tests.integration.airflow_stand_in import Users, serving

GROUP, GLUCOSE = "engagement", "glucose_daily"
OFFICERS = "officers-token"
BEFORE, AFTER = datetime(2026, 10, 2, tzinfo=UTC), datetime(2026, 10, 3, tzinfo=UTC)
FIRST, SECOND = Asked(GROUP, 1, GLUCOSE), Asked(GROUP, 2, GLUCOSE)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, engine: str) -> Path:
    """Release 1 with twelve people; then person-0 says no and person-1 is said to be in another system too; release 2."""
    made = small_lake.settings(tmp_path_factory.mktemp("prepared"), engine)
    lake = small_lake.fill(made)
    small_lake.append(lake, "core.identity", [{"source_person_id": "no-data", "country_code": "DE"}])
    small_lake.released(made)
    small_lake.append(lake, "core.consent", [
        {**small_lake.statement("person-0", "adherence_monitoring", decision="deny"), "recorded_at": BEFORE},
        {**small_lake.statement("person-1", "research", "other_lab", "deny"), "recorded_at": BEFORE}])
    build(made, GLUCOSE)
    release(made, GROUP)
    return made.home


@pytest.fixture
def home(prepared: Path, tmp_path: Path, engine: str) -> Settings:
    shutil.copytree(prepared, tmp_path / "home")
    return Settings(home=tmp_path / "home", lake="", engine=engine, actor="operator")


@pytest.fixture(autouse=True)
def airflow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Users]:
    users = Users()
    with serving(users) as address:
        monkeypatch.setenv("CONCORD_CONNECTION_CONCORD_AIRFLOW", json.dumps({"base_url": address}))
        yield users


def question(person: str | None = "person-0", token: str = OFFICERS, **more: Any) -> Question:
    named = {"person": {"source": "test", "source_person_id": person}} if person else {}
    return Question(json.dumps(named | ({"token": token} if token else {})).encode(), **more)


def told(home: Settings, wanted: Asked, person: str = "person-0") -> list[dict[str, Any]]:
    answers: list[dict[str, Any]] = []
    assert explain(home, wanted, question(person), answers.append).result == "done"
    return answers[0]["products"]


def fates(known: dict[str, Any]) -> list[tuple[str, str, str, bool]]:
    return sorted((s["purpose_code"], s["decision_code"], s["fate_code"], s["decides"]) for s in known["statements"])


def audit(home: Settings) -> dict[str, Any]:
    rows = Lake(home.lake_root, catalog().tables).arrow("ledger.audit").to_pylist()
    return next(row for row in rows if row["at"] == max(r["at"] for r in rows))


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


@pytest.mark.parametrize(("person", "reason"), [("no-data", "nothing_known"), ("stranger", "no_identity")])
def test_people_of_whom_little_is_known(home: Settings, person: str, reason: str) -> None:
    (answer,) = told(home, FIRST, person)
    assert (answer["is_in_release"], answer["then"]["reason_code"], answer["then"]["statements"]) == (False, reason, [])
    assert answer["now"]["reason_code"] == reason


def test_all_products_of_a_release_and_those_that_hold_no_person(home: Settings) -> None:
    answers = {a["product"]: a for a in told(home, Asked(GROUP, 1))}
    assert set(answers) == set(catalog().products)
    for name in set(answers) - {GLUCOSE}:
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
        assert {name for name, p in found.items() if p["people"] is None} == set(catalog().products) - {GLUCOSE}


def test_a_release_that_holds_somebody_without_a_permit_is_said(home: Settings) -> None:
    """The first table version, pinned as if it had been decided from what people said later."""
    lake = Lake(home.lake_root, catalog().tables)
    first, second = (next(p for p in releases.of(lake, GROUP) if (p["number"], p["product"]) == (n, GLUCOSE)) for n in (1, 2))
    wrong = {**second, "table_version": first["table_version"]}
    releases.pin(lake, GROUP, 3, [{k: v for k, v in wrong.items() if k not in ("release_group", "number", "released_at")}], AFTER)
    answers: list[dict[str, Any]] = []
    third = Asked(GROUP, 3, GLUCOSE)
    with pytest.raises(IntegrityError, match="holds rows of this person in glucose_daily"):
        explain(home, third, question(), answers.append)
    assert (answers[0]["products"][0]["is_in_release"], answers[0]["products"][0]["agrees"]) == (True, False)
    assert (audit(home)["result"], audit(home)["actor"]) == ("failed", "officer")
    with pytest.raises(IntegrityError, match="not what its permits allow: glucose_daily"):
        replay(home, third, question(None), answers.append)
    assert answers[1]["products"][0]["people"]["not_permitted"] == 1
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


@pytest.mark.parametrize(("token", "actor"), [("engineers-token", "operator"), ("services-token", "operator"), ("", "operator"),
                                              ("nobodys-token", "operator"), ("two words\n", "operator"), ("ü", "operator")])
@pytest.mark.parametrize("ask", [explain, replay])
def test_nobody_else_is_told_and_the_audit_says_who_asked(home: Settings, ask: Any, token: str, actor: str) -> None:
    answers: list[dict[str, Any]] = []
    with pytest.raises(NotAuthorised) as refused:
        ask(home, FIRST, question("person-0" if ask is explain else None, token), answers.append)
    assert refused.value.exit_code == ExitCode.APPROVAL
    assert answers == [] and "person-0" not in str(refused.value) and (not token or token not in str(refused.value))
    entry = audit(home)
    assert (entry["stage"], entry["subject"], entry["result"], entry["actor"]) == (
        ask.__name__, "engagement@1.glucose_daily", "failed", actor)
    assert json.loads(entry["detail"]) == {"error": "NotAuthorised"}


def test_an_engineer_who_may_read_users_is_refused_by_name(home: Settings, airflow: Users) -> None:
    airflow.may_read_users.add("engineer")
    with pytest.raises(NotAuthorised, match="engineer has none of the roles Admin, Officer"):
        explain(home, FIRST, question(token="engineers-token"), lambda _: pytest.fail("told"))
    assert audit(home)["actor"] == "engineer"
    assert json.loads(audit(home)["detail"]) == {"error": "NotAuthorised", "actor_proof": "airflow_token"}


@pytest.mark.parametrize(("path", "reply", "error"), [
    ("/ui/auth/me", (200, {"username": ""}), NotAuthorised), ("/ui/auth/me", (200, ["officer"]), NotAuthorised),
    ("/ui/auth/me", (302, {"username": "officer"}), NotAuthorised), ("/ui/auth/me", (503, {}), SourceUnavailable),
    ("/auth/fab/v1/users/officer", (200, {"username": "admin", "roles": [{"name": "Admin"}]}), NotAuthorised),
    ("/auth/fab/v1/users/officer", (200, {"username": "officer", "roles": None}), NotAuthorised),
    ("/auth/fab/v1/users/officer", (404, {}), NotAuthorised)])
def test_answers_of_airflow_that_prove_nobody(home: Settings, airflow: Users, path: str, reply: tuple[int, Any], error: type) -> None:
    airflow.replies[path] = reply
    with pytest.raises(error):
        explain(home, FIRST, question(), lambda _: pytest.fail("told"))


def test_an_admin_may_ask_and_only_the_token_is_believed(home: Settings, airflow: Users) -> None:
    answers: list[dict[str, Any]] = []
    explain(home, FIRST, question(token="admins-token"), answers.append)
    assert answers[0]["asked_by"] == "admin" == audit(home)["actor"]
    assert airflow.asked == ["/ui/auth/me", "/auth/fab/v1/users/admin"]


def test_nothing_of_the_person_or_the_token_stays_behind(home: Settings, tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in home.home.rglob("*") if path.is_file()}
    (answer,) = told(home, FIRST)
    lake = Lake(home.lake_root, catalog().tables)
    (key,) = [row["person_key"] for row in lake.arrow("vault.link").to_pylist() if row["source_person_id"] == "person-0"]
    record_ids = {s["record_id"] for s in answer["now"]["statements"]}
    entry = audit(home)
    assert (entry["actor"], entry["result"]) == ("officer", "done")
    assert json.loads(entry["detail"]) == {"actor_proof": "airflow_token", "group": GROUP, "release": 1, "products": [GLUCOSE]}
    written = [path for path in home.home.rglob("*") if path.is_file() and before.get(path) != path.stat().st_mtime_ns]
    content = b"".join(path.read_bytes() for path in written)
    assert {"ledger", "events.jsonl"} <= {part for path in written for part in path.parts}
    assert not [word for word in ("person-0", "officers-token", key, *record_ids) if word.encode() in content]
    assert key not in json.dumps(answer, default=str) and "person-0" not in json.dumps(answer, default=str)


def test_a_token_file_is_private(home: Settings, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("officers-token\n", encoding="ascii")
    file.chmod(0o600)
    asking = question(token="", token_file=file)
    explain(home, FIRST, asking, lambda _: None)
    (tmp_path / "link").symlink_to(file)
    for path, given in ((tmp_path / "link", ""), (tmp_path / "none", ""), (tmp_path, ""), (file, "officers-token")):
        with pytest.raises(ConfigurationError):
            explain(home, FIRST, question(token=given, token_file=path), lambda _: pytest.fail("told"))
    file.chmod(0o640)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        explain(home, FIRST, asking, lambda _: pytest.fail("told"))


@pytest.mark.parametrize("content", [b"person-0", b'["person-0"]', b'{"person": "person-0"}', b'{"person": {"source": "person-0"}}',
                                     b'{"token": "officers-token", "actor": "person-0"}', b'{"person-0": 1}', b"\xffperson-0",
                                     b'{"token": "officers-token"}', b"[" * 60_000])
def test_what_is_no_question_is_not_quoted(home: Settings, content: bytes) -> None:
    with pytest.raises(ConfigurationError, match="standard input") as refused:
        explain(home, FIRST, Question(content), lambda _: pytest.fail("told"))
    assert "person-0" not in str(refused.value)
    assert audit(home)["result"] == "failed"


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
    cli_explain.replay("engagement/2", as_json=as_json)
    counted = capsys.readouterr().out
    if as_json:
        assert json.loads(said)["products"][0]["then"]["reason_code"] and json.loads(counted)["products"][0]["agrees"]
    else:
        for words in ("asked by officer", "glucose_daily: out of the release", "as known then", "withheld, denied", "superseded",
                      "as true now", "optin_rates: rests on legitimate_interest and holds no person's row"):
            assert words in said
        assert "Permits of release engagement/2" in counted and "equal" in counted
    assert "person-0" not in said + counted
