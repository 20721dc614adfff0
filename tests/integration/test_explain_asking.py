"""Who may ask about a person in a release, and that nothing of the person stays behind."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from contracts import catalog
from contracts.exit_codes import ExitCode
from jobs.errors import ConfigurationError, NotAuthorised, SourceUnavailable
from jobs.lake import Lake
from jobs.run.asking import Question
from jobs.run.explain import explain
from jobs.run.past import Asked
from jobs.run.replay import replay
from jobs.settings import Settings
from jobs.stages import permit
from jobs.stages.use import Use
from tests.integration.airflow_stand_in import Users
from tests.integration.two_releases import FIRST, GLUCOSE, GROUP, airflow, audit, home, prepared, question, told

__all__ = ["airflow", "home", "prepared"]


@pytest.mark.parametrize(("token", "actor"), [("engineers-token", "engineer"), ("services-token", "concord"), ("", ""),
                                              ("nobodys-token", ""), ("two words\n", ""), ("ü", "")])
@pytest.mark.parametrize("ask", [explain, replay])
def test_nobody_else_is_told_and_the_audit_says_who_asked(home: Settings, ask: Any, token: str, actor: str) -> None:
    answers: list[dict[str, Any]] = []
    with pytest.raises(NotAuthorised) as refused:
        ask(home, FIRST, question("person-0" if ask is explain else None, token), answers.append)
    assert refused.value.exit_code == ExitCode.APPROVAL
    assert answers == [] and "person-0" not in str(refused.value) and (not token or token not in str(refused.value))
    entry = audit(home)
    assert (entry["stage"], entry["subject"], entry["result"], entry["actor"]) == (
        ask.__name__, "engagement@1.glucose_daily", "failed", actor or "operator")
    assert json.loads(entry["detail"]) == {"error": "NotAuthorised", **({"actor_proof": "airflow_token"} if actor else {})}


def test_a_question_without_a_token_is_refused_without_asking_airflow(home: Settings, airflow: Users) -> None:
    with pytest.raises(NotAuthorised, match="nobody proved who asks"):
        explain(home, FIRST, question(token=""), lambda _: pytest.fail("told"))
    assert airflow.asked == []


def test_nobody_else_learns_which_releases_there_are(home: Settings) -> None:
    with pytest.raises(NotAuthorised):
        explain(home, Asked(GROUP, 9), question(token="engineers-token"), lambda _: pytest.fail("told"))


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


def test_nothing_of_the_person_or_the_token_stays_behind_but_what_opens_the_audit(home: Settings, tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in home.home.rglob("*") if path.is_file()}
    (answer,) = told(home, FIRST)
    lake = Lake(home.lake_root, catalog().tables)
    (key,) = [row["person_key"] for row in lake.arrow("vault.link").to_pylist() if row["source_person_id"] == "person-0"]
    record_ids = {s["record_id"] for s in answer["now"]["statements"]}
    entry = audit(home)
    assert (entry["actor"], entry["result"]) == ("officer", "done")
    assert json.loads(entry["detail"]) == {"actor_proof": "airflow_token", "group": GROUP, "release": 1, "products": [GLUCOSE]}
    written = [path for path in home.home.rglob("*") if path.is_file() and before.get(path) != path.stat().st_mtime_ns]
    content = b"".join(path.read_bytes() for path in written if not {"commitment", "whereabouts"} & set(path.parts))
    # What opens the audit's entry, and who is where, lie in the vault.
    assert {"ledger", "events.jsonl"} <= {part for path in written for part in path.parts}
    assert not [word for word in ("person-0", "officers-token", key, *record_ids) if word.encode() in content]
    assert key not in json.dumps(answer, default=str) and "person-0" not in json.dumps(answer, default=str)


def test_no_id_gets_into_a_query_plan(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def decide(people: Any, consent: Any, use: Use) -> Any:
        seen.extend(str(frame.collect()) for frame in (people.links, people.ages, consent))
        return original(people, consent, use)

    original = permit.decide
    monkeypatch.setattr(permit, "decide", decide)
    (answer,) = told(home, FIRST)
    stored = Lake(home.lake_root, catalog().tables)
    ids = [row[name] for table in ("core.consent", "vault.link") for row in stored.arrow(table).to_pylist()
           for name in ("source_person_id", "record_id", "payload_sha256", "person_key") if name in row]
    assert len(seen) == 6 and all("permit" in text for text in seen[2::3]) and len(answer["then"]["statements"]) == 4
    assert not [word for word in ids if any(word in text for text in seen)]


def test_a_token_file_is_private(home: Settings, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("officers-token\n", encoding="ascii")
    file.chmod(0o600)
    asking = question(token="", token_file=file)
    explain(home, FIRST, asking, lambda _: None)
    (tmp_path / "link").symlink_to(file)
    os.mkfifo(tmp_path / "pipe", 0o600)
    for path, given in ((tmp_path / "link", ""), (tmp_path / "none", ""), (tmp_path, ""), (tmp_path / "pipe", ""), (file, "officers-token")):
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
